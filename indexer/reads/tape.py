# SPDX-License-Identifier: AGPL-3.0-only
"""What a market printed: trades, candles, funding rates."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from indexer.reads.catalog import Catalog, Listing
from indexer.reads.text import fixed, iso, usd
from indexer.reads.window import Page, Window, facts, within
from indexer.store.query import rows
from indexer.store.schema import candles as candle_table
from indexer.store.schema import funding_accruals
from indexer.store.schema import trades as trade_table
from indexer.views.candles import RESOLUTIONS

RATE_DECIMALS = 8
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def trade(row: Mapping[str, Any], listing: Listing) -> dict[str, Any]:
    """One print; `side` is the taker's."""
    return {
        "id": row["id"],
        "side": row["side"],
        "size": listing.size(row["size"]),
        "price": listing.price(row["price"]),
        "type": row["type"],
        "createdAt": iso(row["time_s"]),
        "createdAtHeight": str(row["block_number"]),
        "transactionHash": row["transaction_hash"],
    }


def trades(connection: Connection, listing: Listing, window: Window) -> Page:
    return facts(connection, trade_table, window, trade_table.c.market == listing.id)


def candle(row: Mapping[str, Any], listing: Listing, resolution: str) -> dict[str, Any]:
    return {
        "startedAt": iso(row["started_at"]),
        "ticker": listing.ticker,
        "resolution": resolution,
        "open": listing.price(row["open"]),
        "high": listing.price(row["high"]),
        "low": listing.price(row["low"]),
        "close": listing.price(row["close"]),
        "baseTokenVolume": listing.size(row["volume"]),
        "usdVolume": usd(row["notional"]),
        "trades": row["trades"],
        "startingOpenInterest": listing.size(row["starting_open_interest"]),
    }


def candles(connection: Connection, listing: Listing, resolution: str, window: Window) -> list[dict[str, Any]]:
    """Candles whose start lies within the window, newest first; intervals without a trade have none."""
    table = candle_table
    query = select(table).where(table.c.market == listing.id, table.c.resolution_s == RESOLUTIONS[resolution])
    query = within(query, table.c.started_at, table.c.started_at, window)
    newest = query.order_by(table.c.started_at.desc()).limit(window.limit)
    return [candle(row, listing, resolution) for row in rows(connection, newest)]


def sparklines(connection: Connection, catalog: Catalog, resolution: str, span_s: int) -> dict[str, list[str]]:
    """Closing prices by ticker, newest first."""
    window = Window(since_s=catalog.time_s - span_s)
    return {
        listing.ticker: [entry["close"] for entry in candles(connection, listing, resolution, window)]
        for listing in catalog.by_id.values()
    }


def funding(connection: Connection, listing: Listing, window: Window) -> list[dict[str, Any]]:
    """Hourly rates, newest first, as set by the first accrual of each hour."""
    table = funding_accruals
    page = facts(connection, table, window, table.c.market == listing.id, table.c.opens_hour.is_(True))
    return [
        {
            "ticker": listing.ticker,
            "rate": fixed(row["rate"], RATE_DECIMALS),
            "price": listing.price(row["index_price"]),
            "effectiveAt": iso(row["at"]),
            "effectiveAtHeight": str(row["block_number"]),
        }
        for row in page.rows
    ]


def last_day(connection: Connection, catalog: Catalog, listing: Listing) -> Sequence[Mapping[str, Any]]:
    """Candles of the last 24 hours to the minute, oldest first: one-minute ones of the hour that it begins in, then
    one-hour ones. Markets are asked for this all the time, and a day of minutes is 1,440 rows.
    """
    table = candle_table
    begin = catalog.time_s - DAY_S
    next_hour = begin // HOUR_S * HOUR_S + HOUR_S
    minutes = and_(table.c.resolution_s == MINUTE_S, table.c.started_at > begin, table.c.started_at < next_hour)
    hours = and_(table.c.resolution_s == HOUR_S, table.c.started_at >= next_hour)
    query = select(table).where(table.c.market == listing.id, or_(minutes, hours))
    return rows(connection, query.order_by(table.c.started_at))
