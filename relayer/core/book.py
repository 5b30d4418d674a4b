# SPDX-License-Identifier: AGPL-3.0-only
"""The order book of one market: price levels, each a queue in order of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from relayer.core.orders import LiveOrder
from relayer.core.prices import SortedKeys


class Level:
    """The queue at one price: a linked list, so that any order leaves in O(1), and the lots in it. Levels of a side are
    linked as well: `better` and `worse` are the neighbours.
    """

    __slots__ = ("better", "first", "is_changed", "last", "lots", "price", "worse")

    def __init__(self, price: int) -> None:
        self.price = price
        self.lots = 0
        self.is_changed = False
        self.first: LiveOrder | None = None
        self.last: LiveOrder | None = None
        self.better: Level | None = None
        self.worse: Level | None = None


class BookSide:
    """Bids or asks. `top` is the level with the best price. Keys are prices for asks and negated prices for bids, so
    the best key is always the smallest; they serve to find a new level's neighbours.

    An order that rests nowhere has neither level nor neighbours.
    """

    __slots__ = ("_changed", "_keys", "_levels", "_sell", "top")

    def __init__(self, *, sell: bool) -> None:
        self._sell = sell
        self._levels: dict[int, Level] = {}
        self._keys = SortedKeys()
        self._changed: list[Level] = []
        self.top: Level | None = None

    def __iter__(self) -> Iterator[Level]:
        """The levels, best first."""
        level = self.top
        while level is not None:
            yield level
            level = level.worse

    def reached(self, limit_price: int) -> LiveOrder | None:
        """The first order that one from the other side with this limit would match, None when it reaches none."""
        top = self.top
        if top is None or (top.price > limit_price if self._sell else top.price < limit_price):
            return None
        return top.first

    def next_reached(self, order: LiveOrder, limit_price: int) -> LiveOrder | None:
        """The order after one that rests, as far as the limit reaches."""
        if order.after is not None:
            return order.after
        assert order.level is not None
        level = order.level.worse
        if level is None or (level.price > limit_price if self._sell else level.price < limit_price):
            return None
        return level.first

    def lots_at(self, price: int) -> int:
        """Lots resting at a price."""
        level = self._levels.get(price)
        return 0 if level is None else level.lots

    def add(self, order: LiveOrder, lots: int) -> None:
        """Puts an order at the tail of the queue at its limit price."""
        level = self._levels.get(order.limit_price)
        if level is None:
            level = self._open(order.limit_price)
        last = level.last
        if last is None:
            level.first = order
        else:
            last.after = order
            order.before = last
        level.last = order
        level.lots += lots
        order.level = level
        order.resting = lots
        if not level.is_changed:
            self._mark(level)

    def fill(self, orders: Iterable[LiveOrder]) -> None:
        """Puts orders into an empty side, best price first and oldest first; each offers what it says is `resting`."""
        level: Level | None = None
        before: LiveOrder | None = None
        for order in orders:
            price = order.limit_price
            if before is None or level is None or level.price != price:
                level = self._open(price)
                level.first = order
                order.before = None
            else:
                order.before = before
                before.after = order
            order.after = None
            order.level = level
            level.last = before = order
            level.lots += order.resting

    def resize(self, order: LiveOrder, lots: int) -> None:
        """Changes what a resting order offers, keeping its place; 0 removes it."""
        if lots <= 0:
            self.remove(order)
            return
        level = order.level
        assert level is not None
        level.lots += lots - order.resting
        order.resting = lots
        if not level.is_changed:
            self._mark(level)

    def replace(self, old: LiveOrder, new: LiveOrder, lots: int) -> None:
        """Puts an order into the place of a resting one at the same price."""
        level = old.level
        assert level is not None
        new.level, new.before, new.after = level, old.before, old.after
        if old.before is None:
            level.first = new
        else:
            old.before.after = new
        if old.after is None:
            level.last = new
        else:
            old.after.before = new
        level.lots += lots - old.resting
        new.resting = lots
        old.level = old.before = old.after = None
        old.resting = 0
        if not level.is_changed:
            self._mark(level)

    def remove(self, order: LiveOrder) -> None:
        """Takes a resting order out."""
        level = order.level
        assert level is not None
        before, after = order.before, order.after
        if before is None:
            level.first = after
        else:
            before.after = after
            order.before = None
        if after is None:
            level.last = before
        else:
            after.before = before
            order.after = None
        level.lots -= order.resting
        order.level = None
        order.resting = 0
        if not level.is_changed:
            self._mark(level)
        if level.first is None:
            self._close(level)

    def depth(self, limit: int | None = None) -> list[tuple[int, int]]:
        """(price, lots) best first."""
        levels: list[tuple[int, int]] = []
        for level in self:
            if limit is not None and len(levels) >= limit:
                break
            levels.append((level.price, level.lots))
        return levels

    def take_changes(self) -> tuple[tuple[int, int], ...]:
        """The levels that changed since the last call, best first, with their absolute lots."""
        changed = self._changed
        if not changed:
            return ()
        self._changed = []
        for level in changed:
            level.is_changed = False
        if len(changed) == 1:
            return ((changed[0].price, changed[0].lots),)
        # A price that was given up and taken again has had more than one level.
        prices = sorted({level.price for level in changed}, reverse=not self._sell)
        return tuple([(price, self.lots_at(price)) for price in prices])

    def _mark(self, level: Level) -> None:
        level.is_changed = True
        self._changed.append(level)

    def _open(self, price: int) -> Level:
        """A new level, between its neighbours."""
        level = self._levels[price] = Level(price)
        better = self._keys.add(price if self._sell else -price)
        if better is None:
            level.worse = self.top
            self.top = level
        else:
            level.better = neighbour = self._levels[abs(better)]
            level.worse = neighbour.worse
            neighbour.worse = level
        if level.worse is not None:
            level.worse.better = level
        return level

    def _close(self, level: Level) -> None:
        """Takes an empty level out."""
        price = level.price
        del self._levels[price]
        self._keys.remove(price if self._sell else -price)
        better, worse = level.better, level.worse
        if better is None:
            self.top = worse
        else:
            better.worse = worse
            level.better = None
        if worse is not None:
            worse.better = better
            level.worse = None


class Book:
    """Both sides of a market. Whoever adds an order has matched it first: a book is never crossed."""

    __slots__ = ("asks", "bids", "seq")

    def __init__(self) -> None:
        self.bids = BookSide(sell=False)
        self.asks = BookSide(sell=True)
        self.seq = 0

    def side(self, sell: bool) -> BookSide:
        """The side on which such an order rests."""
        return self.asks if sell else self.bids

    def crosses(self, sell: bool, limit_price: int) -> bool:
        """Whether an order at that limit would match the best of the other side."""
        return (self.bids if sell else self.asks).reached(limit_price) is not None
