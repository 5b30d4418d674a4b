# SPDX-License-Identifier: AGPL-3.0-only
"""Real processes on a real chain, killed under load: relayer and follower with SIGKILL, again and again.

A signal leaves the page cache, so this says nothing about power cuts; it says that everything starts again, that
snapshots and event log fit together, that the follower agrees, and that nothing settles twice.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from random import Random

import httpx

from relayer.journal import OsFiles, Snapshots
from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, world
from tests.support.build import ROOT
from tests.support.waiting import eventually

FAST = {
    "OURO_RELAYER_SNAPSHOT_RECORDS": "40",
    "OURO_RELAYER_SNAPSHOT_MINUTES": "0.05",
    "OURO_RELAYER_JOURNAL_DAYS": "0",
    "OURO_RELAYER_RESERVE_MB": "1",
}


class FollowerProcess:
    """A follower of a relayer's state folder."""

    def __init__(self, relayer: RelayerProcess) -> None:
        self._log = relayer.state / "follower.log"
        self._environment = relayer.environment
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "relayer", "follow"],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """SIGKILL, unless it has fallen by itself: that is an alarm."""
        assert self.process.poll() is None, self._log.read_text()[-3_000:]
        self.process.kill()
        self.process.wait()


def kill_processes(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Trades while somebody kills; answers what happened. Raises AssertionError for a broken promise."""
    rng, counts = Random(seed), Counter[str]()
    with world(folder) as exchange, exchange.relayer(**(FAST | {"OURO_LOG_LEVEL": "info"})) as relayer:
        follower = FollowerProcess(relayer)
        maker, taker = exchange.trader("maker"), exchange.trader("taker")
        relayer.catch_up()
        acknowledged: dict[str, int] = {}
        seen: list[object] = []
        for _ in range(kills):
            exchange.push()
            relayer.catch_up()
            offer = exchange.signed(maker, "SELL", 40)
            acknowledged[exchange.order_id(offer)] = int(relayer.http.post("/v4/orders", json=offer).json()["seq"])
            victim = rng.choice(["relayer", "relayer", "follower", "both"])
            killer = threading.Timer(rng.uniform(0.05, 1.2), lambda victim=victim: _kill(victim, relayer, follower))
            killer.start()
            for _ in range(200):
                if not killer.is_alive():
                    break
                body = exchange.signed(taker, "BUY", 2, BTC_PRICE, time_in_force="IOC")
                try:
                    answer = relayer.http.post("/v4/orders", json=body)
                except httpx.TransportError:
                    break
                if answer.status_code == 201:
                    acknowledged[exchange.order_id(body)] = int(answer.json()["seq"])
            killer.join()
            counts[f"{victim}_killed"] += 1
            if victim != "follower":
                relayer.start()
            if victim != "relayer":
                follower.start()
            records = relayer.events()
            assert records[: len(seen)] == seen, "a public record was taken back"
            seen = list(records)
            for order_id, seq in acknowledged.items():
                order = relayer.order(order_id)
                assert order["id"] == order_id, order
                assert int(order["seq"]) >= seq
        eventually(lambda: relayer.http.get("/ready").json()["unsettledFills"] == 0, "the settlement of everything")
        matched = {entry["fillId"]: entry for entry in relayer.events() if entry["type"] == "fill"}
        settled = exchange.settled_fill_ids()
        assert sorted(settled) == sorted(matched), "a fill is lost, or settled twice"
        assert exchange.size_of(taker) == sum(int(entry["size"]) for entry in matched.values())
        follower.kill()  # it lives, so it agreed with everything
        snapshots = Snapshots(OsFiles(relayer.state / "snapshots")).all()
        assert snapshots, "the follower wrote no snapshot"
        counts.update(acknowledged_orders=len(acknowledged), fills=len(settled), snapshots_kept=len(snapshots))
        counts["started_from_a_snapshot"] = sum("from_snapshot" in line for line in relayer.log().splitlines())
    return dict(sorted(counts.items()))


def _kill(victim: str, relayer: RelayerProcess, follower: FollowerProcess) -> None:
    if victim != "follower":
        relayer.kill()
    if victim != "relayer":
        follower.kill()
