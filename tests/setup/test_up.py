# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro up` as a person uses it: start, deposit, trade, look, withdraw, stop, start again where it stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from stack.ports import free_ports, port_in_use
from tests.support.waiting import eventually

OURO = str(Path(sys.executable).with_name("ouro"))
PATIENCE_S = 240


class Up:
    """A running `ouro up` and what it has printed."""

    def __init__(self, state: Path, port: int, anvil_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [OURO, "up", "--port", str(port), "--anvil-port", str(anvil_port), "--state", str(state)]
        self.process = subprocess.Popen(
            [*command, "--candle-seconds", "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.printed = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line

    def wait_until_up(self) -> None:
        eventually(
            lambda: "Ctrl-C stops" in self.printed or self.process.poll() is not None, "the stack is up", PATIENCE_S
        )
        assert self.process.poll() is None, self.printed

    def get(self, path: str) -> Any:
        response = httpx.get(self.url + path, timeout=120)
        assert response.status_code == 200, response.text
        return response.json()

    def key(self) -> str:
        [key] = re.findall(r"export OURO_KEY=(0x[0-9a-f]{64})", self.printed)
        return str(key)

    def ouro(self, *arguments: str) -> Any:
        """Run a command of the trader's command line with the key that was printed; its JSON."""
        env = {**os.environ, "OURO_URL": self.url, "OURO_KEY": self.key()}
        command = [OURO, *arguments, "--json"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def stop(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=180)
        self._reader.join(timeout=180)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def ports() -> tuple[int, int]:
    first = free_ports(4)
    return first, first + 3


def test_a_person_can_trade_and_come_back(tmp_path: Path, ports: tuple[int, int]) -> None:
    first = Up(tmp_path / "state", *ports)
    try:
        first.wait_until_up()
        trade_through(first)
        assert first.printed.index(f"\n  {first.url}\n") < first.printed.index("/v4")
        page = httpx.get(first.url, timeout=120)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8"), page.text
        owner = "0x" + "5" * 40
        given = httpx.post(f"{first.url}/v4/faucet", json={"address": owner}, timeout=120)
        assert given.status_code == 200, given.text
        assert first.get("/v4/config")["faucet"] is True

        refused = subprocess.run(
            [OURO, "up", "--state", str(tmp_path / "state")], capture_output=True, text=True, timeout=240
        )
        assert refused.returncode == 1
        assert "already runs" in refused.stderr

        exchange = first.get("/v4/config")["contracts"]["exchange"]
        height = int(first.get("/v4/height")["height"])
        positions = first.ouro("positions")
        assert first.stop(signal.SIGINT) == 0, first.printed
    finally:
        first.stop(signal.SIGTERM)
    assert not any(port_in_use(port) for port in (*range(ports[0], ports[0] + 3), ports[1]))

    second = Up(tmp_path / "state", *ports)
    try:
        second.wait_until_up()
        assert "where it stopped" in second.printed
        assert second.get("/v4/config")["contracts"]["exchange"] == exchange
        eventually(lambda: int(second.get("/v4/height")["height"]) >= height, "the index is there", PATIENCE_S)
        assert [(p["market"], p["size"]) for p in second.ouro("positions")] == [
            (p["market"], p["size"]) for p in positions
        ]
        second.ouro("order", "place", "BTC-USD", "sell", "0.01", "--reduce-only")
        eventually(lambda: not second.ouro("positions"), "it is flat", PATIENCE_S)
        assert second.stop(signal.SIGTERM) == 0, second.printed
    finally:
        second.stop(signal.SIGTERM)


def trade_through(up: Up) -> None:
    """Deposit, buy from the market makers, see the fill and the position, withdraw."""
    up.ouro("deposit", "1000")
    eventually(lambda: up.ouro("balance")["freeCollateral"], "the balance", PATIENCE_S)
    placed = up.ouro("order", "place", "BTC-USD", "buy", "0.01")
    assert placed["status"] == "FILLED", placed
    [fill, *_] = eventually(lambda: up.ouro("fills"), "the fill", PATIENCE_S)
    assert (fill["market"], fill["side"], fill["orderId"]) == ("BTC-USD", "BUY", placed["id"])
    [position] = eventually(lambda: up.ouro("positions"), "the position", PATIENCE_S)
    assert (position["market"], position["side"], position["size"]) == ("BTC-USD", "LONG", "0.01")
    up.ouro("withdraw", "100")


def test_a_taken_port_is_named(tmp_path: Path, ports: tuple[int, int]) -> None:
    import socket

    port, anvil_port = ports
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        command = [OURO, "up", "--port", str(port), "--anvil-port", str(anvil_port), "--state", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 1
    assert f"Port {port}, wanted for the exchange, is in use" in done.stderr
    assert "make up PORT=" in done.stderr
