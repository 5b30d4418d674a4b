# SPDX-License-Identifier: AGPL-3.0-only
"""The order book of one market: price levels, each a queue in order of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from relayer.core.orders import LiveOrder
from relayer.core.prices import SortedKeys


class Level:
    """The queue at one price: a linked list, so that any order leaves in O(1), and the lots in it."""

    __slots__ = ("first", "last", "lots", "price")

    def __init__(self, price: int) -> None:
        self.price = price
        self.lots = 0
        self.first: LiveOrder | None = None
        self.last: LiveOrder | None = None


class BookSide:
    """Bids or asks. Keys are prices for asks and negated prices for bids, so the best key is always the smallest."""

    __slots__ = ("_keys", "_levels", "_sign", "changed")

    def __init__(self, *, sell: bool) -> None:
        self._sign = 1 if sell else -1
        self._levels: dict[int, Level] = {}
        self._keys = SortedKeys()
        self.changed: dict[int, None] = {}

    @property
    def best(self) -> int | None:
        """The best price, None when the side is empty."""
        return self._sign * self._keys.first if self._keys else None

    def __iter__(self) -> Iterator[Level]:
        """The levels, best first."""
        levels = self._levels
        for key in self._keys:
            yield levels[key]

    def reaches(self, limit_price: int) -> bool:
        """Whether the best price here is at least as good as the limit of an order from the other side."""
        keys = self._keys
        return bool(keys) and keys.first <= self._sign * limit_price

    def lots_at(self, price: int) -> int:
        """Lots resting at a price."""
        level = self._levels.get(self._sign * price)
        return 0 if level is None else level.lots

    def add(self, order: LiveOrder, lots: int) -> None:
        """Puts an order at the tail of the queue at its limit price."""
        key = self._sign * order.limit_price
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = Level(order.limit_price)
            self._keys.add(key)
        order.level = level
        order.before = level.last
        order.after = None
        if level.last is None:
            level.first = order
        else:
            level.last.after = order
        level.last = order
        order.resting = lots
        level.lots += lots
        self.changed[level.price] = None

    def fill(self, orders: Iterable[LiveOrder]) -> None:
        """Puts orders into an empty side, best price first and oldest first; each offers what it says is `resting`."""
        level: Level | None = None
        before: LiveOrder | None = None
        for order in orders:
            price = order.limit_price
            if before is None or level is None or level.price != price:
                level = self._levels[self._sign * price] = Level(price)
                self._keys.add(self._sign * price)
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
        self.changed[level.price] = None

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
        self.changed[level.price] = None

    def remove(self, order: LiveOrder) -> None:
        """Takes a resting order out."""
        level = order.level
        assert level is not None
        before, after = order.before, order.after
        if before is None:
            level.first = after
        else:
            before.after = after
        if after is None:
            level.last = before
        else:
            after.before = before
        level.lots -= order.resting
        order.level = order.before = order.after = None
        order.resting = 0
        self.changed[level.price] = None
        if level.first is None:
            key = self._sign * level.price
            del self._levels[key]
            self._keys.remove(key)

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
        if not self.changed:
            return ()
        prices = list(self.changed)
        self.changed.clear()
        if len(prices) > 1:
            prices.sort(reverse=self._sign < 0)
        return tuple((price, self.lots_at(price)) for price in prices)


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
        return (self.bids if sell else self.asks).reaches(limit_price)
