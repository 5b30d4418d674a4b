# SPDX-License-Identifier: AGPL-3.0-only
"""What an order must satisfy before it is matched: first its form alone, then in the light of market, slot and account.

Each rule raises a `RefusedError` with a stable code and a sentence that says what was wrong and how to put it right.
"""

from __future__ import annotations

from itertools import chain

from ouro.markets import Market, MarketState
from ouro.orders import Order
from ouro.units import (
    MAX_AHEAD_MS,
    MAX_ORDER_LIFE_S,
    MAX_PRICE,
    MAX_SIZE_LOTS,
    MAX_SUBACCOUNT_POSITIONS,
    PPM,
    from_micro,
    plain,
)
from relayer.core.errors import RefusedError
from relayer.core.fee_schedule import Fees
from relayer.core.inputs import Place
from relayer.core.orders import LiveOrder
from relayer.core.state import State
from relayer.core.venue import Venue

MAX_CLIENT_ID = 64
_FREE_SLOTS_SHOWN = 8
_SLOTS_SEARCHED = 128
_MAX_SLOT = 65_535
MAX_SIGNED_AHEAD_MS = MAX_AHEAD_MS // 2
"""Less than the chain allows: the time of the block that settles may lie behind our clock."""
_ONE_SHOT_LIFE_S = 3_600
"""An order that found nobody costs its owner nothing, and memory until it expires."""


def may_sign(order: Order, state: State, signer: str) -> bool:
    """Whether the signer is the account, or a session key that was ever registered for it."""
    return signer == order.account or (order.account, signer) in state.chain.head.keys


def check_signer(order: Order, state: State, signer: str) -> None:
    """Whether the signer may sign for the account at all."""
    if not may_sign(order, state, signer):
        raise RefusedError(
            401,
            "bad_signature",
            f"the signature is by {signer}, which is neither the account {order.account} nor a session key that is "
            "registered for it: sign with one of these",
            "signature",
        )


def check_key(order: LiveOrder, state: State) -> None:
    """Rules on the session key that signed an order, if one did."""
    if not order.by_key:
        return
    key = state.live_key(order)
    if key is None:
        raise RefusedError(
            401, "key_revoked", f"the session key {order.signer} is revoked: sign with another one", "signature"
        )
    if key.markets and order.venue.id not in key.markets:
        raise RefusedError(
            422, "key_market", f"the session key {order.signer} may not sign for {order.venue.ticker}", "market"
        )
    if order.expiry > key.expiry:
        raise RefusedError(
            422,
            "key_expiry",
            f"the session key ends at {key.expiry} s, before the order: sign an expiry of at most that",
            "expiry",
        )


def check_budget(order: LiveOrder, state: State) -> None:
    """Whether the session key that signed an order, if one did, may still sign for as much."""
    if not order.by_key:
        return
    room = state.key_room(order)
    if order.remaining * order.limit_price > room:
        raise RefusedError(
            422,
            "key_budget",
            f"the session key may sign for {_usdc(max(0, room))} more, its open orders counted: make the order "
            "smaller, or register another key",
            "size",
        )


def check_revision(order: Order, item: Place) -> None:
    """Whether an order that could only be an amend says what it amends."""
    if not item.replaces and (order.revision or item.expected_filled >= 0):
        raise RefusedError(
            400,
            "replaces_missing",
            "an order with a revision above 0 (or an expectedFilled) amends another one: give its id as replaces, or "
            "sign revision 0",
            "replaces",
        )


