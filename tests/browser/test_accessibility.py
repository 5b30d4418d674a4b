# SPDX-License-Identifier: AGPL-3.0-only
"""axe finds nothing against WCAG 2.2 AA: on every route, in both themes, on desktop and phone, with dialogs open."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.app import App, Ticket
from tests.browser.axe import findings
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.test_layout import PHONE, ROUTES
from tests.browser.wallet import Wallet

DESKTOP = {"width": 1440, "height": 900}
SIZES: list[dict[str, Any]] = [DESKTOP, PHONE]


def seen(app: App, what: str) -> list[str]:
    return [f"{what}: {line}" for line in findings(app.page)]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES, ids=["desktop", "phone"])
def test_visitors_pages(pages: Pages, size: dict[str, Any], theme: str) -> None:
    app = pages(**size, touch=size is PHONE, theme=theme)
    found = []
    for route in ROUTES:
        app.open(route)
        if route.startswith("/trade"):
            expect(app.region("Chart").locator("canvas").first).to_be_visible()
        found += seen(app, route)
    app.connect_button().click()
    expect(app.dialog("Connect a wallet")).to_be_visible()
    found += seen(app, "connect dialog")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES, ids=["desktop", "phone"])
def test_a_traders_pages_with_dialogs(pages: Pages, busy: Wallet, size: dict[str, Any], theme: str) -> None:
    app = pages(busy, **size, touch=size is PHONE, theme=theme).open().connect()
    expect(app.rows("Positions", "BTC-USD")).to_be_visible()
    found = []
    for tab in ("Positions", "Open orders", "Fills", "Transfers"):
        expect(app.rows(tab, re.compile("BTC|Deposit"))).not_to_have_count(0)
        found += seen(app, f"tab {tab}")
    found += with_dialogs(app)
    for route in ROUTES[1:]:
        app.open(route)
        expect(app.account_button()).to_be_visible()
        found += seen(app, route)
    assert not found, "\n".join(found)


def with_dialogs(app: App) -> list[str]:
    """Every dialog and menu of the trade page, one after the other."""
    positions = "Positions"
    menu = app.account_button()
    banner = app.page.get_by_role("banner")
    bell = app.button(re.compile("^Notifications"))
    markets = app.region("Market").get_by_role("button", name=re.compile("BTC-USD"))
    opened: list[tuple[Callable[[], None], Locator]] = [
        (menu.click, app.button("Disconnect")),
        (bell.click, app.page.get_by_role("heading", name="Notifications")),
        (markets.click, app.dialog("Markets")),
        (lambda: app.page.keyboard.press("Control+k"), app.dialog("Commands")),
        (lambda: row_button(app, positions, "Close BTC-USD"), app.dialog("Close long BTC-USD")),
        (lambda: row_button(app, positions, "Take profit and stop of BTC-USD"), app.dialog(re.compile("profit|exit"))),
        (lambda: row_button(app, "Open orders", "Amend buy 0.01 BTC-USD"), app.dialog("Amend buy BTC-USD")),
    ]
    subaccounts = banner.get_by_role("button", name=re.compile("^Subaccount: "))
    if subaccounts.is_visible():
        opened.append((subaccounts.click, app.button("Fund a new subaccount")))

    def transfer() -> None:
        app.page.keyboard.press("Control+k")
        app.page.keyboard.type("Transfer between")
        app.page.keyboard.press("Enter")

    opened.append((transfer, app.dialog("Transfer between subaccounts")))
    for name in ("Deposit", "Withdraw"):

        def choose(name: str = name) -> None:
            menu.click()
            banner.get_by_role("button", name=name, exact=True).last.click()

        opened.append((choose, app.dialog(f"{name} USDC")))
    found = []
    for number, (action, shown) in enumerate(opened):
        action()
        expect(shown).to_be_visible()
        found += seen(app, f"dialog {number}")
        app.page.keyboard.press("Escape")
        expect(shown).to_be_hidden()
    return found


def row_button(app: App, table: str, name: str) -> None:
    app.tab(table).get_by_role("button", name=name).first.click()


@pytest.mark.parametrize("palette", ["blue-orange", "teal-magenta"])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_colours_for_the_colour_blind(pages: Pages, busy: Wallet, theme: str, palette: str) -> None:
    app = pages(busy, theme=f"{theme}', palette: '{palette}").open().connect()
    assert app.page.evaluate("document.documentElement.dataset.palette") == palette
    expect(app.rows("Positions", "BTC-USD")).to_be_visible()
    found = seen(app, f"{theme} {palette}")
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def busy(venue: Exchange) -> Any:
    """A trader with a position, an order that rests, fills and a deposit."""
    wallet = Wallet(venue.rpc_url, venue.funded(5_000))
    yield wallet
    wallet.close()


@pytest.fixture(autouse=True)
def history(pages: Pages, venue: Exchange, request: pytest.FixtureRequest) -> None:
    """Gives `busy` its history, once."""
    if "busy" not in request.fixturenames:
        return
    busy: Wallet = request.getfixturevalue("busy")
    if venue.positions(busy.account):
        return
    app = pages(busy).open().connect()
    Ticket(app).fill("buy", "Market", "0.02").submit()
    app.until(lambda: venue.positions(busy.account), "the position")
    Ticket(app).fill("buy", "Limit", "0.01", price=str(int(venue.index() * 97 / 100))).submit()
    app.until(lambda: venue.orders(busy.account, "OPEN"), "the order")
