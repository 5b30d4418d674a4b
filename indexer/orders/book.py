# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: the live book of one market, as the relayer's log tells it."""

import heapq
from dataclasses import dataclass, field

from indexer.orders.records import BookRecord

Level = tuple[int, int]
"""Price and size, in micro-USDC per lot and lots."""


@dataclass
class Book:
    """Sizes by price on both sides; `seq` numbers its changes."""

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    seq: int = 0

    def apply(self, record: BookRecord) -> None:
        """Take in absolute sizes; 0 deletes."""
        for levels, side in ((record.bids, self.bids), (record.asks, self.asks)):
            for price, size in levels:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        self.seq = record.book_seq

    def top(self, depth: int) -> tuple[list[Level], list[Level]]:
        """The best `depth` levels of bids and asks, best first."""
        return heapq.nlargest(depth, self.bids.items()), heapq.nsmallest(depth, self.asks.items())
