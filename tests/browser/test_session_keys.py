# SPDX-License-Identifier: AGPL-3.0-only
"""One-click trading: a key of the browser signs instead of the wallet, within what the owner wrote on chain."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.app import Ticket
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet


def test_a_key_trades_in_its_scope_and_is_revoked(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open("/keys").connect()
    form = app.page.get_by_role("form", name="New session key")
    form.get_by_role("textbox", name="Name").fill("Test browser")
    form.get_by_role("textbox", name="May trade in all").fill("50000")
    form.get_by_role("checkbox", name="BTC-USD").check()
    form.get_by_role("button", name="Register the key").click()
    expect(app.said("One-click trading is on")).to_be_visible()
    row = app.page.get_by_role("row").filter(has_text="Test browser")
    expect(row).to_contain_text("BTC-USD")
    expect(row).to_contain_text("active")
    [key] = venue.get("/v4/sessionKeys", address=trader.address)["sessionKeys"]
    assert (key["markets"], float(key["budget"]), key["status"]) == (["BTC-USD"], 50_000, "ACTIVE")

    # The relayer knows the key when its block is final: until then the wallet would be asked.
    trader.asked.clear()
    app.page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Trade").click()
    Ticket(app).fill("buy", "Market", "0.01").submit()
    expect(app.said("Filled")).to_be_visible()
    app.until(lambda: venue.positions(trader.account), "the position")
    assert trader.signed() == [], "an order in the key's scope needs no wallet"

    # It is kept for the next visit, and signs cancels as well.
    app.page.reload()
    expect(app.account_button()).to_be_visible()
    price = str(int(venue.index() * 98 / 100))
    Ticket(app).fill("buy", "Limit", "0.01", price=price).submit()
    expect(app.said("Order placed")).to_be_visible()
    app.tab("Open orders").get_by_role("button", name="Cancel buy 0.01 BTC-USD").click()
    expect(app.said("Order cancelled")).to_be_visible()
    assert trader.signed() == []

    app.page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Session keys").click()
    app.button("Revoke").click()
    expect(app.said("Key revoked")).to_be_visible()
    app.until(
        lambda: venue.get("/v4/sessionKeys", address=trader.address)["sessionKeys"][0]["status"] != "ACTIVE",
        "the revocation in the index",
    )
    app.page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Trade").click()
    Ticket(app).fill("buy", "Market", "0.01").submit()
    expect(app.said("Filled")).to_be_visible()
    assert [data["primaryType"] for data in trader.signed()] == ["Order"], "without a key the wallet signs again"
