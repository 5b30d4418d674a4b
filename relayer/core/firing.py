# SPDX-License-Identifier: AGPL-3.0-only
"""Orders whose conditions hold enter the book, by the ordinary path and at the end of an input; those whose trigger
holds no more leave it.

An input lets at most `MAX_FIRED` of a market go and takes as many back; the others follow with the next ones. So a
price move costs as much as it moves, and no single input long. Orders that are still to leave match nothing meanwhile,
and until they have left, none of that market goes.
"""

from __future__ import annotations

from relayer.core import amending, conditional, rules
from relayer.core.errors import RefusedError
from relayer.core.orders import LiveOrder, Status
from relayer.core.placing import enter
from relayer.core.state import State
from relayer.core.waiting import Stage

MAX_FIRED = 64


def run(state: State) -> None:
    """Lets go what may. Costs next to nothing when nothing may."""
    conditional.follow(state)
    waiting = state.waiting
    conditional.on_time(state)
    conditional.on_backlog(state)
    if waiting.dirty:
        for market_id in sorted(waiting.dirty):
            _fire_in(state, market_id)


def _fire_in(state: State, market_id: int) -> None:
    venue, watches, leaving = state.venues[market_id], state.waiting.watches, state.waiting.leaving
    for _ in range(MAX_FIRED):
        order = leaving[market_id].reached(venue.index_price) if market_id in leaving else None
        if order is None:
            break
        conditional.leave(state, order)
    else:
        return
    if conditional.is_trading(state, venue):
        for _ in range(MAX_FIRED):
            order = watches[market_id].reached(venue.index_price) if market_id in watches else None
            if order is None:
                break
            _fire(state, order)
        else:
            return
    # Nothing can happen there before the next block, or the next order that comes to wait.
    del state.waiting.dirty[market_id]


def _fire(state: State, order: LiveOrder) -> None:
    """All that placing asks in the light of market and account is asked now; an order that fails ends with that
    reason, or waits when only settlement is behind.
    """
    state.waiting.unfile(order)
    if order.amend_waits:
        amending.carry_out(state, order, enter)
        conditional.follow(state)
        return
    try:
        rules.check_key(order, state)
        rules.check_budget(order, state)
        rules.check_market(order, state)
        rules.check_account(order, state)
    except RefusedError as refusal:
        if refusal.code == "settlement_backlog":
            order.stage = Stage.BACKLOG
            state.waiting.file(order)
        else:
            state.cancel(order, refusal.code)
        conditional.follow(state)
        return
    del order.account.open_orders[order.id]
    order.status = Status.OPEN
    enter(state, order)
