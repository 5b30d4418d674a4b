# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer's book with the barest matching around it: no margin, no signed words, no public records.

What remains is what other order books do: price-time priority, self-trade prevention that stops the taker, fills as
events. In a file of its own, to be compiled as the core is.
"""

from __future__ import annotations

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
        book, limit_price, left = self.book, order.limit_price, order.size
        own, other = (book.asks, book.bids) if order.sell else (book.bids, book.asks)
        while (maker := other.reached(limit_price)) is not None:
            if maker.account is order.account:
                return
            resting = maker.resting
            lots = left if left < resting else resting
            self.fills.append((order, maker, lots))
            other.resize(maker, resting - lots)
            left -= lots
            if not left:
                return
        if not order.one_shot:
            own.add(order, left)

    def cancel(self, order: LiveOrder) -> None:
        """Takes an order out, if it rests."""
        if order.level is not None:
            (self.book.asks if order.sell else self.book.bids).remove(order)
