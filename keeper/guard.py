# SPDX-License-Identifier: AGPL-3.0-only
"""A chain that refuses to be acted on when its head is old, ahead of the clock, or contradicted by a second node."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keeper.ports import Call, Chain, Clock, Head, Receipt, RefusedError, UnsafeChainError


@dataclass(frozen=True)
class HeadLimits:
    """How far a head may be from the clock, in seconds, and two nodes from one another, in blocks."""

    max_age_s: int = 60
    max_ahead_s: int = 30
    max_lag_blocks: int = 5


class GuardedChain:
    """`chain`, checked each time its head is asked for. A `second` node only ever contradicts; it is never acted on.

    Every bot begins with the head, so none acts on a chain that does not pass.
    """

    def __init__(self, chain: Chain, clock: Clock, limits: HeadLimits, second: Chain | None = None) -> None:
        self.chain = chain
        self.clock = clock
        self.limits = limits
        self.second = second

    def head(self) -> Head:
        """The newest block. Raises `UnsafeChainError` with what is wrong with it."""
        head = self.chain.head()
        age = self.clock.time_s() - head.time_s
        if age > self.limits.max_age_s:
            raise UnsafeChainError(f"stale head: block {head.number} is {age:.0f} s old")
        if -age > self.limits.max_ahead_s:
            raise UnsafeChainError(f"block {head.number} is {-age:.0f} s ahead of this machine's clock")
        if self.second is not None:
            self._compare(head, self.second)
        return head

    def _compare(self, head: Head, second: Chain) -> None:
        other = second.head()
        apart = head.number - other.number
        if abs(apart) > self.limits.max_lag_blocks:
            behind = "the second node" if apart > 0 else "the node"
            raise UnsafeChainError(f"{behind} is {abs(apart)} blocks behind the other one")
        common = min(head.number, other.number)
        mine = head.hash if common == head.number else self.chain.block_hash(common)
        its = other.hash if common == other.number else second.block_hash(common)
        if mine != its:
            raise UnsafeChainError(f"the nodes disagree about block {common}: {mine} here, {its} there")

    def block_hash(self, number: int) -> str | None:
        return self.chain.block_hash(number)

    def logs(self, addresses: Sequence[str], first: int, last: int) -> list[dict[str, Any]]:
        return self.chain.logs(addresses, first, last)

    def call_many(self, calls: Sequence[Call], block_hash: str) -> list[bytes | RefusedError]:
        return self.chain.call_many(calls, block_hash)

    def simulate_many(self, calls: Sequence[Call]) -> list[int | RefusedError]:
        return self.chain.simulate_many(calls)

    def try_many(self, calls: Sequence[Call]) -> list[RefusedError | None]:
        return self.chain.try_many(calls)

    def chain_id(self) -> int:
        return self.chain.chain_id()

    def nonce(self, address: str) -> int:
        return self.chain.nonce(address)

    def balance(self, address: str) -> int:
        return self.chain.balance(address)

    def send_many(self, raw_transactions: Sequence[bytes]) -> list[str | RefusedError]:
        return self.chain.send_many(raw_transactions)

    def receipts(self, transaction_hashes: Sequence[str]) -> list[Receipt | None]:
        return self.chain.receipts(transaction_hashes)
