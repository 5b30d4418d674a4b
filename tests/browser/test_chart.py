# SPDX-License-Identifier: AGPL-3.0-only
"""Lines on the chart that are dragged, and prices that somebody wants to hear of."""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import TimeoutError as TooLate

from tests.browser.app import App, Ticket
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet


def line_of(app: App, chart: Locator) -> tuple[float, float] | None:
    """Where on the page the pointer can take hold of a line: it changes its shape there."""
    box = chart.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] / 3
    for down in range(4, int(box["height"]) - 30, 3):
        app.page.mouse.move(x, box["y"] + down)
        if chart.evaluate("box => getComputedStyle(box).cursor") == "ns-resize":
            return x, box["y"] + down
    return None


def test_a_dragged_line_amends_its_order(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    limit = int(venue.index() * 99 / 100)
    Ticket(app).fill("buy", "Limit", "0.01", price=str(limit)).lasts("Good till cancelled").check().submit()
    [old] = app.until(lambda: venue.orders(trader.account, "OPEN"), "the order")
    chart = app.region("Candles of BTC-USD; double-click takes a price into the ticket")
    x, y = app.until(lambda: line_of(app, chart), "the order's line")
    app.page.mouse.move(x, y)
    app.page.mouse.down()
    app.page.mouse.move(x, y - 20, steps=4)
    app.page.mouse.up()
    dialog = app.dialog("Amend buy BTC-USD")
    price = int(dialog.get_by_role("textbox", name="Price").input_value())
    assert limit < price < venue.index(), "dragged upwards, towards the market"
    dialog.get_by_role("button", name="Amend", exact=True).click()
    expect(app.said("Order amended")).to_be_visible()
    [new] = app.until(
        lambda: [one for one in venue.orders(trader.account, "OPEN") if one["revision"] > old["revision"]], "the amend"
    )
    assert (Decimal(new["price"]), new["size"], new["slot"]) == (price, old["size"], old["slot"])


def add_alerts(app: App) -> None:
    """One on each side of the index price, as near as can be: wherever it goes, it comes to one of them."""
    app.button("Notifications").click()
    app.button("Price alerts").click()
    dialog = app.dialog("Price alerts")
    shown = re.search(r"Index now ([\d,.]+)", dialog.inner_text())
    assert shown is not None
    for away in ("0.1", "-0.1"):
        price = Decimal(shown[1].replace(",", "")) + Decimal(away)
        dialog.get_by_role("textbox", name="Price of BTC-USD").fill(str(price))
        dialog.get_by_role("button", name="Add alert").click()
    dialog.get_by_role("button", name="Close").click()


@pytest.mark.parametrize("muted", [False, True])
def test_a_price_alert_tells_unless_it_is_muted(pages: Pages, muted: bool) -> None:
    app = pages()
    if muted:
        app.open("/settings").page.get_by_role("checkbox", name="Price alerts").uncheck()
    app.open()
    app.page.get_by_text("Live", exact=True).wait_for()
    bell = app.button(re.compile(r"^Notifications, \d+ new"))
    # The price may pass both while they are added; then two more are.
    for _ in range(8):
        add_alerts(app)
        with suppress(TooLate):
            bell.wait_for(timeout=8_000)
            break
    told = app.said("BTC-USD is at")
    expect(told).to_have_count(0) if muted else expect(told.first).to_be_visible()
    bell.click()
    expect(app.region("Notifications").get_by_text(re.compile("BTC-USD is at"))).not_to_have_count(0)
