# SPDX-License-Identifier: AGPL-3.0-only
"""A reorg on the stream: what no longer stands is named, and what stands now is said."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from stack.ports import free_port
from tests.integration.indexer.process import IndexerProcess
from tests.integration.indexer.venue import MAKER, TAKER, venue
from tests.support.waiting import eventually


def test_a_reorg_takes_back_trades_fills_and_positions(tmp_path: Path) -> None:
    deployment = tmp_path / "deployment.json"
    with venue() as chain:
        deployment.write_text(json.dumps(chain.record()))
        nobody = f"http://127.0.0.1:{free_port()}"
        indexer = IndexerProcess(chain.rpc.url, nobody, deployment, tmp_path / "indexer")
        try:
            indexer.start("/health")
            eventually(lambda: indexer.get("/v4/height")["height"] == str(chain.block), "the newest block")
            with indexer.stream() as stream:
                assert stream.subscribe("v4_trades", "BTC-USD") == {"trades": []}
                snapshot = stream.subscribe("v4_subaccounts", f"{TAKER.address}/0")
                account = snapshot["subaccount"]
                chain.trade(TAKER, MAKER, 5)
                filled = stream.until("v4_subaccounts", lambda contents: "fills" in contents)
                assert filled["perpetualPositions"][0]["size"] == "0.0005"
                fill_id = filled["fills"][0]["id"]

                chain.rpc.request("anvil_reorg", 1, [])
                gone = stream.until("v4_trades", lambda contents: "reverted" in contents)
                assert gone["reverted"] == [fill_id]
                undone = stream.until("v4_subaccounts", lambda contents: "reverted" in contents)
                assert undone["reverted"] == {"fills": [fill_id], "transfers": []}
                assert undone["perpetualPositions"] == []
                assert undone["equity"] == account["equity"]
            # Who was away meanwhile hears both, also after the indexer was killed.
            indexer.stop(signal.SIGKILL)
            indexer.start("/health")
            with indexer.stream() as stream:
                since = {"fromSeq": snapshot["seq"], "epoch": snapshot["epoch"]}
                assert stream.subscribe("v4_subaccounts", f"{TAKER.address}/0", **since)["resumed"]
                told = [stream.receive()["contents"] for _ in range(2)]
            assert told == [filled, undone]
            assert indexer.get("/v4/fills", address=TAKER.address)["fills"] == []
            assert indexer.stop() == 0
        finally:
            indexer.close()
