# SPDX-License-Identifier: AGPL-3.0-only
"""Markets: parameters, prices, indices, funding sums of the running hour, losses."""

from indexer.store import schema
from indexer.views.block import Block, fact
from indexer.views.rows import Row, Rows
from ouro import events

HOUR_S = 3_600


def state_of(rows: Rows, market: int, block: Block) -> Row:
    """A changeable copy of a market's state; zeros before its first event."""
    found = rows.get(schema.market_states, market)
    if found is not None:
        return {**found, "updated_block": block.number}
    return {
        "market": market,
        "g_long": 0,
        "g_short": 0,
        "rate": 0,
        "accrued_at": 0,
        "hour": 0,
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
            "listed_block": block.number,
        },
    )
    state = state_of(rows, event.market, block)
    rows.put(schema.market_states, {**state, "accrued_at": block.time_s, "hour": block.time_s // HOUR_S})


def changed(rows: Rows, block: Block, event: events.MarketChanged) -> None:  # noqa: ARG001
    """Parameters or state of a market changed."""
    market = rows.get(schema.markets, event.market)
    if market is None:
        raise LookupError(f"market {event.market} changed before it was listed: the start block is too late")
    rows.put(
        schema.markets,
        {
            **market,
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


def price_pushed(rows: Rows, block: Block, event: events.PricePushed) -> None:
    rows.add(
        schema.oracle_prices,
        fact(block, event, market=event.market, price=event.price, published_at=event.published_at),
    )
    state = state_of(rows, event.market, block)
    rows.put(schema.market_states, {**state, "index_price": event.price, "published_at": event.published_at})


def funding_accrued(rows: Rows, block: Block, event: events.FundingAccrued) -> None:
    """Indices moved. A new hour has a new rate, and empties the sums that will set the next one."""
    state = state_of(rows, event.market, block)
    hour = event.at // HOUR_S
    opens_hour = hour != state["hour"]
    if opens_hour:
        state |= {"hour": hour, "premium_sum": 0, "volume_sum": 0}
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
        {**state, "g_long": event.g_long, "g_short": event.g_short, "rate": event.rate, "accrued_at": event.at},
    )


def loss_spread(rows: Rows, block: Block, event: events.LossSpread) -> None:
    rows.add(
        schema.losses,
        fact(block, event, market=event.market, longs=event.longs, per_lot_scaled=event.per_lot_scaled, g=event.g),
    )
    state = state_of(rows, event.market, block)
    rows.put(schema.market_states, {**state, "g_long" if event.longs else "g_short": event.g})
