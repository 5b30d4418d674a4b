# SPDX-License-Identifier: AGPL-3.0-only
"""Somebody without any wallet opens the local exchange for the first time."""

from __future__ import annotations

import re
import time

from playwright.sync_api import expect

from tests.browser.app import Ticket
from tests.browser.conftest import Pages


def test_a_newcomer_trades_within_a_minute(pages: Pages) -> None:
    app = pages()
    began = time.monotonic()
    app.open("/")
    steps = app.region("First steps")
    steps.get_by_role("button", name="Connect a wallet").click()
    app.dialog("Connect a wallet").get_by_role("button", name=re.compile("Development wallet")).click()
    steps.get_by_role("button", name="Deposit USDC").click()
    dialog = app.dialog("Deposit USDC")
    dialog.get_by_role("button", name="Get test USDC").click()
    expect(dialog).to_contain_text("In your wallet: $10,000.00")
    expect(dialog.get_by_role("textbox", name="Amount")).to_have_value("10000")
    dialog.get_by_role("button", name="Deposit", exact=True).click()
    dialog.get_by_role("button", name="Start trading").click()
    Ticket(app).fill("buy", "Market", "0.05").submit()
    expect(app.page.get_by_role("row").filter(has_text="0.05")).not_to_have_count(0)
    took = time.monotonic() - began
    expect(steps).to_have_count(0)
    assert took < 60, f"{took:.0f} s"
