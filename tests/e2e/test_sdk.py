# SPDX-License-Identifier: AGPL-3.0-only
"""Every example and the code of the SDK's page, run against one real stack with market makers."""

from __future__ import annotations

import os
import re
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ouro.client import LocalSigner, OuroClient
from tests.support.build import ROOT
from tests.support.client_environment import python_with
from tests.support.stack import market_makers

EXAMPLES = ROOT / "examples"
HELPERS = {"wallet.py"}

SHOWS = {
    "place_order.py": ["nothing is sent yet", "OPEN: BUY 0.01", "cancelled"],
    "market_order.py": ["FILLED, filled 0.02", "LONG 0.02", "closed at"],
    "amend_order.py": ["OPEN as 0x", "refused, filled_changed"],
    "batch_orders.py": ["refused, post_only_would_cross", "3 cancelled"],
    "stop_orders.py": ["STOP_MARKET UNTRIGGERED: AT_OR_BELOW", "TAKE_PROFIT UNTRIGGERED: AT_OR_ABOVE"],
    "bracket.py": ["entry OPEN", "cancelled 0x"],
    "trailing_stop.py": ["UNTRIGGERED: starts at"],
    "twap_and_scaled.py": ["twap ['FILLED', 'UNTRIGGERED', 'UNTRIGGERED']", "ladder ['OPEN', 'OPEN'"],
    "dead_mans_switch.py": ["OPEN", "CANCELED: cancel_all_after"],
    "session_key.py": ["the key's order is OPEN", "key_market: ", "key_budget: ", "ACTIVE until", "revoked"],
    "keystore.py": ["holds"],
    "hardware_wallet.py": ['"market": "BTC-USD"', "valid: True"],
    "remote_signer.py": ["holds", "cancelled 0 orders"],
    "deposit_and_withdraw.py": ["deposited in block", "may be executed by anybody"],
    "withdrawal_rules.py": ["without the approver: the contract refused: ", "it is paid"],
    "subaccounts.py": ["7: 250"],
    "requested_close.py": ["SELL 0.05", "is PENDING"],
    "referrer.py": ["referrer number", "claim"],
    "market_data.py": ["BTC-USD ACTIVE", " bids, ", ": MarketListed {", "'ticker': 'BTC-USD'"],
    "stream_market.py": ["bid ", "index "],
    "stream_account.py": ["equity", "FILLED", "fill BUY 0.005"],
    "async_client.py": ["['OPEN', 'OPEN']"],
    "errors.py": ["insufficient_margin: ", "price_band in ", "unknown_order: ", "cannot reach the exchange"],
    "market_maker.py": ["BUY at", "SELL at", "OPEN"],
    "receipts.py": ["record "],
}
"""What each example prints, among other things."""


@pytest.fixture(scope="module")
def liquid(url: str) -> Iterator[str]:
    with market_makers(url):
        yield url


@pytest.fixture(scope="module")
def key(liquid: str) -> str:
    """Of an account with money, which the examples share."""
    signer = LocalSigner.create()
    with OuroClient(liquid, signer) as client:
        client.chain.faucet("50000")
        client.chain.wait_until_seen(client.chain.deposit("40000"), timeout_seconds=120)
    return signer.key


@pytest.fixture
def environment(liquid: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURO_URL", liquid)
    monkeypatch.setenv("OURO_KEY", key)
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("name", SHOWS)
def test_examples_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    finally:
        sys.modules.pop("wallet", None)
    shown = capsys.readouterr().out
    for part in SHOWS[name]:
        assert part in shown, shown


@pytest.mark.parametrize(
    ("script", "shows"),
    [
        (EXAMPLES / "ccxt_strategy.py", ["quoted: open, open", "cancelled: 2", "bought 0.05", "long 0.05"]),
        (Path(__file__).with_name("ccxt_checks.py"), ["all well"]),
    ],
    ids=["strategy", "checks"],
)
def test_ccxt(liquid: str, key: str, script: Path, shows: list[str]) -> None:
    done = subprocess.run(
        [python_with("ccxt"), "-W", "error::ResourceWarning", script],
        env={**os.environ, "OURO_URL": liquid, "OURO_KEY": key},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    for part in shows:
        assert part in done.stdout


def test_the_list_of_examples_is_complete() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")} - HELPERS
    assert names - {"ccxt_strategy.py"} == SHOWS.keys()
    listed = set(re.findall(r"\[`(\w+\.py)`\]\(\w+\.py\)", (EXAMPLES / "README.md").read_text()))
    assert listed == names
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) < 80, f"{path.name} is no short example any more"


def test_an_account_stream_goes_on_where_it_was_cut(liquid: str, key: str) -> None:
    """An order that waits is placed while nobody listens; it is told once, without another snapshot."""
    with OuroClient(liquid, LocalSigner.from_key(key)) as client, client.ws.open() as stream:
        stream.subscribe("v4_subaccounts", f"{client.address}/0", auth=client.orders.read_proof)
        events = iter(stream)
        while next(events).kind != "subscribed":
            pass
        assert stream._socket is not None
        stream._socket.socket.shutdown(socket.SHUT_RDWR)
        placed = client.orders.place_stop_market("BTC-USD", "SELL", "0.01", "15000")
        assert client.orders.get(placed.id, at_seq=placed.seq).status == "UNTRIGGERED"
        kinds: list[str] = []
        told: list[str] = []
        while placed.id not in told:
            event = next(events)
            kinds.append(event.kind)
            told += [order["id"] for order in (event.contents or {}).get("orders") or ()]
        client.orders.cancel_all()
    assert "subscribed" not in kinds
    assert kinds.count("resumed") == 1
    assert told.count(placed.id) == 1


@pytest.mark.usefixtures("environment")
def test_the_sdk_page_runs(tmp_path: Path) -> None:
    """The code of docs/sdk.md, one block after the other, as one program."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "sdk.md").read_text(), flags=re.DOTALL)
    assert len(blocks) > 8
    script = tmp_path / "sdk_page.py"
    script.write_text("\n".join(blocks))
    runpy.run_path(str(script), run_name="__main__")
