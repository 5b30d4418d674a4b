# SPDX-License-Identifier: AGPL-3.0-only
"""The programs of the local stack: who runs, with which configuration, in which order."""

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from stack.node import Node
from stack.ports import HOST
from stack.state import StateFolder
from stack.supervisor import Program
from stack.wallets import Role, key_hex

READY_WITHIN_S = 60.0
KEEPER_USDC = "100000"
QUOTED = ("BTC-USD", "ETH-USD")


@dataclass(frozen=True)
class Ports:
    """Where everything listens on this machine. Relayer and faucet have the two ports after the exchange's."""

    exchange: int
    chain: int

    @property
    def relayer(self) -> int:
        return self.exchange + 1

    @property
    def faucet(self) -> int:
        return self.exchange + 2

    @property
    def all(self) -> dict[str, int]:
        return {
            "the exchange": self.exchange,
            "the relayer": self.relayer,
            "the faucet": self.faucet,
            "the chain": self.chain,
        }


@dataclass(frozen=True)
class Plan:
    """Configuration of one local stack, and its programs."""

    ports: Ports
    node: Node
    state: StateFolder
    candle_seconds: float
    events_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.ports.exchange}"

    @property
    def relayer_url(self) -> str:
        return f"http://{HOST}:{self.ports.relayer}"

    @property
    def faucet_url(self) -> str:
        return f"http://{HOST}:{self.ports.faucet}"

    def environment(self) -> dict[str, str]:
        """What every service reads; the keys go only to those that use them."""
        return {
            "OURO_RPC_URL": self.node.url,
            "OURO_DEPLOYMENT_PATH": str(self.state.deployment),
            "OURO_STATE_DIR": str(self.state.path),
            "OURO_RELAYER_HOST": HOST,
            "OURO_RELAYER_PORT": str(self.ports.relayer),
            "OURO_RELAYER_URL": self.relayer_url,
            "OURO_INDEXER_HOST": HOST,
            "OURO_INDEXER_PORT": str(self.ports.exchange),
            "OURO_INDEXER_FAUCET_URL": self.faucet_url,
            "OURO_URL": self.base_url,
            # Logs are files: no colours, and no line held back.
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def events_headers(self) -> dict[str, str]:
        """What opens the relayer's event log."""
        return {"Authorization": f"Bearer {self.events_token}"}

    def feed(self) -> Program:
        """The price feed; ready when the oracle has a price of this run."""
        before = self.state.feed.stat().st_mtime_ns if self.state.feed.exists() else 0
        return self._module(
            "feed",
            "stack.feed",
            *("--rpc-url", self.node.url, "--deployment", str(self.state.deployment), "--state", str(self.state.feed)),
            *("--candle-seconds", str(self.candle_seconds)),
            ready=lambda: self.state.feed.exists() and self.state.feed.stat().st_mtime_ns > before,
        )

    def services(self, *, keeper: bool = True) -> list[Program]:
        """Relayer and its follower, faucet, indexer and keeper, in the order in which they need one another."""
        shared = {"OURO_EVENTS_TOKEN": self.events_token}
        programs = [
            self._service(
                "relayer", {"OURO_OPERATOR_KEY": key_hex(Role.OPERATOR), **shared}, _serves(self.relayer_url)
            ),
            self._follower(),
            self._faucet(),
            self._service("indexer", shared, _serves(self.base_url)),
        ]
        if keeper:
            keys = {"OURO_KEEPER_KEY": key_hex(Role.KEEPER), "OURO_KEEPER_FAUCET": KEEPER_USDC}
            programs.append(self._service("keeper", keys, None))
        return programs

    def quoted(self) -> bool:
        """Whether both books have both sides."""
        try:
            books = [
                httpx.get(f"{self.base_url}/v4/orderbooks/perpetualMarket/{ticker}", timeout=5).json()
                for ticker in QUOTED
            ]
        except (httpx.HTTPError, ValueError):
            return False
        return all(book.get("bids") and book.get("asks") for book in books)

    def bots(self) -> list[Program]:
        """Two market makers, two calm traders and a gambler who keeps the keeper busy."""
        url = ("--base-url", self.base_url)
        maker, trader = "stack.bots.maker", "stack.bots.trader"
        return [
            self._module("maker-btc", maker, *url, "--market", QUOTED[0], "--role", Role.MAKER_BTC.name),
            self._module("maker-eth", maker, *url, "--market", QUOTED[1], "--role", Role.MAKER_ETH.name),
            self._module("trader-one", trader, *url, "--role", Role.TRADER_ONE.name, "--seed", "1"),
            self._module("trader-two", trader, *url, "--role", Role.TRADER_TWO.name, "--seed", "2"),
            self._module(
                *("gambler", trader, *url, "--role", Role.GAMBLER.name, "--seed", "3"),
                *("--leverage", "17", "--pause", "10"),
            ),
        ]

    def _service(self, name: str, keys: dict[str, str], ready: Callable[[], bool] | None) -> Program:
        command = [str(Path(sys.executable).with_name("ouro")), name, "run"]
        return Program(name, command, {**self.environment(), **keys}, ready, READY_WITHIN_S)

    def _faucet(self) -> Program:
        chain = ("--rpc-url", self.node.url, "--deployment", str(self.state.deployment))
        return self._module(
            *("faucet", "stack.faucet", *chain, "--port", str(self.ports.faucet)), ready=_serves(self.faucet_url)
        )

    def _follower(self) -> Program:
        command = [str(Path(sys.executable).with_name("ouro")), "relayer", "follow"]
        return Program("follower", command, self.environment(), None, READY_WITHIN_S)

    def _module(self, name: str, module: str, *arguments: str, ready: Callable[[], bool] | None = None) -> Program:
        command = [sys.executable, "-m", module, *arguments]
        return Program(name, command, self.environment(), ready, READY_WITHIN_S)


def _serves(url: str) -> Callable[[], bool]:
    """Whether the service at `url` says that it is ready."""

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/ready", timeout=2).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return ready
