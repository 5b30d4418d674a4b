# SPDX-License-Identifier: Apache-2.0
"""Orders made of several: brackets, trailing stops, TWAP, scaled orders.

All are signed in advance by the trader's own key; nobody else ever signs. What binds them together (`Conditions`) is
not signed and binds an honest operator only.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

import msgspec

from ouro.client.batches import ATTEMPTS, Outcome, place_all, place_chain
from ouro.client.calls import Flow
from ouro.client.config import ClientConfig
from ouro.client.errors import SlotTakenError
from ouro.client.models import PlacedOrder
from ouro.client.reads import market_record
from ouro.client.session import Session
from ouro.client.trading import (
    DEFAULT_MAX_FEE_PPM,
    MAX_LIFETIME_S,
    Conditions,
    SignedOrder,
    build_limit_order,
    build_market_order,
    decimal_of,
    sign_message,
    sign_order,
)
from ouro.client.triggers import (
    DEFAULT_STOP_SLIPPAGE,
    Amount,
    build_stop_market,
    build_take_profit_market,
    price_on_tick,
    stop_trigger,
    worst_limit,
)
from ouro.markets import Market
from ouro.orders import SelfTrade, Side, TimeInForce

MAX_REVISIONS = 50
"""Revisions of a trailing stop beside the first."""

MAX_PARTS = 500


@dataclass(frozen=True)
class Bracket:
    """An entry and the two orders that close what it fills; the first of them that is filled cancels the other."""

    entry: PlacedOrder
    take_profit: Outcome
    stop_loss: Outcome


@dataclass(frozen=True)
class TrailingStop:
    """A stop and the amends in waiting that move it; `triggers` are the human trigger prices of all, the stop's first.

    The chain is as long as what was signed: beyond the last revision the stop stays where it is.
    """

    stop: PlacedOrder
    revisions: tuple[Outcome, ...]
    triggers: tuple[Decimal, ...]


def place_bracket(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    *,
    take_profit: Amount,
    stop_loss: Amount,
    price: Amount | None = None,
    max_slippage: Decimal | str = "0.01",
    exit_slippage: Decimal | str = DEFAULT_STOP_SLIPPAGE,
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[Bracket]:
    """Sign and send an entry and two reduce-only orders that close it: at the index prices `take_profit` and
    `stop_loss`, at once and at worst `exit_slippage` beyond them.

    The entry is a limit order at `price`, or without one a market order. The others wait until it has ended with
    something filled, and close no more than that. Raises `RefusedError` when the entry is refused; a refusal of one of
    the others is in the answer.
    """
    entry_side = Side(side.upper())
    exit_side = Side.SELL if entry_side is Side.BUY else Side.BUY
    profit, loss = decimal_of(take_profit, "take_profit"), decimal_of(stop_loss, "stop_loss")
    if (profit > loss) != (entry_side is Side.BUY):
        raise ValueError("a bracket around a BUY takes profit above its stop, one around a SELL below it")
    for attempt in range(ATTEMPTS):
        entry: SignedOrder
        if price is None:
            entry = yield from build_market_order(
                session, market, entry_side, size, max_slippage, subaccount=subaccount, max_fee_ppm=max_fee_ppm
            )
        else:
            entry = yield from build_limit_order(
                session,
                market,
                entry_side,
                size,
                price,
                subaccount=subaccount,
                expires_in_seconds=expires_in_seconds,
                max_fee_ppm=max_fee_ppm,
            )
        name = f"bracket-{secrets.token_hex(8)}"
        target = yield from build_take_profit_market(
            session,
            market,
            exit_side,
            size,
            profit,
            exit_slippage,
            reduce_only=True,
            oco=name,
            parent=entry.id,
            subaccount=subaccount,
            expires_in_seconds=expires_in_seconds,
            max_fee_ppm=max_fee_ppm,
        )
        guard = yield from build_stop_market(
            session,
            market,
            exit_side,
            size,
            loss,
            exit_slippage,
            reduce_only=True,
            oco=name,
            parent=entry.id,
            subaccount=subaccount,
            expires_in_seconds=expires_in_seconds,
            max_fee_ppm=max_fee_ppm,
        )
        try:
            first, target_outcome, guard_outcome = yield from place_chain(session, [entry, target, guard])
        except SlotTakenError:
            if attempt + 1 == ATTEMPTS:
                raise
            continue
        assert isinstance(first, PlacedOrder)
        return Bracket(first, target_outcome, guard_outcome)
    raise AssertionError("unreachable: the last attempt returns or raises")


def place_trailing_stop(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    distance: Amount,
    *,
    step: Amount | None = None,
    revisions: int = 20,
    max_slippage: Decimal | str = DEFAULT_STOP_SLIPPAGE,
    reduce_only: bool = True,
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[TrailingStop]:
    """Sign and send a stop that follows the index price at `distance` USDC, in steps of `step` USDC (a tenth of the
    distance unless given), and trades at once when triggered.

    A chain of revisions is signed in advance: each replaces the one before when the index price has moved another step
    in the position's favour. The stop ends up at most `distance` + `step` behind the best price seen, as far as
    `revisions` (50 at most) reach; the distances are rounded to the tick. Raises `RefusedError` when the first stop is
    refused.
    """
    if not 0 < revisions <= MAX_REVISIONS:
        raise ValueError(f"a trailing stop has between 1 and {MAX_REVISIONS} revisions")
    config = yield from session.config()
    listed, wanted = config.market(market), Side(side.upper())
    index_price = (yield from market_record(session, listed.ticker)).oracle_price
    if index_price is None:
        raise ValueError(f"{listed.ticker} has no index price yet, so nothing can follow it")
    apart = _distance(listed, distance, "distance")
    each = max(listed.tick, listed.floor_to_tick(apart // 10)) if step is None else _distance(listed, step, "step")
    ahead = 1 if wanted is Side.SELL else -1
    start = int(index_price.scaleb(listed.price_decimals).to_integral_value(ROUND_FLOOR))
    start = listed.floor_to_tick(start) if wanted is Side.SELL else listed.ceil_to_tick(start)
    if start - apart <= 0 or start + ahead * revisions * each <= 0:
        raise ValueError("the chain would reach a price of zero: make distance, step or revisions smaller")
    slippage = decimal_of(max_slippage, "max_slippage")
    arms = [0] + [start + ahead * step_no * each for step_no in range(1, revisions + 1)]
    triggers = [start - ahead * apart + ahead * step_no * each for step_no in range(revisions + 1)]

    for attempt in range(ATTEMPTS):
        chain = _chain(
            session,
            config,
            listed,
            wanted,
            listed.lots(decimal_of(size, "size")),
            triggers,
            arms,
            slippage,
            reduce_only=reduce_only,
            subaccount=subaccount,
            expires_in_seconds=expires_in_seconds,
            client_id=client_id,
            max_fee_ppm=max_fee_ppm,
        )
        try:
            first, *others = yield from place_chain(session, chain)
        except SlotTakenError:
            if attempt + 1 == ATTEMPTS:
                raise
            continue
        assert isinstance(first, PlacedOrder)
        return TrailingStop(first, tuple(others), tuple(listed.price(units) for units in triggers))
    raise AssertionError("unreachable: the last attempt returns or raises")


def place_twap(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    *,
    parts: int,
    duration_seconds: int,
    price: Amount | None = None,
    max_slippage: Decimal | str = DEFAULT_STOP_SLIPPAGE,
    reduce_only: bool = False,
    subaccount: int = 0,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[tuple[Outcome, ...]]:
    """Sign and send `size` in `parts` nearly equal orders, one at once and the others evenly over `duration_seconds`.

    Each trades at once when its time comes, at `price` or better (without one: `max_slippage` from the index price of
    now), and what it does not find is cancelled, not caught up. The outcome of each, in order of time.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), Side(side.upper())
    shares = split(listed, size, parts)
    if not 0 < duration_seconds <= MAX_LIFETIME_S - config.settle_window - 3_600:
        raise ValueError("a TWAP lasts between a second and 90 days less an hour")
    if price is None:
        index_price = (yield from market_record(session, listed.ticker)).oracle_price
        if index_price is None:
            raise ValueError(f"{listed.ticker} has no index price yet, so nothing can trade there")
        reference = int(index_price.scaleb(listed.price_decimals).to_integral_value(ROUND_FLOOR))
        limit = worst_limit(listed, wanted, reference, decimal_of(max_slippage, "max_slippage"))
    else:
        limit = price_on_tick(listed, price, "price")
    start_ms = session.clock.next()
    every_ms = duration_seconds * 1000 // max(1, parts - 1)
    orders = [
        sign_order(
            session,
            config.order_domain(),
            listed,
            wanted,
            lots,
            limit,
            TimeInForce.GTT,
            settle_window=config.settle_window,
            reduce_only=reduce_only,
            subaccount=subaccount,
            # An hour more, in which a market that does not trade when the time comes may open again.
            expires_in_seconds=part * every_ms // 1000 + 3_600,
            max_fee_ppm=max_fee_ppm,
            conditions=Conditions(immediate=True, not_before_ms=start_ms + part * every_ms),
        )
        for part, lots in enumerate(shares)
    ]
    return (yield from place_all(session, orders))


