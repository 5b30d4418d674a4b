# SPDX-License-Identifier: AGPL-3.0-only
"""Pictures of the running product for the README, into `docs/images`.

    python -m bench.screenshots [--url URL] [--minutes 20]

Without `--url` it starts a local stack and lets the bots trade for some minutes, so that the charts have something to
show. A trader with two positions and some orders is made first.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

from eth_account.signers.local import LocalAccount
from playwright.sync_api import Browser, expect, sync_playwright

from ouro.client import OuroClient
from tests.browser.app import App, Ticket
from tests.browser.exchange import Exchange, exchange
from tests.browser.wallet import Wallet
from tests.support.waiting import eventually

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
QUALITY = 82
DESKTOP = (1440, 900)
PHONE = (390, 844)


def trader(venue: Exchange) -> LocalAccount:
    """An account with a long, a short, resting orders and exits."""
    account = venue.funded(4_000)
    with OuroClient(venue.url, account) as client:
        orders = client.orders
        orders.place_market_order("BTC-USD", "BUY", "0.08")
        orders.place_market_order("ETH-USD", "SELL", "0.9")
        index = venue.index()
        for percent, size in ((99, "0.05"), (98, "0.1")):
            orders.place_limit_order("BTC-USD", "BUY", size, str(int(index * percent / 100)), post_only=True)
        eventually(lambda: len(venue.positions(account)) == 2, "both positions", within_s=60)
    return account


class Studio:
    """Opens the app in a size and theme, and saves what it shows."""

    def __init__(self, browser: Browser, venue: Exchange, account: LocalAccount) -> None:
        self._browser = browser
        self._venue = venue
        self._account = account

    def picture(self, name: str, size: tuple[int, int], theme: str) -> None:
        """One picture, as WebP."""
        phone = size == PHONE
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            device_scale_factor=2 if phone else 1.5,
            is_mobile=phone,
            has_touch=phone,
            reduced_motion="reduce",
            locale="en-GB",
        )
        context.set_default_timeout(60_000)
        context.add_init_script(
            "localStorage.setItem('ouro.onboarded', 'true');"
            f"localStorage.setItem('ouro.settings', JSON.stringify({{theme: '{theme}'}}))"
        )
        wallet = Wallet(self._venue.rpc_url, self._account)
        wallet.put_into(context)
        app = App(context.new_page(), self._venue.url, wallet).open("/trade/BTC-USD").connect()
        self._trade(app, phone)
        if name.endswith("ticket"):
            app.button("Buy / Long", exact=True).tap()
            Ticket(app).fill("buy", "Market", "0.05")
            app.page.wait_for_timeout(1_000)
        self._save(app, name)
        context.close()
        wallet.close()

    def _trade(self, app: App, phone: bool) -> None:
        app.until(lambda: app.page.evaluate("performance.getEntriesByName('chart-ready').length"), "the chart")
        expect(app.rows("Positions", "BTC-USD")).to_be_attached()
        if not phone:
            price = str(int(self._venue.index() * Decimal("0.995")))
            Ticket(app).fill("buy", "Limit", "0.05", price=price)
        app.page.wait_for_timeout(2_500)

    def _save(self, app: App, name: str) -> None:
        session = app.page.context.new_cdp_session(app.page)
        shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
        data = base64.b64decode(shot["data"])
        (IMAGES / f"{name}.webp").write_bytes(data)
        sys.stdout.write(f"{name}.webp {len(data) / 1000:.0f} kB\n")


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a running exchange")
    parser.add_argument("--minutes", type=float, default=20, help="how long the bots of an own one trade first")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("there is no Chromium here (Debian and Ubuntu: apt-get install chromium)")
    if options.url:
        os.environ["OURO_BROWSER_URL"] = options.url
    IMAGES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        venue = stack.enter_context(exchange(folder))
        if not options.url:
            time.sleep(options.minutes * 60)
        account = trader(venue)
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=chromium)
        studio = Studio(browser, venue, account)
        for theme in ("dark", "light"):
            studio.picture(f"trade-{theme}", DESKTOP, theme)
            studio.picture(f"phone-{theme}", PHONE, theme)
        studio.picture("phone-dark-ticket", PHONE, "dark")
        browser.close()


if __name__ == "__main__":
    main()
