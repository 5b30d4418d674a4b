# SPDX-License-Identifier: AGPL-3.0-only
"""Lists beside positions and fills: trades as decisions, moves between two parties, keys, referrers, requested closes,
ends of markets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from indexer.reads.accounts import Whose, transfer
from indexer.reads.catalog import Catalog, Listing
from indexer.reads.text import iso, quotient, usd
from indexer.reads.window import Page, Window, facts, within
from indexer.store import order_schema, schema
from indexer.store.query import rows
from indexer.views.custody import WITHDRAWAL
from indexer.views.fills import DELEVERAGED, LIQUIDATED
from ouro.markets import MarketState

_RATIO_DECIMALS = 8


def trade_history(connection: Connection, catalog: Catalog, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Fills as decisions: what each did to the position. One that flips it is told as a close and an open."""
    wanted = [row["order_id"] for row in found if row["order_id"]]
    table = order_schema.orders
    query = select(table.c.id, table.c.type).where(table.c.id.in_(wanted))
    types = {row.id: row.type for row in connection.execute(query)} if wanted else {}
    return [part for row in found for part in _parts(row, catalog.by_id[row["market"]], types.get(row["order_id"]))]


def _parts(row: Mapping[str, Any], listing: Listing, order_type: str | None) -> list[dict[str, Any]]:
    before, after = row["size_before"], row["size_after"]
    if before and after and (before > 0) != (after > 0):
        closing = abs(before)
        fee = row["fee"] * closing // row["size"]
        opened = {**row, "size_before": 0, "size": row["size"] - closing, "fee": row["fee"] - fee, "realised": 0}
        closed = {**row, "size_after": 0, "size": closing, "fee": fee}
        return [
            _decision(opened, listing, order_type, "-open"),
            _decision(closed, listing, order_type, "-close"),
        ]
    return [_decision(row, listing, order_type, "")]


def _decision(row: Mapping[str, Any], listing: Listing, order_type: str | None, suffix: str) -> dict[str, Any]:
    before, after, lots = row["size_before"], row["size_after"], row["size"]
    notional = lots * row["price"]
    opened, cost = row["sum_open_before"], row["open_notional_before"]
    if not before:
        action, entry, held = "OPEN", (notional, lots), after
    elif abs(after) > abs(before):
        action, entry, held = "EXTEND", (cost + notional, opened + lots), after
    else:
        forced = "LIQUIDATION_" if row["type"] in (LIQUIDATED, DELEVERAGED) else ""
        action, entry, held = forced + ("PARTIAL_CLOSE" if after else "CLOSE"), (cost, opened), before
    is_close = action.endswith("CLOSE")
    made = row["realised"] - row["fee"] if is_close else 0
    percent = quotient(made * opened * 100, cost * lots, 0, _RATIO_DECIMALS) if is_close and cost and lots else None
    return {
        "id": row["id"] + suffix,
        "subaccountNumber": row["subaccount"],
        "action": action,
        "executionPrice": listing.price(row["price"]),
        "entryPrice": listing.average(*entry),
        "side": row["side"],
        "positionSide": "LONG" if held > 0 else "SHORT",
        "prevSize": listing.size(abs(before)),
        "additionalSize": listing.size(lots),
        "value": usd(notional),
        "orderType": order_type,
        "netFee": usd(row["fee"]),
        "netRealizedPnl": usd(made),
        "netRealizedPnlPercent": percent,
        "time": iso(row["time_s"]),
        "orderId": row["order_id"],
        "marketId": listing.ticker,
        "marginMode": "CROSS",
    }


@dataclass(frozen=True)
class Party:
    """One side of a move: an address, and its subaccount where it is an account of the exchange."""

    address: str
    subaccount: int


def between(
    connection: Connection, catalog: Catalog, source: Party, recipient: Party, window: Window
) -> dict[str, Any]:
    """Moves from one party to another and back, newest first, and what went there less what came back within it."""
    table = schema.transfers

    def of(account: Party, other: Party) -> Any:
        return and_(
            table.c.owner == account.address,
            table.c.subaccount == account.subaccount,
            table.c.counterparty == other.address,
        )

    condition = or_(of(recipient, source), of(source, recipient))
    page = facts(connection, table, window, condition)
    net = 0
    query = within(select(table).where(condition), table.c.time_s, table.c.block_number, window)
    for row in rows(connection, query):
        # The account that a row belongs to is the recipient wherever it can be both.
        is_recipient = (row["owner"], row["subaccount"]) == (recipient.address, recipient.subaccount)
        net += row["amount"] if is_recipient == (row["type"] != WITHDRAWAL) else -row["amount"]
    found = [transfer(row, catalog) for row in page.rows]
    return {**page.body("transfersSubset", found), "totalNetTransfers": usd(net)}


