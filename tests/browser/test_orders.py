# SPDX-License-Identifier: AGPL-3.0-only
"""Orders of every kind, from the ticket through the wallet's signature to the exchange's own books."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.app import App, Ticket
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet


@pytest.fixture(scope="module")
def trader(venue: Exchange) -> Iterator[Wallet]:
    """One for all tests of the file; each begins with what the others left."""
    wallet = Wallet(venue.rpc_url, venue.funded(20_000))
    yield wallet
    wallet.close()


@pytest.fixture
def app(pages: Pages, trader: Wallet) -> App:
    trader.reject.clear()
    trader.asked.clear()
    return pages(trader).open().connect()


def away(venue: Exchange, percent: int) -> str:
    """The index price and so many percent, on the tick."""
    return str(int(venue.index() * (100 + percent) / 100))


def newest(app: App, venue: Exchange, trader: Wallet, count: int = 1, **wanted: Any) -> list[dict[str, Any]]:
    """The newest `count` orders, once they are of that kind."""

    def found() -> list[dict[str, Any]]:
        orders = venue.orders(trader.account)[:count]
        if len(orders) < count or any(order.get(name) != value for order in orders for name, value in wanted.items()):
            return []
        return orders

    orders: list[dict[str, Any]] = app.until(found, f"{count} orders with {wanted}")
    return orders


def test_a_market_order_is_signed_readably_and_filled(app: App, venue: Exchange, trader: Wallet) -> None:
    Ticket(app).fill("buy", "Market", "0.01").submit()
    expect(app.said("Filled")).to_be_visible()
    [data] = [data for data in trader.signed() if data["primaryType"] == "Order"]
    assert data["domain"] == {**venue.config["domain"], "chainId": data["domain"]["chainId"]}
    assert data["message"]["account"].lower() == trader.address.lower()
    # Amounts are signed as whole units in decimal strings, never as floats.
    assert all(isinstance(value, str | int | bool) for value in data["message"].values())
    assert not any(isinstance(value, float) for value in data["message"].values())
    [order] = newest(app, venue, trader, side="BUY", status="FILLED", size="0.01")
    assert Decimal(order["totalFilled"]) == Decimal("0.01")
    expect(app.rows("Positions", "BTC-USD")).to_contain_text("Long")
    expect(app.rows("Fills", "Buy").first).to_contain_text("0.01 BTC")


def test_what_the_wallet_refuses_is_not_placed(app: App, venue: Exchange, trader: Wallet) -> None:
    before = len(venue.orders(trader.account))
    trader.reject.add("eth_signTypedData_v4")
    ticket = Ticket(app).fill("buy", "Limit", "0.01", price=away(venue, -2))
    ticket.submit()
    expect(ticket.problem()).to_contain_text(re.compile("reject|declin|refus", re.IGNORECASE))
    assert len(venue.orders(trader.account)) == before
    trader.reject.clear()
    ticket.submit()
    expect(app.said("Order placed")).to_be_visible()
    assert len(venue.orders(trader.account)) == before + 1


def test_what_cannot_be_paid_cannot_be_sent(app: App, venue: Exchange) -> None:
    ticket = Ticket(app).fill("buy", "Limit", "5000", price=away(venue, -1))
    expect(
        ticket.form.get_by_role("button", name=re.compile("margin|collateral|enough|most", re.IGNORECASE))
    ).to_be_disabled()


@pytest.mark.parametrize(
    ("lasts", "boxes", "percent", "wanted"),
    [
        ("Good till cancelled", (), -2, {"timeInForce": "GTT", "postOnly": False, "status": "OPEN"}),
        ("Good till cancelled", ("Post-only",), -2, {"timeInForce": "GTT", "postOnly": True, "status": "OPEN"}),
        ("Immediate or cancel", (), 2, {"timeInForce": "IOC", "status": "FILLED"}),
        ("Fill or kill", (), 2, {"timeInForce": "FOK", "status": "FILLED"}),
    ],
)
def test_limit_orders(
    app: App, venue: Exchange, trader: Wallet, lasts: str, boxes: tuple[str, ...], percent: int, wanted: dict[str, Any]
) -> None:
    ticket = Ticket(app).fill("buy", "Limit", "0.02", price=away(venue, percent)).lasts(lasts)
    ticket.check(*boxes)
    ticket.submit()
    newest(app, venue, trader, side="BUY", size="0.02", **wanted)


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "price", "type_"),
    [
        ("Stop market", "sell", -5, None, "STOP_MARKET"),
        ("Stop limit", "sell", -5, -6, "STOP_LIMIT"),
        ("Take profit", "sell", 5, None, "TAKE_PROFIT_MARKET"),
        ("Take profit limit", "sell", 5, 4, "TAKE_PROFIT"),
    ],
)
def test_orders_that_wait_for_a_trigger(
    app: App, venue: Exchange, trader: Wallet, kind: str, side: str, trigger: int, price: int | None, type_: str
) -> None:
    fields = {"trigger": away(venue, trigger)} | ({} if price is None else {"price": away(venue, price)})
    Ticket(app).fill(side, kind, "0.003", **fields).submit()
    expect(app.said("Waiting for its trigger")).to_be_visible()
    [order] = newest(app, venue, trader, type=type_, status="UNTRIGGERED", size="0.003")
    assert order["triggerPrice"] == fields["trigger"]


def test_a_bracket_waits_behind_its_entry(app: App, venue: Exchange, trader: Wallet) -> None:
    ticket = Ticket(app).fill("buy", "Limit", "0.004", price=away(venue, -3)).check("TP / SL")
    ticket.field("Take profit").fill(away(venue, 4))
    ticket.field("Stop loss").fill(away(venue, -6))
    ticket.submit()
    expect(app.said("3 orders placed")).to_be_visible()
    orders = newest(app, venue, trader, 3, size="0.004")
    assert {order["type"] for order in orders} == {"LIMIT", "TAKE_PROFIT_MARKET", "STOP_MARKET"}


def test_a_scale_is_many_orders(app: App, venue: Exchange, trader: Wallet) -> None:
    Ticket(app).fill("buy", "Scale", "0.04", first=away(venue, -2), last=away(venue, -5), orders="4").submit()
    expect(app.said("4 orders placed")).to_be_visible()
    orders = newest(app, venue, trader, 4, side="BUY", type="LIMIT", status="OPEN")
    assert sum(Decimal(order["size"]) for order in orders) == Decimal("0.04")
    assert len({order["price"] for order in orders}) == 4


def test_an_order_is_amended_in_one_step(app: App, venue: Exchange, trader: Wallet) -> None:
    Ticket(app).fill("buy", "Limit", "0.007", price=away(venue, -2)).lasts("Good till cancelled").check().submit()
    [old] = newest(app, venue, trader, size="0.007", status="OPEN")
    app.tab("Open orders").get_by_role("button", name="Amend buy 0.007 BTC-USD").click()
    dialog = app.dialog("Amend buy BTC-USD")
    dialog.get_by_role("textbox", name="Price").fill(away(venue, -4))
    dialog.get_by_role("textbox", name="Size").fill("0.008")
    trader.reject.add("eth_signTypedData_v4")
    dialog.get_by_role("button", name="Amend", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text(re.compile("reject|declin|refus", re.IGNORECASE))
    trader.reject.clear()
    dialog.get_by_role("button", name="Amend", exact=True).click()
    expect(app.said("Order amended")).to_be_visible()
    [new] = newest(app, venue, trader, size="0.008", status="OPEN")
    assert (new["slot"], new["generation"], new["revision"]) == (old["slot"], old["generation"], old["revision"] + 1)
    expect(app.rows("Open orders", "0.007 BTC")).to_have_count(0)


def test_an_order_is_cancelled_alone_and_all_at_once(app: App, venue: Exchange, trader: Wallet) -> None:
    for size in ("0.005", "0.006"):
        Ticket(app).fill("buy", "Limit", size, price=away(venue, -2)).lasts("Good till cancelled").check().submit()
        newest(app, venue, trader, size=size, status="OPEN")
    app.tab("Open orders").get_by_role("button", name="Cancel buy 0.005 BTC-USD").click()
    expect(app.said("Order cancelled")).to_be_visible()
    expect(app.rows("Open orders", "0.005 BTC")).to_have_count(0)
    app.tab("Open orders").get_by_role("button", name="Cancel all").click()
    expect(app.said("orders? cancelled")).to_be_visible()
    app.until(lambda: not venue.orders(trader.account, "OPEN"), "no open order")
    expect(app.rows("Open orders", "0.006 BTC")).to_have_count(0)


def test_a_position_is_closed_by_a_part_and_whole(app: App, venue: Exchange, trader: Wallet) -> None:
    def size() -> Decimal:
        return sum((Decimal(one["size"]) for one in venue.positions(trader.account)), Decimal(0))

    held = size() + Decimal("0.01")
    Ticket(app).fill("buy", "Market", "0.01").check().submit()
    app.until(lambda: size() == held, "the position")
    expect(app.rows("Positions", "BTC-USD")).to_contain_text(f"{held:.4f} BTC")
    for part in ("0.004", ""):
        app.tab("Positions").get_by_role("button", name="Close BTC-USD").click()
        dialog = app.dialog("Close long BTC-USD")
        if part:
            dialog.get_by_role("textbox", name="Size").fill(part)
        dialog.get_by_role("button", name="Sell to close").click()
        expect(dialog).to_be_hidden()
        left = held - Decimal(part) if part else Decimal(0)
        app.until(lambda left=left: size() == left, "what is left of the position")
        if part:
            expect(app.rows("Positions", "BTC-USD")).to_contain_text(f"{left:.4f} BTC")
    expect(app.rows("Positions", "BTC-USD")).to_have_count(0)
    expect(app.rows("Closed positions", "BTC-USD").first).to_contain_text("closed")


def test_a_twap_trades_part_by_part(app: App, venue: Exchange, trader: Wallet) -> None:
    Ticket(app).fill("buy", "TWAP", "0.009", parts="3", minutes="5").submit()
    expect(app.said("3 orders placed")).to_be_visible()

    def begun() -> list[dict[str, Any]]:
        parts = newest(app, venue, trader, 3, side="BUY", size="0.003", type="TWAP_SUBORDER")
        parts.sort(key=lambda order: str(order["notBefore"]))
        return parts if parts[0]["status"] == "FILLED" else []

    parts = app.until(begun, "the first part")
    assert [order["status"] for order in parts] == ["FILLED", "UNTRIGGERED", "UNTRIGGERED"]
    first, second, last = (datetime.fromisoformat(order["notBefore"]) for order in parts)
    assert last - second == second - first == timedelta(minutes=2.5)


def test_a_trailing_stop_waits_with_the_steps_that_move_it(app: App, venue: Exchange, trader: Wallet) -> None:
    Ticket(app).fill("buy", "Market", "0.011").check().submit()
    newest(app, venue, trader, size="0.011", status="FILLED")
    trader.asked.clear()
    index = venue.index()
    Ticket(app).fill("sell", "Trailing stop", "0.011", distance="500").submit()
    expect(app.said("Trailing stop is waiting")).to_be_visible()
    [stop, *moves] = newest(app, venue, trader, 21, side="SELL", type="TRAILING_STOP", status="UNTRIGGERED")[::-1]
    assert len([data for data in trader.signed() if data["primaryType"] == "Order"]) == 21
    assert stop["armPrice"] is None
    assert abs(Decimal(stop["triggerPrice"]) - (index - 500)) < index / 100
    # Each step waits for the index price to rise by a tenth of the distance, and moves the stop by as much.
    moves.sort(key=lambda order: int(order["revision"]))
    for number, move in enumerate(moves, 1):
        assert (move["slot"], move["revision"]) == (stop["slot"], number)
        assert Decimal(move["triggerPrice"]) - Decimal(stop["triggerPrice"]) == 50 * number
        assert Decimal(move["armPrice"]) - Decimal(move["triggerPrice"]) == 500
        assert move["reduceOnly"]
