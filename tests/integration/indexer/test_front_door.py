# SPDX-License-Identifier: AGPL-3.0-only
"""The front door over a real chain and a real relayer: reads, the stream, writes passed on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ouro.client import OuroClient
from stack.ports import free_port
from tests.integration.indexer.process import IndexerProcess
from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World, world
from tests.support.build import ROOT
from tests.support.waiting import eventually

DOOR = "v4_subaccounts"
WEIGHT = 600


class Market:
    """Chain, relayer and indexer, and orders placed through the front door."""

    def __init__(self, made: World, relayer: RelayerProcess, indexer: IndexerProcess) -> None:
        self.world, self.relayer, self.indexer = made, relayer, indexer

    def place(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.indexer.http.post("/v4/orders", json=body)
        assert answer.status_code == 201, answer.text
        placed: dict[str, Any] = answer.json()
        return placed

    def synced(self) -> None:
        """Until the index is at the head of the chain, which nobody moves meanwhile."""
        rpc = self.world.node.rpc
        eventually(
            lambda: self.indexer.get("/v4/height")["height"] == str(int(rpc.request("eth_blockNumber"), 16)),
            "the newest block",
        )
        self.relayer.catch_up()


@contextmanager
def following(made: World, relayer: RelayerProcess, folder: Path) -> Iterator[IndexerProcess]:
    process = IndexerProcess(made.node.rpc_url, relayer.url, made.deployment, folder)
    try:
        process.start()
        yield process
    finally:
        process.close()


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("market")
    with (
        world(folder) as made,
        made.relayer(OURO_RELAYER_IP_WEIGHT=str(WEIGHT)) as relayer,
        following(made, relayer, folder / "indexer") as indexer,
    ):
        yield Market(made, relayer, indexer)


def test_an_order_becomes_a_position(market: Market) -> None:
    """From the write through the front door to fills, positions, tape, candles, for both sides."""
    made, door = market.world, market.indexer
    maker, taker = made.trader("maker"), made.trader("taker")
    market.synced()
    resting = market.place(made.signed(maker, "SELL", 100))
    assert resting["status"] == "OPEN"
    book = door.get("/v4/orderbooks/perpetualMarket/BTC-USD", atSeq=resting["seq"])
    assert {"price": "23000", "size": "0.01"} in book["asks"]
    [shown] = door.get("/v4/orders", address=maker.address, subaccountNumber=0, status="OPEN")
    assert (shown["id"], shown["size"], shown["totalFilled"], shown["price"]) == (resting["id"], "0.01", "0", "23000")

    taken = market.place(made.signed(taker, "BUY", 40, time_in_force="IOC"))
    after = door.http.get(f"/v4/orders/{resting['id']}", params={"atSeq": taken["seq"]})
    assert after.json()["totalFilled"] == "0.004"
    assert int(after.headers["Ouro-Seq"]) >= taken["seq"]

    fills = eventually(
        lambda: door.get("/v4/fills", address=taker.address.lower(), ticker="BTC-USD")["fills"], "the fill"
    )
    assert [(fill["side"], fill["liquidity"], fill["price"], fill["size"], fill["orderId"]) for fill in fills] == [
        ("BUY", "TAKER", "23000", "0.004", taken["id"])
    ]
    assert fills[0]["fee"] == "0.0322"
    [position] = door.get("/v4/perpetualPositions", address=maker.address, subaccountNumber=0)["positions"]
    assert (position["market"], position["side"], position["size"], position["entryPrice"], position["status"]) == (
        "BTC-USD",
        "SHORT",
        "-0.004",
        "23000",
        "OPEN",
    )
    account = door.get(f"/v4/addresses/{taker.address}/subaccountNumber/0")["subaccount"]
    assert account["equity"] == "99999.9678"
    assert account["openPerpetualPositions"]["BTC-USD"]["size"] == "0.004"
    [trade] = door.get("/v4/trades/perpetualMarket/BTC-USD", limit=1)["trades"]
    assert (trade["id"], trade["side"], trade["size"]) == (fills[0]["id"], "BUY", "0.004")
    [candle, *_] = door.get("/v4/candles/perpetualMarkets/BTC-USD", resolution="1DAY")["candles"]
    assert (candle["close"], candle["ticker"], candle["resolution"]) == ("23000", "BTC-USD", "1DAY")


def test_an_account_stream_tells_orders_matches_fills_and_positions(market: Market) -> None:
    made = market.world
    maker, taker = made.trader("maker"), made.trader("taker")
    market.synced()
    id_ = f"{taker.address}/0"
    with market.indexer.stream() as stream:
        snapshot = stream.subscribe(DOOR, id_)
        assert snapshot["subaccount"]["equity"] == "100000"
        assert snapshot["orders"] == []
        trades = stream.subscribe("v4_trades", "BTC-USD")["trades"]
        placed = market.place(made.signed(maker, "SELL", 50, BTC_PRICE + 1_000))
        bought = market.place(made.signed(taker, "BUY", 50, BTC_PRICE + 1_000))
        assert placed["status"] == "OPEN"
        told = stream.until(DOOR, lambda contents: "orders" in contents)
        assert told["orders"][-1]["id"] == bought["id"]
        assert told["matches"][0]["status"] == "matched"
        filled: dict[str, Any] = {}
        printed: dict[str, Any] = {}
        while not (filled and printed):
            message = stream.receive()
            contents = message["contents"]
            if "fills" in contents:
                filled = contents
                assert message["subaccountNumber"] == 0
            if message["channel"] == "v4_trades":
                printed = contents
        [fill] = filled["fills"]
        assert (fill["orderId"], fill["ticker"], fill["size"]) == (bought["id"], "BTC-USD", "0.005")
        assert {"fee", "clobPairId", "quoteAmount", "subaccountId", "eventId"} <= fill.keys()
        assert filled["perpetualPositions"][0]["size"] == "0.005"
        assert filled["assetPositions"][0]["symbol"] == "USDC"
        assert printed["trades"][0]["id"] == fill["id"]
        assert fill["id"] not in {trade["id"] for trade in trades}


def test_a_book_follows_its_stream(market: Market) -> None:
    """Snapshot levels are objects, updates pairs of price and absolute size, "0" deletes; changes are numbered."""
    made = market.world
    maker = made.trader("maker")
    market.synced()
    with market.indexer.stream() as stream:
        snapshot = stream.subscribe("v4_orderbook", "BTC-USD")
        placed = market.place(made.signed(maker, "BUY", 7, BTC_PRICE - 5_000))
        update = stream.until("v4_orderbook", lambda contents: "bids" in contents)
        assert ["22950", "0.0007"] in update["bids"]
        assert update["prevSeq"] == snapshot["seq"]
        answer = market.indexer.http.request(
            "DELETE", f"/v4/orders/{placed['id']}", json=made.cancel(maker, placed["id"])
        )
        assert answer.status_code == 200, answer.text
        gone = stream.until("v4_orderbook", lambda contents: "bids" in contents)
        assert ["22950", "0"] in gone["bids"]
        assert int(gone["seq"]) == int(update["seq"]) + 1


def test_channels_answer_as_clients_expect(market: Market) -> None:
    with market.indexer.stream() as stream:
        assert set(stream.subscribe("v4_markets")["markets"]) == {"BTC-USD", "ETH-USD"}
        assert isinstance(stream.subscribe("v4_candles", "BTC-USD/1MIN")["candles"], list)
        assert stream.subscribe("v4_subaccounts", "0x0000000000000000000000000000000000000001/0") == {}
        height = stream.subscribe("v4_block_height")
        assert height.keys() == {"height", "time", "finalHeight"}
        stream.send(type="subscribe", channel="v4_markets")
        assert stream.receive()["message"] == "already subscribed"
        stream.send(type="subscribe", channel="v4_orderbook", id="DOGE-USD")
        assert "no market is called DOGE-USD" in stream.receive()["message"]
        stream.send(type="ping", id=7)
        assert stream.receive()["type"] == "pong"
        stream.send(type="unsubscribe", channel="v4_block_height")
        assert stream.receive()["type"] == "unsubscribed"
        market.world.push(BTC_PRICE, 1_600_000)
        update = stream.until("v4_markets", lambda contents: "oraclePrices" in contents)
        assert update["oraclePrices"]["BTC-USD"]["oraclePrice"] == "23000"
        assert update["oraclePrices"]["BTC-USD"]["marketId"] == 1


def test_batches_come_only_to_who_asks(market: Market) -> None:
    with market.indexer.stream() as stream:
        stream.subscribe("v4_block_height", batched=True)
        market.world.push()
        message = stream.receive()
        assert message["type"] == "channel_batch_data"
        assert isinstance(message["contents"], list)


def test_refusals_of_the_relayer_pass_unchanged(market: Market) -> None:
    body = {"order": {}, "signature": "0x"}
    direct = market.relayer.http.post("/v4/orders", json=body)
    passed = market.indexer.http.post("/v4/orders", json=body)
    assert (passed.status_code, passed.json()) == (direct.status_code, direct.json())
    assert passed.status_code == 400


def test_the_relayer_limits_who_is_behind_the_door(market: Market) -> None:
    """The door tells the relayer of its client, in place of what the client says of himself."""

    def left(client: str) -> int:
        batch = {"orders": [{}] * 50}
        answer = market.indexer.http.post("/v4/orders/batch", json=batch, headers={"X-Forwarded-For": client})
        assert answer.status_code == 200, answer.text
        return int(answer.headers["ratelimit-remaining"])

    assert [left(f"203.0.113.{number}") for number in range(3)] == [WEIGHT - 50] * 3
    assert min(left("203.0.113.7") for _ in range(5)) < WEIGHT - 50


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v4/orders", {"tickerType": "PERPETUAL", "returnLatestOrders": "True", "status": "open,UNTRIGGERED"}),
        ("/v4/fills", {"ticker": "BTC-USD", "tickerType": "PERPETUAL"}),
        ("/v4/fills", {"market": "BTC-USD", "createdBeforeOrAt": "2030-01-01T00:00:00.000 00:00"}),
        ("/v4/candles/perpetualMarkets/BTC-USD", {"resolution": "1MIN", "fromIso": "2020-01-01T00:00:00.000Z"}),
        ("/v4/candles/perpetualMarkets/BTC-USD", {"resolution": "1MIN", "toISO": "2020-01-01T00:00:00+00:00"}),
        ("/v4/perpetualPositions", {"status": ["OPEN", "CLOSED"], "createdBeforeOrAtHeight": "10000"}),
        ("/v4/perpetualPositions/parentSubaccountNumber", {"parentSubaccountNumber": "0"}),
        ("/v4/transfers", {"limit": "5000", "page": "1"}),
        ("/v4/sparklines", {"timePeriod": "SEVEN_DAYS"}),
    ],
)
def test_real_clients_queries_are_answered(market: Market, path: str, query: dict[str, Any]) -> None:
    market.indexer.get(path, address="0x0000000000000000000000000000000000000001", subaccountNumber=0, **query)


@pytest.mark.parametrize(
    ("path", "status", "param"),
    [
        ("/v4/trades/perpetualMarket/DOGE-USD", 404, "ticker"),
        ("/v4/candles/perpetualMarkets/BTC-USD?resolution=2MIN", 400, "resolution"),
        ("/v4/fills?address=0x12&subaccountNumber=0", 400, "address"),
        ("/v4/fills?subaccountNumber=0", 400, "address"),
        ("/v4/orders?address=0x0000000000000000000000000000000000000001&status=WRONG", 400, "status"),
        ("/v4/trades/perpetualMarket/BTC-USD?limit=0", 400, "limit"),
        ("/v4/trades/perpetualMarket/BTC-USD?createdBeforeOrAt=yesterday", 400, "createdBeforeOrAt"),
        ("/v4/addresses/0x0000000000000000000000000000000000000001/subaccountNumber/0", 404, "address"),
        ("/v4/addresses/0x0000000000000000000000000000000000000001/subaccountNumber/x", 400, "number"),
        ("/v4/height?atSeq=999999999", 503, "atSeq"),
    ],
)
def test_errors_name_what_was_wrong(market: Market, path: str, status: int, param: str) -> None:
    answer = market.indexer.http.get(path)
    body = answer.json()
    assert answer.status_code == status
    assert body["errors"][0]["param"] == param
    assert isinstance(body["errorCode"], str)
    assert "code" not in body


@pytest.mark.parametrize("path", ["/v4/orders/%00", "/v4/orders/a%0ab", "/v4/orders/%2e%2e/x", "/v4/orders/x/../../y"])
def test_a_path_that_is_no_path_is_not_passed_on(market: Market, path: str) -> None:
    for method in ("POST", "DELETE", "PATCH"):
        answer = market.indexer.http.request(method, path)
        assert answer.status_code in (404, 405), answer.text


def test_a_stream_refuses_what_it_could_not_serve(market: Market) -> None:
    owner = "0x0000000000000000000000000000000000000001"
    with market.indexer.stream() as stream:
        for number in ("9" * 30, "9" * 100, "\u0663", "-1", ""):
            stream.send(type="subscribe", channel=DOOR, id=f"{owner}/{number}")
            assert stream.receive()["type"] == "error"
        for request in ({"type": "x" * 60_000}, {"type": "subscribe", "channel": "x" * 60_000}, {"type": "ping"}):
            stream.send(**{"id": "y" * 1_000, **request})
            answer = stream.receive()
            assert answer["type"] == "error"
            assert len(str(answer)) < 1_000, "what is large is not echoed"


def test_service_routes(market: Market) -> None:
    door = market.indexer
    assert door.get("/health") == {"status": "ok"}
    assert door.get("/ready")["status"] == "ready"
    config = door.get("/v4/config")
    assert config["domain"]["verifyingContract"] == market.world.system.exchange.address
    assert config["vaultDomain"]["verifyingContract"] == market.world.system.vault.address
    assert config["relayerUrl"] == market.relayer.url
    assert {"Order", "CancelOrder", "Withdrawal", "EIP712Domain"} <= config["types"].keys()
    for entry in door.get("/v4/perpetualMarkets")["markets"].values():
        step = entry["stepBaseQuantums"] * 10.0 ** entry["atomicResolution"]
        tick = entry["subticksPerTick"] * 10.0 ** (entry["quantumConversionExponent"] - 6 - entry["atomicResolution"])
        assert float(entry["stepSize"]) == pytest.approx(step)
        assert float(entry["tickSize"]) == pytest.approx(tick)
    assert "ouro_indexer_height" in door.http.get("/metrics").text
    assert door.http.get("/v4/time").headers["Cache-Control"] == "no-store"
    cors = door.http.get("/v4/height", headers={"Origin": "https://example.org"})
    assert cors.headers["Access-Control-Allow-Origin"] == "*"


def test_services_say_on_the_command_line_whether_they_are_ready(market: Market) -> None:
    def status(service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", service, "status", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)

    market.synced()
    for service, url, told in (
        ("relayer", market.relayer.url, "ready: True"),
        ("indexer", market.indexer.url, "status: ready\nproblems: none"),
    ):
        for_people = status(service, "--url", url)
        assert (for_people.returncode, told in for_people.stdout) == (0, True), for_people
        for_scripts = status(service, "--url", url, "--json")
        assert json.loads(for_scripts.stdout).keys() == httpx.get(f"{url}/ready").json().keys()
        absent = status(service, "--url", f"http://127.0.0.1:{free_port()}", "--json")
        assert (absent.returncode, absent.stdout) == (1, "")
        assert f"no {service} answers" in absent.stderr


def test_it_goes_on_after_a_restart_and_without_the_relayer(tmp_path: Path) -> None:
    """The cursor of the relayer's log, the book and the tables survive; writes say so when the relayer is away."""
    path = "/v4/orderbooks/perpetualMarket/BTC-USD"
    with (
        world(tmp_path) as made,
        made.relayer() as relayer,
        following(made, relayer, tmp_path / "indexer") as indexer,
    ):
        maker = made.trader("maker")
        relayer.catch_up()
        placed = relayer.http.post("/v4/orders", json=made.signed(maker, "BUY", 9, BTC_PRICE - 9_000)).json()

        def book(**query: Any) -> dict[str, Any]:
            # The chain goes on meanwhile.
            return {name: value for name, value in indexer.get(path, **query).items() if name != "height"}

        before = book(atSeq=placed["seq"])
        assert before["bids"] == [{"price": "22910", "size": "0.0009"}]
        assert indexer.stop() == 0
        relayer.stop()
        indexer.start("/health")
        assert book() == before
        assert indexer.get(f"/v4/orders/{placed['id']}")["status"] == "OPEN"
        refused = indexer.http.post("/v4/orders", json={})
        assert refused.status_code == 503
        assert refused.json()["errorCode"] == "relayer_unavailable"
        assert indexer.http.get("/ready").status_code == 503
        relayer.start()
        assert book(atSeq=placed["seq"]) == before
        assert indexer.stop() == 0


