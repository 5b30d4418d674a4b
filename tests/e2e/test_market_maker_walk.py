# SPDX-License-Identifier: AGPL-3.0-only
"""docs/market-making.md, typed as it stands, on the stack of this folder; a taker of the test stands for the bots."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from eth_account import Account

from ouro.client import LocalSigner, OuroClient
from tests.support.build import ROOT
from tests.support.terminal import Terminal
from tests.support.waiting import eventually

PATIENCE_S = 240

# the first test starts the stack, and that compiles every contract
pytestmark = pytest.mark.timeout(900)


def blocks() -> list[str]:
    found = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "market-making.md").read_text(), re.DOTALL)
    assert found[0].splitlines() == ["make setup", "export PATH=$PWD/.venv/bin:$PATH", "ouro up"]
    return found[1:]


def terminal(folder: Path, url: str) -> Terminal:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OURO_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Terminal(folder, clean | {"PATH": path, "OURO_URL": url, "NO_COLOR": "1"})


@pytest.fixture
def taker(url: str) -> Iterator[OuroClient]:
    with OuroClient(url, Account.create()) as client:
        client.chain.faucet("50000")
        client.chain.wait_until_seen(client.chain.deposit("40000"), timeout_seconds=120)
        yield client


def test_the_walk(url: str, taker: OuroClient, tmp_path: Path) -> None:
    money, key, program, run, look, end = blocks()
    owner, bot = terminal(tmp_path, url), terminal(tmp_path, url)
    owner.type(money)
    owner.type(key)
    owner.type(program)
    log = tmp_path / "bot.log"
    bot.start(run, log)
    try:
        eventually(lambda: "quote SELL OPEN" in log.read_text(), "quotes on both sides", within_s=PATIENCE_S)
        assert "quote BUY OPEN" in log.read_text()

        def bought() -> bool:
            placed = taker.orders.place_market_order("ETH-USD", "BUY", "0.1", max_slippage="0.01")
            return placed.filled > 0

        eventually(bought, "somebody takes", within_s=PATIENCE_S)
        eventually(lambda: "fill SELL 0.1" in log.read_text(), "the bot hears of it", within_s=PATIENCE_S)
        assert "ETH-USD" in eventually(lambda: shown(owner, look), "the owner sees it", within_s=PATIENCE_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{log.read_text()}") from error
    finally:
        assert bot.stop() == 0, log.read_text()
    assert log.read_text().endswith("quotes are gone\n")
    address = LocalSigner.from_keystore(tmp_path / "owner.json", "only-a-test").address
    eventually(
        lambda: not taker.orders.list(address=address, status="OPEN"), "nothing of it rests", within_s=PATIENCE_S
    )

    # Somebody to close against.
    index = taker.markets.get("ETH-USD").oracle_price
    assert index is not None
    taker.orders.place_limit_order("ETH-USD", "SELL", "1", (index * Decimal("1.001")).quantize(Decimal(1)))
    owner.type(end)
    eventually(
        lambda: not taker.account.subaccount(address=address).open_perpetual_positions,
        "it is flat",
        within_s=PATIENCE_S,
    )
    taker.orders.cancel_all()


def shown(owner: Terminal, look: str) -> str:
    """What the page's look from outside shows, once there are a fill and a position."""
    seen = owner.type(look)
    return seen if "SHORT" in seen and "SELL" in seen else ""
