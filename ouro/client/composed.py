# SPDX-License-Identifier: Apache-2.0
"""Orders of which one leads to another: brackets and trailing stops.

All are signed in advance by the trader's own key; nobody else ever signs. What binds them together (`Conditions`) is
not signed and binds an honest operator only.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Unpack

import msgspec

from ouro.client.amounts import Amount, beyond, decimal_of, distance_of, lots_of, on_tick, side_of
from ouro.client.building import (
    DEFAULT_SLIPPAGE,
    DEFAULT_STOP_SLIPPAGE,
    Conditions,
    OrderOptions,
    SignedOrder,
    build_limit_order,
    build_market_order,
    build_stop_market,
    build_take_profit_market,
    sign_message,
    sign_order,
    trigger_for,
)
from ouro.client.calls import Flow
from ouro.client.market_reads import get_market
from ouro.client.models import PlacedOrder
from ouro.client.placing import Outcome, place_chain
from ouro.client.session import Session
from ouro.orders import Side

MAX_REVISIONS = 50
"""Revisions of a trailing stop beside the first."""


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
    max_slippage: Amount = DEFAULT_SLIPPAGE,
    exit_slippage: Amount = DEFAULT_STOP_SLIPPAGE,
    **options: Unpack[OrderOptions],
) -> Flow[Bracket]:
    """Sign and send an entry and two reduce-only orders that close it: at the index prices `take_profit` and
    `stop_loss`, at once and at worst `exit_slippage` beyond them.

    The entry is a limit order at `price`, or without one a market order. The others wait until it has ended with
    something filled, and close no more than that. Raises `RefusedError` when the entry is refused; a refusal of one of
    the others is in the answer.
    """
    entry_side = side_of(side)
    exit_side = Side.SELL if entry_side is Side.BUY else Side.BUY
    profit, loss = decimal_of(take_profit, "take_profit"), decimal_of(stop_loss, "stop_loss")
    if (profit > loss) != (entry_side is Side.BUY):
        raise ValueError("a bracket around a BUY takes profit above its stop, one around a SELL below it")

    def build() -> Flow[Sequence[SignedOrder]]:
        entry_options = options.copy()
        if price is None:
            # A market order is over at once: a lifetime is meant for the exits.
            entry_options.pop("expires_in_seconds", None)
            entry = yield from build_market_order(session, market, entry_side, size, max_slippage, **entry_options)
        else:
            entry = yield from build_limit_order(session, market, entry_side, size, price, **entry_options)
        exits = options.copy()
        exits.pop("client_id", None)
        exits.pop("slot", None)
        exits |= {"reduce_only": True, "oco": f"bracket-{secrets.token_hex(8)}", "parent": entry.id}
        target = yield from build_take_profit_market(session, market, exit_side, size, profit, exit_slippage, **exits)
        guard = yield from build_stop_market(session, market, exit_side, size, loss, exit_slippage, **exits)
        return entry, target, guard

    first, (target, guard) = yield from place_chain(session, build)
    return Bracket(first, target, guard)


def place_trailing_stop(
    session: Session,
    market: str,
    side: Side | str,
    size: Amount,
    distance: Amount,
    *,
    step: Amount | None = None,
    revisions: int = 20,
    max_slippage: Amount = DEFAULT_STOP_SLIPPAGE,
    **options: Unpack[OrderOptions],
) -> Flow[TrailingStop]:
    """Sign and send a stop that follows the index price at `distance` USDC, in steps of `step` USDC (a tenth of the
    distance unless given), and trades at once when triggered. It is reduce-only unless told otherwise.

    A chain of revisions is signed in advance: each replaces the one before when the index price has moved another step
    in the position's favour. The stop ends up at most `distance` + `step` behind the best price seen, as far as
    `revisions` (50 at most) reach; the distances are rounded to the tick. Raises `RefusedError` when the first stop is
    refused.
    """
    if not 0 < revisions <= MAX_REVISIONS:
        raise ValueError(f"a trailing stop has between 1 and {MAX_REVISIONS} revisions")
    config = yield from session.config()
    listed, wanted = config.market(market), side_of(side)
    index_price = (yield from get_market(session, listed.ticker)).oracle_price
    if index_price is None:
        raise ValueError(f"{listed.ticker} has no index price yet, so nothing can follow it")
    apart = distance_of(listed, distance, "distance")
    each = max(listed.tick, listed.floor_to_tick(apart // 10)) if step is None else distance_of(listed, step, "step")
    ahead = 1 if wanted is Side.SELL else -1
    # Away from the price by less than a tick more, so that the stop is never nearer than asked.
    away = Side.BUY if wanted is Side.SELL else Side.SELL
    start = on_tick(listed, away, index_price.scaleb(listed.price_decimals))
    if start - apart <= 0 or start + ahead * revisions * each <= 0:
        raise ValueError("the chain would reach a price of zero: make distance, step or revisions smaller")
    triggers = [start - ahead * (apart - number * each) for number in range(revisions + 1)]
    lots = lots_of(session, listed, size)
    options = {"reduce_only": True, **options}

    def build() -> Flow[Sequence[SignedOrder]]:
        """One slot, one generation, each naming the one before."""
        first = yield from sign_order(
            session,
            listed,
            wanted,
            lots,
            beyond(listed, wanted, triggers[0], max_slippage),
            options,
            trigger=trigger_for(wanted, stop=True),
            trigger_price=triggers[0],
            conditions=Conditions(immediate=True),
        )
        chain = [first]
        for number, trigger in enumerate(triggers[1:], 1):
            order = msgspec.structs.replace(
                first.order,
                revision=number,
                trigger_price=trigger,
                limit_price=beyond(listed, wanted, trigger, max_slippage),
            )
            moved = Conditions(immediate=True, replaces=chain[-1].id, arm_price=start + ahead * number * each)
            chain.append((yield from sign_message(session, config, order, "", moved)))
        return chain

    stop, others = yield from place_chain(session, build)
    return TrailingStop(stop, others, tuple(listed.price(units) for units in triggers))
