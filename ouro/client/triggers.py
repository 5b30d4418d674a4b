# SPDX-License-Identifier: Apache-2.0
"""Stops and take-profits. Their trigger is signed: the contract asks it again when a fill settles."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TypeAlias

from ouro.client.batches import ATTEMPTS, anew
from ouro.client.calls import Flow
from ouro.client.config import ClientConfig
from ouro.client.errors import SlotTakenError
from ouro.client.models import PlacedOrder
from ouro.client.session import Session
from ouro.client.trading import (
    DEFAULT_MAX_FEE_PPM,
    Conditions,
    SignedOrder,
    decimal_of,
    sign_message,
    sign_order,
    submit,
)
from ouro.markets import Market
from ouro.orders import SelfTrade, Side, TimeInForce, Trigger

DEFAULT_STOP_SLIPPAGE = "0.05"
"""How far beyond its trigger a market stop may be filled unless the caller says otherwise."""

Amount: TypeAlias = Decimal | str | int


def build_stop_limit(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    price: Amount,
    *,
    reduce_only: bool = False,
    oco: str = "",
    parent: str = "",
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
    slot: int | None = None,
) -> Flow[SignedOrder]:
    """Sign a stop that rests at `price` once triggered: a SELL when the index price is at or below `trigger_price`, a
    BUY when it is at or above. Human decimals; raises `ValueError` for what is off the tick or not whole lots.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), Side(side.upper())
    return _triggered(
        session,
        config,
        listed,
        wanted,
        size,
        stop_trigger(wanted),
        price_on_tick(listed, trigger_price, "trigger_price"),
        price_on_tick(listed, price, "price"),
        Conditions(oco=oco, parent=parent),
        reduce_only=reduce_only,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
        slot=slot,
    )


def build_stop_market(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    max_slippage: Decimal | str = DEFAULT_STOP_SLIPPAGE,
    *,
    reduce_only: bool = False,
    oco: str = "",
    parent: str = "",
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
    slot: int | None = None,
) -> Flow[SignedOrder]:
    """Sign a stop that trades at once when triggered, at worst `max_slippage` (a fraction) beyond `trigger_price`,
    rounded to the tick so that it is never worse; what finds nobody is cancelled.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), Side(side.upper())
    trigger_units = price_on_tick(listed, trigger_price, "trigger_price")
    return _triggered(
        session,
        config,
        listed,
        wanted,
        size,
        stop_trigger(wanted),
        trigger_units,
        worst_limit(listed, wanted, trigger_units, decimal_of(max_slippage, "max_slippage")),
        Conditions(immediate=True, oco=oco, parent=parent),
        reduce_only=reduce_only,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
        slot=slot,
    )


def build_take_profit_limit(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    price: Amount,
    *,
    reduce_only: bool = False,
    oco: str = "",
    parent: str = "",
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
    slot: int | None = None,
) -> Flow[SignedOrder]:
    """Sign a take-profit that rests at `price` once triggered: a SELL when the index price is at or above
    `trigger_price`, a BUY when it is at or below.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), Side(side.upper())
    return _triggered(
        session,
        config,
        listed,
        wanted,
        size,
        take_profit_trigger(wanted),
        price_on_tick(listed, trigger_price, "trigger_price"),
        price_on_tick(listed, price, "price"),
        Conditions(oco=oco, parent=parent),
        reduce_only=reduce_only,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
        slot=slot,
    )


def build_take_profit_market(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    max_slippage: Decimal | str = DEFAULT_STOP_SLIPPAGE,
    *,
    reduce_only: bool = False,
    oco: str = "",
    parent: str = "",
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
    slot: int | None = None,
) -> Flow[SignedOrder]:
    """Sign a take-profit that trades at once when triggered, as `build_stop_market` does."""
    config = yield from session.config()
    listed, wanted = config.market(market), Side(side.upper())
    trigger_units = price_on_tick(listed, trigger_price, "trigger_price")
    return _triggered(
        session,
        config,
        listed,
        wanted,
        size,
        take_profit_trigger(wanted),
        trigger_units,
        worst_limit(listed, wanted, trigger_units, decimal_of(max_slippage, "max_slippage")),
        Conditions(immediate=True, oco=oco, parent=parent),
        reduce_only=reduce_only,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
        slot=slot,
    )


