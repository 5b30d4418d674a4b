# SPDX-License-Identifier: AGPL-3.0-only
"""What a bot needs from the outside: a chain and a clock. Both are injected, so that a test can be either."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class ChainError(Exception):
    """The node could not be reached, or answered something that is no answer."""


class RefusedError(Exception):
    """The contract would refuse, or refused, a call; `reason` is its own short text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Head:
    """A block to pin reads to. `base_fee` is in wei per gas, `time_s` in seconds since 1970."""

    number: int
    hash: str
    time_s: int
    base_fee: int


@dataclass(frozen=True)
class Call:
    """A call to a contract: address, calldata, and who would make it."""

    to: str
    data: bytes
    sender: str | None = None


@dataclass(frozen=True)
class Receipt:
    """A transaction in a block; `gas_price` is what was paid, wei per gas."""

    transaction_hash: str
    block_number: int
    succeeded: bool
    gas_used: int
    gas_price: int
    logs: tuple[dict[str, Any], ...]


class Chain(Protocol):
    """A node. Every method raises `ChainError` when it cannot answer."""

    def head(self) -> Head:
        """The newest block."""

    def block_hash(self, number: int) -> str | None:
        """Hash of the block of that number on the present chain, None beyond its end."""

    def logs(self, addresses: Sequence[str], first: int, last: int) -> list[dict[str, Any]]:
        """Raw logs of the contracts in blocks `first` to `last`, in order."""

    def call_many(self, calls: Sequence[Call], block_hash: str) -> list[bytes | RefusedError]:
        """The answers of calls, all on the state after one block."""

    def simulate(self, call: Call) -> int:
        """Gas that the call would use now. Raises `RefusedError` if it would revert."""

    def chain_id(self) -> int:
        """The chain's id."""

    def nonce(self, address: str) -> int:
        """How many transactions of the address are in blocks."""

    def send(self, raw_transaction: bytes) -> str:
        """Hand a signed transaction to the node; its hash. Raises `RefusedError` with the node's reason."""

    def receipt(self, transaction_hash: str) -> Receipt | None:
        """The receipt, None while the transaction waits."""


class Clock(Protocol):
    """Time on this machine."""

    def now(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
