# SPDX-License-Identifier: AGPL-3.0-only
"""Counts of what the keeper did, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from keeper.outcome import Outcome
from keeper.watch import AccountWatch


class Metrics:
    """One registry per keeper, served on a port of its own when asked for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.outcomes = Counter(
            "ouro_keeper_outcomes", "Attempts at a liquidation by how they ended", ["result"], registry=self.registry
        )
        self.gain = Counter(
            "ouro_keeper_gain_micro_usdc", "Gain of won liquidations against the index price", registry=self.registry
        )
        self.gas = Counter("ouro_keeper_gas_wei", "Gas paid for attempts", registry=self.registry)
        self.pokes = Counter("ouro_keeper_pokes", "Markets poked for funding", registry=self.registry)
        self.trouble = Counter("ouro_keeper_trouble", "Rounds that failed", registry=self.registry)
        self.holders = Gauge("ouro_keeper_holders", "Accounts with positions", registry=self.registry)
        self.block = Gauge("ouro_keeper_block", "Newest block that was looked at", registry=self.registry)

    def record(self, outcome: Outcome) -> None:
        """Count an attempt."""
        self.outcomes.labels(result=str(outcome.result)).inc()
        self.gas.inc(outcome.gas_wei)
        self.gain.inc(max(0, outcome.gain))

    def looked(self, watch: AccountWatch) -> None:
        """Note what a round has seen."""
        self.holders.set(len(watch.holders()))
        self.block.set(watch.height)

    def serve(self, port: int) -> None:
        """Serve /metrics on this machine."""
        start_http_server(port, addr="127.0.0.1", registry=self.registry)
