# SPDX-License-Identifier: Apache-2.0
"""Prices and sizes as people write them, in the units that are signed: exact, on the tick, in whole lots.

A client rounds by itself, never against its user: sizes down to whole lots, limits and triggers to the tick on the
side that is better for the order (a BUY down, a SELL up). A `strict` client refuses what is not exact instead.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import TypeAlias

from ouro.client.session import Session
from ouro.markets import Market
from ouro.orders import Side
from ouro.units import PPM

Amount: TypeAlias = Decimal | str | int
"""A human decimal. Floats are refused: they are not exact."""


def decimal_of(value: Amount, name: str) -> Decimal:
    """`value` as an exact decimal. Raises `ValueError` naming the parameter."""
    if isinstance(value, float):
        raise ValueError(f"{name} is a float; pass a string or a Decimal, which are exact")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{name} {value!r} is not a decimal number") from None
    if not number.is_finite():
        raise ValueError(f"{name} {value!r} is not a finite number")
    return number


def side_of(side: Side | str) -> Side:
    """Raises `ValueError` for what is neither BUY nor SELL."""
    try:
        return Side(side.upper())
    except ValueError:
        raise ValueError(f"side {side!r} is neither BUY nor SELL") from None


def lots_of(session: Session, market: Market, size: Amount, name: str = "size") -> int:
    """A size in whole lots. Raises `ValueError` when nothing is left of it, or (strict) when it is not whole."""
    wanted = decimal_of(size, name)
    if session.strict:
        lots = market.lots(wanted)
    else:
        lots = int(wanted.scaleb(market.size_decimals).to_integral_value(ROUND_FLOOR))
    if lots <= 0:
        least = format(market.size(1), "f")
        raise ValueError(f"{name} {size} of {market.ticker} is less than one lot: the least is {least}")
    return lots


def price_of(session: Session, market: Market, side: Side, price: Amount, name: str = "price") -> int:
    """A limit or trigger in price units, on the tick. Raises `ValueError` for one at zero or below, or (strict) off the
    tick.
    """
    wanted = decimal_of(price, name)
    exact = wanted.scaleb(market.price_decimals)
    units = on_tick(market, side, exact)
    if units <= 0 or (session.strict and units != exact):
        steps = format(market.price(market.tick), "f")
        raise ValueError(f"{name} must be above zero; prices of {market.ticker} move in steps of {steps}")
    return units


def on_tick(market: Market, side: Side, units: Decimal | int) -> int:
    """A price in price units on the tick, never worse for an order on `side`."""
    if side is Side.BUY:
        return market.floor_to_tick(int(Decimal(units).to_integral_value(ROUND_FLOOR)))
    return market.ceil_to_tick(int(Decimal(units).to_integral_value(ROUND_CEILING)))


def beyond(market: Market, side: Side, reference: Decimal | int, slippage: Amount) -> int:
    """The limit that is `slippage` (a fraction) worse than `reference` price units, on the tick."""
    fraction = decimal_of(slippage, "max_slippage")
    if not 0 <= fraction < 1:
        raise ValueError("max_slippage is a fraction between 0 and 1, such as 0.01 for 1%")
    return on_tick(market, side, reference * (1 + fraction if side is Side.BUY else 1 - fraction))


def within_band(market: Market, side: Side, units: int, index_units: Decimal) -> int:
    """A limit kept within the price band: beyond it nothing fills and the exchange takes no order."""
    band = Decimal(market.band_ppm) / PPM
    if side is Side.BUY:
        return min(units, on_tick(market, side, index_units * (1 + band)))
    return max(units, on_tick(market, side, index_units * (1 - band)))


def distance_of(market: Market, amount: Amount, name: str) -> int:
    """A difference of prices in price units, down to the tick. Raises `ValueError` for less than a step."""
    units = market.floor_to_tick(
        int(decimal_of(amount, name).scaleb(market.price_decimals).to_integral_value(ROUND_FLOOR))
    )
    if units <= 0:
        raise ValueError(f"{name} must be at least one step of the price, {format(market.price(market.tick), 'f')}")
    return units
