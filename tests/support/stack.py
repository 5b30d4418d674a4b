# SPDX-License-Identifier: AGPL-3.0-only
"""The local stack for tests, as `ouro up` starts it: real processes on free ports, a state folder of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from ouro.client import OuroClient
from stack.ports import free_ports
from tests.support.build import ROOT
from tests.support.waiting import eventually

OURO = Path(sys.executable).with_name("ouro")
SERVICES = 3
"""Neighbouring ports that the stack listens on beside the chain's."""


@contextmanager
def running_stack(folder: Path) -> Iterator[str]:
    """The stack without its bots; yields the front door's URL once prices are there."""
    port = free_ports(SERVICES + 1)
    anvil_port = port + SERVICES
    base_url = f"http://127.0.0.1:{port}"
    ports = ("--port", str(port), "--anvil-port", str(anvil_port))
    command = [str(OURO), "up", *ports, "--state", str(folder / "state"), "--no-bots"]
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: _is_ready(base_url, process, log), f"the stack is ready; {log}", within_s=420)
        yield base_url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(180)


@contextmanager
def market_makers(base_url: str) -> Iterator[None]:
    """The stack's own makers quote both markets; their quotes leave the book with them."""
    makers = [
        subprocess.Popen(
            [sys.executable, "-m", "stack.bots.maker", "--market", ticker, "--role", role, "--base-url", base_url],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for ticker, role in (("BTC-USD", "MAKER_BTC"), ("ETH-USD", "MAKER_ETH"))
    ]
    try:
        with OuroClient(base_url) as client:
            for ticker in ("BTC-USD", "ETH-USD"):
                eventually(lambda market=ticker: all(client.markets.book(market)), f"quotes in {ticker}", within_s=120)
        yield
    finally:
        for maker in makers:
            maker.terminate()
        for maker in makers:
            maker.wait(180)


def _is_ready(base_url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        markets = httpx.get(f"{base_url}/v4/perpetualMarkets").json().get("markets", {})
    except (httpx.HTTPError, ValueError):
        return False
    return "Ouro is up" in log.read_text() and bool(markets.get("BTC-USD", {}).get("oraclePrice"))
