# SPDX-License-Identifier: AGPL-3.0-only
"""Where clients of these shapes stumble, each over real HTTP or WebSocket: what they send is taken, and
what they read is there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.clients.conftest import TICKER, Scene
from tests.integration.indexer.process import Stream
from tests.support.build import ROOT
from tests.support.client_environment import python_with

AGO, AHEAD = "2020-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"


def get(scene: Scene, path: str, **query: Any) -> Any:
    """The body of a read that must succeed."""
    answer = scene.http.get(f"/v4/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def stream(scene: Scene) -> Iterator[Stream]:
    with Stream(scene.url.replace("http", "ws", 1) + "/v4/ws") as opened:
        yield opened


def update(stream: Stream, channel: str, wanted: Any) -> dict[str, Any]:
    """The next unbatched update of a channel that is wanted; batches are none."""
    return stream.until(channel, wanted)


def test_1_candles_take_both_spellings_of_a_window(scene: Scene) -> None:
    path, query = f"candles/perpetualMarkets/{TICKER}", {"resolution": "1MIN"}
    every = get(scene, path, **query)["candles"]
    assert every
    for begin, end in (("fromISO", "toISO"), ("fromIso", "toIso")):
        assert get(scene, path, **query, **{begin: AGO, end: AHEAD})["candles"] == every
        assert get(scene, path, **query, **{begin: AHEAD})["candles"] == []
        assert get(scene, path, **query, **{end: AGO})["candles"] == []


def test_2_what_the_dydx_client_sends_is_understood_or_ignored(scene: Scene) -> None:
    """Unknown parameters, Python's booleans, a plus sign that arrives as a space, names of its own."""
    whose = {"address": scene.taker.address, "subaccountNumber": 0}
    orders = get(scene, "orders", **whose, tickerType="PERPETUAL", returnLatestOrders="True")
    assert orders == get(scene, "orders", **whose)
    assert orders
    fills = get(scene, "fills", **whose)["fills"]
    assert [fill["id"] for fill in get(scene, "fills", **whose, ticker=TICKER)["fills"]] == [f["id"] for f in fills]
    assert get(scene, "fills", **whose, ticker="ETH-USD")["fills"] == []
    target = "&".join(f"{name}={value}" for name, value in whose.items())
    for time, found in (("2100-01-01T00:00:00.000000+00:00", fills), ("2020-01-01T00:00:00+00:00", [])):
        answer = scene.http.get(f"/v4/fills?{target}&createdBeforeOrAt={quote(time, safe=':+')}")
        assert answer.status_code == 200, answer.text
        assert [fill["id"] for fill in answer.json()["fills"]] == [fill["id"] for fill in found]
    ticks = get(scene, "historical-pnl", **whose)["historicalPnl"]
    assert ticks
    window = {"effectiveBeforeOrAt": AHEAD, "effectiveAtOrAfter": AGO}
    assert get(scene, "historical-pnl", **whose, **window)["historicalPnl"] == ticks
    assert get(scene, "historical-pnl", **whose, effectiveAtOrAfter=AHEAD)["historicalPnl"] == []


def test_3_orders_are_a_bare_array_and_all_other_lists_are_wrapped(scene: Scene) -> None:
    whose = {"address": scene.maker.address, "subaccountNumber": 0}
    parents = {"address": scene.maker.address, "parentSubaccountNumber": 0}
    assert isinstance(get(scene, "orders", **whose), list)
    assert isinstance(get(scene, "orders/parentSubaccountNumber", **parents), list)
    wrapped = {
        "fills": "fills",
        "transfers": "transfers",
        "perpetualPositions": "positions",
        "assetPositions": "positions",
        "fundingPayments": "fundingPayments",
        "historical-pnl": "historicalPnl",
        "pnl": "pnl",
        "tradeHistory": "tradeHistory",
    }
    for path, key in wrapped.items():
        found = get(scene, path, **whose)[key]
        assert isinstance(found, list)
        assert found, path


def test_4_the_size_of_a_short_is_negative(scene: Scene) -> None:
    [short] = get(scene, "perpetualPositions", address=scene.maker.address, subaccountNumber=0)["positions"]
    [long] = get(scene, "perpetualPositions", address=scene.taker.address, subaccountNumber=0)["positions"]
    assert (short["side"], long["side"]) == ("SHORT", "LONG")
    assert Decimal(short["size"]) == -Decimal(long["size"]) < 0


def test_5_a_book_has_objects_first_and_pairs_then(scene: Scene, stream: Stream) -> None:
    """Sizes in updates are absolute, and "0" takes a level away."""
    snapshot = stream.subscribe("v4_orderbook", TICKER)
    assert all(level.keys() == {"price", "size"} for side in ("bids", "asks") for level in snapshot[side])
    price = round(scene.index * Decimal("0.96"))
    orders = scene.maker.orders
    ids = []
    for size in ("0.011", "0.022"):
        ids.append(orders.place_limit_order(TICKER, "BUY", "0.011", price).id)
        update(stream, "v4_orderbook", lambda contents, size=size: [str(price), size] in contents.get("bids", ()))
    orders.cancel_batch(ids)
    update(stream, "v4_orderbook", lambda contents: [str(price), "0"] in contents.get("bids", ()))


