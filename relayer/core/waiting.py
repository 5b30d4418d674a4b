# SPDX-License-Identifier: AGPL-3.0-only
"""Where orders are filed that are not live yet, and how orders hang together.

Everything here follows from the orders themselves (`LiveOrder.stage`, status, parent, oco, replaces): the tables are
indices over `State.orders`, and `Waiting.file` makes them again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

from relayer.core.watches import PriceWatch

if TYPE_CHECKING:
    from relayer.core.orders import LiveOrder

K = TypeVar("K")

GroupKey = tuple[str, int, str]
"""Owner, subaccount, name."""


class Stage(IntEnum):
    """What an order waits for next; those before it are met for good."""

    NONE = 0
    """Nothing: it is live, or has ended."""
    TIME = 1
    PARENT = 2
    CHAIN = 3
    """The revision that it replaces is itself an amend in waiting."""
    PRICE = 4
    """`watch_price`: of an amend in waiting its arm price, else its trigger."""
    BACKLOG = 5
    """Triggered, but settlement is behind."""
    RESTING = 6
    """It rests in the book, and leaves it should the index price move back over its trigger."""


class Waiting:
    """Indices over orders with conditions. `touched` is empty between inputs."""

    __slots__ = ("backlog", "children", "dirty", "groups", "leaving", "successors", "times", "touched", "watches")

    def __init__(self) -> None:
        self.times: list[tuple[int, int, bytes]] = []
        self.watches: dict[int, PriceWatch] = {}
        self.leaving: dict[int, PriceWatch] = {}
        self.backlog: dict[bytes, LiveOrder] = {}
        self.children: dict[bytes, dict[bytes, LiveOrder]] = {}
        self.successors: dict[bytes, LiveOrder] = {}
        self.groups: dict[GroupKey, dict[bytes, LiveOrder]] = {}
        self.touched: dict[bytes, LiveOrder] = {}
        self.dirty: dict[int, None] = {}

    def file(self, order: LiveOrder) -> None:
        """Files an order under its stage."""
        match order.stage:
            case Stage.TIME:
                heapq.heappush(self.times, (order.not_before_ms, order.placed, order.id))
            case Stage.PRICE:
                above, price = order.awaited_price
                _watch(self.watches, order).add(order, above, price)
                self.dirty[order.venue.id] = None
            case Stage.RESTING:
                above, price = order.awaited_price
                # The first price on the other side of the trigger.
                _watch(self.leaving, order).add(order, not above, price - 1 if above else price + 1)
                self.dirty[order.venue.id] = None
            case Stage.BACKLOG:
                self.backlog[order.id] = order
            case _:
                pass

    def unfile(self, order: LiveOrder) -> None:
        """Takes an order out of what `file` put it into; it waits for nothing."""
        match order.stage:
            case Stage.PRICE:
                _unwatch(self.watches, order)
            case Stage.RESTING:
                _unwatch(self.leaving, order)
            case Stage.BACKLOG:
                del self.backlog[order.id]
            case _:
                pass
        order.stage = Stage.NONE

    def link(self, order: LiveOrder) -> None:
        """Files an order that is live or waits under its group, its parent and what it is to replace."""
        if order.amend_waits:
            self.successors[order.replaces] = order
            return
        if order.oco:
            self.groups.setdefault(group_of(order), {})[order.id] = order
        if order.parent:
            self.children.setdefault(order.parent, {})[order.id] = order

    def unlink(self, order: LiveOrder) -> None:
        """Takes an order that has ended out of all three."""
        if order.amend_waits:
            del self.successors[order.replaces]
            return
        if order.oco:
            _discard(self.groups, group_of(order), order)
        if order.parent:
            _discard(self.children, order.parent, order)

    def adopt(self, old: LiveOrder, new: LiveOrder) -> list[LiveOrder]:
        """What waits for an order waits for the revision that replaced it; answers those orders."""
        children = self.children.pop(old.id, None)
        if children is None:
            return []
        self.children[new.id] = children
        for child in children.values():
            child.parent = new.id
        return sorted(children.values(), key=lambda child: child.placed)

    def touch(self, order: LiveOrder) -> None:
        """An order filled or ended: `links.follow` looks at those that hang on it."""
        if order.oco or order.id in self.children or order.id in self.successors:
            self.touched[order.id] = order

    def mark(self, market_ids: Iterable[int]) -> None:
        """Prices or states of markets may have changed."""
        for market_id in market_ids:
            self.dirty[market_id] = None


def group_of(order: LiveOrder) -> GroupKey:
    """The key of the group in which one order cancels the others."""
    return (*order.account.key, order.oco)


def _watch(watches: dict[int, PriceWatch], order: LiveOrder) -> PriceWatch:
    return watches.setdefault(order.venue.id, PriceWatch())


def _unwatch(watches: dict[int, PriceWatch], order: LiveOrder) -> None:
    watch = watches[order.venue.id]
    watch.remove(order)
    if not watch:
        del watches[order.venue.id]


def _discard(table: dict[K, dict[bytes, LiveOrder]], key: K, order: LiveOrder) -> None:
    members = table.get(key)
    if members is not None:
        members.pop(order.id, None)
        if not members:
            del table[key]
