# SPDX-License-Identifier: AGPL-3.0-only
"""When a batch should go, and how much settlement can carry: both from what was measured lately."""

from __future__ import annotations

import math

from ouro.units import MAX_BATCH_FILLS

FIXED_GAS = 83_000
"""What a batch costs beside its fills: the transaction, the journal head, the market. `bench/results/gas.json` has it
as the difference between one fill alone and one of many.
"""
RATE_S = 10.0
BUSY_S = 20.0
LEAST_CAPACITY = 2 * MAX_BATCH_FILLS
_NEWEST_WEIGHT = 0.3
_WORTH_SAYING = 4
"""A capacity that moved by less than one part in so many is not journaled."""


class Pace:
    """Weighs delay against gas.

    A batch costs a fixed amount of gas however many fills it has, and a fill that waits costs `delay_wei` a second.
    With `rate` fills a second and batches of n, both together cost `rate * fixed / n + n * delay / 2` a second, which
    is least at n = sqrt(2 * rate * fixed / delay). So batches grow with traffic and with the base fee; when fills are
    rare or gas is cheap, each goes at once.
    """

    def __init__(self, delay_wei: int, now: float) -> None:
        self._delay_wei = max(1, delay_wei)
        self._seen_at = now
        self._seen = 0
        self.rate = 0.0

    def note(self, fills: int, now: float) -> None:
        """How many fills there have been in all."""
        passed = now - self._seen_at
        if passed <= 0:
            return
        self.rate += (max(0, fills - self._seen) / passed - self.rate) * -math.expm1(-passed / RATE_S)
        self._seen, self._seen_at = fills, now

    def begin(self, fills: int) -> None:
        """How many there were before anybody looked."""
        self._seen = fills

    def wanted(self, base_fee_wei: int) -> int:
        """Fills that a batch should have before it goes, from 1 to a full batch."""
        best = math.sqrt(2 * self.rate * FIXED_GAS * base_fee_wei / self._delay_wei)
        return max(1, min(MAX_BATCH_FILLS, round(best)))


class Capacity:
    """What settlement carries, by the time batches take from the disk to the core's view of the chain.

    So many batches under way at a time, each of that duration, give so many fills a second; times half a settle window
    that is how many may be unsettled before the newest of them would come too late. While more wait than settle, what
    really lands is known as well, lost batches and all: then the lower of both counts.
    """

    def __init__(self, batches: int, half_window_s: float, most: int) -> None:
        self._fills = batches * MAX_BATCH_FILLS
        self._half_window_s = half_window_s
        self._most = max(most, LEAST_CAPACITY)
        self._took_s = 0.0
        self._busy_s = 0.0
        self._busy_fills = 0.0

    def looked(self, fills: int, waiting: int, passed_s: float) -> None:
        """Since the last look so many fills have landed, while so many others wait for a batch."""
        if waiting < LEAST_CAPACITY:
            self._busy_s = self._busy_fills = 0.0
            return
        fading = math.exp(-passed_s / BUSY_S)
        self._busy_s = self._busy_s * fading + passed_s
        self._busy_fills = self._busy_fills * fading + fills

    def landed(self, took_s: float) -> None:
        """A batch has landed."""
        weight = _NEWEST_WEIGHT if self._took_s else 1.0
        self._took_s += (max(0.001, took_s) - self._took_s) * weight

    def fills(self, oldest_pending_s: float) -> int:
        """Fills that may be unsettled; 0 as long as nothing was measured. A batch that takes longer than usual counts
        while it does.
        """
        took_s = max(self._took_s, oldest_pending_s if oldest_pending_s > self._half_window_s / 4 else 0.0)
        if not took_s:
            return 0
        fills_per_s = self._fills / took_s
        if self._busy_s > BUSY_S / 2:
            fills_per_s = min(fills_per_s, self._busy_fills / self._busy_s)
        return max(LEAST_CAPACITY, min(self._most, int(fills_per_s * self._half_window_s)))

    @staticmethod
    def is_news(now: int, before: int) -> bool:
        """Whether a capacity differs enough from the one that holds."""
        return bool(now) and abs(now - before) * _WORTH_SAYING >= before


class Splitter:
    """Makes batches smaller after one was undone by the chain, until the fill that does it is alone; then larger."""

    def __init__(self) -> None:
        self.most_fills = MAX_BATCH_FILLS

    @property
    def is_searching(self) -> bool:
        """Whether batches are small, and go one by one."""
        return self.most_fills < MAX_BATCH_FILLS

    def undone(self, fills: int) -> None:
        """A batch of so many fills was undone."""
        self.most_fills = max(1, min(self.most_fills, fills) // 2)

    def landed(self) -> None:
        """A batch has landed, or the guilty fill is out."""
        self.most_fills = min(MAX_BATCH_FILLS, self.most_fills * 2)
