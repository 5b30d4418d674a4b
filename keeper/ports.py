# SPDX-License-Identifier: AGPL-3.0-only
"""What a bot needs from the outside, a chain, a clock and an oracle: injected, so that a test can be any of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class ChainError(Exception):
    """The node could not be reached, or answered something that is no answer."""


class UnsafeChainError(ChainError):
    """What the node says is no ground to act on: it is behind, ahead of the clock, or contradicts another node."""


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
    """A call to a contract: address, calldata, who would make it, and the wei that go with it."""

    to: str
    data: bytes
    sender: str | None = None
    value: int = 0


@dataclass(frozen=True)
class Receipt:
    """A transaction in a block; `gas_price` is what was paid, wei per gas."""

    transaction_hash: str
    block_number: int
    succeeded: bool
    gas_used: int
    gas_price: int
    logs: tuple[dict[str, Any], ...]

    @property
    def cost_wei(self) -> int:
        """What the transaction cost."""
        return self.gas_used * self.gas_price


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

    def simulate_many(self, calls: Sequence[Call]) -> list[int | RefusedError]:
        """Gas that each call would use now, or why it would revert."""

    def try_many(self, calls: Sequence[Call]) -> list[RefusedError | None]:
        """Why each call would revert now, None if it would not: a good deal quicker than to ask for gas."""

    def chain_id(self) -> int:
        """The chain's id."""

    def nonce(self, address: str) -> int:
        """How many transactions of the address are in blocks."""

    def balance(self, address: str) -> int:
        """Wei that the address holds."""

    def send_many(self, raw_transactions: Sequence[bytes]) -> list[str | RefusedError]:
        """Hand signed transactions to the node, in order; the hash of each, or the node's reason."""

    def receipts(self, transaction_hashes: Sequence[str]) -> list[Receipt | None]:
        """The receipts, None for a transaction that waits."""


class Clock(Protocol):
    """Time on this machine."""

    def now(self) -> float:
        """Seconds that only grow."""

    def time_s(self) -> float:
        """Seconds since 1970."""

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.monotonic()

    def time_s(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Oracle(Protocol):
    """Where index prices come from."""

    def prices(self, market_ids: Sequence[int], head: Head) -> dict[int, tuple[int, int]]:
        """Index price (micro-USDC per lot, 0: none) and time of publication by market id, after block `head`."""
