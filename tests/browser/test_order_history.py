# SPDX-License-Identifier: AGPL-3.0-only
"""What became of orders, and amending those that still wait."""

from __future__ import annotations

import re
from decimal import Decimal

from playwright.sync_api import Locator, expect

from tests.browser.app import App, Ticket
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet


def cell(app: App, row: Locator, column: str) -> str:
    """What a row of the order history has in a column."""
    names = app.tab("Order history").get_by_role("columnheader").all_inner_texts()
    return row.get_by_role("cell").nth(names.index(column)).inner_text()


def test_the_history_tells_what_was_meant_and_what_came_of_it(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    Ticket(app).fill("buy", "Market", "0.011").submit()
    app.until(lambda: venue.positions(trader.account), "the position")
    bound = str(int(venue.index() * 102 / 100))
    Ticket(app).fill("buy", "Limit", "0.012", price=bound).lasts("Immediate or cancel").submit()
    app.until(lambda: Decimal(venue.positions(trader.account)[0]["size"]) == Decimal("0.023"), "the second fill")
    far = str(int(venue.index() * 93 / 100))
    Ticket(app).fill("buy", "Limit", "0.013", price=far).lasts("Fill or kill").submit()
    expect(app.said("Nothing filled")).to_be_visible()

    for size, kind in (("0.011", "Market"), ("0.012", "Limit IOC"), ("0.013", "Limit FOK")):
        row = app.rows("Order history", f"{size} BTC")
        expect(row).to_have_count(1)
        assert cell(app, row, "Type") == kind
    for size in ("0.011", "0.012"):
        # The average is that of the chain's fills, never worse than what was signed.
        row = app.rows("Order history", f"{size} BTC")
        app.until(lambda row=row: cell(app, row, "Average") != "–", "the average")
        [order] = [each for each in venue.orders(trader.account) if each["size"] == size]
        assert Decimal(order["averageFillPrice"]) <= Decimal(order["price"])
        average = re.sub(r"(\.\d\d)\d+$", r"\1", order["averageFillPrice"])
        assert Decimal(cell(app, row, "Average").replace(",", "")) == Decimal(average)
    killed = app.rows("Order history", "0.013 BTC")
    assert cell(app, killed, "Average") == "–"
    expect(killed).to_contain_text("cancelled")
    assert cell(app, killed, "Status") != "cancelled", "the reason stands beside it"


def test_an_order_that_waits_is_amended_in_place(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    away = lambda percent: str(int(venue.index() * (100 + percent) / 100))  # noqa: E731
    Ticket(app).fill("sell", "Stop market", "0.014", trigger=away(-5)).submit()
    app.until(lambda: venue.orders(trader.account, "UNTRIGGERED"), "the stop")
    [old] = venue.orders(trader.account, "UNTRIGGERED")
    app.tab("Open orders").get_by_role("button", name="Show waiting orders").click()
    app.rows("Open orders", "0.014 BTC").get_by_role("button", name="Amend").click()
    dialog = app.dialog("Amend sell BTC-USD")
    expect(dialog.get_by_role("textbox", name="Price", exact=True)).to_have_count(0)
    trigger = away(-7)
    dialog.get_by_role("textbox", name="Trigger").fill(trigger)
    dialog.get_by_role("textbox", name="Size").fill("0.015")
    dialog.get_by_role("button", name="Amend", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(app.rows("Open orders", "0.015 BTC")).to_have_count(1)
    expect(app.rows("Open orders", "0.014 BTC")).to_have_count(0)
    [new] = venue.orders(trader.account, "UNTRIGGERED")
    assert (new["slot"], new["generation"], new["revision"]) == (old["slot"], old["generation"], old["revision"] + 1)
    assert (new["triggerPrice"], new["type"], new["immediate"]) == (trigger, "STOP_MARKET", True)
    assert Decimal(new["price"]) < Decimal(trigger)
    expect(app.said("Stop cancelled")).to_have_count(0)
