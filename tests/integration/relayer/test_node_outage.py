# SPDX-License-Identifier: AGPL-3.0-only
"""A node that is away for a while: orders wait, cancels pass, and nothing is lost when it comes back."""

import subprocess
import sys
from pathlib import Path

from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, world
from tests.integration.relayer.proxy import Wire
from tests.support.build import ROOT
from tests.support.waiting import eventually


def test_the_node_goes_away_and_comes_back(tmp_path: Path) -> None:
    with world(tmp_path) as exchange:
        wire = Wire(exchange.node.port)
        relayer = RelayerProcess(
            f"http://127.0.0.1:{wire.port}", exchange.deployment, tmp_path / "relayer", OURO_RELAYER_STALE_S="1"
        )
        try:
            relayer.start()
            maker, taker = exchange.trader("maker"), exchange.trader("taker")
            relayer.catch_up()
            resting = relayer.http.post("/v4/orders", json=exchange.signed(maker, "BUY", 5, BTC_PRICE - 900)).json()
            assert relayer.http.post("/v4/orders", json=exchange.signed(maker, "SELL", 50)).status_code == 201

            # A match right before the wire is cut: its batch cannot leave.
            taken = exchange.signed(taker, "BUY", 20, time_in_force="IOC")
            assert relayer.http.post("/v4/orders", json=taken).json()["filled"] == "20"
            wire.sever()
            eventually(lambda: relayer.http.get("/ready").status_code == 503, "not ready")
            refused = relayer.http.post("/v4/orders", json=exchange.signed(taker, "BUY", 5))
            assert (refused.status_code, refused.json()["errorCode"]) == (503, "not_ready")
            assert refused.headers["retry-after"] == "1"
            order_id = resting["id"]
            path = f"/v4/orders/{order_id}"
            assert relayer.http.request("DELETE", path, json=exchange.cancel(maker, order_id)).status_code == 200
            assert relayer.http.get("/health").status_code == 200

            for _ in range(3):
                exchange.node.rpc.request("evm_mine")
            wire.mend()
            eventually(lambda: relayer.http.get("/ready").status_code == 200, "ready again")
            eventually(lambda: exchange.size_of(taker) == 20, "the settlement")
            assert exchange.settled_fill_ids() == [1]
        finally:
            relayer.close()
            wire.close()


def test_status_says_whether_it_is_ready(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer() as relayer:
        good = _status(relayer.url)
        assert good.returncode == 0
        assert "ready: True" in good.stdout
        assert relayer.stop() == 0
        gone = _status(relayer.url)
        assert gone.returncode == 1
        assert "no relayer answers" in gone.stderr


def _status(url: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "relayer", "status", "--url", url]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