def check_form(order: Order, market: Market, fees: Fees, client_id: str) -> None:
    """Rules that need nothing but the order, the market's tick and what its owner pays."""
    if len(client_id) > MAX_CLIENT_ID:
        raise RefusedError(400, "bad_client_id", f"clientId is longer than {MAX_CLIENT_ID} characters", "clientId")
    if not 0 < order.size <= MAX_SIZE_LOTS:
        raise RefusedError(400, "bad_size", f"size is {order.size} lots; it must be from 1 to {MAX_SIZE_LOTS}", "size")
    if not 0 < order.limit_price <= MAX_PRICE:
        raise RefusedError(
            400, "bad_price", f"limitPrice is {order.limit_price}; it must be from 1 to {MAX_PRICE}", "limitPrice"
        )
    if order.limit_price % market.tick:
        below = order.limit_price - order.limit_price % market.tick
        raise RefusedError(
            400,
            "off_tick",
            f"limitPrice {order.limit_price} is not a multiple of the tick {market.tick} of {market.ticker}: "
            f"use {below} or {below + market.tick}",
            "limitPrice",
        )
    if order.is_one_shot and order.slot:
        raise RefusedError(400, "one_shot_with_slot", f"an {order.time_in_force} order has no slot: use slot 0", "slot")
    if order.is_one_shot and order.post_only:
        raise RefusedError(
            400,
            "post_only_one_shot",
            f"an {order.time_in_force} order cannot be post-only: use GTT for post-only orders",
            "postOnly",
        )
    taker_ppm, maker_ppm = fees
    fee = maker_ppm if order.post_only else taker_ppm if order.is_one_shot else max(taker_ppm, maker_ppm)
    if order.max_fee_ppm < fee:
        raise RefusedError(
            400,
            "fee_cap_too_low",
            f"maxFeePpm {order.max_fee_ppm} is below the fee of {fee} ppm that this account pays: sign at least {fee}",
            "maxFeePpm",
        )


def check_times(order: Order, state: State) -> None:
    """Rules on signing time and expiry."""
    time_s, window = state.time_s, state.config.settle_window_s
    if not 0 < order.generation <= state.now_ms + MAX_SIGNED_AHEAD_MS:
        raise RefusedError(
            400,
            "signed_in_future",
            f"generation {order.generation} is more than {MAX_SIGNED_AHEAD_MS // 1000} s ahead of "
            f"{state.now_ms} ms: check the clock",
            "generation",
        )
    if order.expiry * 1000 > order.generation + MAX_ORDER_LIFE_S * 1000:
        raise RefusedError(
            400, "expiry_too_far", "expiry is more than 90 days after generation: sign an earlier one", "expiry"
        )
    latest = time_s + _ONE_SHOT_LIFE_S + window
    if order.is_one_shot and order.expiry > latest:
        raise RefusedError(
            400,
            "expiry_too_far",
            f"an order with timeInForce {order.time_in_force} trades at once, so that it need not live long: "
            f"sign an expiry of at most {latest} s",
            "expiry",
        )
    if order.expiry <= time_s:
        raise RefusedError(
            400,
            "expired",
            f"the order expired at {order.expiry} s, it is {time_s} s now: sign a later expiry",
            "expiry",
        )
    if order.expiry - window <= time_s:
        raise RefusedError(
            400,
            "expires_too_soon",
            f"matching stops {window} s before the signed expiry, so that the fill can still settle: "
            f"sign an expiry after {time_s + window} s",
            "expiry",
        )


def check_age(order: Order, state: State) -> None:
    """Whether a new order was signed just now; an amend has the signing time of the order that it amends. A refused
    order is published in time with its signature, and whoever reads it there must not be able to send it again.
    """
    most = state.config.max_order_age_ms
    age = state.signing_ms - order.generation
    if most and age > most:
        raise RefusedError(
            400,
            "signed_too_long_ago",
            f"generation {order.generation} says that the order was signed {age // 1000} s ago, new orders must come "
            f"within {most // 1000} s: sign again with a generation of about {state.signing_ms}",
            "generation",
        )


def check_listing(order: LiveOrder) -> None:
    """Rules on the state of the market that hold for orders which wait, too."""
    venue, state = order.venue, order.venue.state
    if state is MarketState.ACTIVE:
        return
    if state in (MarketState.HALTED, MarketState.UNLISTED):
        raise RefusedError(422, "market_halted", f"{venue.ticker} is halted: no orders are taken", "market")
    if state in (MarketState.SETTLING, MarketState.SETTLED):
        raise RefusedError(
            422, "market_settling", f"{venue.ticker} is being wound up: trading in it has ended", "market"
        )