def place_stop_limit(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    price: Amount,
    *,
    reduce_only: bool = False,
    oco: str = "",
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[PlacedOrder]:
    """Sign and send a stop that rests at `price` once triggered, see `build_stop_limit`."""
    signed = yield from build_stop_limit(
        session,
        market,
        side,
        size,
        trigger_price,
        price,
        reduce_only=reduce_only,
        oco=oco,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
    )
    return (yield from _send(session, signed))


def place_stop_market(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    max_slippage: Decimal | str = DEFAULT_STOP_SLIPPAGE,
    *,
    reduce_only: bool = False,
    oco: str = "",
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[PlacedOrder]:
    """Sign and send a stop that trades at once when triggered, see `build_stop_market`."""
    signed = yield from build_stop_market(
        session,
        market,
        side,
        size,
        trigger_price,
        max_slippage,
        reduce_only=reduce_only,
        oco=oco,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
    )
    return (yield from _send(session, signed))


def place_take_profit_limit(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    price: Amount,
    *,
    reduce_only: bool = False,
    oco: str = "",
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[PlacedOrder]:
    """Sign and send a take-profit that rests at `price` once triggered, see `build_take_profit_limit`."""
    signed = yield from build_take_profit_limit(
        session,
        market,
        side,
        size,
        trigger_price,
        price,
        reduce_only=reduce_only,
        oco=oco,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
    )
    return (yield from _send(session, signed))


def place_take_profit_market(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    trigger_price: Amount,
    max_slippage: Decimal | str = DEFAULT_STOP_SLIPPAGE,
    *,
    reduce_only: bool = False,
    oco: str = "",
    subaccount: int = 0,
    expires_in_seconds: int | None = None,
    client_id: str | None = None,
    max_fee_ppm: int = DEFAULT_MAX_FEE_PPM,
) -> Flow[PlacedOrder]:
    """Sign and send a take-profit that trades at once when triggered, see `build_take_profit_market`."""
    signed = yield from build_take_profit_market(
        session,
        market,
        side,
        size,
        trigger_price,
        max_slippage,
        reduce_only=reduce_only,
        oco=oco,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
    )
    return (yield from _send(session, signed))


def price_on_tick(market: Market, price: Amount, name: str) -> int:
    """A human price in price units. Raises `ValueError` unless it is above zero and on the tick."""
    units = market.price_units(decimal_of(price, name))
    if units <= 0 or units % market.tick:
        steps = format(market.price(market.tick), "f")
        raise ValueError(f"{name} must be above zero; prices of {market.ticker} move in steps of {steps}")
    return units


def stop_trigger(side: Side) -> Trigger:
    """Against the position that an order on `side` closes."""
    return Trigger.AT_OR_BELOW if side is Side.SELL else Trigger.AT_OR_ABOVE


def take_profit_trigger(side: Side) -> Trigger:
    """With the position that an order on `side` closes."""
    return Trigger.AT_OR_ABOVE if side is Side.SELL else Trigger.AT_OR_BELOW


def worst_limit(market: Market, side: Side, reference: int, slippage: Decimal) -> int:
    """The limit in price units: `slippage` (a fraction) beyond `reference`, on the tick, never worse."""
    if not 0 <= slippage < 1:
        raise ValueError("max_slippage is a fraction between 0 and 1, such as 0.01 for 1%")
    if side is Side.BUY:
        return market.floor_to_tick(int((reference * (1 + slippage)).to_integral_value(ROUND_FLOOR)))
    return market.ceil_to_tick(int((reference * (1 - slippage)).to_integral_value(ROUND_CEILING)))


def _triggered(
    session: Session,
    config: ClientConfig,
    market: Market,
    side: Side,
    size: Amount,
    trigger: Trigger,
    trigger_units: int,
    limit_units: int,
    conditions: Conditions,
    *,
    reduce_only: bool,
    subaccount: int,
    expires_in_seconds: int | None,
    client_id: str | None,
    max_fee_ppm: int,
    slot: int | None,
) -> SignedOrder:
    return sign_order(
        session,
        config.order_domain(),
        market,
        side,
        market.lots(decimal_of(size, "size")),
        limit_units,
        TimeInForce.GTT,
        settle_window=config.settle_window,
        reduce_only=reduce_only,
        subaccount=subaccount,
        expires_in_seconds=expires_in_seconds,
        client_id=client_id,
        max_fee_ppm=max_fee_ppm,
        slot=slot,
        trigger=trigger,
        trigger_price=trigger_units,
        # An exit must not fail because an order of one's own stands in its way.
        self_trade=SelfTrade.CANCEL_MAKER,
        conditions=conditions,
    )


def _send(session: Session, signed: SignedOrder) -> Flow[PlacedOrder]:
    """Send one order, signed again for another slot while the drawn one is in use."""
    for attempt in range(ATTEMPTS):
        try:
            return (yield from submit(session, signed))
        except SlotTakenError as refused:
            if attempt + 1 == ATTEMPTS:
                raise
            config = yield from session.config()
            order = anew(signed.order, session.slots.draw(refused.free_slots), session.clock.next())
            signed = sign_message(session, config.order_domain(), order, signed.client_id, signed.conditions)
    raise AssertionError("unreachable: the last attempt returns or raises")
