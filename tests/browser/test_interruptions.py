# SPDX-License-Identifier: AGPL-3.0-only
"""What does not work is told before anything is sent, and what still does; afterwards nothing is lost or told twice."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, expect

from ouro.client import OuroClient
from tests.browser.app import App, Ticket
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.line import Line
from tests.browser.wallet import Wallet


def process_of(port: int, name: str) -> int:
    """The process of the local stack that serves this exchange at that port."""
    setting = f"OURO_{name.upper()}_PORT={port}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if name.encode() in words and b"run" in words and setting in (folder / "environ").read_bytes():
                return int(folder.name)
        except OSError:
            continue
    raise AssertionError(f"nobody runs the {name} at port {port}")


@contextmanager
def stopped(venue: Exchange, name: str) -> Iterator[None]:
    """The service stands still: it takes connections and answers nothing."""
    url = venue.config["relayerUrl"] if name == "relayer" else venue.url
    process = process_of(int(url.rsplit(":", 1)[1]), name)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def banner(app: App) -> Locator:
    """What stands over the page."""
    return app.page.get_by_role("alert").filter(has_text=re.compile("not taken|does not answer|interrupted"))


def test_a_relayer_that_stands_still_is_told_before_an_order_is_sent(
    pages: Pages, venue: Exchange, trader: Wallet
) -> None:
    app = pages(trader).open().connect()
    ticket = Ticket(app).fill("buy", "Market", "0.01")
    expect(banner(app)).to_have_count(0)
    with stopped(venue, "relayer"):
        expect(banner(app)).to_contain_text("Orders and cancels are not taken now. The relayer does not answer.")
        expect(banner(app)).to_contain_text("Without the operator")
        expect(ticket.form).to_contain_text("Orders are not taken now.")
        # The way out that needs nobody's consent is open.
        app.button("Withdraw", exact=True).first.click()
        dialog = app.dialog("Withdraw USDC")
        dialog.get_by_role("radio", name="Without the operator").click()
        dialog.get_by_role("textbox", name="Amount").fill("50")
        dialog.get_by_role("button", name="Request", exact=True).click()
        expect(app.said("Withdrawal requested")).to_be_visible()
        app.page.keyboard.press("Escape")
    expect(banner(app)).to_have_count(0)
    ticket.submit()
    app.until(lambda: venue.positions(trader.account), "the position")


def test_a_front_door_that_stands_still_is_told(pages: Pages, venue: Exchange) -> None:
    app = pages().open()
    expect(app.page.get_by_text("Live", exact=True)).to_be_visible()
    with stopped(venue, "indexer"):
        expect(banner(app)).to_contain_text("The exchange does not answer. Trying again.")
    expect(banner(app)).to_have_count(0)
    expect(app.page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_fill_during_a_drop_is_told_once(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader)
    line = Line(app.page)
    app.open().connect()
    Ticket(app).fill("buy", "Limit", "0.01", price=str(int(venue.index() * 95 / 100))).submit()
    expect(app.rows("Open orders", "BTC-USD")).to_have_count(1)
    line.closed = True
    line.cut()
    expect(banner(app)).to_contain_text("Live data is interrupted.")
    # While nobody listens: a fill of this account, and the end of the order that rested.
    with OuroClient(venue.url, trader.account) as client:
        client.orders.place_market_order("BTC-USD", "SELL", "0.02")
        client.orders.cancel_all()
    app.until(lambda: venue.positions(trader.account), "the fill on the chain")
    asked = len(line.asked)
    line.closed = False
    expect(app.page.get_by_text("Live", exact=True)).to_be_visible()
    expect(app.rows("Positions", "BTC-USD")).to_contain_text("Short")
    expect(app.rows("Open orders")).to_have_count(0)
    again = [each for each in line.asked[asked:] if each.get("channel") == "v4_subaccounts"]
    assert [set(each) >= {"epoch", "fromSeq"} for each in again] == [True], again
    app.button(re.compile("^Notifications")).click()
    told = app.page.get_by_role("region", name="Notifications")
    expect(told.get_by_text("Sold 0.02 BTC")).to_have_count(1)
    expect(told.get_by_text("Limit cancelled")).to_have_count(1)
    # A second drop repeats nothing.
    line.cut()
    app.until(lambda: len([each for each in line.asked[asked:] if each.get("fromSeq")]) == 2, "going on again")
    expect(app.page.get_by_text("Live", exact=True)).to_be_visible()
    expect(told.get_by_text("Sold 0.02 BTC")).to_have_count(1)
    expect(told.get_by_text("Limit cancelled")).to_have_count(1)