def place_scaled(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    first_price: Amount,
    last_price: Amount,
    *,
    parts: int,
    post_only: bool = False,
    reduce_only: bool = False,
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[tuple[Outcome, ...]]:
    """Sign and send `size` in `parts` nearly equal limit orders, evenly between two prices (both included), rounded to
    the tick so that none is worse than asked. The outcome of each, `first_price` first.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), Side(side.upper())
    shares = split(listed, size, parts)
    first = price_on_tick(listed, first_price, "first_price")
    last = price_on_tick(listed, last_price, "last_price")
    rounded = listed.floor_to_tick if wanted is Side.BUY else listed.ceil_to_tick
    orders = [
        sign_order(
            session,
            config.order_domain(),
            listed,
            wanted,
            lots,
            rounded(first + (last - first) * part // max(1, parts - 1)),
            TimeInForce.GTT,
            settle_window=config.settle_window,
            post_only=post_only,
            reduce_only=reduce_only,
            subaccount=subaccount,
            expires_in_seconds=expires_in_seconds,
            max_fee_ppm=max_fee_ppm,
        )
        for part, lots in enumerate(shares)
    ]
    return (yield from place_all(session, orders))


def split(market: Market, size: Amount, parts: int) -> list[int]:
    """`size` in lots, in nearly equal parts, the larger ones first. Raises `ValueError` for more parts than lots."""
    lots = market.lots(decimal_of(size, "size"))
    if not 0 < parts <= MAX_PARTS:
        raise ValueError(f"there are between 1 and {MAX_PARTS} parts")
    if lots < parts:
        raise ValueError(f"{size} {market.ticker} are {lots} lots, too few for {parts} parts")
    each, rest = divmod(lots, parts)
    return [each + (part < rest) for part in range(parts)]


def _distance(market: Market, amount: Amount, name: str) -> int:
    units = int(decimal_of(amount, name).scaleb(market.price_decimals).to_integral_value(ROUND_FLOOR))
    rounded = market.floor_to_tick(units)
    if rounded <= 0:
        raise ValueError(f"{name} must be at least one step of the price, {format(market.price(market.tick), 'f')}")
    return rounded


def _chain(
    session: Session,
    config: ClientConfig,
    market: Market,
    side: Side,
    lots: int,
    triggers: Sequence[int],
    arms: Sequence[int],
    slippage: Decimal,
    *,
    reduce_only: bool,
    subaccount: int,
    expires_in_seconds: int | None,
    client_id: str | None,
    max_fee_ppm: int,
) -> list[SignedOrder]:
    """A stop and its revisions: one slot, one generation, each naming the one before."""
    first = sign_order(
        session,
        config.order_domain(),
        market,
        side,
        lots,
        worst_limit(market, side, triggers[0], slippage),
        TimeInForce.GTT,
        settle_window=config.settle_window,
        reduce_only=reduce_only,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
        trigger=stop_trigger(side),
        trigger_price=triggers[0],
        self_trade=SelfTrade.CANCEL_MAKER,
        conditions=Conditions(immediate=True),
    )
    chain = [first]
    for revision in range(1, len(triggers)):
        order = msgspec.structs.replace(
            first.order,
            revision=revision,
            trigger_price=triggers[revision],
            limit_price=worst_limit(market, side, triggers[revision], slippage),
        )
        conditions = Conditions(immediate=True, replaces=chain[-1].id, arm_price=arms[revision])
        chain.append(sign_message(session, config.order_domain(), order, "", conditions))
    return chain
