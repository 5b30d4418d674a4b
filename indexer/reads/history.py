# SPDX-License-Identifier: AGPL-3.0-only
"""What an account was paid and worth over time: funding payments, equity and profit by the hour or day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, distinct, func, literal_column, select

from indexer.reads.accounts import Whose
from indexer.reads.catalog import Catalog
from indexer.reads.tape import RATE_DECIMALS
from indexer.reads.text import fixed, iso, quotient, usd
from indexer.reads.window import Page, Window, facts
from indexer.store import schema
from indexer.store.query import rows
from indexer.views.days import DAY_S
from ouro.units import SCALE

_INDEX_DECIMALS = 18


def funding_payments(connection: Connection, whose: Whose, window: Window, *conditions: Any) -> Page:
    """Payments to the positions of an address, newest first."""
    table = schema.funding_payments
    return facts(
        connection, table, window, table.c.owner == whose.owner, table.c.subaccount.in_(whose.subaccounts), *conditions
    )


def funding_payment(row: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """One payment. `payment` is negative when the account paid; `fundingIndex` is that of its side, per base unit."""
    listing = catalog.by_id[row["market"]]
    return {
        "createdAt": iso(row["time_s"]),
        "createdAtHeight": str(row["block_number"]),
        "perpetualId": str(listing.id),
        "ticker": listing.ticker,
        "oraclePrice": listing.price(row["price"]),
        "size": listing.size(row["size"]),
        "side": "LONG" if row["size"] > 0 else "SHORT",
        "rate": fixed(row["rate"], RATE_DECIMALS),
        "payment": usd(row["amount"]),
        "subaccountNumber": str(row["subaccount"]),
        "fundingIndex": quotient(row["g"], SCALE, listing.price_decimals, _INDEX_DECIMALS),
        "positionId": f"{row['owner']}/{row['subaccount']}/{listing.ticker}/{row['number']}",
        "transactionHash": row["transaction_hash"],
        "status": catalog.status_of(row["block_number"]),
    }


@dataclass(frozen=True)
class Tick:
    """What an account was worth at a time, micro-USDC; net transfers since the tick before, profit since it began."""

    time_s: int
    block_number: int
    block_time_s: int
    equity: int
    net_transfers: int
    total_pnl: int


@dataclass(frozen=True)
class Ticks:
    """Ticks of a window, newest first, and how many there are in all when a page was asked for."""

    ticks: Sequence[Tick]
    page: Page


def pnl(connection: Connection, whose: Whose, window: Window, *, daily: bool = False) -> Ticks:
    """Ticks of the hours, or the last one of each day. Several subaccounts are summed hour by hour: one without a tick
    in an hour counts as it was at its last one.
    """
    # One more than asked for: transfers are told as the difference from the tick before.
    wanted = window.offset() + window.limit + 1
    columns = [
        _newest(connection, whose.owner, subaccount, window, wanted, daily=daily)
        for subaccount in _with_ticks(connection, whose)
    ]
    summed = _summed(columns)[:wanted]
    found = []
    for at, row in enumerate(summed):
        before = summed[at + 1]["transferred"] if at + 1 < len(summed) else 0
        if not _is_within(row, window):
            break
        found.append(
            Tick(
                time_s=row["time_s"],
                block_number=row["block_number"],
                block_time_s=row["block_time_s"],
                equity=row["equity"],
                net_transfers=row["transferred"] - before,
                total_pnl=row["equity"] - row["transferred"],
            )
        )
    total = None if window.page is None else _count(connection, whose, window, daily=daily)
    shown = found[window.offset() : window.offset() + window.limit]
    return Ticks(shown, Page([], window, total))


def historical_tick(tick: Tick) -> dict[str, Any]:
    """As `/historical-pnl` has it: `createdAt` is the end of the hour, the block is the one that closed it."""
    return {
        "equity": usd(tick.equity),
        "totalPnl": usd(tick.total_pnl),
        "netTransfers": usd(tick.net_transfers),
        "createdAt": iso(tick.time_s),
        "blockHeight": str(tick.block_number),
        "blockTime": iso(tick.block_time_s),
    }


def tick(tick_: Tick) -> dict[str, Any]:
    """As `/pnl` has it."""
    return {
        "equity": usd(tick_.equity),
        "netTransfers": usd(tick_.net_transfers),
        "totalPnl": usd(tick_.total_pnl),
        "createdAt": iso(tick_.time_s),
        "createdAtHeight": str(tick_.block_number),
    }


def _with_ticks(connection: Connection, whose: Whose) -> list[int]:
    table = schema.accounts
    query = select(table.c.subaccount).where(table.c.owner == whose.owner, table.c.subaccount.in_(whose.subaccounts))
    return list(connection.execute(query.order_by(table.c.subaccount)).scalars())


def _until(query: Any, window: Window) -> Any:
    table = schema.pnl_ticks
    if window.until_s is not None:
        query = query.where(table.c.time_s <= window.until_s)
    if window.until_height is not None:
        query = query.where(table.c.block_number <= window.until_height)
    return query


def _day() -> Any:
    # The end of a day is the last hour of it, not the first of the next.
    return (schema.pnl_ticks.c.time_s - 1) // literal_column(str(DAY_S), Integer)


def _newest(
    connection: Connection, owner: str, subaccount: int, window: Window, wanted: int, *, daily: bool
) -> list[dict[str, Any]]:
    table = schema.pnl_ticks
    query = _until(select(table).where(table.c.owner == owner, table.c.subaccount == subaccount), window)
    if daily:
        last = _until(
            select(func.max(table.c.time_s)).where(table.c.owner == owner, table.c.subaccount == subaccount), window
        )
        query = query.where(table.c.time_s.in_(last.group_by(_day()).scalar_subquery()))
    return rows(connection, query.order_by(table.c.time_s.desc()).limit(wanted))


def _summed(columns: Sequence[Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """One column of ticks, newest first, from several."""
    if len(columns) == 1:
        return list(columns[0])
    times = sorted({row["time_s"] for column in columns for row in column}, reverse=True)
    places = [0] * len(columns)
    summed: list[Mapping[str, Any]] = []
    for time_s in times:
        known = []
        for at, column in enumerate(columns):
            while places[at] < len(column) and column[places[at]]["time_s"] > time_s:
                places[at] += 1
            if places[at] < len(column):
                known.append(column[places[at]])
        newest = max(known, key=lambda row: row["time_s"])
        sums = {name: sum(row[name] for row in known) for name in ("equity", "transferred")}
        summed.append({**newest, **sums})
    return summed


def _is_within(row: Mapping[str, Any], window: Window) -> bool:
    return bool(row["time_s"] >= (window.since_s or 0) and row["block_number"] >= (window.since_height or 0))


def _count(connection: Connection, whose: Whose, window: Window, *, daily: bool) -> int:
    table = schema.pnl_ticks
    counted = func.count(distinct(_day() if daily else table.c.time_s))
    query = _until(
        select(counted).where(table.c.owner == whose.owner, table.c.subaccount.in_(whose.subaccounts)), window
    )
    if window.since_s is not None:
        query = query.where(table.c.time_s >= window.since_s)
    if window.since_height is not None:
        query = query.where(table.c.block_number >= window.since_height)
    return int(connection.execute(query).scalar_one())
