# SPDX-License-Identifier: AGPL-3.0-only
"""docs/keepers.md, from nothing to a first liquidation: its own commands, on a stack of its own, as one types them.

Only where things listen and lie is another place than in the text, so that the test can share a machine.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from stack.ports import free_ports
from tests.support.terminal import Terminal
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "keepers.md"
PATIENCE_S = 240


def blocks() -> list[str]:
    """The shell blocks of the walk."""
    section = PAGE.read_text().split("## From nothing to a first liquidation")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


@dataclass
class Desk:
    """A folder, and as many terminals as one opens."""

    folder: Path
    port: int

    @property
    def up(self) -> str:
        """What `ouro up` needs to share the machine."""
        return f" --port {self.port} --anvil-port {self.port + 3} --state {self.folder / 'state'}"

    def offered(self) -> Decimal:
        """BTC that is for sale."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}/v4/orderbooks/perpetualMarket/BTC-USD").json()
        return sum((Decimal(level["size"]) for level in answer.get("asks", [])), Decimal(0))

    def terminal(self, folder: Path | None = None) -> Terminal:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OURO_")}
        state = self.folder / "state"
        ours = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OURO_URL": f"http://127.0.0.1:{self.port}",
            "OURO_RPC_URL": f"http://127.0.0.1:{self.port + 3}",
            "OURO_DEPLOYMENT_PATH": str(state / "deployment.json"),
            "OURO_STATE_DIR": str(state),
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return Terminal(folder or self.folder, clean | ours)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """With the stack of the first block running."""
    desk = Desk(tmp_path, free_ports(4))
    up = blocks()[0]
    assert up.splitlines() == ["make setup", "export PATH=$PWD/.venv/bin:$PATH", "ouro up --no-keeper"]
    first, log = desk.terminal(ROOT), tmp_path / "up.log"
    # The set-up is that of the test itself.
    first.start(up.removeprefix("make setup\n").rstrip() + desk.up, log)
    try:
        eventually(lambda: "Ouro is up" in log.read_text(), "the stack is up", within_s=400)
        yield desk
    finally:
        assert first.stop() == 0, log.read_text()


def test_the_walk(desk: Desk) -> None:
    _, risk, key, check, run, crash, look, unwind = blocks()
    trader, keeper = desk.terminal(), desk.terminal()

    def shown(block: str) -> str:
        """What the last block shows beside the records."""
        return "\n".join(line for line in desk.terminal().type(block).splitlines() if not line.startswith("{"))

    # Whoever reads first has a full book by now.
    eventually(lambda: desk.offered() > Decimal("0.8"), "the makers offer enough")
    held = trader.type(risk)
    keeper.type(key)
    checked = keeper.type(check)
    assert "subaccount 0 has 20000 USDC of free margin" in checked
    log, records = desk.folder / "keeper.log", desk.folder / "keeper.jsonl"
    keeper.start(run, log)
    try:
        eventually(lambda: "watches" in log.read_text(), "the keeper runs")
        trader.type(crash)
        eventually(lambda: "liquidation won" in log.read_text(), "somebody is liquidated")
        eventually(lambda: "BTC-USD" in shown(look), "the position is the keeper's at the exchange")
    except AssertionError as error:
        feed = (desk.folder / "state" / "logs" / "feed.log").read_text()
        raise AssertionError(f"{error}\n{held}\n{log.read_text()}\n{feed[-2000:]}") from error
    finally:
        assert keeper.stop() == 0, log.read_text()
    keeper.start(unwind, log)
    try:
        eventually(lambda: "unwind won" in log.read_text(), "the keeper sells")
        eventually(lambda: "BTC-USD" not in shown(look), "it holds nothing any more")
    finally:
        assert keeper.stop() == 0, log.read_text()
    won = [json.loads(line) for line in records.read_text().splitlines()]
    [first, *_] = [each for each in won if each["kind"] == "outcome" and each["result"] == "won"]
    assert int(first["gainMicroUsdc"]) > 0
