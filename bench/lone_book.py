# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer's book with the barest matching around it: no margin, no signed words, no public records.

What remains is what other order books do: price-time priority, self-trade prevention that stops the taker, fills as
events. In a file of its own, to be compiled as the core is.
"""

from __future__ import annotations

from relayer.core.matching import opposite
from relayer.core.orders import LiveOrder
from relayer.core.venue import Venue


class LoneBook:
    """One market. `fills` are (taker, maker, lots)."""

    def __init__(self, venue: Venue) -> None:
        self.book = venue.book
        self.fills: list[tuple[LiveOrder, LiveOrder, int]] = []

    def run(self, calls: list[tuple[bool, LiveOrder]]) -> None:
        """Each order: (cancel it?, the order)."""
        for is_cancel, order in calls:
            if is_cancel:
                self.cancel(order)
            else:
                self.place(order)

    def place(self, order: LiveOrder) -> None:
        """Matches an order; what remains of one that is not one-shot rests."""
        sell, left, stopped = order.sell, order.size, False
        if self.book.crosses(sell, order.limit_price):
            first = len(self.fills)
            for maker in opposite(order):
                stopped = maker.account is order.account
                if stopped or not left:
                    break
                lots = min(left, maker.resting)
                left -= lots
                self.fills.append((order, maker, lots))
            side = self.book.side(not sell)
            for _, maker, lots in self.fills[first:]:
                side.resize(maker, maker.resting - lots)
        if left and not stopped and not order.one_shot:
            self.book.side(sell).add(order, left)

    def cancel(self, order: LiveOrder) -> None:
        """Takes an order out, if it rests."""
        if order.level is not None:
            self.book.side(order.sell).remove(order)
