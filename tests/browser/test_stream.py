# SPDX-License-Identifier: AGPL-3.0-only
"""What the page shows when its stream is cut, loses a message, or the exchange is away."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from tests.browser.app import App
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.line import Line


def shown_book(app: App) -> dict[str, Decimal]:
    """Best prices of the page's book, by side."""
    best: dict[str, Decimal] = {}
    for text in app.page.get_by_role("option").evaluate_all("rows => rows.map(row => row.textContent)"):
        found = re.match(r"(?:Your order, )?(ask|bid) ([\d,.]+)size", text)
        if found:
            price = Decimal(found[2].replace(",", ""))
            side = found[1]
            best[side] = (min if side == "ask" else max)(best.get(side, price), price)
    return best


def agrees(app: App, venue: Exchange) -> bool:
    """Whether the page shows the exchange's own best prices."""
    book = venue.get("/v4/orderbooks/perpetualMarket/BTC-USD")
    if not book["bids"] or not book["asks"]:
        return False
    return shown_book(app) == {"ask": Decimal(book["asks"][0]["price"]), "bid": Decimal(book["bids"][0]["price"])}


@pytest.mark.parametrize("trouble", ["cut", "gap"])
def test_after_a_drop_or_a_gap_the_page_is_right_again(pages: Pages, venue: Exchange, trouble: str) -> None:
    app = pages()
    line = Line(app.page)
    app.open()
    app.until(lambda: agrees(app, venue), "the book before")
    if trouble == "cut":
        line.cut()
    else:
        line.swallow = 1
    app.until(lambda: line.connections == 2, "a new connection")
    expect(app.page.get_by_text("Live", exact=True)).to_be_visible()
    app.until(lambda: agrees(app, venue), "the book after")
    assert line.connections == 2, "one fresh start is enough"


def test_while_there_is_no_stream_the_page_says_so(pages: Pages) -> None:
    app = pages()
    line = Line(app.page)
    app.open()
    expect(app.page.get_by_text("Live", exact=True)).to_be_visible()
    line.closed = True
    line.cut()
    expect(app.page.get_by_text(re.compile("^(Offline|Connecting)$"))).to_be_visible()
    line.closed = False
    expect(app.page.get_by_text("Live", exact=True)).to_be_visible()