def session_keys(connection: Connection, catalog: Catalog, owner: str) -> list[dict[str, Any]]:
    """Keys that an address registered. `markets` are tickers, empty for all of them."""
    table = schema.session_keys
    query = select(table).where(table.c.owner == owner).order_by(table.c.expiry.desc(), table.c.key)
    found = []
    for row in rows(connection, query):
        numbers = [int(part) for part in row["markets"].split(",") if part]
        listed = [catalog.by_id[number].ticker for number in numbers if number in catalog.by_id]
        revoked = row["revoked_at"]
        is_live = row["expiry"] > catalog.time_s and (revoked is None or revoked > catalog.time_s)
        found.append(
            {
                "address": row["owner"],
                "key": row["key"],
                "markets": listed,
                "budget": usd(row["budget"]),
                "expiresAt": iso(row["expiry"]),
                "revokedAt": None if revoked is None else iso(revoked),
                "status": "ACTIVE" if is_live else "REVOKED" if revoked is not None else "EXPIRED",
            }
        )
    return found


def referrers(connection: Connection, owner: str | None, number: int | None, limit: int) -> list[dict[str, Any]]:
    """Registered referrers, newest first; `claimable` is what waits for them."""
    table = schema.referrers
    query = select(table)
    if owner is not None:
        query = query.where(table.c.owner == owner)
    if number is not None:
        query = query.where(table.c.number == number)
    return [
        {
            "number": str(row["number"]),
            "address": row["owner"],
            "subaccountNumber": row["subaccount"],
            "claimable": usd(row["balance"]),
        }
        for row in rows(connection, query.order_by(table.c.number.desc()).limit(limit))
    ]


def close_requests(connection: Connection, catalog: Catalog, whose: Whose) -> list[dict[str, Any]]:
    """Closes without the operator that an account asked for; `remainingSize` is what is still to be executed."""
    table = schema.close_requests
    query = select(table).where(table.c.owner == whose.owner, table.c.subaccount.in_(whose.subaccounts))
    order = (table.c.requested_block.desc(), table.c.subaccount, table.c.market)
    return [
        {
            "address": row["owner"],
            "subaccountNumber": row["subaccount"],
            "market": catalog.by_id[row["market"]].ticker,
            "side": "SELL" if row["size"] > 0 else "BUY",
            "size": catalog.by_id[row["market"]].size(abs(row["size"])),
            "remainingSize": catalog.by_id[row["market"]].size(row["left"]),
            "readyAt": iso(row["ready_at"]),
            "createdAtHeight": str(row["requested_block"]),
            "status": "EXECUTED" if row["left"] == 0 else "PENDING",
        }
        for row in rows(connection, query.order_by(*order))
    ]


def market_endings(catalog: Catalog) -> list[dict[str, Any]]:
    """Markets whose trading ended for ever; `settlementPrice` is null until it is fixed."""
    return [
        {
            "market": listing.ticker,
            "status": "SETTLED" if listing.row["state"] == MarketState.SETTLED else "SETTLING",
            "settleAt": iso(listing.row["settle_at"]),
            "settlementPrice": (
                listing.price(listing.row["index_price"]) if listing.row["state"] == MarketState.SETTLED else None
            ),
            "openInterest": listing.size(listing.row["open_interest"]),
        }
        for listing in catalog.by_id.values()
        if listing.row["state"] in (MarketState.SETTLING, MarketState.SETTLED)
    ]


def liquidations(connection: Connection, window: Window, *conditions: Any) -> Page:
    """Take-overs, newest first."""
    return facts(connection, schema.liquidations, window, *conditions)


def liquidation(row: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """A take-over: whose position, by whom, at what price; what the insurance fund got, and what it covered."""
    listing = catalog.by_id[row["market"]]
    return {
        "address": row["owner"],
        "subaccountNumber": row["subaccount"],
        "liquidator": {"address": row["liquidator"], "subaccountNumber": row["liquidator_subaccount"]},
        "market": listing.ticker,
        "side": "SELL" if row["size"] > 0 else "BUY",
        "size": listing.size(abs(row["size"])),
        "price": listing.price(row["price"]),
        "insuranceFee": usd(row["insurance_fee"]),
        "covered": usd(row["covered"]),
        "createdAt": iso(row["time_s"]),
        "createdAtHeight": str(row["block_number"]),
        "transactionHash": row["transaction_hash"],
        "status": catalog.status_of(row["block_number"]),
    }
