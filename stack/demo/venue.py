# SPDX-License-Identifier: AGPL-3.0-only
"""The demo's own exchange: chain, contracts, relayer and indexer on free ports and in a folder of its own."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from ouro.deployment import Deployment
from stack.cli import Stack
from stack.demo.oracle import Oracle
from stack.demo.story import DemoError, Story
from stack.node import Node, project_root
from stack.plan import Plan, Ports
from stack.ports import free_ports
from stack.state import StateFolder
from stack.wallets import Role, wallet

POLL_S = 0.1
BLOCK_TIME_S = 1


class _ToldStack(Stack):
    """A local stack that reports through the demo's story."""

    def __init__(self, plan: Plan, story: Story) -> None:
        self._story = story
        super().__init__(plan)

    def say(self, text: str) -> None:
        self._story.say(text)


class Venue:
    """One run of the exchange, with the chain's clock in hand."""

    def __init__(self, folder: Path, story: Story) -> None:
        self.story = story
        first = free_ports(4)
        chain_port = first + 3
        ports = Ports(first, chain_port)
        self.plan = Plan(ports, Node(chain_port), StateFolder(folder, project_root()), candle_seconds=1)
        self.stack = _ToldStack(self.plan, story)
        self.node = self.plan.node
        self.supervisor = self.stack.supervisor

    def start(self) -> None:
        """Bring up chain, contracts and services. Raises `StackError`."""
        self.plan.state.lock()
        self.supervisor.start(self.node.program(self.plan.state.chain))
        self.story.say("compiling and deploying the contracts")
        self.stack.deploy()
        self.record: dict[str, Any] = json.loads(self.plan.state.deployment.read_text())
        self.deployment = Deployment.load(self.plan.state.deployment)
        self.oracle = Oracle(self.node.url, self.deployment, wallet(Role.PRICE_SIGNER))
        self.node.mine_every(BLOCK_TIME_S)
        for program in self.plan.services():
            if program.name in ("relayer", "indexer"):
                self.story.say(f"starting the {program.name}")
                self.supervisor.start(program)

    def stop(self) -> None:
        """End everything."""
        self.supervisor.stop()
        self.plan.state.unlock()

    # Time

    def now(self) -> int:
        """Time of the newest block."""
        return int(self.node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def mine(self, blocks: int = 1) -> None:
        """So many blocks at once."""
        for _ in range(blocks):
            self.node.call("evm_mine")

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """No block but those that are asked for."""
        self.node.call("evm_setIntervalMining", 0)
        yield
        self.node.mine_every(BLOCK_TIME_S)

    def warp(self, seconds: int) -> None:
        """Let so many seconds pass on the chain."""
        self.node.call("evm_increaseTime", seconds)
        self.mine()

    def until(self, condition: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
        """Wait for a condition. Raises `DemoError` naming `what` did not happen."""
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                raise DemoError(f"waited {within_s:.0f} s in vain for this: {what}")
            time.sleep(POLL_S)

    # Prices

    def push(self, prices: dict[str, int]) -> None:
        """New index prices, in a block of their own and a second after all others: the oracle takes only newer ones."""
        self.warp(1)
        self.oracle.send(prices)
        self.mine()
        if self.oracle.stored() != prices:
            raise DemoError(f"the oracle has {self.oracle.stored()}, not {prices}")

    # The relayer

    def fills(self) -> list[dict[str, Any]]:
        """The last word of the relayer on every fill, oldest first."""
        return [record for record in self._last_words() if record["type"] == "fill"]

    def waiting(self) -> int:
        """Fills that are neither settled nor rejected."""
        return sum(fill["status"] in ("matched", "submitted") for fill in self.fills())

    def settled(self) -> None:
        """Wait until every fill is settled or rejected, and the indexer has seen it."""
        self.until(lambda: self.waiting() == 0, "every fill settles or is rejected")
        self.caught_up()

    def caught_up(self) -> None:
        """Wait until relayer and indexer have seen the newest block."""
        height = int(self.node.call("eth_blockNumber"), 16)
        self.until(lambda: self.height() >= height, f"the indexer reaches block {height}")
        self.until(lambda: self._relayer_height() >= height, f"the relayer reaches block {height}")

    def height(self) -> int:
        """The newest block that the indexer has applied."""
        return int(httpx.get(f"{self.plan.base_url}/v4/height", timeout=10).json()["height"])

    def _relayer_height(self) -> int:
        return int(httpx.get(f"{self.plan.relayer_url}/ready", timeout=10).json()["height"])

    def kill_relayer(self) -> int:
        """SIGKILL; its process id."""
        pid = self.supervisor.pid("relayer")
        os.kill(pid, signal.SIGKILL)
        return pid

    def relayer_ready(self) -> bool:
        """Look after the programs, and say whether the relayer serves."""
        self.supervisor.watch()
        try:
            return httpx.get(f"{self.plan.relayer_url}/ready", timeout=2).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _last_words(self) -> list[dict[str, Any]]:
        last: dict[str, dict[str, Any]] = {}
        at = 1
        while True:
            answer = httpx.get(
                f"{self.plan.relayer_url}/events",
                params={"from": at, "limit": 10_000},
                headers=self.plan.events_headers,
                timeout=10,
            )
            answer.raise_for_status()
            records = [json.loads(line) for line in answer.text.splitlines()]
            if not records:
                return list(last.values())
            for record in records:
                key = f"fill {record['fillId']}" if record["type"] == "fill" else f"record {record['seq']}"
                last[key] = record
            at = records[-1]["seq"] + 1
