# SPDX-License-Identifier: AGPL-3.0-only
"""What was tried against the app in a browser: wallets that change under it, front doors that lie, other pages."""

from __future__ import annotations

import json
import re
from typing import Any

from eth_account import Account
from playwright.sync_api import Page, Route, expect

from tests.browser.app import App, Ticket
from tests.browser.conftest import Pages
from tests.browser.exchange import Exchange
from tests.browser.wallet import Wallet

FOREIGN = "0x000000000000000000000000000000000000dEaD"
CHANGED = "Your wallet has changed to another account meanwhile"


def change_after(app: App, method: str, address: str) -> None:
    """The person changes the account while the wallet answers `method`, once."""
    app.page.evaluate(
        """([method, address]) => {
            const ask = window.__testWallet;
            window.__testWallet = async (asked, parameters) => {
                const answer = await ask(asked, parameters);
                if (asked === method) {
                    window.__testWallet = ask;
                    window.__testWalletEmit("accountsChanged", [address]);
                    const shown = () => document.querySelector("header").textContent.includes(address.slice(-4));
                    while (!shown()) await new Promise((resolve) => requestAnimationFrame(resolve));
                }
                return answer;
            };
        }""",
        [method, address],
    )


def kept_keys(page: Page) -> list[str]:
    """Whose session keys are in the browser's database: chain, exchange and account."""
    found: list[str] = page.evaluate(
        """() => new Promise((resolve, reject) => {
            const asked = indexedDB.open("ouro", 1);
            asked.onupgradeneeded = () => asked.result.createObjectStore("session-keys");
            asked.onerror = () => reject(asked.error);
            asked.onsuccess = () => {
                const keys = asked.result.transaction("session-keys").objectStore("session-keys").getAllKeys();
                keys.onsuccess = () => (asked.result.close(), resolve(keys.result));
            };
        })"""
    )
    return found


def test_an_account_that_changes_between_two_signatures_sends_nothing(
    pages: Pages, venue: Exchange, trader: Wallet
) -> None:
    app = pages(trader).open().connect()
    other = Account.create()
    change_after(app, "eth_signTypedData_v4", other.address)
    index = venue.index()
    ticket = Ticket(app).fill("buy", "Market", "0.01").check("TP / SL")
    ticket.fill("buy", "Market", profit=str(int(index * 110 / 100)), stop=str(int(index * 90 / 100))).submit()
    expect(ticket.problem()).to_contain_text(CHANGED)
    assert len(trader.signed()) == 1, "nobody is asked in the name of an account that is not connected"
    assert venue.orders(trader.account) == []
    assert venue.positions(trader.account) == []


