# SPDX-License-Identifier: AGPL-3.0-only
"""Orders that wait for the index price of a market, sorted so that a move touches only those it reaches."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from relayer.core.prices import SortedKeys

if TYPE_CHECKING:
    from relayer.core.orders import LiveOrder


class _Direction:
    """Orders by price: rising (the smallest price is reached first) or falling (the largest is)."""

    __slots__ = ("_keys", "_levels", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys = SortedKeys()
        self._levels: dict[int, list[LiveOrder]] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, order: LiveOrder, price: int) -> None:
        key = self._sign * price
        level = self._levels.get(key)
        if level is None:
            self._levels[key] = [order]
            self._keys.add(key)
        else:
            insort(level, order, key=_placed)

    def remove(self, order: LiveOrder, price: int) -> None:
        key = self._sign * price
        level = self._levels[key]
        del level[bisect_left(level, order.placed, key=_placed)]
        if not level:
            del self._levels[key]
            self._keys.remove(key)

    def reached(self, index_price: int) -> LiveOrder | None:
        if not self._keys:
            return None
        key = self._keys.first
        return self._levels[key][0] if key <= self._sign * index_price else None


class PriceWatch:
    """The orders of one market that wait for its index price to be at or above, or at or below, a price of theirs."""

    __slots__ = ("_falling", "_rising")

    def __init__(self) -> None:
        self._rising = _Direction(1)
        self._falling = _Direction(-1)

    def __bool__(self) -> bool:
        return bool(self._rising) or bool(self._falling)

    def add(self, order: LiveOrder, above: bool, price: int) -> None:
        """Files an order under the price (micro-USDC per lot) that it waits for."""
        order.watch_above, order.watch_price = above, price
        (self._rising if above else self._falling).add(order, price)

    def remove(self, order: LiveOrder) -> None:
        """Takes an order out that is in."""
        (self._rising if order.watch_above else self._falling).remove(order, order.watch_price)
        order.watch_above, order.watch_price = False, 0

    def reached(self, index_price: int) -> LiveOrder | None:
        """The first order whose price is reached: by price as the index price passes them, then by placement."""
        return self._rising.reached(index_price) or self._falling.reached(index_price)


def _placed(order: LiveOrder) -> int:
    return order.placed
