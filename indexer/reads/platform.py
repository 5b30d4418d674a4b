# SPDX-License-Identifier: AGPL-3.0-only
"""Figures of the whole exchange, and who traded or made most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, func, select

from indexer.reads.catalog import Catalog
from indexer.reads.tape import last_day
from indexer.reads.text import usd
from indexer.store import schema
from indexer.store.query import rows
from indexer.views.custody import FEES, INSURANCE
from indexer.views.days import DAY_S
from indexer.views.referrals import REFERRALS

WINDOWS: Mapping[str, int | None] = {"DAY": 1, "WEEK": 7, "MONTH": 30, "ALL": None}
"""Days (UTC) that a ranking looks back on, today included."""
ORDERS = ("PNL", "VOLUME")


def stats(connection: Connection, catalog: Catalog) -> dict[str, Any]:
    """Money in USDC; `insurance`, `fees` and `referrals` are what is held now."""
    days = [candle for listing in catalog.by_id.values() for candle in last_day(connection, catalog, listing)]
    table = schema.candles
    ever = rows(connection, select(table.c.notional, table.c.trades).where(table.c.resolution_s == DAY_S))
    totals = {row["name"]: row["amount"] for row in rows(connection, select(schema.totals))}
    open_interest = [listing.row["open_interest"] * listing.row["index_price"] for listing in catalog.by_id.values()]
    return {
        "markets": len(catalog.by_id),
        "accounts": connection.execute(select(func.count()).select_from(schema.accounts)).scalar_one(),
        "volume24H": usd(sum(candle["notional"] for candle in days)),
        "trades24H": sum(candle["trades"] for candle in days),
        "volume": usd(sum(row["notional"] for row in ever)),
        "trades": sum(row["trades"] for row in ever),
        "openInterest": usd(sum(open_interest)),
        "insurance": usd(totals.get(INSURANCE, 0)),
        "fees": usd(totals.get(FEES, 0)),
        "referrals": usd(totals.get(REFERRALS, 0)),
        "height": str(catalog.height),
    }


def leaderboard(connection: Connection, catalog: Catalog, by: str, window: str) -> list[dict[str, Any]]:
    """Accounts by what they traded or made in a window, best first; profit as of the last closed hour."""
    length = WINDOWS[window]
    first_day = 0 if length is None else catalog.time_s // DAY_S - length + 1
    table = schema.account_days
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows(connection, select(table).where(table.c.day >= first_day).order_by(table.c.day)):
        entry = found.setdefault((row["owner"], row["subaccount"]), {"volume": 0, "fees": 0, "fills": 0, "pnl": None})
        for name in ("volume", "fees", "fills"):
            entry[name] += row[name]
        if row["pnl"] is not None:
            entry["pnl"] = row["pnl"]
    before = _profits_before(connection, first_day) if first_day else {}
    for account, entry in found.items():
        entry["pnl"] = 0 if entry["pnl"] is None else entry["pnl"] - before.get(account, 0)
    ranked = [(owner, subaccount, entry) for (owner, subaccount), entry in found.items()]
    key = by.lower()
    ranked.sort(key=lambda item: (-item[2][key], item[0], item[1]))
    return [
        {
            "rank": rank,
            "address": owner,
            "subaccountNumber": subaccount,
            "pnl": usd(entry["pnl"]),
            "volume": usd(entry["volume"]),
            "fees": usd(entry["fees"]),
            "fills": entry["fills"],
        }
        for rank, (owner, subaccount, entry) in enumerate(ranked, 1)
    ]


def _profits_before(connection: Connection, day: int) -> dict[tuple[str, int], int]:
    """Each account's profit since it began, as of its last closed hour before a day."""
    table = schema.account_days
    last = (
        select(table.c.owner, table.c.subaccount, func.max(table.c.day).label("day"))
        .where(table.c.day < day, table.c.pnl.is_not(None))
        .group_by(table.c.owner, table.c.subaccount)
        .subquery()
    )
    same = and_(*(table.c[name] == last.c[name] for name in ("owner", "subaccount", "day")))
    query = select(table.c.owner, table.c.subaccount, table.c.pnl).join(last, same)
    return {(row["owner"], row["subaccount"]): row["pnl"] for row in rows(connection, query)}
