# SPDX-License-Identifier: AGPL-3.0-only
"""Several subaccounts of one owner: funded, chosen, traded with, and money moved between them."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.app import App, Ticket
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet


def equities(venue: Exchange, wallet: Wallet) -> dict[int, float]:
    """Of all subaccounts, in USDC."""
    found = venue.get(f"/v4/addresses/{wallet.address}")["subaccounts"]
    return {each["subaccountNumber"]: float(each["equity"]) for each in found}


def menu(app: App) -> None:
    app.page.get_by_role("banner").get_by_role("button", name=re.compile("^Subaccount: ")).click()


def test_a_second_subaccount_is_funded_traded_with_and_emptied(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    menu(app)
    app.button("Fund a new subaccount").click()
    dialog = app.dialog("Deposit USDC")
    expect(dialog.get_by_label("Into")).to_have_value("1")
    dialog.get_by_role("textbox", name="Amount").fill("1000")
    dialog.get_by_role("button", name="Deposit", exact=True).click()
    dialog.get_by_role("button", name="Start trading").click()
    assert equities(venue, trader) == {0: 5000, 1: 1000}
    chosen = app.page.get_by_role("banner").get_by_role("button", name="Subaccount: Subaccount 1")
    expect(chosen).to_contain_text("$1,000.00")

    # Orders are of the one that is chosen, and the choice outlives the page.
    app.page.reload()
    expect(chosen).to_contain_text("$1,000.00")
    Ticket(app).fill("buy", "Limit", "0.01", price=str(int(venue.index() * 95 / 100))).submit()
    expect(app.rows("Open orders", "BTC-USD")).to_have_count(1)
    assert trader.signed()[-1]["message"]["subaccount"] == 1
    menu(app)
    app.page.get_by_role("radio", name=re.compile("Main")).click()
    expect(app.rows("Open orders")).to_have_count(0)
    menu(app)
    app.page.get_by_role("radio", name=re.compile("Subaccount 1")).click()
    app.rows("Open orders", "BTC-USD").get_by_role("button", name=re.compile("^Cancel")).click()
    expect(app.rows("Open orders")).to_have_count(0)

    # Money goes back through the wallet.
    menu(app)
    app.button("Transfer between subaccounts").click()
    dialog = app.dialog("Transfer between subaccounts")
    expect(dialog.get_by_label("From")).to_have_value("1")
    expect(dialog.get_by_label("To")).to_have_value("0")
    dialog.get_by_role("textbox", name="Amount").fill("1001")
    expect(dialog.get_by_text("More than positions there leave free.")).to_be_visible()
    dialog.get_by_role("textbox", name="Amount").fill("400")
    dialog.get_by_role("button", name="Transfer", exact=True).click()
    dialog.get_by_role("button", name="Done").click()
    app.until(lambda: equities(venue, trader) == {0: 5400, 1: 600}, "the transfer in the index")
    app.button(re.compile("^Notifications")).click()
    told = app.page.get_by_role("region", name="Notifications")
    expect(told.get_by_text("Transferred")).to_have_count(1)
    expect(told.get_by_text("Withdrawal paid")).to_have_count(0)


def test_money_that_could_not_go_in_again_waits_in_the_wallet(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    menu(app)
    app.button("Transfer between subaccounts").click()
    dialog = app.dialog("Transfer between subaccounts")
    dialog.get_by_role("textbox", name="Amount").fill("300")
    sent = [0]

    def refuse_the_second(method: str) -> bool:
        sent[0] += method == "eth_sendTransaction"
        return method == "eth_sendTransaction" and sent[0] == 2

    trader.refuses = refuse_the_second
    dialog.get_by_role("button", name="Transfer", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("The money is in your wallet.")
    dialog.get_by_role("button", name="Deposit it now").click()
    dialog.get_by_role("button", name="Done").click()
    app.until(lambda: equities(venue, trader) == {0: 4700, 1: 300}, "the transfer in the index")