def check_market(order: LiveOrder, state: State) -> None:
    """Rules on the state of the market and its index price."""
    venue = order.venue
    check_listing(order)
    if venue.is_stale(state.time_s):
        raise RefusedError(
            503,
            "stale_price",
            f"the index price of {venue.ticker} is older than {venue.market.max_price_age_s} s: try again shortly",
            "market",
        )
    if venue.state is MarketState.REDUCE_ONLY and not (
        0 < order.remaining <= state.shadow.reducible(order.account, order)
    ):
        raise RefusedError(
            422, "market_reduce_only", f"{venue.ticker} only takes orders that reduce a position", "market"
        )
    reach = _band_limit(venue, order.sell)
    if order.limit_price < reach if order.sell else order.limit_price > reach:
        raise RefusedError(
            422,
            "price_band",
            f"limitPrice {order.limit_price} is beyond the price band of {venue.market.band_ppm} ppm "
            f"around the index price "
            f"{venue.index_price}: use {reach} at {'least' if order.sell else 'most'}",
            "limitPrice",
        )


def check_slot(order: LiveOrder, state: State) -> None:
    """Rules on generation and slot, and on cancels that stand on chain."""
    head, entry = state.chain.head, order.account
    stamp = max(
        head.slot_stamps.get((order.signer, order.slot), 0) if not order.one_shot else 0,
        head.account_stamps.get(entry.key, 0),
    )
    if order.generation <= stamp * 1000:
        raise RefusedError(
            409,
            "cancelled_on_chain",
            f"a cancel on chain covers everything signed until {stamp} s: sign after that",
            "generation",
        )
    if order.one_shot:
        newest = state.shadow.of(entry).one_shot_ms.get(order.venue.id, 0)
        if order.generation <= newest:
            raise RefusedError(
                409,
                "one_shot_not_newer",
                f"generation {order.generation} is not newer than {newest}, that of the last IOC or "
                f"FOK fill of this position: sign again",
                "generation",
            )
        return
    use = state.slots.get((order.signer, order.slot))
    if use is None or order.replaces == use.order_id:
        return
    live = state.orders.get(use.order_id)
    if live is not None and live.is_live:
        free = free_slots(state, order.signer, order.slot)
        hint = f" or use a free slot such as {free[0]}" if free else ""
        raise RefusedError(
            409,
            "slot_taken",
            f"slot {order.slot} holds the open order {live.hex_id}: cancel it first, amend it{hint}",
            "slot",
            free,
        )
    if order.generation <= use.generation:
        raise RefusedError(
            409,
            "stale_generation",
            f"generation {order.generation} is not newer than {use.generation}, the last one in slot "
            f"{order.slot}: sign again",
            "generation",
        )


def check_count(order: LiveOrder, state: State) -> None:
    """The limit on how many orders a subaccount may have that rest or wait."""
    entry = order.account
    others = len(entry.open_orders) - (order.replaces in entry.open_orders)
    if not order.one_shot and others >= state.config.max_open_orders:
        raise RefusedError(
            422,
            "too_many_orders",
            f"the subaccount already has {others} open orders: cancel some first",
            "account",
        )


