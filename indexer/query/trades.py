# SPDX-License-Identifier: AGPL-3.0-only
"""Trades by query: prints of the tape or, for an account, its sides of fills. Every order has an index under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, Select, func, literal_column, select

from indexer.query.pages import Result, heights_between, page, within
from indexer.query.request import TradeQuery
from indexer.reads.catalog import Catalog
from indexer.reads.text import iso, usd
from indexer.store import schema
from indexer.store.query import rows
from indexer.views.days import DAY_S
from ouro.maths.funding import HOUR_S

_PRICE_BITS, _SIZE_BITS = 20, 23


def find(connection: Connection, catalog: Catalog, query: TradeQuery) -> Result:
    """One page of rows."""
    table = schema.trades if query.account is None else schema.fills
    key = list(table.primary_key.columns)
    order = key if query.sort == "time" else [table.c[query.sort], *key]
    statement = _filtered(connection, select(table), table, query)
    return page(connection, statement, order, query, lambda row: _trade(row, catalog))


def sums(connection: Connection, catalog: Catalog, query: TradeQuery) -> list[dict[str, Any]]:
    """Counts and sums by `query.aggregate`. `size` is summed within one market only, else null."""
    table = schema.trades if query.account is None and query.aggregate != "address" else schema.fills
    group = {
        "market": table.c.market,
        "side": table.c.side,
        "day": _start(table.c.time_s, DAY_S),
        "hour": _start(table.c.time_s, HOUR_S),
        "address": table.c.get("owner"),
    }[query.aggregate or "market"]
    assert group is not None
    # Price times size can pass 64 bits, which one of the databases has no exact type for: in four parts it cannot.
    low_price, high_price = _halves(table.c.price, _PRICE_BITS)
    low_size, high_size = _halves(table.c.size, _SIZE_BITS)
    statement = select(
        group.label("group"),
        func.count().label("count"),
        func.sum(table.c.size).label("size"),
        func.min(table.c.price).label("low"),
        func.max(table.c.price).label("high"),
        func.sum(low_price * low_size).label("ll"),
        func.sum(low_price * high_size).label("lh"),
        func.sum(high_price * low_size).label("hl"),
        func.sum(high_price * high_size).label("hh"),
    )
    grouped = _filtered(connection, statement, table, query).group_by(group).order_by(group)
    return [_sum(row, catalog, query) for row in rows(connection, grouped)]


def _sum(row: Mapping[str, Any], catalog: Catalog, query: TradeQuery) -> dict[str, Any]:
    parts = {name: int(row[name]) for name in ("ll", "lh", "hl", "hh")}
    notional = parts["ll"] + (parts["lh"] << _SIZE_BITS) + (parts["hl"] << _PRICE_BITS)
    notional += parts["hh"] << _SIZE_BITS + _PRICE_BITS
    by, group = query.aggregate, row["group"]
    listing = catalog.by_id[group] if by == "market" else query.markets[0] if len(query.markets) == 1 else None
    return {
        str(by): listing.ticker if by == "market" and listing else iso(int(group)) if by in ("day", "hour") else group,
        "trades": row["count"],
        "size": listing.size(int(row["size"])) if listing else None,
        "notional": usd(notional),
        "low": listing.price(row["low"]) if listing else None,
        "high": listing.price(row["high"]) if listing else None,
    }


def _halves(column: Any, bits: int) -> tuple[Any, Any]:
    # Numbers in the text of the statement: PostgreSQL shifts by no 64-bit parameter.
    return column.bitwise_and(literal_column(str((1 << bits) - 1))), column.bitwise_rshift(literal_column(str(bits)))


def _start(time_s: Any, length_s: int) -> Any:
    # Numbers in the text again: PostgreSQL takes two parameters for two expressions, one of them not grouped by.
    length = literal_column(str(length_s), Integer)
    return time_s // length * length


def _filtered(connection: Connection, statement: Select[Any], table: Any, query: TradeQuery) -> Select[Any]:
    if query.markets:
        ids = [listing.id for listing in query.markets]
        statement = statement.where(table.c.market == ids[0] if len(ids) == 1 else table.c.market.in_(ids))
    if query.account is not None:
        account = query.account
        statement = statement.where(table.c.owner == account.owner, table.c.subaccount == account.subaccount)
    named: list[tuple[str, Sequence[str]]] = [("side", query.sides), ("type", query.types)]
    if query.liquidities:
        named.append(("liquidity", query.liquidities))
    for name, values in named:
        if values:
            statement = statement.where(table.c[name].in_(values))
    ends = [
        (table.c.price, query.prices),
        (table.c.size, query.sizes),
        (table.c.block_number, query.heights),
        (table.c.block_number, heights_between(connection, query.times_s)),
    ]
    return within(statement, ends)


def _trade(row: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    listing = catalog.by_id[row["market"]]
    found = {
        "id": row["id"],
        "market": listing.ticker,
        "side": row["side"],
        "type": row["type"],
        "price": listing.price(row["price"]),
        "size": listing.size(row["size"]),
        "notional": usd(row["price"] * row["size"]),
        "createdAt": iso(row["time_s"]),
        "createdAtHeight": str(row["block_number"]),
        "transactionHash": row["transaction_hash"],
        "status": catalog.status_of(row["block_number"]),
    }
    if "owner" in row:
        found |= {
            "liquidity": row["liquidity"],
            "address": row["owner"],
            "subaccountNumber": row["subaccount"],
            "fee": usd(row["fee"]),
            "realizedPnl": usd(row["realised"]),
            "orderId": row["order_id"],
            "counterparty": row["counterparty"],
        }
    return found
