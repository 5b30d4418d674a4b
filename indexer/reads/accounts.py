# SPDX-License-Identifier: AGPL-3.0-only
"""Subaccounts, positions, fills, transfers: what an address has and did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, tuple_

from indexer.reads.catalog import Catalog
from indexer.reads.health import Health, Holding, healths
from indexer.reads.text import iso, usd
from indexer.reads.window import Page, Window, facts, within
from indexer.store import schema
from indexer.store.query import rows
from indexer.views.custody import DEPOSIT, TRANSFER_IN, transfer_id
from indexer.views.exposure import exposure_of
from ouro.units import SCALE

COLLATERAL = "USDC"
COLLATERAL_ID = "0"
_ACCOUNTS = 400
"""Accounts asked for in one statement."""


@dataclass(frozen=True)
class Whose:
    """An address and the subaccounts asked for."""

    owner: str
    subaccounts: Sequence[int]


def subaccount(connection: Connection, catalog: Catalog, health: Health) -> dict[str, Any]:
    """One subaccount with its open positions by ticker. `cash`, `withdrawable` and margins are ours, in USDC."""
    opened = positions(
        connection, catalog, Whose(health.owner, [health.subaccount]), ["OPEN"], Window(), {health.subaccount: health}
    )
    return {
        "address": health.owner,
        "subaccountNumber": health.subaccount,
        "equity": usd(health.equity),
        "freeCollateral": usd(health.free_collateral),
        "openPerpetualPositions": {entry["market"]: entry for entry in opened},
        "assetPositions": {COLLATERAL: asset_position(health)} if health.cash else {},
        "marginEnabled": True,
        "updatedAtHeight": str(health.updated_block),
        "latestProcessedBlockHeight": str(catalog.height),
        "cash": usd(health.cash),
        "withdrawable": usd(health.withdrawable),
        "initialMargin": usd(health.margin.im_scaled // SCALE),
        "maintenanceMargin": usd(health.margin.mm_scaled // SCALE),
    }


def asset_position(health: Health) -> dict[str, Any]:
    """The collateral: cash as the contract holds it, without what open positions have made or lost."""
    return {
        "symbol": COLLATERAL,
        "side": "LONG" if health.cash >= 0 else "SHORT",
        "size": usd(abs(health.cash)),
        "assetId": COLLATERAL_ID,
        "subaccountNumber": health.subaccount,
    }


def positions(
    connection: Connection,
    catalog: Catalog,
    whose: Whose,
    statuses: Sequence[str],
    window: Window,
    known: Mapping[int, Health] | None = None,
) -> list[dict[str, Any]]:
    """Positions, newest first. `known` spares reading what the subaccounts are worth again."""
    table = schema.positions
    query = select(table).where(table.c.owner == whose.owner, table.c.subaccount.in_(whose.subaccounts))
    if statuses:
        query = query.where(table.c.status.in_(statuses))
    query = within(query, table.c.created_at, table.c.created_block, window)
    order = (table.c.created_block.desc(), table.c.market, table.c.subaccount, table.c.number.desc())
    found = rows(connection, query.order_by(*order).limit(window.limit))
    if known is None:
        known = {health.subaccount: health for health in healths(connection, catalog, whose.owner, whose.subaccounts)}
    return [position(row, catalog, known.get(row["subaccount"])) for row in found]


def open_rows(connection: Connection, wanted: Sequence[tuple[str, int]]) -> list[Mapping[str, Any]]:
    """Open positions of many accounts, newest first."""
    table = schema.positions
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(wanted), _ACCOUNTS):
        own = tuple_(table.c.owner, table.c.subaccount).in_(list(wanted[start : start + _ACCOUNTS]))
        query = select(table).where(own, table.c.status == "OPEN")
        found += rows(connection, query.order_by(table.c.created_block.desc(), table.c.market))
    return found


def position(row: Mapping[str, Any], catalog: Catalog, health: Health | None) -> dict[str, Any]:
    """One position; of an open one `health` is what its account is worth."""
    listing = catalog.by_id[row["market"]]
    exposure = exposure_of(row)
    if row["status"] == "OPEN":
        assert health is not None
        holding = health.holdings[row["market"]]
        net_funding = exposure.funding_scaled(holding.bare_scaled) // SCALE
        unrealised = _unrealised(exposure.side, exposure.open_notional, exposure.sum_open, holding)
        # equity = cash + what positions carry from before a flip + sum(realised + unrealised)
        total = (holding.bare_scaled - exposure.carry_scaled + exposure.size * holding.index * SCALE) // SCALE
        realised = total - unrealised
    else:
        net_funding, unrealised, realised = row["net_funding"], 0, row["realised"]
    closed = exposure.sum_close > 0
    return {
        "market": listing.ticker,
        "status": row["status"],
        "side": row["side"],
        "size": listing.size(exposure.size),
        "maxSize": listing.size(exposure.side * exposure.max_size),
        "entryPrice": listing.average(exposure.open_notional, exposure.sum_open),
        "exitPrice": listing.average(exposure.close_notional, exposure.sum_close) if closed else None,
        "realizedPnl": usd(realised),
        "unrealizedPnl": usd(unrealised),
        "createdAt": iso(row["created_at"]),
        "createdAtHeight": str(row["created_block"]),
        "closedAt": None if row["closed_at"] is None else iso(row["closed_at"]),
        "sumOpen": listing.size(exposure.sum_open),
        "sumClose": listing.size(exposure.sum_close),
        "netFunding": usd(net_funding),
        "fees": usd(exposure.fees),
        "subaccountNumber": row["subaccount"],
        "positionId": f"{row['owner']}/{row['subaccount']}/{listing.ticker}/{row['number']}",
    }


def _unrealised(side: int, open_notional: int, sum_open: int, holding: Holding) -> int:
    """Profit of the open size at the index price against the average entry price, micro-USDC, rounded down."""
    lots = abs(holding.size)
    return side * (lots * holding.index * sum_open - open_notional * lots) // sum_open


def fill(row: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """One side of a settled fill or take-over."""
    listing = catalog.by_id[row["market"]]
    before = row["size_before"]
    return {
        "id": row["id"],
        "side": row["side"],
        "liquidity": row["liquidity"],
        "type": row["type"],
        "market": listing.ticker,
        "marketType": "PERPETUAL",
        "price": listing.price(row["price"]),
        "size": listing.size(row["size"]),
        "fee": usd(row["fee"]),
        "affiliateRevShare": "0",
        "createdAt": iso(row["time_s"]),
        "createdAtHeight": str(row["block_number"]),
        "orderId": row["order_id"],
        "clientMetadata": None,
        "subaccountNumber": row["subaccount"],
        "positionSizeBefore": listing.size(before),
        "positionSizeAfter": listing.size(row["size_after"]),
        "entryPriceBefore": listing.average(row["open_notional_before"], row["sum_open_before"]) if before else None,
        "positionSideBefore": ("LONG" if before > 0 else "SHORT") if before else None,
        "realizedPnl": usd(row["realised"]),
        "transactionHash": row["transaction_hash"],
        "status": catalog.status_of(row["block_number"]),
    }


def fills(connection: Connection, whose: Whose, window: Window, *conditions: Any) -> Page:
    """Fills of an address, newest first."""
    table = schema.fills
    return facts(
        connection, table, window, table.c.owner == whose.owner, table.c.subaccount.in_(whose.subaccounts), *conditions
    )


def transfer(row: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Money that came into a subaccount or left it."""
    own = {"address": row["owner"], "subaccountNumber": row["subaccount"]}
    other = {"address": row["counterparty"]}
    incoming = row["type"] in (DEPOSIT, TRANSFER_IN)
    return {
        "id": transfer_id(row["transaction_hash"], row["log_index"]),
        "sender": other if incoming else own,
        "recipient": own if incoming else other,
        "size": usd(row["amount"]),
        "createdAt": iso(row["time_s"]),
        "createdAtHeight": str(row["block_number"]),
        "symbol": COLLATERAL,
        "type": row["type"],
        "transactionHash": row["transaction_hash"],
        "status": catalog.status_of(row["block_number"]),
    }


def transfers(connection: Connection, whose: Whose, window: Window) -> Page:
    table = schema.transfers
    return facts(connection, table, window, table.c.owner == whose.owner, table.c.subaccount.in_(whose.subaccounts))


def withdrawal_requests(connection: Connection, owner: str, limit: int) -> list[dict[str, Any]]:
    """The delayed way out: requests of an address, newest first."""
    table = schema.withdrawal_requests
    query = select(table).where(table.c.owner == owner).order_by(table.c.id.desc()).limit(limit)
    return [
        {
            "id": str(row["id"]),
            "address": row["owner"],
            "subaccountNumber": row["subaccount"],
            "size": usd(row["amount"]),
            "recipient": row["to"],
            "readyAt": iso(row["ready_at"]),
            "status": row["status"],
            "paid": None if row["paid"] is None else usd(row["paid"]),
            "createdAtHeight": str(row["requested_block"]),
        }
        for row in rows(connection, query)
    ]
