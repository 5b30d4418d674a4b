# SPDX-License-Identifier: AGPL-3.0-only
"""How far this process is with both of its sources. Lives on the event loop."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field

from indexer import metrics
from indexer.troubles import Troubles


@dataclass
class Progress:
    """`head` is what the node announces, `height` what is applied, `seq` the relayer's record; -1: not known yet.

    When something was last seen is said in the monotonic clock; `waiters` is how many requests wait for a record.
    """

    head: int = -1
    height: int = -1
    time_s: int = 0
    final: int = -1
    seq: int = -1
    epoch: int = 0
    relayer_seen_s: float = -math.inf
    chain_seen_s: float = -math.inf
    head_moved_s: float = -math.inf
    waiters: int = 0
    troubles: Troubles = field(default_factory=Troubles)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def chain(self, height: int, time_s: int, final: int, head: int | None = None) -> None:
        """The chain tables stand here."""
        self.height, self.time_s, self.final = height, time_s, final
        if head is not None:
            self.node_answered(head)
        metrics.height.set(height)
        metrics.final.set(final)

    async def relayer(self, seq: int, epoch: int) -> None:
        """The relayer-order tables stand here."""
        self.seq, self.epoch = seq, epoch
        metrics.seq.set(seq)
        async with self._changed:
            self._changed.notify_all()

    def node_answered(self, head: int) -> None:
        """The node announced its head."""
        self.chain_seen_s = time.monotonic()
        if head != self.head:
            self.head, self.head_moved_s = head, self.chain_seen_s

    def relayer_alive(self) -> None:
        """The relayer answered."""
        self.relayer_seen_s = time.monotonic()

    def stale_s(self) -> float:
        """For how long the node has had no newer block: since its head last changed, and since that block's time."""
        return min(time.monotonic() - self.head_moved_s, time.time() - self.time_s)

    async def reaches(self, seq: int, timeout_s: float) -> bool:
        """Wait until record `seq` is applied. Returns whether it is."""
        self.waiters += 1
        try:
            async with self._changed:
                await asyncio.wait_for(self._changed.wait_for(lambda: self.seq >= seq), timeout_s)
        except TimeoutError:
            return False
        finally:
            self.waiters -= 1
        return True

    def lag(self) -> int:
        """Blocks between the node's head and ours."""
        return max(0, self.head - self.height)