def test_6_a_candle_stream_has_a_list_first_and_a_bare_candle_then(scene: Scene, stream: Stream) -> None:
    snapshot = stream.subscribe("v4_candles", f"{TICKER}/1MIN")
    assert isinstance(snapshot["candles"], list)
    scene.trade("BUY", "0.01", Decimal("1.001"))
    candle = update(stream, "v4_candles", lambda contents: "candles" not in contents)
    assert {"startedAt", "open", "high", "low", "close", "baseTokenVolume", "ticker", "resolution"} <= candle.keys()


def test_7_updates_are_batched_only_for_who_asks(scene: Scene, stream: Stream) -> None:
    """ccxt never asks, and passes batches over in silence."""
    stream.subscribe("v4_markets")
    while (message := stream.receive())["channel"] != "v4_markets":
        pass
    assert message["type"] == "channel_data"
    assert isinstance(message["contents"], dict)
    with Stream(scene.url.replace("http", "ws", 1) + "/v4/ws") as other:
        other.subscribe("v4_markets", batched=True)
        message = other.receive()
    assert message["type"] == "channel_batch_data"
    assert isinstance(message["contents"], list)


def test_8_errors_have_a_text_for_a_code_and_no_number(scene: Scene) -> None:
    """ccxt reads a whole number in `code` as one of dYdX's chain."""
    for path, query, status, param in (
        ("fills", {}, 400, "address"),
        ("fills", {"address": "nobody"}, 400, "address"),
        ("trades/perpetualMarket/DOGE-USD", {}, 404, None),
        ("orders/0x" + "00" * 32, {}, 404, None),
        (f"addresses/0x{'11' * 20}/subaccountNumber/0", {}, 404, None),
        ("nothing/here", {}, 404, None),
    ):
        answer = scene.http.get(f"/v4/{path}", params=query)
        assert answer.status_code == status, path
        body = answer.json()
        assert isinstance(body["errorCode"], str)
        assert "code" not in body
        assert "result" not in body
        [error] = body["errors"]
        assert error["msg"]
        assert param is None or (error["param"], error["location"]) == (param, "query")


def test_9_what_hummingbot_cannot_do_without_is_there(scene: Scene, stream: Stream) -> None:
    """Numeric client ids, fees in streamed fills, and scales of a market that fit together."""
    for order in get(scene, "orders", address=scene.maker.address, subaccountNumber=0):
        assert int(order["clientId"]) >= 0
    stream.subscribe("v4_subaccounts", f"{scene.taker.address}/0")
    scene.trade("BUY", "0.01", Decimal("1.001"))
    [fill] = update(stream, "v4_subaccounts", lambda contents: "fills" in contents)["fills"]
    assert Decimal(fill["fee"]) > 0
    for market in get(scene, "perpetualMarkets")["markets"].values():
        atomic, exponent = market["atomicResolution"], market["quantumConversionExponent"]
        assert Decimal(market["stepSize"]) == market["stepBaseQuantums"] * Decimal(10) ** atomic
        assert Decimal(market["tickSize"]) == market["subticksPerTick"] * Decimal(10) ** (exponent - 6 - atomic)


def test_10_each_client_lives_in_an_environment_of_its_own() -> None:
    """Their pins contradict each other; neither is among what Ouro itself depends on."""
    homes = {name: python_with(name).parents[1] for name in ("dydx", "ccxt")}
    assert len(set(homes.values())) == 2
    for home in homes.values():
        assert home.is_relative_to(ROOT / ".cache" / "clients")
    [dydx], [ccxt] = (list(home.glob("lib/python3.*/site-packages")) for home in homes.values())
    assert (dydx / "dydx_v4_client").is_dir()
    assert not (dydx / "ccxt").exists()
    assert (ccxt / "ccxt").is_dir()
    assert not (ccxt / "dydx_v4_client").exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [name for name in project["dependencies"] if name.startswith(("ccxt", "dydx"))]
    for lock in ("dev.txt", "services.txt"):
        text = (Path(ROOT) / "requirements" / lock).read_text()
        assert "\nccxt==" not in text
        assert "\ndydx" not in text


def test_11_an_action_signed_for_hyperliquid_is_no_order(scene: Scene) -> None:
    """Its signature names no contract and no fee, so whoever saw it there could bring it here. Refused in any place."""
    action = {
        "type": "order",
        "orders": [{"a": 0, "b": True, "p": "20000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Gtc"}}}],
        "grouping": "na",
    }
    signature = {"r": "0x" + "11" * 32, "s": "0x" + "22" * 32, "v": 27}
    signed = {"action": action, "nonce": 1_700_000_000_000, "signature": signature, "vaultAddress": None}
    packed = signature["r"] + signature["s"][2:] + "1b"
    before = get(scene, "orders", address=scene.taker.address, subaccountNumber=0)
    for body in (signed, {"order": action, "signature": packed}, {"order": signed, "signature": packed}):
        answer = scene.http.post("/v4/orders", json=body)
        assert 400 <= answer.status_code < 500, answer.text
        assert isinstance(answer.json()["errorCode"], str)
    for path in ("/exchange", "/v4/exchange"):
        assert scene.http.post(path, json=signed).status_code in (404, 405)
    assert get(scene, "orders", address=scene.taker.address, subaccountNumber=0) == before