def test_the_sdk_understands_every_read(market: Market) -> None:
    """The typed client against the same door: shapes that drift fail here."""
    made = market.world
    trader = made.trader("trader")
    market.synced()
    with OuroClient(market.indexer.url, trader) as client:
        assert client.height().height > 0
        assert client.time().epoch > 0
        assert {entry.ticker for entry in client.markets.list()} == {"BTC-USD", "ETH-USD"}
        assert client.config().contracts.exchange == made.system.exchange.address
        client.markets.book("BTC-USD")
        client.markets.trades("BTC-USD")
        client.markets.candles("BTC-USD", "1HOUR")
        client.markets.historical_funding("BTC-USD")
        assert client.account.subaccount().equity == 100_000
        assert len(client.account.subaccounts()) == 1
        assert client.account.positions() == []
        placed = client.orders.place_limit_order("BTC-USD", "buy", "0.01", 22_000)
        assert client.orders.get(placed.id, at_seq=placed.seq).status == "OPEN"
        assert [entry.id for entry in client.orders.list(at_seq=placed.seq)] == [placed.id]
        client.orders.cancel(placed.id)
        assert client.account.fills() == []
        [deposit] = client.account.transfers()
        assert (deposit.type, deposit.size) == ("DEPOSIT", 100_000)
