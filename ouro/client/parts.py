# SPDX-License-Identifier: Apache-2.0
"""One size in many orders: over time (TWAP), or over prices (scaled)."""

from __future__ import annotations

from typing import Unpack

from ouro.client.amounts import Amount, beyond, lots_of, on_tick, price_of, side_of
from ouro.client.building import (
    DEFAULT_STOP_SLIPPAGE,
    MAX_LIFETIME_S,
    Conditions,
    OrderOptions,
    SignedOrder,
    sign_order,
)
from ouro.client.calls import Flow
from ouro.client.market_reads import get_market
from ouro.client.placing import Outcome, place_all
from ouro.client.session import Session
from ouro.markets import Market
from ouro.orders import Side

MAX_PARTS = 500

_SPARE_S = 3_600
"""How long a part stays valid after its time, for a market that does not trade just then."""


def place_twap(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    *,
    parts: int,
    duration_seconds: int,
    price: Amount | None = None,
    max_slippage: Amount = DEFAULT_STOP_SLIPPAGE,
    **options: Unpack[OrderOptions],
) -> Flow[tuple[Outcome, ...]]:
    """Sign and send `size` in `parts` nearly equal orders, one at once and the others evenly over `duration_seconds`.

    Each trades at once when its time comes, at `price` or better (without one: `max_slippage` from the index price of
    now), and what it does not find is cancelled, not caught up. The outcome of each, in order of time.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), side_of(side)
    shares = split(session, listed, size, parts)
    if not 0 < duration_seconds <= MAX_LIFETIME_S - config.settle_window - _SPARE_S:
        raise ValueError("a TWAP lasts between a second and 90 days less an hour")
    if price is None:
        index_price = (yield from get_market(session, listed.ticker)).oracle_price
        if index_price is None:
            raise ValueError(f"{listed.ticker} has no index price yet, so nothing can trade there")
        limit = beyond(listed, wanted, index_price.scaleb(listed.price_decimals), max_slippage)
    else:
        limit = price_of(session, listed, wanted, price)
    start_ms = session.clock.next()
    every_ms = duration_seconds * 1000 // max(1, parts - 1)
    orders: list[SignedOrder] = []
    for part, lots in enumerate(shares):
        part_options = _of_part(options, part)
        part_options["expires_in_seconds"] = part * every_ms // 1000 + _SPARE_S
        timed = Conditions(immediate=True, not_before_ms=start_ms + part * every_ms)
        orders.append((yield from sign_order(session, listed, wanted, lots, limit, part_options, conditions=timed)))
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
    **options: Unpack[OrderOptions],
) -> Flow[tuple[Outcome, ...]]:
    """Sign and send `size` in `parts` nearly equal limit orders, evenly between two prices (both included), rounded to
    the tick so that none is worse than asked. The outcome of each, `first_price` first.
    """
    config = yield from session.config()
    listed, wanted = config.market(market), side_of(side)
    shares = split(session, listed, size, parts)
    first = price_of(session, listed, wanted, first_price, "first_price")
    last = price_of(session, listed, wanted, last_price, "last_price")
    orders: list[SignedOrder] = []
    for part, lots in enumerate(shares):
        limit = on_tick(listed, wanted, first + (last - first) * part // max(1, parts - 1))
        own = _of_part(options, part)
        orders.append((yield from sign_order(session, listed, wanted, lots, limit, own, post_only=post_only)))
    return (yield from place_all(session, orders))


def _of_part(options: OrderOptions, part: int) -> OrderOptions:
    """Each part has a slot and a client id of its own: `name-0`, `name-1`, ..."""
    own = options.copy()
    own.pop("slot", None)
    if "client_id" in own:
        own["client_id"] = f"{own['client_id']}-{part}"
    return own


def split(session: Session, market: Market, size: Amount, parts: int) -> list[int]:
    """`size` in lots, in nearly equal parts, the larger ones first. Raises `ValueError` for more parts than lots."""
    lots = lots_of(session, market, size)
    if not 0 < parts <= MAX_PARTS:
        raise ValueError(f"there are between 1 and {MAX_PARTS} parts")
    if lots < parts:
        raise ValueError(f"{size} {market.ticker} are {lots} lots, too few for {parts} parts")
    each, rest = divmod(lots, parts)
    return [each + (part < rest) for part in range(parts)]
