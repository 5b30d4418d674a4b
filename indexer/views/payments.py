# SPDX-License-Identifier: AGPL-3.0-only
"""Funding payments: what the indices charged to a position since the last payment.

A position is paid when its market opens an hour, and for the rest when it ends. `net_funding` of an open position is
what was paid so far, the whole rounded down each time: so payments add up to what the position got, to the unit.
"""

from collections.abc import Mapping
from typing import Any

from indexer.store import schema
from indexer.views.block import Block, StartBlockError, fact
from indexer.views.exposure import exposure_of
from indexer.views.rows import Rows
from ouro import events
from ouro.events import Event
from ouro.units import SCALE


def pay_all(rows: Rows, block: Block, event: events.FundingAccrued, state: Mapping[str, Any]) -> None:
    """An hour was opened: pay every position of the market for what passed. `state` is the market's before it."""
    held = rows.held(event.market)
    rows.prefetch(
        schema.positions, [(word["owner"], word["subaccount"], event.market, word["exposures"]) for word in held]
    )
    for word in held:
        key = (word["owner"], word["subaccount"], event.market, word["exposures"])
        position = rows.get(schema.positions, *key)
        if position is None:
            raise StartBlockError(f"position {key} is held but was never opened")
        g = event.g_long if word["size"] > 0 else event.g_short
        bare = word["quote_scaled"] - word["size"] * g
        received = exposure_of(position).funding_scaled(bare) // SCALE
        amount = received - position["net_funding"]
        if amount:
            rows.put(schema.positions, {**position, "net_funding": received})
            pay(rows, block, event, state, word, amount=amount, g=g)


def pay(
    rows: Rows,
    block: Block,
    event: Event,
    state: Mapping[str, Any],
    word: Mapping[str, Any],
    *,
    amount: int,
    g: int,
) -> None:
    """Note a payment of `amount` micro-USDC (negative: paid by the account) to the position that `word` holds, at index
    `g` of its side. `state` says the rate and price of the hour.
    """
    rows.add(
        schema.funding_payments,
        fact(
            block,
            event,
            owner=word["owner"],
            subaccount=word["subaccount"],
            market=word["market"],
            number=word["exposures"],
            size=word["size"],
            rate=state["rate"],
            price=state["hour_price"],
            g=g,
            amount=amount,
        ),
    )
