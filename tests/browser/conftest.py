# SPDX-License-Identifier: AGPL-3.0-only
"""One exchange and one browser for all tests; a fresh profile, wallet and page for each."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from tests.browser.app import App
from tests.browser.exchange import Exchange, exchange
from tests.browser.wallet import Wallet
from tests.support.build import ROOT

SHOTS = ROOT / ".cache" / "browser"
PATIENCE_MS = 45_000


@pytest.fixture(scope="package")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with exchange(tmp_path_factory.mktemp("exchange")) as running:
        yield running


# Of the package: its event loop runs in this thread until it is stopped, and other tests start their own.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        expect.set_options(timeout=PATIENCE_MS)
        yield started


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium, the browser that users of Debian have."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path is not None, "the browser tests need Chromium (Debian and Ubuntu: apt-get install chromium)"
    browser = playwright.chromium.launch(executable_path=path)
    yield browser
    browser.close()


@pytest.fixture
def wallet(venue: Exchange) -> Iterator[Wallet]:
    """A wallet with an account that has nothing yet."""
    wallet = Wallet(venue.rpc_url)
    yield wallet
    wallet.close()


@pytest.fixture
def trader(venue: Exchange) -> Iterator[Wallet]:
    """A wallet whose account has 5,000 USDC on the exchange and 1,000 in the wallet."""
    wallet = Wallet(venue.rpc_url, venue.funded(5_000, wallet_usdc=1_000))
    yield wallet
    wallet.close()


class Pages:
    """Makes pages; keeps a picture of those that a failed test leaves."""

    def __init__(self, browser: Browser, venue: Exchange, name: str) -> None:
        self._browser = browser
        self._venue = venue
        self._name = re.sub(r"[^\w.-]+", "_", name)
        self._contexts: list[BrowserContext] = []
        self._apps: list[App] = []

    def __call__(
        self,
        wallet: Wallet | None = None,
        *,
        width: int = 1440,
        height: int = 900,
        theme: str = "",
        touch: bool = False,
        context: BrowserContext | None = None,
    ) -> App:
        """An app that is not open yet, in a profile of its own (or that of `context`)."""
        if context is None:
            context = self._browser.new_context(
                viewport={"width": width, "height": height},
                has_touch=touch,
                is_mobile=touch,
                accept_downloads=True,
                locale="en-GB",
                reduced_motion="reduce",
            )
            context.set_default_timeout(PATIENCE_MS)
            self._contexts.append(context)
            if wallet is not None:
                wallet.put_into(context)
            if theme:
                context.add_init_script(
                    f"localStorage.getItem('ouro.settings') ?? "
                    f"localStorage.setItem('ouro.settings', JSON.stringify({{theme: '{theme}'}}))"
                )
        app = App(context.new_page(), self._venue.url, wallet)
        self._apps.append(app)
        return app

    def close(self, failed: bool) -> None:
        """End the profiles. What a page complained about is an error of the test."""
        complaints = [line for app in self._apps for line in app.complaints()]
        if failed or complaints:
            SHOTS.mkdir(parents=True, exist_ok=True)
            for number, app in enumerate(self._apps):
                if not app.page.is_closed():
                    app.page.screenshot(path=SHOTS / f"{self._name}-{number}.png")
        for context in self._contexts:
            context.close()
        if not failed:
            assert complaints == []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":  # type: ignore[attr-defined]
        item.stash[_FAILED] = report.failed  # type: ignore[attr-defined]
    return report


_FAILED = pytest.StashKey[bool]()


@pytest.fixture
def pages(browser: Browser, venue: Exchange, request: pytest.FixtureRequest) -> Iterator[Pages]:
    made = Pages(browser, venue, request.node.name)
    yield made
    made.close(request.node.stash.get(_FAILED, True))
