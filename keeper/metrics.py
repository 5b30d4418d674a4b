# SPDX-License-Identifier: AGPL-3.0-only
"""Counts of what the keeper did and saw, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from keeper.alarms import AlarmBoard
from keeper.outcome import Outcome
from keeper.survey import Survey


class Metrics:
    """One registry per keeper."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.outcomes = Counter(
            "ouro_keeper_outcomes", "Attempts by how they ended", ["bot", "result"], registry=self.registry
        )
        self.gain = Counter(
            "ouro_keeper_gain_micro_usdc", "Gain of won take-overs against the index price", registry=self.registry
        )
        self.gas = Counter("ouro_keeper_gas_wei", "Gas paid", ["bot"], registry=self.registry)
        self.rounds = Counter("ouro_keeper_rounds", "Rounds", ["bot"], registry=self.registry)
        self.trouble = Counter("ouro_keeper_trouble", "Rounds that failed", ["bot"], registry=self.registry)
        self.seconds = Gauge("ouro_keeper_round_seconds", "Time of the last round", ["bot"], registry=self.registry)
        self.holders = Gauge("ouro_keeper_holders", "Accounts with positions", registry=self.registry)
        self.liquidatable = Gauge(
            "ouro_keeper_liquidatable", "Accounts below maintenance margin", registry=self.registry
        )
        self.insurance = Gauge("ouro_keeper_insurance_micro_usdc", "The insurance fund", registry=self.registry)
        self.block = Gauge("ouro_keeper_block", "Newest block that was looked at", registry=self.registry)
        self.block_time = Gauge("ouro_keeper_block_time_seconds", "Its time", registry=self.registry)
        self.balance = Gauge("ouro_keeper_balance_wei", "Gas money of the keeper", registry=self.registry)
        self.bumps = Gauge("ouro_keeper_fee_bumps", "Transactions sent again with a higher fee", registry=self.registry)
        self.alarms = Gauge("ouro_keeper_alarms", "Alarms that are on", registry=self.registry)

    def record(self, outcome: Outcome) -> None:
        """Count an attempt."""
        bot = outcome.attempt.bot
        self.outcomes.labels(bot=bot, result=str(outcome.result)).inc()
        self.gas.labels(bot=bot).inc(outcome.gas_wei)
        self.gain.inc(max(0, outcome.gain))

    def looked(self, survey: Survey) -> None:
        """Note what a round has seen."""
        self.holders.set(len(survey.health))
        self.liquidatable.set(len(survey.liquidatable()))
        self.insurance.set(survey.insurance)
        self.block.set(survey.head.number)
        self.block_time.set(survey.head.time_s)

    def watched(self, board: AlarmBoard) -> None:
        """Note how many alarms are on."""
        self.alarms.set(len(board.on()))

    def exposition(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self.registry)