def check_account(order: LiveOrder, state: State) -> None:
    """Rules on positions, margin and the settlement backlog."""
    entry, venue, shadow = order.account, order.venue, state.shadow
    crosses = venue.book.crosses(order.sell, order.limit_price)
    if order.post_only and crosses:
        raise RefusedError(
            422, "post_only_would_cross", "the post-only order would match at once: move its price away", "postOnly"
        )
    size = shadow.of(entry).size(venue.id)
    if order.reduce_only and (size == 0 or (size > 0) != order.sell):
        raise RefusedError(
            422,
            "reduce_only_no_position",
            "there is no position on the other side that a reduce-only order could reduce",
            "reduceOnly",
        )
    check_least_size(order, state)
    if order.reduce_only and not order.one_shot and not crosses and state.reduce_room(order) == 0:
        raise RefusedError(
            422,
            "reduce_only_covered",
            f"resting reduce-only orders already offer the whole position in {venue.ticker}: cancel or amend one",
            "reduceOnly",
        )
    if crosses and not order.reduce_only and state.is_backlogged() and order.remaining > shadow.reducible(entry, order):
        raise RefusedError(
            503,
            "settlement_backlog",
            "settlement is behind: orders that open risk at once wait; reductions, cancels and resting orders pass",
        )
    if size == 0:
        held = set(shadow.of(entry).positions) | set(entry.exposures)
        if venue.id not in held and len(held) >= MAX_SUBACCOUNT_POSITIONS:
            raise RefusedError(
                422,
                "too_many_positions",
                f"a subaccount holds at most {MAX_SUBACCOUNT_POSITIONS} markets: use another subaccount",
                "subaccount",
            )
    if not shadow.may_place(entry, order, order.remaining):
        raise RefusedError(422, "insufficient_margin", _margin_sentence(order, state), "size")


def check_least_size(order: LiveOrder, state: State) -> None:
    """Small orders cost as much to keep as large ones; closing what is left of a position must stay possible."""
    least, notional = state.config.min_notional, order.size * order.limit_price
    if notional >= least:
        return
    if not order.reduce_only or order.remaining < abs(state.shadow.of(order.account).size(order.venue.id)):
        enough = -(-least // order.limit_price)
        raise RefusedError(
            422,
            "order_too_small",
            f"{order.size} lots at {order.limit_price} are worth {_usdc(notional)}, orders begin at {_usdc(least)}: "
            f"sign at least {enough} lots, or a reduce-only order that closes the whole position",
            "size",
        )


def check_to_wait(order: LiveOrder, state: State) -> None:
    """Rules for an order that waits: whatever depends on price and account is asked when it becomes live."""
    check_listing(order)
    if not order.reduce_only:
        check_least_size(order, state)


def free_slots(state: State, signer: str, asked: int) -> tuple[int, ...]:
    """Some slots of a signing key without an open order: the lowest, or those above the one that was asked for (slot 0
    is left to one-shot orders). It looks at few of them: whoever has filled thousands of slots must not be able to make
    refusals dear.
    """
    free: list[int] = []
    above = max(asked, _SLOTS_SEARCHED) + 1
    for slot in chain(range(1, _SLOTS_SEARCHED + 1), range(above, min(above + _SLOTS_SEARCHED, _MAX_SLOT + 1))):
        use = state.slots.get((signer, slot))
        live = None if use is None else state.orders.get(use.order_id)
        if live is None or not live.is_live:
            free.append(slot)
            if len(free) == _FREE_SLOTS_SHOWN:
                break
    return tuple(free)


def _band_limit(venue: Venue, sell: bool) -> int:
    """The furthest price at which an order of that side could fill."""
    width = venue.index_price * venue.market.band_ppm // PPM
    return venue.index_price - width if sell else venue.index_price + width


def _margin_sentence(order: LiveOrder, state: State) -> str:
    entry, shadow = order.account, state.shadow
    account = shadow.of(entry)
    equity = account.margin(shadow.venues).equity_scaled >> 32
    extra = (order.venue, order.sell, order.remaining, order.limit_price)
    required = shadow.required(entry, account, extra)
    promised = shadow.promised(entry)
    held_back = f", {_usdc(promised)} of it promised to withdrawals" if promised else ""
    return (
        f"not enough free collateral: with all open orders filled {_usdc(required)} of initial margin, losses and fees "
        f"(plus {state.config.margin_buffer_ppm} ppm) would be needed, equity is {_usdc(equity)}{held_back}; "
        f"deposit or make the order smaller"
    )


def _usdc(amount: int) -> str:
    return f"{plain(from_micro(amount))} USDC"
