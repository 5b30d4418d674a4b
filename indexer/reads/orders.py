# SPDX-License-Identifier: AGPL-3.0-only
"""Orders as the relayer's log tells them, and matches that wait for settlement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from indexer.reads.catalog import Catalog, Listing
from indexer.reads.text import iso, iso_ms
from indexer.store import schema
from indexer.store.order_schema import matches as match_table
from indexer.store.order_schema import orders as order_table
from indexer.store.query import first_row, rows

SHORT_TERM, CONDITIONAL, LONG_TERM, TWAP = "0", "32", "64", "128"
_IDS = 500


@dataclass(frozen=True)
class OrderFilter:
    """Which orders; an empty sequence asks for all. Expiries in seconds: until and after (exclusive). `private`: those
    that were never live, too.
    """

    owner: str
    subaccounts: Sequence[int]
    tickers: Sequence[str] = ()
    sides: Sequence[str] = ()
    statuses: Sequence[str] = ()
    types: Sequence[str] = ()
    excluded_types: Sequence[str] = ()
    expiry_until_s: int | None = None
    expiry_after_s: int | None = None
    client_id: str | None = None
    private: bool = False
    limit: int = 1_000


def order(row: Mapping[str, Any], listing: Listing) -> dict[str, Any]:
    """One order; `totalFilled` counts matches, settled or not."""
    removal = {"removalReason": row["reason"]} if row["reason"] else {}
    return {
        "id": row["id"],
        "subaccountId": f"{row['owner']}/{row['subaccount']}",
        "clientId": row["client_id"] or "0",
        "clobPairId": str(listing.id),
        "side": row["side"],
        "size": listing.size(row["size"]),
        "totalFilled": listing.size(row["filled"]),
        "totalOptimisticFilled": listing.size(row["filled"]),
        "price": listing.price(row["limit_price"]),
        "type": row["type"],
        "status": row["status"],
        "timeInForce": row["time_in_force"],
        "postOnly": row["post_only"],
        "reduceOnly": row["reduce_only"],
        "orderFlags": _flags(row),
        "goodTilBlock": None,
        "goodTilBlockTime": iso(row["expiry"]),
        "createdAt": iso_ms(row["created_ms"]),
        "clientMetadata": "0",
        "triggerPrice": listing.price(row["trigger_price"]) if row["trigger_price"] else None,
        "updatedAt": iso_ms(row["updated_ms"]),
        "ticker": listing.ticker,
        "subaccountNumber": row["subaccount"],
        "slot": row["slot"],
        "generation": row["generation"],
        "revision": row["revision"],
        "seq": row["updated_seq"],
        "trigger": row["trigger"],
        "immediate": row["immediate"],
        "notBefore": iso_ms(row["not_before"]) if row["not_before"] else None,
        "parent": row["parent"],
        "oco": row["oco"],
        "armPrice": listing.price(row["arm_price"]) if row["arm_price"] else None,
        "replaces": row["replaces"],
        "selfTrade": row["self_trade"],
        "withheld": listing.size(row["withheld"]),
        **removal,
    }


def _flags(row: Mapping[str, Any]) -> str:
    if row["time_in_force"] != "GTT":
        return SHORT_TERM
    if row["type"] == "TWAP_SUBORDER":
        return TWAP
    return CONDITIONAL if row["trigger_price"] or row["parent"] else LONG_TERM


def orders(connection: Connection, catalog: Catalog, wanted: OrderFilter) -> list[dict[str, Any]]:
    """Orders of an account, newest first, with what they settled at. Those that were never live are for their owner
    alone.
    """
    table = order_table
    conditions = [
        table.c.owner == wanted.owner,
        table.c.subaccount.in_(wanted.subaccounts),
        table.c.market.in_(wanted.tickers or list(catalog.by_ticker)),
    ]
    if not wanted.private:
        conditions.append(table.c.private.is_(False))
    if wanted.client_id is not None:
        conditions.append(table.c.client_id == wanted.client_id)
    for column, values in (
        (table.c.side, wanted.sides),
        (table.c.status, wanted.statuses),
        (table.c.type, wanted.types),
    ):
        if values:
            conditions.append(column.in_(values))
    if wanted.excluded_types:
        conditions.append(table.c.type.not_in(wanted.excluded_types))
    if wanted.expiry_until_s is not None:
        conditions.append(table.c.expiry <= wanted.expiry_until_s)
    if wanted.expiry_after_s is not None:
        conditions.append(table.c.expiry > wanted.expiry_after_s)
    query = select(table).where(*conditions).order_by(table.c.created_seq.desc()).limit(wanted.limit)
    found = rows(connection, query)
    settled = _settled(connection, [row["id"] for row in found if row["filled"]])
    return [shown(row, catalog.by_ticker[row["market"]], settled.get(row["id"])) for row in found]


def one(connection: Connection, row: Mapping[str, Any], listing: Listing) -> dict[str, Any]:
    """An order with what it settled at."""
    return shown(row, listing, _settled(connection, [row["id"]]).get(row["id"]))


def shown(row: Mapping[str, Any], listing: Listing, settled: tuple[int, int] | None) -> dict[str, Any]:
    """An order; `settled` are the value and lots of its fills on the chain."""
    average = {"averageFillPrice": listing.average(*settled) if settled else None}
    return order(row, listing) | average


def _settled(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Value and lots of the settled fills of orders. Summed here: a database's integers may be too small for values."""
    found: dict[str, tuple[int, int]] = {}
    fills = schema.fills.c
    for start in range(0, len(ids), _IDS):
        part = ids[start : start + _IDS]
        for fill in rows(connection, select(fills.order_id, fills.size, fills.price).where(fills.order_id.in_(part))):
            value, size = found.get(fill["order_id"], (0, 0))
            found[fill["order_id"]] = (value + fill["size"] * fill["price"], size + fill["size"])
    return found


def order_row(connection: Connection, id_: str) -> Mapping[str, Any] | None:
    """One order's row, whoever may see it; None when the relayer's log has none of that id."""
    return first_row(connection, select(order_table).where(order_table.c.id == id_))


def match(row: Mapping[str, Any], listing: Listing) -> dict[str, Any]:
    """A match, one side or both of which are the reader's; `status` says how far it is."""
    return {
        "id": str(row["fill_id"]),
        "ticker": listing.ticker,
        "price": listing.price(row["price"]),
        "size": listing.size(row["size"]),
        "takerSide": row["taker_side"],
        "taker": row["taker"],
        "takerSubaccountNumber": row["taker_subaccount"],
        "takerOrderId": row["taker_order_id"],
        "maker": row["maker"],
        "makerSubaccountNumber": row["maker_subaccount"],
        "makerOrderId": row["maker_order_id"],
        "status": row["status"],
        "reason": row["reason"],
        "transactionHash": row["transaction_hash"],
    }


def unsettled(connection: Connection, catalog: Catalog, owner: str, subaccount: int) -> list[dict[str, Any]]:
    """Matches of an account that are not on the chain yet, newest first."""
    table = match_table
    query = (
        select(table)
        .where(
            table.c.status.in_(("matched", "submitted")),
            ((table.c.taker == owner) & (table.c.taker_subaccount == subaccount))
            | ((table.c.maker == owner) & (table.c.maker_subaccount == subaccount)),
        )
        .order_by(table.c.updated_seq.desc())
        .limit(1_000)
    )
    found = [row for row in rows(connection, query) if row["market"] in catalog.by_ticker]
    return [match(row, catalog.by_ticker[row["market"]]) for row in found]
