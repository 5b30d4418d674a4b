# SPDX-License-Identifier: AGPL-3.0-only
"""Orders that wait: for a time, for another order, for an index price; and orders that end one another.

An order enters the book when all its conditions hold at once in a market that trades. A time that has come and a parent
that has ended with something filled stay met; a price does not: the contract asks the signed trigger again when a fill
settles, so an order that rests while the index price moves back over its trigger leaves the book and waits anew. That
holds for a price which a reorg takes back, too; what has been matched by then stays matched until the chain decides.
"""

from __future__ import annotations

import heapq

from ouro.markets import MarketState
from relayer.core.orders import LiveOrder, Status
from relayer.core.state import State
from relayer.core.venue import Venue
from relayer.core.waiting import Stage, group_of

TRADING = (MarketState.ACTIVE, MarketState.REDUCE_ONLY)


def is_trading(state: State, venue: Venue) -> bool:
    """Whether orders may become live there: the market is open, if only for reductions, and its price fresh."""
    return venue.state in TRADING and not venue.is_stale(state.time_s)


def must_wait(state: State, order: LiveOrder) -> bool:
    """Whether an order with conditions cannot enter the book now."""
    if not order.is_conditional:
        return False
    return (
        _next_stage(state, order) is not Stage.PRICE
        or not is_trading(state, order.venue)
        or not order.is_triggered(order.venue.index_price)
    )


def wait(state: State, order: LiveOrder) -> None:
    """Lets an order wait for what is to come true next."""
    state.wait(order, _next_stage(state, order))


def wait_hidden(state: State, order: LiveOrder) -> None:
    """Lets an order wait that was never live: nobody but its owner is told of it."""
    order.hidden = True
    wait(state, order)


def advance(state: State, order: LiveOrder) -> None:
    """One thing that an order waited for has come true: it waits for the next."""
    state.waiting.unfile(order)
    order.stage = _next_stage(state, order)
    state.waiting.file(order)


def on_prices(state: State) -> None:
    """After the chain moved: triggers may hold, or hold no more."""
    waiting = state.waiting
    if waiting.watches or waiting.leaving:
        waiting.mark(waiting.watches)
        waiting.mark(waiting.leaving)


def leave(state: State, order: LiveOrder) -> None:
    """A resting order whose trigger does not hold any more leaves the book and waits anew."""
    state.leave_book(order)
    wait(state, order)


def on_time(state: State) -> None:
    """Orders whose time has come wait for the next of their conditions."""
    times = state.waiting.times
    while times and times[0][0] <= state.now_ms:
        order = state.orders.get(heapq.heappop(times)[2])
        if order is not None and order.stage is Stage.TIME:
            advance(state, order)


def on_backlog(state: State) -> None:
    """Orders that settlement kept waiting wait for their price again."""
    waiting = state.waiting
    if waiting.backlog and not state.is_backlogged():
        for order in list(waiting.backlog.values()):
            advance(state, order)


def follow(state: State) -> None:
    """What the orders that filled or ended mean for those that hang on them. Ends and releases orders, enters none."""
    touched = state.waiting.touched
    while touched:
        order = touched.pop(next(iter(touched)))
        is_newest = order.newest is order
        if is_newest and order.oco and order.filled:
            _cancel_group(state, order)
        if not order.is_live:
            if is_newest:
                _follow_parent(state, order)
            successor = state.waiting.successors.get(order.id)
            if successor is not None:
                state.cancel(successor, "amended_order_ended")


def _cancel_group(state: State, order: LiveOrder) -> None:
    """A filled order cancels all others of its group, any fill those that are not reduce-only; and when an order has
    ended, those that have nothing left to reduce go too.
    """
    for other in _oldest_first(state.waiting.groups.get(group_of(order))):
        if other is order or not other.is_live:
            continue
        if (
            order.status is Status.FILLED
            or not other.reduce_only
            or (not order.is_live and state.shadow.reducible(other.account, other) == 0)
        ):
            state.cancel(other, "oco")


def _follow_parent(state: State, parent: LiveOrder) -> None:
    """The children of an order that ended: they wait no longer for it, for as many lots as it has filled; without a
    fill they end as well.
    """
    for child in _oldest_first(state.waiting.children.get(parent.id)):
        if child.status is not Status.UNTRIGGERED:
            continue
        if not parent.filled:
            state.cancel(child, "parent_ended")
            continue
        _bound_by(child, parent)
        if not child.remaining:
            state.cancel(child, "parent_ended")
        elif not child.parent_met:
            child.parent_met = True
            if child.stage is Stage.PARENT:
                advance(state, child)
            state.recorder.order(child)


def _bound_by(child: LiveOrder, parent: LiveOrder) -> None:
    """It closes no more than the parent opened."""
    child.withheld = max(child.withheld, beyond_parent(child, parent))


def beyond_parent(child: LiveOrder, parent: LiveOrder) -> int:
    """Lots of a child that its parent, having ended, left nothing to close for."""
    return 0 if parent.is_live else max(0, child.size - max(child.filled, parent.filled))


def _oldest_first(orders: dict[bytes, LiveOrder] | None) -> list[LiveOrder]:
    return [] if orders is None else sorted(orders.values(), key=lambda order: order.placed)


def attach(state: State, child: LiveOrder) -> None:
    """Looks at a new order's parent: one that has ended with something filled keeps it waiting no longer."""
    parent = state.orders.get(child.parent)
    if parent is not None and not parent.is_live:
        _bound_by(child, parent)
        child.parent_met = True


def _next_stage(state: State, order: LiveOrder) -> Stage:
    if order.amend_waits:
        return Stage.CHAIN if state.orders[order.replaces].amend_waits else Stage.PRICE
    if order.not_before_ms > state.now_ms:
        return Stage.TIME
    if order.parent and not order.parent_met:
        return Stage.PARENT
    return Stage.PRICE
