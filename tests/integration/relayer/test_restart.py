# SPDX-License-Identifier: AGPL-3.0-only
"""A relayer that is killed or stopped goes on where it was: nothing acknowledged is lost, nothing settles twice."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World, world
from tests.support.build import ROOT
from tests.support.waiting import eventually


def test_sigkill_loses_nothing_and_settles_nothing_twice(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer() as relayer:
        maker, taker = exchange.trader("maker"), exchange.trader("taker")
        relayer.catch_up()
        acknowledged: dict[str, int] = {}
        sizes: list[int] = []
        for round_ in range(3):
            offer = exchange.signed(maker, "SELL", 60)
            acknowledged[exchange.order_id(offer)] = relayer.http.post("/v4/orders", json=offer).json()["seq"]
            bid = exchange.signed(maker, "BUY", 10, BTC_PRICE - 5_000)
            acknowledged[exchange.order_id(bid)] = relayer.http.post("/v4/orders", json=bid).json()["seq"]
            killer = threading.Timer(0.15 + 0.1 * round_, relayer.kill)
            killer.start()
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                body = exchange.signed(taker, "BUY", 3, time_in_force="IOC")
                try:
                    answer = relayer.http.post("/v4/orders", json=body)
                except httpx.TransportError:
                    break
                if answer.status_code == 201:
                    acknowledged[exchange.order_id(body)] = answer.json()["seq"]
                    sizes.append(int(answer.json()["filled"]))
            killer.join()
            relayer.start()
            for order_id, seq in acknowledged.items():
                order = relayer.order(order_id)
                assert order["id"] == order_id, order
                assert order["seq"] >= seq
        assert sum(sizes) > 0
        eventually(lambda: relayer.http.get("/ready").json()["unsettledFills"] == 0, "the settlement of everything")

        matched = {entry["fillId"]: entry for entry in relayer.events() if entry["type"] == "fill"}
        settled = exchange.settled_fill_ids()
        assert sorted(settled) == sorted(matched)
        assert len(settled) == len(set(settled))
        assert exchange.size_of(taker) == sum(entry["size"] for entry in matched.values()) >= sum(sizes)
        assert exchange.size_of(maker) == -exchange.size_of(taker)


def test_the_same_records_after_a_restart(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer() as relayer:
        maker, taker = exchange.trader("maker"), exchange.trader("taker")
        relayer.catch_up()
        relayer.http.post("/v4/orders", json=exchange.signed(maker, "SELL", 60))
        relayer.http.post("/v4/orders", json=exchange.signed(taker, "BUY", 20, time_in_force="IOC"))
        eventually(lambda: exchange.size_of(taker) == 20, "the position")
        eventually(lambda: relayer.http.get("/ready").json()["unsettledFills"] == 0, "the settlement of everything")
        before = relayer.events()
        assert relayer.stop() == 0
        relayer.start()
        assert relayer.events()[: len(before)] == before

        # And it trades on: the rest of the maker's order is still there.
        again = relayer.http.post("/v4/orders", json=exchange.signed(taker, "BUY", 40, time_in_force="IOC"))
        assert again.json()["filled"] == "40"
        eventually(lambda: exchange.size_of(taker) == 60, "the position")


def test_sigterm_ends_polls_and_exits_with_zero(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer() as relayer:
        answers: list[int] = []
        poll = threading.Thread(
            target=lambda: answers.append(
                httpx.get(f"{relayer.url}/events", params={"from": 10_000, "wait": 20}, timeout=120).status_code
            )
        )
        poll.start()
        time.sleep(0.3)
        started = time.monotonic()
        assert relayer.stop() == 0
        poll.join()
        assert answers == [200]
        assert time.monotonic() - started < 5


def test_a_second_process_on_the_same_journal_is_refused(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer() as relayer:
        second = _run_once(exchange, tmp_path / "relayer")
        assert second[0] == 1
        assert "another process has the journal" in second[1]
        assert relayer.http.get("/ready").status_code == 200


def test_the_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with world(tmp_path) as exchange:
        status, output = _run_once(exchange, tmp_path / "other", OURO_OPERATOR_KEY="0x" + "11" * 32)
        assert status == 1
        assert "the deployment's operator is" in output
        assert "1111" not in output


def _run_once(exchange: World, state: Path, **env: str) -> tuple[int, str]:
    process = RelayerProcess(exchange.node.rpc_url, exchange.deployment, state, **env)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "relayer", "run"],
            cwd=ROOT,
            env=process.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
    finally:
        process.close()
    return done.returncode, done.stdout + done.stderr
