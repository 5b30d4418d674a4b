# SPDX-License-Identifier: AGPL-3.0-only
"""What accounts of the reference model made over time. The model keeps no history: what a position got as funding is
read off it from outside, as whatever its quote gained while nobody traded it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from tests.reference.exact import HOUR, SCALE, down
from tests.reference.exchange import AccountKey, Exchange

Held = tuple[AccountKey, int]
"""An account's position in a market."""


class History:
    """Watches a model: whatever is done to it is done within `step`. `time_s` is when something was done last."""

    def __init__(self, model: Exchange) -> None:
        self.model = model
        self.time_s = 0
        self.net_transfers: dict[AccountKey, int] = defaultdict(int)
        self.ended: dict[Held, list[int]] = defaultdict(list)
        """What each position that ended had got as funding, micro-USDC, oldest first."""
        self.hours: dict[int, dict[AccountKey, tuple[int, int]]] = {}
        """Worth and net transfers of all at the end of an hour, micro-USDC."""
        self._got: dict[Held, int] = defaultdict(int)
        self._last: dict[Held, int] = {}

    @contextmanager
    def step(self) -> Iterator[dict[Held, int]]:
        """Something is done. Time may pass before it, and within it if it changes no position.

        Who trades a position more than once in it says so: how often it ended (in what is given here).
        """
        self._note_hour()
        before, earlier = self._quotes(), self._sizes()
        for held, quote in before.items():
            self._got[held] += quote - self._last.get(held, quote)
        ends: dict[Held, int] = {}
        yield ends
        after, sizes = self._quotes(), self._sizes()
        for held, size in earlier.items():
            if held in ends:
                continue
            if sizes[held] == size:
                self._got[held] += after[held] - before[held]
            else:
                ends[held] = is_end(size, sizes[held])
        for held, count in ends.items():
            for _ in range(count):
                # The second to end within a moment had no time to get anything.
                self.ended[held].append(down(self._got.pop(held, 0), SCALE))
        self._last = after

    def equity(self, key: AccountKey, at: int) -> int:
        """What an account is worth at a time, if nothing else happens until then, micro-USDC."""
        now, self.model.now = self.model.now, at
        try:
            return down(self.model.health(key).equity)
        finally:
            self.model.now = now

    def running(self, at: int) -> dict[Held, int]:
        """What each open position has got as funding at a time, if nothing else happens until then, micro-USDC."""
        now, self.model.now = self.model.now, at
        try:
            quotes = self._quotes()
        finally:
            self.model.now = now
        sizes = self._sizes()
        return {
            held: down(self._got[held] + quote - self._last[held], SCALE)
            for held, quote in quotes.items()
            if sizes[held]
        }

    def _note_hour(self) -> None:
        """Of the hour in which something was done last."""
        end = (self.time_s // HOUR + 1) * HOUR
        accounts = list(self.model.accounts)
        self.hours[end] = {key: (self.equity(key, end), self.net_transfers[key]) for key in accounts}

    def _quotes(self) -> dict[Held, int]:
        return {
            (key, market): position.bare(self.model.markets[market], self.model.now)
            for key, account in self.model.accounts.items()
            for market, position in account.positions.items()
        }

    def _sizes(self) -> dict[Held, int]:
        return {
            (key, market): position.size
            for key, account in self.model.accounts.items()
            for market, position in account.positions.items()
        }


def is_end(before: int, after: int) -> bool:
    """Whether a position of signed lots ended: it is flat, or on the other side."""
    return before != 0 and (after == 0 or (after > 0) != (before > 0))
