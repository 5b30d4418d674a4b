# SPDX-License-Identifier: AGPL-3.0-only
"""The local stack that all browser tests trade on, started as a person starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ouro.client import OuroClient
from ouro.reading import HEADER
from stack.ports import free_ports
from tests.support.waiting import eventually

RUNNING = "OURO_BROWSER_URL"
"""Names an exchange that runs already, for whoever writes tests."""
START_S = 240.0


class Exchange:
    """A served exchange, and what tests do on it besides the browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=120)
        self.config: dict[str, Any] = self.http.get("/v4/config").json()
        self.rpc_url: str = self.config["rpcUrl"]

    def close(self) -> None:
        self.http.close()

    def get(self, path: str, **query: Any) -> Any:
        """The body of a read that must succeed."""
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def funded(self, usdc: int, *, wallet_usdc: int = 0) -> LocalAccount:
        """A new account with so much USDC in subaccount 0, ETH for gas, and more USDC in its wallet."""
        account: LocalAccount = Account.create()
        with OuroClient(self.url, account) as client:
            client.chain.faucet(usdc + wallet_usdc)
            if usdc:
                client.chain.deposit(usdc)
                eventually(lambda: self.equity(account) >= usdc, "the deposit in the index")
        return account

    def equity(self, account: LocalAccount) -> float:
        """Of subaccount 0, in USDC; 0 when there is none."""
        answer = self.http.get(f"/v4/addresses/{account.address}/subaccountNumber/0")
        return float(answer.json()["subaccount"]["equity"]) if answer.status_code == 200 else 0.0

    def index(self, market: str = "BTC-USD") -> Decimal:
        """The index price."""
        return Decimal(self.get("/v4/perpetualMarkets")["markets"][market]["oraclePrice"])

    def orders(self, account: LocalAccount, status: str = "") -> list[dict[str, Any]]:
        """Orders of subaccount 0, newest first, with those that wait for a trigger."""
        query = {"address": account.address, "subaccountNumber": 0} | ({"status": status} if status else {})
        expiry = int(time.time()) + 600
        signed = account.sign_typed_data(
            full_message={
                "types": {name: self.config["types"][name] for name in ("EIP712Domain", "ReadAccount")},
                "primaryType": "ReadAccount",
                "domain": self.config["domain"],
                "message": {"account": account.address, "expiry": expiry},
            }
        )
        proof = f"{expiry}:0x{bytes(signed.signature).hex()}"
        answer = self.http.get("/v4/orders", params=query, headers={HEADER: proof})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def positions(self, account: LocalAccount) -> list[dict[str, Any]]:
        """Open positions of subaccount 0."""
        found: list[dict[str, Any]] = self.get(
            "/v4/perpetualPositions", address=account.address, subaccountNumber=0, status="OPEN"
        )["positions"]
        return found


@contextmanager
def exchange(folder: Path) -> Iterator[Exchange]:
    """A stack of its own with its state in `folder`, or the one that the environment names."""
    url = os.environ.get(RUNNING)
    if url:
        running = Exchange(url)
        yield running
        running.close()
        return
    first = free_ports(4)
    command = [str(Path(sys.executable).with_name("ouro")), "up", "--port", str(first), "--anvil-port", str(first + 3)]
    process = subprocess.Popen(
        [*command, "--state", str(folder), "--candle-seconds", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    printed: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=printed.extend, args=(process.stdout,), daemon=True)
    reader.start()
    try:

        def up() -> bool:
            assert process.poll() is None, "".join(printed)
            return any("Ctrl-C stops" in line for line in printed)

        eventually(up, "the local stack", within_s=START_S)
        served = Exchange(f"http://127.0.0.1:{first}")
        try:
            yield served
        finally:
            served.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        reader.join(10)
        process.stdout.close()
