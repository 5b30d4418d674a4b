# SPDX-License-Identifier: AGPL-3.0-only
"""Placing an order, and the ordinary path by which any order enters the book."""

from __future__ import annotations

from ouro.codec import unpack_order
from ouro.orders import Order
from ouro.units import MAX_BATCH_FILLS
from relayer.core import amending, condition_rules, conditional, rules
from relayer.core.errors import RefusedError
from relayer.core.fills import MatchedFill
from relayer.core.inputs import Place
from relayer.core.matching import SELF_TRADE, Plan, PlannedFill
from relayer.core.orders import LiveOrder, Status
from relayer.core.outputs import Ack
from relayer.core.state import State
from relayer.core.venue import Venue


def place(state: State, item: Place) -> Ack:
    """Accepts or refuses an order; an accepted one is matched at once and what remains rests if it may."""
    order, venue = _unpack(state, int.from_bytes(item.terms), int.from_bytes(item.amounts))
    try:
        return _answer(_repeated(state, item, order) or _accept(state, item, order, venue))
    except RefusedError:
        if item.replaces or order.revision:
            amending.use_up(state, item, order)
        raise


def _accept(state: State, item: Place, order: Order, venue: Venue) -> LiveOrder:
    rules.check_signer(order, state, item.signer)
    rules.check_revision(order, item)
    rules.check_form(order, venue.market, state.fees.of(order.account), item.client_id)
    condition_rules.check_form(item, order, state.config.settle_window_s)
    rules.check_times(order, state)
    live = LiveOrder(item, order, state.account(order.account, order.subaccount), venue)
    if item.replaces:
        amending.amend(state, live, item.expected_filled, enter)
    else:
        rules.check_age(order, state)
        _place_new(state, live)
    live.first_answer = (live.status.value, live.filled, live.reason)
    return live


def _place_new(state: State, live: LiveOrder) -> None:
    rules.check_key(live, state)
    rules.check_slot(live, state)
    rules.check_count(live, state)
    condition_rules.check_links(live, state)
    if live.parent:
        conditional.attach(state, live)
    if conditional.must_wait(state, live):
        rules.check_to_wait(live, state)
        state.remember(live)
        conditional.wait_hidden(state, live)
    else:
        rules.check_budget(live, state)
        rules.check_market(live, state)
        rules.check_account(live, state)
        state.remember(live)
        enter(state, live)


def enter(state: State, order: LiveOrder) -> None:
    """Matches an order against the book, then lets the rest of it rest, or ends it when it may not."""
    order.hidden = False
    room = max(0, state.max_unsettled_fills - len(state.unsettled))
    if room < MAX_BATCH_FILLS and (
        order.reduce_only or order.remaining <= state.shadow.reducible(order.account, order)
    ):
        # Reductions pass whatever the backlog, a batch at a time.
        room = MAX_BATCH_FILLS
    plan = state.matcher.plan(order, room, state.key_room(order) if order.by_key else None)
    if order.fill_or_kill and plan.remaining:
        state.cancel(order, f"fok_unfillable: {plan.stop}" if plan.stop else "fok_unfillable")
        return
    state.recorder.order(order)
    for planned in plan.fills:
        _execute(state, order, planned)
    _keep_accounts(plan)
    for maker, reason in plan.dropped:
        state.cancel(maker, reason)
    for maker, lots in plan.withheld:
        order.withheld += lots
        _withhold(state, maker, lots)
    for maker in plan.leaving:
        conditional.leave(state, maker)
    if order.remaining == 0 and plan.stop != SELF_TRADE:
        state.close(order, Status.FILLED, "")
    elif plan.stop:
        state.cancel(order, plan.stop)
    elif order.one_shot:
        state.cancel(order, "ioc_remainder")
    elif order.immediate:
        state.cancel(order, "immediate_remainder")
    elif order.reduce_only and not state.fit_to_position(order):
        state.cancel(order, "reduce_only")
    elif order.by_key and order.remaining * order.limit_price > state.key_room(order):
        state.cancel(order, "key_budget")
    else:
        state.rest(order)
    conditional.follow(state)


def _execute(state: State, taker: LiveOrder, planned: PlannedFill) -> None:
    maker, lots, price = planned.maker, planned.lots, planned.price
    state.last_fill_id += 1
    fill = MatchedFill(
        fill_id=state.last_fill_id,
        venue=taker.venue,
        price=price,
        size=lots,
        taker=taker,
        maker=maker,
        taker_fee_ppm=planned.fees[0],
        maker_fee_ppm=planned.fees[1],
        matched_ms=state.now_ms,
        open_interest_delta=planned.open_interest_delta,
    )
    state.fills[fill.id] = fill
    taker.count_live(1)
    maker.count_live(1)
    state.count(taker, lots, price)
    state.count(maker, lots, price)
    taker.venue.unsettled_open_interest += planned.open_interest_delta
    state.hold(fill)
    state.queue.add(fill)
    state.recorder.fill(fill)
    state.resize(maker)
    if maker.remaining == 0:
        maker.status = Status.FILLED
        state.closed(maker)
    state.recorder.order(maker)


def _withhold(state: State, maker: LiveOrder, lots: int) -> None:
    """Takes lots off a resting order without a fill; one with none left ends."""
    maker.withheld += lots
    if maker.remaining == 0:
        state.cancel(maker, SELF_TRADE)
        return
    state.resize(maker)
    state.recorder.order(maker)


def _keep_accounts(plan: Plan) -> None:
    """The plan computed both accounts with the new fills at the end, which is what a recomputation would give."""
    for entry, account in plan.accounts.values():
        entry.shadow = account


def _unpack(state: State, terms: int, amounts: int) -> tuple[Order, Venue]:
    market_id = terms >> 64 & 0xFFFF
    venue = state.venues.get(market_id)
    if venue is None:
        known = ", ".join(each.ticker for each in state.venues.values())
        raise RefusedError(404, "unknown_market", f"there is no market number {market_id}: there are {known}", "market")
    try:
        return unpack_order(terms, amounts, {market_id: venue.ticker}), venue
    except (KeyError, ValueError) as error:
        raise RefusedError(400, "malformed_order", f"the order cannot be read: {error}", "order") from error


def _repeated(state: State, item: Place, order: Order) -> LiveOrder | None:
    """The order this repeats: the same order under the same client id gets the same answer. An amend may go by the
    client id of what it amends.
    """
    known = state.orders.get(item.order_id)
    if known is not None and item.client_id in ("", known.client_id):
        return known
    entry = state.accounts.get((order.account, order.subaccount))
    named = entry.client_ids.get(item.client_id) if entry is not None and item.client_id else None
    if named is not None and named.id not in (item.order_id, item.replaces):
        raise RefusedError(
            409,
            "client_id_reused",
            f"clientId {item.client_id} already names the order {named.hex_id}: use another one",
            "clientId",
        )
    if known is not None:
        raise RefusedError(
            409,
            "order_known",
            f"this very order was already placed as clientId {known.client_id or '(none)'}: sign a "
            f"new one (a newer generation)",
            "clientId",
        )
    return None


def _answer(order: LiveOrder) -> Ack:
    status, filled, reason = order.first_answer
    return Ack(
        input_seq=0,
        ok=True,
        http_status=200 if order.replaces else 201,
        seq=0,
        order_id=order.hex_id,
        client_id=order.client_id,
        order_status=status,
        filled=filled,
        reason=reason,
    )
