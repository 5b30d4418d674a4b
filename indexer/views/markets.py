# SPDX-License-Identifier: AGPL-3.0-only
"""Markets: parameters, prices, indices, funding sums of the running hour, losses."""

from collections.abc import Mapping
from typing import Any

from indexer.store import schema
from indexer.views.block import Block, StartBlockError, fact
from indexer.views.payments import pay_all
from indexer.views.rows import Row, Rows
from ouro import events
from ouro.markets import MarketState
from ouro.maths import funding
from ouro.maths.funding import HOUR_S

ORACLE = "oracle"
_KEPT = "price_read_"
"""With a market's id: its last price that was asked for and kept."""


def state_of(rows: Rows, market: int, block: Block) -> Row:
    """A changeable copy of a market's state; zeros before its first event."""
    found = rows.get(schema.market_states, market)
    if found is not None:
        return {**found, "updated_block": block.number}
    return {
        "market": market,
        "g_long": 0,
        "g_short": 0,
        "slope": 0,
        "rate": 0,
        "hour": 0,
        "hour_price": 0,
        "premium_sum": 0,
        "volume_sum": 0,
        "index_price": 0,
        "published_at": 0,
        "open_interest": 0,
        "updated_block": block.number,
    }


def listed(rows: Rows, block: Block, event: events.MarketListed) -> None:
    """A market exists from here on; its clock of funding starts."""
    rows.put(
        schema.markets,
        {
            "market": event.market,
            "ticker": event.ticker,
            "size_decimals": event.size_decimals,
            "price_decimals": event.price_decimals,
            "tick": event.tick,
            "imf_ppm": 0,
            "mmf_ppm": 0,
            "band_ppm": 0,
            "max_open_interest": 0,
            "max_price_age": 0,
            "liquidation_floor_ppm": 0,
            "state": 0,
            "scale_from": 0,
            "scale_to": 0,
            "settle_at": 0,
            "listed_block": block.number,
        },
    )
    state = state_of(rows, event.market, block)
    rows.put(schema.market_states, {**state, "hour": block.time_s // HOUR_S})


def changed(rows: Rows, block: Block, event: events.MarketChanged) -> None:  # noqa: ARG001
    """Parameters or state of a market changed."""
    rows.put(
        schema.markets,
        {
            **_listed(rows, event.market),
            "tick": event.tick,
            "imf_ppm": event.imf,
            "mmf_ppm": event.mmf,
            "band_ppm": event.band,
            "max_open_interest": event.max_open_interest,
            "max_price_age": event.max_price_age,
            "liquidation_floor_ppm": event.liquidation_floor,
            "state": event.state,
        },
    )


def margin_scaled(rows: Rows, block: Block, event: events.MarginScaleSet) -> None:  # noqa: ARG001
    """Open interest scales initial margin between other bounds."""
    bounds = {"scale_from": event.scale_from, "scale_to": event.scale_to}
    rows.put(schema.markets, {**_listed(rows, event.market), **bounds})


def settling_begun(rows: Rows, block: Block, event: events.SettlingBegun) -> None:  # noqa: ARG001
    """Trading has ended; `settle_at` is when the price of the end may be fixed."""
    rows.put(schema.markets, {**_listed(rows, event.market), "settle_at": event.settle_at})


def settlement_fixed(rows: Rows, block: Block, event: events.SettlementFixed) -> None:
    """The market counts at this price for ever."""
    rows.put(schema.market_states, {**state_of(rows, event.market, block), "index_price": event.price})


def _listed(rows: Rows, market: int) -> Mapping[str, Any]:
    found = rows.get(schema.markets, market)
    if found is None:
        raise StartBlockError(f"market {market} changed before it was listed")
    return found


def oracle_set(rows: Rows, block: Block, event: events.OracleSet) -> None:  # noqa: ARG001
    """From now on another contract says prices; until it does, the last one counts."""
    rows.put(schema.settings, {"name": ORACLE, "value": event.oracle})


def price_pushed(rows: Rows, block: Block, event: events.PricePushed) -> None:
    rows.add(
        schema.oracle_prices,
        fact(block, event, market=event.market, price=event.price, published_at=event.published_at),
    )
    market = rows.get(schema.markets, event.market)
    if market is not None and market["state"] == MarketState.SETTLED:
        return
    named = rows.get(schema.settings, ORACLE)
    if named is not None and named["value"] != event.where.address:
        return
    state = state_of(rows, event.market, block)
    rows.put(schema.market_states, {**state, "index_price": event.price, "published_at": event.published_at})


def prices_read(rows: Rows, block: Block) -> None:
    """What the oracle answered at a block counts for all of it: its calls asked at its time.

    Without an answer the price of the last block that was kept stands, and is stale: which of the others are asked
    about depends on how they are followed.
    """
    for market, price, published_at in block.prices:
        known, state = rows.get(schema.markets, market), rows.get(schema.market_states, market)
        if known is None or state is None or known["state"] == MarketState.SETTLED:
            continue
        kept = rows.get(schema.settings, f"{_KEPT}{market}")
        if block.is_kept and price:
            rows.add(schema.oracle_prices, _read_fact(block, market, price, published_at))
            if kept is None or kept["value"] != str(price):
                rows.put(schema.settings, {"name": f"{_KEPT}{market}", "value": str(price)})
        last = state["index_price"] if kept is None else int(kept["value"])
        # `updated_block` stays: it is of events.
        told = {"index_price": price or last, "published_at": published_at}
        if any(state[name] != value for name, value in told.items()):
            rows.put(schema.market_states, {**state, **told})


def _read_fact(block: Block, market: int, price: int, published_at: int) -> Row:
    """A price that no log tells: it stands before the block's events, and below 0 where they have their numbers."""
    return {
        "block_number": block.number,
        "log_index": -market,
        "time_s": block.time_s,
        "transaction_hash": "",
        "market": market,
        "price": price,
        "published_at": published_at,
    }


def funding_accrued(rows: Rows, block: Block, event: events.FundingAccrued) -> None:
    """An hour was opened: it has a rate, and its sums, which will set the next one, are empty. The end of a market
    ends the rate within its hour.
    """
    state = state_of(rows, event.market, block)
    pay_all(rows, block, event, state)
    hour = event.at // HOUR_S
    opens_hour = hour != state["hour"]
    rows.add(
        schema.funding_accruals,
        fact(
            block,
            event,
            market=event.market,
            g_long=event.g_long,
            g_short=event.g_short,
            rate=event.rate,
            index_price=event.index_price,
            at=event.at,
            opens_hour=opens_hour,
        ),
    )
    rows.put(
        schema.market_states,
        {
            **state,
            "g_long": event.g_long,
            "g_short": event.g_short,
            "slope": funding.bounded_slope(event.rate, event.index_price, event.g_long, event.g_short),
            "rate": event.rate,
            "hour": hour,
            "hour_price": event.index_price,
            "premium_sum": 0,
            "volume_sum": 0,
        },
    )


def indices(state: Mapping[str, Any], block: Block) -> tuple[int, int]:
    """Both sides' indices, longs' first, as of the block."""
    grown = funding.growth(state["slope"], state["hour"], block.time_s)
    return state["g_long"] + grown, state["g_short"] + grown


def loss_spread(rows: Rows, block: Block, event: events.LossSpread) -> None:
    rows.add(
        schema.losses,
        fact(block, event, market=event.market, longs=event.longs, per_lot_scaled=event.per_lot_scaled, g=event.g),
    )
    state = state_of(rows, event.market, block)
    rows.put(schema.market_states, {**state, "g_long" if event.longs else "g_short": event.g})
