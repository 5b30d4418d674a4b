# SPDX-License-Identifier: AGPL-3.0-only
"""`ccxt.dydx` and `ccxt.pro.dydx`, unchanged but for the URL: what they read equals what the chain says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.clients.conftest import Report, Scene
from tests.clients.truth import candles
from tests.clients.works import check_table

SYMBOL = "BTC/USDC:USDC"


@pytest.fixture(scope="module")
def report(scene: Scene) -> Report:
    return scene.run("ccxt", "ccxt_reads")


@pytest.fixture(scope="module")
def stream(scene: Scene) -> Report:
    bid = round(scene.index * Decimal("0.97"))

    def bid_and_trade() -> dict[str, Any]:
        scene.maker.orders.place_limit_order("BTC-USD", "BUY", "0.013", bid)
        return {"traded": scene.trade("BUY", "0.01", Decimal("1.001"))}

    return scene.with_event("ccxt", "ccxt_stream", bid_and_trade, live_bid=bid)


def number(value: Any) -> Decimal:
    """ccxt gives floats; their shortest form is what was sent."""
    return Decimal(str(value))


def test_every_read_works_as_the_page_says(report: Report, stream: Report) -> None:
    check_table("ccxt.dydx", report.lines)
    check_table("ccxt.pro.dydx", stream.lines)


def test_all_that_ccxt_declares_is_called(report: Report, stream: Report) -> None:
    called = report.answers.keys() | report.errors.keys() | stream.answers.keys() | stream.errors.keys()
    assert set(report.told("declared")) - called == {"fetchCurrenciesWs"}  # "emulated": there is no such method


def test_positions_and_balances(scene: Scene, report: Report) -> None:
    height = int(report.answers["indexerGetFills"]["height"])
    mine = report.answers["fetchPosition"]
    size = scene.chain.size(scene.taker.address, height)
    assert (mine["symbol"], mine["side"], number(mine["contracts"])) == (SYMBOL, "long", size)
    [short] = report.answers["fetchPositions"]
    assert (short["side"], number(short["contracts"])) == ("short", -scene.chain.size(scene.maker.address, height))
    _, free = scene.chain.equity_and_free(scene.taker.address, int(report.told("balance_height")))
    assert abs(number(report.answers["fetchBalance"]["USDC"]["free"]) - free) < Decimal("1e-6")
    [asset] = report.answers["indexerGetAssetPositions"]["positions"]
    assert number(asset["size"]) == scene.chain.cash(scene.taker.address, height)


def test_trades_fills_and_candles(scene: Scene, report: Report) -> None:
    answer = report.answers["indexerGetFills"]
    height = int(answer["height"])
    mine = [fill for fill in scene.taken if fill.block <= height]
    assert [(number(fill["size"]), number(fill["price"]), number(fill["fee"])) for fill in answer["fills"]] == [
        (fill.size, fill.price, fill.taker_fee) for fill in mine
    ]
    fills = scene.chain.fills(height)
    trades = report.answers["fetchTrades"]
    assert [(number(trade["amount"]), number(trade["price"]), trade["side"].upper()) for trade in trades] == [
        (fill.size, fill.price, fill.taker_side) for fill in fills
    ]
    made = candles(fills, 60)
    assert [[number(value) for value in candle[1:]] for candle in report.answers["fetchOHLCV"]] == [
        list(made[start][:5]) for start in sorted(made)
    ]
    assert [candle[0] for candle in report.answers["fetchOHLCV"]] == [start * 1000 for start in sorted(made)]


def test_funding_transfers_and_orders(scene: Scene, report: Report) -> None:
    height = int(report.answers["indexerGetFills"]["height"])
    rates = [Decimal(rate).scaleb(-8) for _, rate in reversed(scene.chain.rates(height))]
    told = [number(entry["fundingRate"]) for entry in report.answers["fetchFundingRateHistory"]]
    assert told == rates[: len(told)]
    assert any(told)
    deposits = [number(deposit["amount"]) for deposit in report.answers["fetchDeposits"]]
    assert deposits == list(reversed(scene.chain.deposits(scene.taker.address, height)))
    assert report.answers["fetchWithdrawals"] == []
    opened = {order["id"]: (order["side"], order["status"]) for order in report.answers["fetchOpenOrders"]}
    assert opened[scene.resting] == ("sell", "open")
    assert report.answers["fetchOrder"]["id"] == scene.resting
    closed = {order["id"]: number(order["filled"]) for order in report.answers["fetchClosedOrders"]}
    taken = {fill.taker_order: fill.size for fill in scene.taken if fill.block <= height}
    assert len(taken) >= 3
    assert closed.items() >= taken.items()


def test_streams_tell_what_the_chain_has(scene: Scene, stream: Report) -> None:
    [made] = [fill for fill in scene.chain.fills(scene.chain.height) if fill.taker_order == stream.told("traded")]
    newest = stream.answers["watchTrades"][-1]
    assert (number(newest["amount"]), number(newest["price"])) == (made.size, made.price)
    level = next(bid for bid in stream.answers["watchOrderBook"]["bids"] if number(bid[1]) == Decimal("0.013"))
    assert level[0] == round(level[0])
    assert number(stream.answers["watchOHLCV"][-1][4]) == made.price
