# SPDX-License-Identifier: AGPL-3.0-only
"""Node, relayer and database go away and come back under a running indexer: it says so, waits, and goes on where it
was. What is its own fault ends it with a sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.indexer.process import IndexerProcess
from tests.integration.relayer.harness import BTC_PRICE, world
from tests.integration.relayer.proxy import Wire
from tests.support.postgres import postgres
from tests.support.waiting import eventually

# the first of a run compiles the contracts, and it waits for each of many things
pytestmark = pytest.mark.timeout(900)
MARKETS = "/v4/perpetualMarkets"


def problems(indexer: IndexerProcess) -> list[str]:
    answer = indexer.http.get("/ready")
    body: dict[str, Any] = answer.json()
    assert (answer.status_code == 200) == (not body["problems"])
    found: list[str] = body["problems"]
    return found


def told(indexer: IndexerProcess, what: str) -> None:
    """Until it says that this is wrong, while it is up."""
    eventually(lambda: f"the {what} does not answer" in " ".join(problems(indexer)), f"what ails: {what}")
    assert indexer.http.get("/health").status_code == 200


def well(indexer: IndexerProcess) -> None:
    eventually(lambda: not problems(indexer), "ready again")


def test_what_is_outside_goes_away_and_comes_back(tmp_path: Path) -> None:
    with world(tmp_path) as made, made.relayer() as relayer, postgres() as server:
        wire, url = Wire(made.node.port), server.create(migrated=False)
        indexer = IndexerProcess(
            f"http://127.0.0.1:{wire.port}",
            relayer.url,
            made.deployment,
            tmp_path / "indexer",
            OURO_DATABASE_URL=url,
            OURO_INDEXER_STALE_S="100000",
        )
        try:
            server.crash()
            assert "cannot start: the database does not answer" in indexer.start_refused()
            server.restart()
            indexer.start()
            maker, taker = made.trader("maker"), made.trader("taker")

            wire.sever()
            told(indexer, "node")
            assert indexer.http.get(MARKETS).status_code == 200
            made.push(BTC_PRICE + 100)
            wire.mend()
            well(indexer)
            eventually(lambda: indexer.get(MARKETS)["markets"]["BTC-USD"]["oraclePrice"] == "23001", "the new price")

            relayer.kill()
            told(indexer, "relayer's log")
            relayer.start()
            well(indexer)
            resting = relayer.http.post("/v4/orders", json=made.signed(maker, "SELL", 50)).json()
            assert indexer.get(f"/v4/orders/{resting['id']}", atSeq=resting["seq"])["status"] == "OPEN"

            with indexer.stream() as stream:
                server.crash()
                told(indexer, "database")
                refused = indexer.http.get(MARKETS)
                assert (refused.status_code, refused.json()["errorCode"]) == (503, "database_unavailable")
                assert refused.headers["retry-after"] == "1"
                stream.send(type="subscribe", channel="v4_trades", id="BTC-USD")
                assert stream.receive()["errorCode"] == "database_unavailable"
                # What happens meanwhile is there afterwards.
                bought = relayer.http.post("/v4/orders", json=made.signed(taker, "BUY", 20, time_in_force="IOC")).json()
                assert bought["filled"] == "20"
                server.restart()
                well(indexer)
                fills = eventually(lambda: indexer.get("/v4/fills", address=taker.address)["fills"], "the fill")
                assert [fill["orderId"] for fill in fills] == [bought["id"]]
                book = indexer.get("/v4/orderbooks/perpetualMarket/BTC-USD", atSeq=bought["seq"])
                assert [level["size"] for level in book["asks"]] == ["0.003"]
                assert stream.subscribe("v4_trades", "BTC-USD")["trades"]

            # A fault of its own: no waiting helps.
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("DROP TABLE oracle_prices")
            made.push(BTC_PRICE)
            assert indexer.wait() == 1
            assert "chain follower failed: ProgrammingError" in " ".join(indexer.log().split())
        finally:
            indexer.close()
            wire.close()
