# SPDX-License-Identifier: AGPL-3.0-only
"""`dydx-v4-client`, unchanged but for the URL: what it reads equals what the chain says at the same block."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.clients.conftest import TICKER, Report, Scene
from tests.clients.truth import candles
from tests.clients.works import check_table


@pytest.fixture(scope="module")
def report(scene: Scene) -> Report:
    return scene.run("dydx", "dydx_reads")


@pytest.fixture(scope="module")
def stream(scene: Scene) -> Report:
    return scene.with_event("dydx", "dydx_stream", lambda: {"traded": scene.trade("BUY", "0.01", Decimal("1.001"))})


def number(text: str) -> Decimal:
    return Decimal(text)


def test_every_read_works_as_the_page_says(report: Report, stream: Report) -> None:
    check_table("dydx-v4-client", report.lines + stream.lines)


def test_positions(scene: Scene, report: Report) -> None:
    for method in ("account.get_subaccount_perpetual_positions", "account.get_parent_subaccount_positions"):
        answer = report.answers[method]
        [position] = answer["positions"]
        assert (position["market"], position["side"], position["status"]) == (TICKER, "SHORT", "OPEN")
        height = int(answer["height"])
        size = scene.chain.size(scene.maker.address, height)
        assert size < 0
        assert number(position["size"]) == size
        sold = [fill for fill in scene.taken if fill.taker_side == "BUY" and fill.block <= height]
        average = sum(fill.size * fill.price for fill in sold) / sum(fill.size for fill in sold)
        assert abs(number(position["entryPrice"]) - average) < Decimal("1e-9")


def test_balances(scene: Scene, report: Report) -> None:
    """Cash, equity and free collateral, funding and all, to the micro-USDC."""
    owner = scene.taker.address
    for method, pick in (
        ("account.get_subaccount", lambda answer: answer["subaccount"]),
        ("account.get_subaccounts", lambda answer: answer["subaccounts"][0]),
        ("account.get_parent_subaccount", lambda answer: answer["subaccount"]["childSubaccounts"][0]),
    ):
        answer = report.answers[method]
        account, height = pick(answer), int(answer["height"])
        equity, free = scene.chain.equity_and_free(owner, height)
        assert (number(account["equity"]), number(account["freeCollateral"])) == (equity, free), method
        assert number(account["assetPositions"]["USDC"]["size"]) == scene.chain.cash(owner, height)
    for method in ("account.get_subaccount_asset_positions", "account.get_parent_subaccount_asset_positions"):
        [asset] = report.answers[method]["positions"]
        assert number(asset["size"]) == scene.chain.cash(owner, int(report.answers[method]["height"]))


def test_fills(scene: Scene, report: Report) -> None:
    for method in ("account.get_subaccount_fills", "account.get_parent_fills"):
        answer = report.answers[method]
        expected = [fill for fill in scene.taken if fill.block <= int(answer["height"])]
        assert len(expected) >= 3
        assert [
            (number(fill["size"]), number(fill["price"]), number(fill["fee"]), fill["side"], fill["orderId"])
            for fill in answer["fills"]
        ] == [(fill.size, fill.price, fill.taker_fee, fill.taker_side, fill.taker_order) for fill in expected]
        assert [int(fill["createdAtHeight"]) for fill in answer["fills"]] == [fill.block for fill in expected]


def test_trades_and_candles(scene: Scene, report: Report) -> None:
    """The tape is the chain's fills, and candles are made of nothing else."""
    answer = report.answers["markets.get_perpetual_market_trades"]
    fills = scene.chain.fills(int(answer["height"]))
    assert [(number(trade["size"]), number(trade["price"]), trade["side"]) for trade in answer["trades"]] == [
        (fill.size, fill.price, fill.taker_side) for fill in reversed(fills)
    ]
    answer = report.answers["markets.get_perpetual_market_candles"]
    made = candles(scene.chain.fills(int(answer["height"])), 60)
    names = ("open", "high", "low", "close", "baseTokenVolume", "usdVolume")
    assert [tuple(number(candle[name]) for name in names) for candle in answer["candles"]] == [
        made[start] for start in sorted(made, reverse=True)
    ]


def test_funding(scene: Scene, report: Report) -> None:
    """Rates are those with which the contract opened each hour; payments make the difference in the account's money."""
    answer = report.answers["markets.get_perpetual_market_historical_funding"]
    rates = [(at, Decimal(rate).scaleb(-8)) for at, rate in scene.chain.rates(int(answer["height"]))]
    assert [number(entry["rate"]) for entry in answer["historicalFunding"]] == [rate for _, rate in rates]
    assert any(rate for _, rate in rates), "trades above the index set no rate"
    # A block may have become final between the two answers.
    payments, parents = (
        [payment | {"status": ""} for payment in report.answers[f"account.{method}"]["fundingPayments"]]
        for method in ("get_funding_payments", "get_funding_payments_for_parent_subaccount")
    )
    assert payments == parents
    charged = next(payment for payment in payments if number(payment["rate"]))
    assert abs(
        number(charged["payment"]) + number(charged["size"]) * number(charged["rate"]) * number(charged["oraclePrice"])
    ) < Decimal("0.02")


def test_transfers_and_orders(scene: Scene, report: Report) -> None:
    for method in ("account.get_subaccount_transfers", "account.get_parent_transfers"):
        answer = report.answers[method]
        deposits = scene.chain.deposits(scene.taker.address, int(answer["height"]))
        assert [number(move["size"]) for move in answer["transfers"] if move["type"] == "DEPOSIT"] == deposits
    orders = report.answers["account.get_subaccount_orders"]
    assert isinstance(orders, list)
    assert scene.resting in {order["id"] for order in orders if order["status"] == "OPEN"}
    assert report.answers["account.get_order"]["id"] == scene.resting
    filled = {order["id"]: number(order["totalFilled"]) for order in orders if order["status"] == "FILLED"}
    assert filled == {fill.maker_order: fill.size for fill in scene.taken if fill.maker_order in filled}
    assert len(filled) >= 3


def contents(stream: Report, channel: str) -> list[dict[str, Any]]:
    """All updates of a channel; batches are laid out."""
    found: list[dict[str, Any]] = []
    for line in stream.lines:
        if line.get("channel") == channel:
            found += line["contents"] if line["kind"] == "channel_batch_data" else [line["contents"]]
    return found


def test_streams_tell_what_the_chain_has(scene: Scene, stream: Report) -> None:
    """A trade while it listens arrives on every channel, as the chain has it."""
    order = stream.told("traded")
    [made] = [fill for fill in scene.chain.fills(scene.chain.height) if fill.taker_order == order]
    [fill] = [fill for update in contents(stream, "v4_subaccounts") for fill in update.get("fills", ())]
    assert (number(fill["size"]), number(fill["price"]), number(fill["fee"])) == (made.size, made.price, made.taker_fee)
    printed = [trade for update in contents(stream, "v4_trades") for trade in update["trades"]]
    assert [(number(trade["size"]), number(trade["price"])) for trade in printed] == [(made.size, made.price)]
    [candle, *_] = contents(stream, "v4_candles")
    assert (number(candle["close"]), candle["resolution"]) == (made.price, "1MIN")
    assert any([level[0] for level in update.get("asks", ())] for update in contents(stream, "v4_orderbook"))
    assert contents(stream, "v4_markets")
    assert json.dumps(stream.errors) == "{}"
