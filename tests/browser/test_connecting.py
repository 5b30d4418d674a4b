# SPDX-License-Identifier: AGPL-3.0-only
"""The first minute: what a visitor sees, wallets that connect, refuse, or are on another chain."""

from __future__ import annotations

import re

from eth_account import Account
from playwright.sync_api import expect

from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet


def test_a_visitor_sees_the_market_without_a_wallet(pages: Pages, venue: Exchange) -> None:
    app = pages().open("/")
    expect(app.page).to_have_url(f"{venue.url}/trade/BTC-USD")
    expect(app.page).to_have_title(re.compile(r"[\d,]+ · BTC-USD · Ouro"))
    market = app.region("Market")
    for name in ("Mark", "Index", "Open interest"):
        expect(market.get_by_text(name, exact=True).locator("xpath=following-sibling::dd")).to_contain_text(
            re.compile(r"\d")
        )
    expect(app.page.get_by_role("option", name=re.compile(r"^ask [\d,]+ size"))).not_to_have_count(0)
    expect(app.page.get_by_role("option", name=re.compile(r"^bid [\d,]+ size"))).not_to_have_count(0)
    expect(app.region("Chart").locator("canvas").first).to_be_visible()
    app.until(lambda: app.page.evaluate("performance.getEntriesByName('chart-ready').length"), "the chart")
    app.page.get_by_role("tab", name="Trades").first.click()
    expect(app.page.get_by_role("tabpanel", name="Trades")).to_contain_text(re.compile(r"\d\d:\d\d"))
    assert app.foreign == [], "a page must ask nobody but the exchange"


def test_every_page_opens_by_its_address_and_by_the_menu(pages: Pages, venue: Exchange) -> None:
    app = pages().open()
    for name, path in (
        ("Portfolio", "/portfolio"),
        ("Session keys", "/keys"),
        ("Settings", "/settings"),
        ("Help", "/help"),
    ):
        app.page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name=name).click()
        expect(app.page).to_have_url(venue.url + path)
        expect(app.page.get_by_role("main").get_by_role("heading").first).to_be_visible()
        app.page.reload()
        expect(app.page.get_by_role("main").get_by_role("heading").first).to_be_visible()
    app.page.go_back()
    expect(app.page).to_have_url(venue.url + "/settings")


def test_a_wallet_connects_comes_back_and_goes(pages: Pages, wallet: Wallet) -> None:
    app = pages(wallet).open().connect()
    app.page.reload()
    expect(app.account_button()).to_be_visible()
    assert [method for method, _ in wallet.asked].count("eth_requestAccounts") == 1, "a return needs no question"
    other = Account.create()
    wallet.change_account(other)
    expect(app.account_button(other.address)).to_be_visible()
    app.account_button(other.address).click()
    app.button("Disconnect").click()
    expect(app.connect_button()).to_be_visible()
    app.page.reload()
    expect(app.connect_button()).to_be_visible()


def test_a_refusal_is_told_and_can_be_taken_back(pages: Pages, wallet: Wallet) -> None:
    wallet.reject.add("eth_requestAccounts")
    app = pages(wallet).open()
    app.connect_button().click()
    dialog = app.dialog("Connect a wallet")
    dialog.get_by_role("button", name="Test Wallet").click()
    expect(dialog.get_by_role("alert")).to_contain_text(re.compile("reject|declin|refus", re.IGNORECASE))
    wallet.reject.clear()
    dialog.get_by_role("button", name="Test Wallet").click()
    expect(app.account_button()).to_be_visible()


def test_a_wallet_on_another_chain_is_asked_to_change(pages: Pages, wallet: Wallet) -> None:
    app = pages(wallet).open()
    wallet.on_chain(1, knows=False)
    app.connect()
    switch = app.page.get_by_role("banner").get_by_role("button", name="Switch chain")
    expect(switch).to_be_visible()
    expect(app.button("Switch to the exchange's chain")).to_be_visible()
    wallet.reject.add("wallet_addEthereumChain")
    switch.click()
    expect(app.said("The chain was not changed")).to_be_visible()
    wallet.reject.clear()
    switch.click()
    expect(switch).to_be_hidden()
    asked = dict(wallet.asked)
    assert asked["wallet_addEthereumChain"][0]["chainId"] == "0x7a69"
    wallet.on_chain(10)
    expect(switch).to_be_visible()
    switch.click()
    expect(switch).to_be_hidden()


def test_without_an_extension_the_development_wallet_trades(pages: Pages) -> None:
    app = pages().open()
    app.connect_button().click()
    dialog = app.dialog("Connect a wallet")
    expect(dialog).to_contain_text("No wallet extension was found")
    dialog.get_by_role("button", name="Development wallet").click()
    chip = app.page.get_by_role("banner").get_by_role("button", name=re.compile("0x"))
    expect(chip).to_be_visible()
    chip.click()
    expect(app.page.get_by_text("Local chain only: its key lies in this browser.")).to_be_visible()