def test_a_deposit_does_not_go_on_with_another_account(pages: Pages, venue: Exchange, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    app.page.get_by_role("banner").get_by_role("button", name="Deposit").click()
    dialog = app.dialog("Deposit USDC")
    dialog.get_by_role("textbox", name="Amount").fill("100")
    change_after(app, "eth_sendTransaction", Account.create().address)
    dialog.get_by_role("button", name="Deposit", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text(CHANGED)
    sent = [parameters for method, parameters in trader.asked if method == "eth_sendTransaction"]
    assert [parameters[0]["to"].lower() for parameters in sent] == [venue.config["contracts"]["usdc"].lower()]


def test_a_session_key_belongs_to_who_registered_it(pages: Pages, trader: Wallet) -> None:
    app = pages(trader).open("/keys").connect()
    other = Account.create()
    change_after(app, "eth_sendTransaction", other.address)
    app.page.get_by_role("form", name="New session key").get_by_role("button", name="Register the key").click()
    expect(app.said("One-click trading is on")).to_be_visible()
    expect(app.account_button(other.address)).to_be_visible()
    expect(app.page.get_by_text("This browser has no key for the connected account.")).to_be_visible()
    assert [place.rpartition("/")[2] for place in kept_keys(app.page)] == [trader.address]


def test_a_key_is_forgotten_without_a_network(pages: Pages, trader: Wallet) -> None:
    app = pages(trader).open("/keys").connect()
    app.page.get_by_role("form", name="New session key").get_by_role("button", name="Register the key").click()
    expect(app.said("One-click trading is on")).to_be_visible()
    assert len(kept_keys(app.page)) == 1
    app.expected.append(re.compile("ERR_INTERNET_DISCONNECTED|WebSocket"))
    app.page.context.set_offline(True)
    app.button("Forget this key").click()
    expect(app.page.get_by_text("This browser has no key for the connected account.")).to_be_visible()
    assert kept_keys(app.page) == []
    app.page.context.set_offline(False)


def test_a_wallet_that_changed_its_chain_in_silence_sends_nothing(pages: Pages, trader: Wallet) -> None:
    app = pages(trader).open().connect()
    app.page.get_by_role("banner").get_by_role("button", name="Deposit").click()
    dialog = app.dialog("Deposit USDC")
    dialog.get_by_role("textbox", name="Amount").fill("100")
    trader.chain_id = 1
    dialog.get_by_role("button", name="Deposit", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Your wallet is on chain 1 now")
    assert "eth_sendTransaction" not in [method for method, _ in trader.asked]


def poisoned(app: App, **changes: Any) -> None:
    """The front door says this instead of its configuration."""

    def answer(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(body=json.dumps(told | changes), content_type="application/json")

    app.page.route("**/v4/config", answer)


def test_a_front_door_that_lies_about_the_domain_gets_no_signature(
    pages: Pages, venue: Exchange, trader: Wallet
) -> None:
    app = pages(trader)
    poisoned(app, domain=venue.config["domain"] | {"verifyingContract": FOREIGN})
    app.page.goto(app.url)
    expect(app.page.get_by_text("asks for signatures that would be good elsewhere")).to_be_visible()
    app.connect()
    expect(app.button(re.compile("^(Buy|Sell) BTC$"))).to_have_count(0)
    assert trader.signed() == []


def test_other_contracts_than_at_the_last_visit_are_told(pages: Pages, venue: Exchange, wallet: Wallet) -> None:
    app = pages(wallet).open().connect()
    contracts = venue.config["contracts"] | {"vault": FOREIGN}
    poisoned(app, contracts=contracts, vaultDomain=venue.config["vaultDomain"] | {"verifyingContract": FOREIGN})
    app.page.reload()
    app.button(re.compile("^Notifications, 1 new")).click()
    expect(app.region("Notifications")).to_contain_text("Other contracts than before")
    expect(app.region("Notifications")).to_contain_text(FOREIGN)


def test_a_wallet_under_the_name_of_another_is_not_chosen_in_silence(pages: Pages, wallet: Wallet) -> None:
    app = pages(wallet).open().connect()
    app.page.add_init_script(
        """addEventListener("eip6963:requestProvider", () => dispatchEvent(new CustomEvent("eip6963:announceProvider", {
            detail: {
                info: { uuid: "fake", name: "Test Wallet", icon: "data:image/svg+xml,<svg onload='x()'/>",
                        rdns: "example.test.wallet" },
                provider: { request: async () => ["0x000000000000000000000000000000000000dEaD"] },
            },
        })))"""
    )
    app.page.reload()
    app.connect_button().click()
    dialog = app.dialog("Connect a wallet")
    expect(dialog.get_by_text("one may be a fake")).to_be_visible()
    expect(dialog.get_by_role("button", name="Test Wallet")).to_have_count(2)
    expect(dialog.get_by_text("example.test.wallet")).to_have_count(2)


def test_one_click_that_is_turned_off_stays_off_in_other_tabs(pages: Pages) -> None:
    first = pages().open("/settings")
    first.page.evaluate("localStorage.setItem('ouro.settings', JSON.stringify({oneClick: true}))")
    first.page.reload()
    second = pages(context=first.page.context).open("/settings")
    stored = "JSON.parse(localStorage.getItem('ouro.settings')).oneClick"
    assert second.page.evaluate(stored) is True
    second.page.evaluate("localStorage.setItem('ouro.settings', JSON.stringify({oneClick: false}))")
    first.page.get_by_role("checkbox", name="Ask before an order is sent").check()
    assert first.page.evaluate(stored) is False


def test_what_the_exchange_answers_never_becomes_the_apps_shell(pages: Pages) -> None:
    app = pages().open()
    app.until(
        lambda: app.page.evaluate(
            "navigator.serviceWorker.ready.then(() => caches.match('/')).then((kept) => Boolean(kept))"
        ),
        "the service worker's shell",
    )
    for path in ("/v4/time", "/v4/perpetualMarkets", "/docs"):
        app.page.context.new_page().goto(app.url + path, wait_until="commit")
    shell = app.page.evaluate("caches.match('/').then((kept) => kept.text())")
    assert shell.lower().startswith("<!doctype html>")
    assert '<div id="app">' in shell
    names = app.page.evaluate(
        """async () => {
            const cache = await caches.open((await caches.keys())[0]);
            return (await cache.keys()).map((kept) => new URL(kept.url).pathname);
        }"""
    )
    assert [name for name in names if name.startswith(("/v4", "/docs"))] == []


def test_the_description_cannot_read_what_the_app_keeps(pages: Pages) -> None:
    app = pages().open()
    page = app.page.context.new_page()
    page.goto(app.url + "/docs", wait_until="commit")
    found = page.evaluate(
        """() => { try { return String(localStorage.length); } catch (error) { return error.name; } }"""
    )
    assert (page.evaluate("self.origin"), found) == ("null", "SecurityError")


def test_no_page_can_frame_the_app(pages: Pages, venue: Exchange) -> None:
    for path in ("/", "/v4/time", "/docs"):
        assert "frame-ancestors 'none'" in venue.http.get(path).headers["Content-Security-Policy"]
    app = pages().open()
    assert app.page.evaluate("document.querySelector('iframe')") is None
