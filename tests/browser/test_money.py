# SPDX-License-Identifier: AGPL-3.0-only
"""Money: test funds from the faucet, into the Vault, and out again in both ways."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet


def test_a_newcomer_gets_test_money_and_deposits(pages: Pages, venue: Exchange, wallet: Wallet) -> None:
    app = pages(wallet).open().connect()
    app.button("Deposit to trade").click()
    dialog = app.dialog("Deposit USDC")
    expect(dialog).to_contain_text("This wallet has no test money yet.")
    dialog.get_by_role("button", name="Get test USDC").click()
    expect(dialog).to_contain_text("In your wallet: $10,000.00")
    amount = dialog.get_by_role("textbox", name="Amount")
    amount.fill("10001")
    expect(dialog.get_by_text("More than the wallet holds.")).to_be_visible()
    expect(dialog.get_by_role("button", name="Deposit", exact=True)).to_be_disabled()
    amount.fill("2500.50")
    wallet.reject.add("eth_sendTransaction")
    dialog.get_by_role("button", name="Deposit", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text(re.compile("reject|declin|refus", re.IGNORECASE))
    wallet.reject.clear()
    dialog.get_by_role("button", name="Try again").click()
    dialog.get_by_role("button", name="Start trading").click()
    expect(dialog).to_be_hidden()
    assert venue.equity(wallet.account) == 2500.5
    expect(app.page.get_by_role("banner")).to_contain_text("$2,500.50")
    expect(app.rows("Transfers", "Deposit")).to_contain_text("$2,500.50")
    sent = [parameters[0]["to"].lower() for method, parameters in wallet.asked if method == "eth_sendTransaction"]
    contracts = venue.config["contracts"]
    # Refused, then the approval of that amount and the deposit.
    assert sent == [contracts["usdc"].lower(), contracts["usdc"].lower(), contracts["vault"].lower()]


def test_money_leaves_at_once_with_the_co_signature(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open("/portfolio").connect()
    app.page.get_by_role("main").get_by_role("button", name="Withdraw").first.click()
    dialog = app.dialog("Withdraw USDC")
    dialog.get_by_role("textbox", name="Amount").fill("6000")
    expect(dialog.get_by_text("More than may be withdrawn.")).to_be_visible()
    dialog.get_by_role("textbox", name="Amount").fill("700")
    dialog.get_by_role("button", name="Withdraw", exact=True).click()
    expect(app.said("Withdrawn")).to_be_visible()
    app.until(lambda: venue.equity(trader.account) == 4_300, "the withdrawal in the index")
    [data] = trader.signed()
    assert data["domain"] == {**venue.config["vaultDomain"], "chainId": data["domain"]["chainId"]}
    assert data["message"]["to"].lower() == trader.address.lower()


def test_money_leaves_without_the_operator(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open("/portfolio").connect()
    app.page.get_by_role("main").get_by_role("button", name="Withdraw").first.click()
    dialog = app.dialog("Withdraw USDC")
    dialog.get_by_role("radio", name="Without the operator").click()
    dialog.get_by_role("textbox", name="Amount").fill("100")
    dialog.get_by_role("button", name="Request", exact=True).click()
    expect(app.said("Withdrawal requested")).to_be_visible()
    expect(dialog.get_by_role("heading", name="Waiting")).to_be_visible()
    assert trader.signed() == []
    dialog.get_by_role("button", name="Cancel", exact=True).click()
    expect(app.said("Withdrawal cancelled")).to_be_visible()
    app.until(lambda: venue.equity(trader.account) == 5_000, "the request taken back")
