# SPDX-License-Identifier: AGPL-3.0-only
"""The app as a person meets it: by roles and visible names only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, Response, expect

from tests.browser.wallet import Wallet
from tests.support.waiting import eventually

#: What the browser itself says when an answer is an error; the app shows it to its user.
_ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|503)")


class App:
    """One page of the app."""

    def __init__(self, page: Page, url: str, wallet: Wallet | None = None) -> None:
        self.page = page
        self.url = url
        self.wallet = wallet
        self.expected = [_ANSWERED]
        self._said: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._said.append(f"error: {error}"))
        page.on("response", self._response)
        if wallet is not None:
            wallet.serve(page)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._said.append(f"{message.type}: {message.text}")

    def _response(self, response: Response) -> None:
        if not response.url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(response.url)

    def complaints(self) -> list[str]:
        """Errors and warnings of the page (a breach of the content security policy is one) that nobody expected."""
        return [line for line in self._said if not any(pattern.search(line) for pattern in self.expected)]

    # Ways in.

    def open(self, path: str = "/trade/BTC-USD") -> App:
        """Load a page of the app and wait until it shows prices."""
        self.page.goto(self.url + path)
        expect(self.page.get_by_role("navigation", name="Main")).to_be_visible()
        return self

    def connect(self) -> App:
        """Connect the wallet of the test."""
        assert self.wallet is not None
        self.connect_button().click()
        self.dialog("Connect a wallet").get_by_role("button", name="Test Wallet").click()
        expect(self.account_button()).to_be_visible()
        return self

    def connect_button(self) -> Locator:
        """The one in the top bar."""
        return self.page.get_by_role("banner").get_by_role("button", name="Connect", exact=True)

    def account_button(self, address: str = "") -> Locator:
        """The button that shows the connected address: the wallet's, unless another is given."""
        assert self.wallet is not None
        shown = address or self.wallet.address
        return self.page.get_by_role("banner").get_by_role(
            "button", name=re.compile(f"{shown[:6]}.*{shown[-4:]}", re.IGNORECASE)
        )

    def until(self, check: Callable[[], Any], what: str, within_s: float = 180.0) -> Any:
        """The first true answer of `check`, while the page and its wallet go on."""
        return eventually(check, what, within_s, pause=lambda: self.page.wait_for_timeout(100))

    # What it is made of.

    def button(self, name: str | re.Pattern[str], *, exact: bool = False) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    def dialog(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("dialog", name=name)

    def region(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=name, exact=True)

    def said(self, title: str) -> Locator:
        """The notice with that title (each has a button that dismisses it)."""
        return self.page.get_by_role("button", name=re.compile(f"^Dismiss: .*{title}"))

    def tab(self, name: str) -> Locator:
        """One of the account's tables; returns what it shows."""
        # A tab may show how many there are.
        named = re.compile(rf"^{name}\d*$")
        self.page.get_by_role("tablist", name="Account tables").get_by_role("tab", name=named).click()
        return self.page.get_by_role("tabpanel", name=named)

    def rows(self, table: str, text: str | re.Pattern[str] = "") -> Locator:
        """Rows of one of the account's tables that hold `text`."""
        return self.tab(table).get_by_role("row").filter(has=self.page.get_by_role("cell")).filter(has_text=text)


class Ticket:
    """The form that orders are made with."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.form = app.page.get_by_role("form", name="Order ticket")

    def fill(self, side: str, kind: str, size: str = "", **fields: str) -> Ticket:
        """Choose side ("buy", "sell") and kind by its visible name; fill in fields by theirs."""
        self.form.get_by_role("radio", name="Buy / Long" if side == "buy" else "Sell / Short").click()
        if kind in ("Limit", "Market"):
            self.form.get_by_role("radio", name=kind, exact=True).click()
        else:
            self.form.get_by_label("More order types").select_option(label=kind)
        if size:
            self.field("Size").fill(size)
        for name, value in fields.items():
            self.field(_FIELDS[name]).fill(value)
        return self

    def field(self, name: str) -> Locator:
        return self.form.get_by_role("textbox", name=name, exact=True)

    def check(self, *names: str) -> Ticket:
        """Tick boxes by their names; all others are unticked."""
        for box in self.form.get_by_role("checkbox").all():
            if box.is_enabled():
                box.set_checked(False)
        for name in names:
            self.form.get_by_role("checkbox", name=name).set_checked(True)
        return self

    def lasts(self, name: str) -> Ticket:
        """Choose the time in force by its visible name."""
        self.form.get_by_label("Time in force").select_option(label=name)
        return self

    def submit(self) -> None:
        """Press the button that places the order."""
        button = self.form.get_by_role("button", name=re.compile("^(Buy|Sell) [A-Z]+$"))
        expect(button).to_be_enabled()
        button.click()

    def problem(self) -> Locator:
        """What the exchange or the wallet refused."""
        return self.form.get_by_role("alert")


_FIELDS = {
    "price": "Limit price",
    "trigger": "Trigger (index price)",
    "first": "First price",
    "last": "Last price",
    "orders": "Orders",
    "parts": "Parts",
    "minutes": "Over",
    "distance": "Follows at a distance of",
    "profit": "Take profit",
    "stop": "Stop loss",
}
