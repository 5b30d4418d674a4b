# SPDX-License-Identifier: AGPL-3.0-only
"""On a phone, on a desktop, by keyboard alone, and as a file."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.app import App, Ticket
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet

ROUTES = ("/trade/BTC-USD", "/portfolio", "/keys", "/settings", "/help")
PHONE = {"width": 360, "height": 740}


def overflow(app: App) -> int:
    """CSS pixels by which the page is wider than its window."""
    wide: int = app.page.evaluate("document.scrollingElement.scrollWidth - document.documentElement.clientWidth")
    return wide


def test_no_page_scrolls_sideways_on_a_phone(pages: Pages, trader: Wallet) -> None:
    app = pages(trader, **PHONE, touch=True).open().connect()
    for route in ROUTES:
        app.open(route)
        expect(app.account_button()).to_be_visible()
        expect(app.page.get_by_role("main").get_by_role("heading").first).to_be_attached()
        assert overflow(app) <= 0, route


def test_no_width_between_phone_and_desktop_scrolls_sideways(pages: Pages, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    expect(app.page.get_by_role("banner").get_by_role("button", name=re.compile("^Subaccount"))).to_be_visible()
    for width in (1280, 1181, 1180, 1024, 901, 900, 768, 540):
        app.page.set_viewport_size({"width": width, "height": 800})
        assert overflow(app) <= 0, width


def test_a_phone_trades_from_a_sheet(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader, **PHONE, touch=True).open().connect()
    app.button("Buy / Long", exact=True).tap()
    ticket = Ticket(app).fill("buy", "Market", "0.01")
    expect(ticket.form).to_be_in_viewport()
    ticket.submit()
    app.until(lambda: venue.positions(trader.account), "the position")
    expect(ticket.form).not_to_be_in_viewport()
    expect(app.rows("Positions", "BTC-USD")).to_be_visible()


def test_the_whole_ticket_is_visible_on_a_desktop(pages: Pages, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    ticket = Ticket(app).fill("buy", "Limit", "0.01")
    for item in (ticket.field("Limit price"), ticket.field("Size"), ticket.form.locator("button[type=submit]")):
        expect(item).to_be_in_viewport(ratio=1)
    assert overflow(app) <= 0


def test_it_can_be_installed(pages: Pages, venue: Exchange) -> None:
    app = pages().open()
    href = app.page.locator("link[rel=manifest]").get_attribute("href")
    assert href is not None
    manifest = venue.get(href)
    assert manifest["display"] in ("standalone", "minimal-ui")
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        assert venue.http.get(icon["src"]).status_code == 200
    assert app.page.evaluate("navigator.serviceWorker.ready.then(() => true)")


def test_once_visited_it_starts_without_a_network(pages: Pages) -> None:
    app = pages().open()
    app.expected += [re.compile("net::ERR_(FAILED|INTERNET_DISCONNECTED)")]
    app.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    # The worker sees the files of visits after its own installation.
    app.open()
    network = app.page.context
    network.set_offline(True)
    reached = "fetch('/assets/none.js', {cache: 'no-store'}).then(() => true, () => false)"
    assert not app.page.evaluate(reached), "the worker has no network either"
    app.open("/help")
    expect(app.page.get_by_role("alert")).to_contain_text("The exchange does not answer")
    network.set_offline(False)
    app.open()
    expect(app.page.get_by_text("Live", exact=True)).to_be_visible()


def test_an_order_is_made_by_keyboard_alone(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    press = app.page.keyboard.press
    press("s")
    focused = app.page.locator(":focus")
    expect(focused).to_have_accessible_name("Size")
    app.page.keyboard.type("0.02")
    press("Shift+Tab")
    while focused.get_attribute("type") != "text":
        press("Shift+Tab")
    expect(focused).to_have_accessible_name("Limit price")
    press("ArrowUp")
    first = int(focused.input_value())
    press("ArrowUp")
    press("Shift+ArrowUp")
    assert int(focused.input_value()) - first == 11, "a step, and ten with Shift"
    # Far enough above the market to rest.
    app.page.keyboard.press("Control+a")
    app.page.keyboard.type(str(int(venue.index() * 103 / 100)))
    press("Enter")
    app.until(lambda: [o for o in venue.orders(trader.account, "OPEN") if o["side"] == "SELL"], "the order")
    app.page.locator("body").click(position={"x": 5, "y": 300})
    press("x")
    app.until(lambda: not venue.orders(trader.account, "OPEN"), "the cancel")
    press("Control+k")
    palette = app.dialog("Commands")
    expect(palette).to_be_visible()
    app.page.keyboard.type("ETH")
    press("Enter")
    expect(app.page).to_have_url(f"{venue.url}/trade/ETH-USD")


def test_a_price_of_the_book_goes_into_the_ticket(pages: Pages, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    book = app.page.get_by_role("listbox", name=re.compile("Asks and bids"))
    expect(book.get_by_role("option", name=re.compile("bid"))).not_to_have_count(0)
    book.focus()
    app.page.keyboard.press("ArrowDown")
    app.page.keyboard.press("Enter")
    expect(Ticket(app).field("Limit price")).to_have_value(re.compile(r"^\d+"))


def test_tables_are_filtered_sorted_and_saved(pages: Pages, venue: Exchange, trader: Wallet, tmp_path: Path) -> None:
    app = pages(trader).open().connect()
    prices = [str(int(venue.index() * percent / 100)) for percent in (95, 96, 97)]
    for price in prices:
        Ticket(app).fill("buy", "Limit", "0.01", price=price).submit()
        expect(app.rows("Open orders", re.compile(f"{price[:2]},?{price[2:]}"))).to_have_count(1)
    panel = app.tab("Open orders")
    panel.get_by_role("button", name="Price").click()
    panel.get_by_role("button", name="Price").click()
    cells = [row.inner_text() for row in app.rows("Open orders").all()]
    order = [next(price for price in prices if f"{price[:2]},{price[2:]}" in text) for text in cells]
    assert order in (sorted(prices), sorted(prices, reverse=True))
    panel.get_by_role("searchbox").fill(prices[1])
    expect(app.rows("Open orders")).to_have_count(1)
    panel.get_by_role("searchbox").fill("")
    with app.page.expect_download() as saved:
        panel.get_by_role("button", name="Save orders as CSV").click()
    file = tmp_path / "orders.csv"
    saved.value.save_as(file)
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert sorted(row["Price"] for row in rows) == sorted(prices)
    assert {row["Market"] for row in rows} == {"BTC-USD"}
    # The choice of columns outlives the page.
    panel.get_by_role("button", name="Columns of orders").click()
    panel.get_by_role("checkbox", name="Filled").uncheck()
    app.page.reload()
    expect(app.account_button()).to_be_visible()
    expect(app.rows("Open orders")).to_have_count(3)
    expect(app.tab("Open orders").get_by_role("columnheader", name="Filled")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_settings_are_kept(pages: Pages, theme: str) -> None:
    app = pages().open("/settings")
    app.page.get_by_role("radio", name=theme.capitalize(), exact=True).click()
    app.page.get_by_role("radio", name="Blue, orange").click()
    app.page.reload()
    expect(app.page.get_by_role("radio", name=theme.capitalize(), exact=True)).to_be_checked()
    expect(app.page.get_by_role("radio", name="Blue, orange")).to_be_checked()
    assert app.page.evaluate("document.documentElement.dataset.theme") == theme
