# SPDX-License-Identifier: AGPL-3.0-only
"""What an address has and did: subaccounts, positions, fills, transfers."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from indexer.api.answer import HISTORY, HOT, Json
from indexer.api.context import Ctx, Query
from indexer.api.errors import ApiError
from indexer.api.params import MAX_PARENT, Params, children_of, owner_address
from indexer.reads import accounts
from indexer.reads.accounts import Whose
from indexer.reads.health import healths
from indexer.reads.text import usd
from indexer.store import schema

router = APIRouter(prefix="/v4", tags=["accounts"])

_POSITION_STATUSES = ("OPEN", "CLOSED", "LIQUIDATED")
_SIDES = ("BUY", "SELL")


@router.get("/addresses/{address}")
def subaccounts(context: Ctx, query: Query, address: str) -> Response:
    """Every subaccount of an address that ever held anything. 404 for an address the exchange does not know."""
    owner = owner_address(address)
    with context.reading() as reading:
        known = healths(reading.connection, reading.catalog, owner)
        found = [accounts.subaccount(reading.connection, reading.catalog, health) for health in known[: query.limit()]]
    if not found:
        raise _unknown(owner)
    return Json({"subaccounts": found, "totalTradingRewards": "0"}, cache=HOT)


@router.get("/addresses/{address}/subaccountNumber/{number}")
def subaccount(context: Ctx, address: str, number: int) -> Response:
    """One subaccount: equity, free collateral, open positions, collateral."""
    owner = owner_address(address)
    with context.reading() as reading:
        known = healths(reading.connection, reading.catalog, owner, [number])
        if not known:
            raise _unknown(owner, number)
        found = accounts.subaccount(reading.connection, reading.catalog, known[0])
    return Json({"subaccount": found}, cache=HOT)


@router.get("/addresses/{address}/parentSubaccountNumber/{number}")
def parent_subaccount(context: Ctx, address: str, number: int) -> Response:
    """A parent subaccount and its children, which are 128 apart."""
    owner = owner_address(address)
    with context.reading() as reading:
        known = [
            health
            for health in healths(reading.connection, reading.catalog, owner)
            if health.subaccount % MAX_PARENT == number
        ]
        if not known:
            raise _unknown(owner, number)
        children = [accounts.subaccount(reading.connection, reading.catalog, health) for health in known]
    found = {
        "address": owner,
        "parentSubaccountNumber": number,
        "equity": usd(sum(health.equity for health in known)),
        "freeCollateral": usd(sum(health.free_collateral for health in known)),
        "childSubaccounts": children,
    }
    return Json({"subaccount": found}, cache=HOT)


@router.get("/perpetualPositions")
def perpetual_positions(context: Ctx, query: Query) -> Response:
    """Positions of a subaccount, newest first; `status` is a list of OPEN, CLOSED, LIQUIDATED."""
    return _positions(context, query, whose(query))


@router.get("/perpetualPositions/parentSubaccountNumber")
def parent_positions(context: Ctx, query: Query) -> Response:
    return _positions(context, query, whose_parent(query))


@router.get("/assetPositions")
def asset_positions(context: Ctx, query: Query) -> Response:
    """Collateral of a subaccount: cash as the contract holds it."""
    return _assets(context, whose(query))


@router.get("/assetPositions/parentSubaccountNumber")
def parent_assets(context: Ctx, query: Query) -> Response:
    return _assets(context, whose_parent(query))


@router.get("/fills")
def fills(context: Ctx, query: Query) -> Response:
    """Settled fills of a subaccount, newest first."""
    return _fills(context, query, whose(query))


@router.get("/fills/parentSubaccountNumber")
def parent_fills(context: Ctx, query: Query) -> Response:
    return _fills(context, query, whose_parent(query))


@router.get("/transfers")
def transfers(context: Ctx, query: Query) -> Response:
    """Deposits, withdrawals and moves to or from the exchange's own funds, newest first."""
    return _transfers(context, query, whose(query))


@router.get("/transfers/parentSubaccountNumber")
def parent_transfers(context: Ctx, query: Query) -> Response:
    return _transfers(context, query, whose_parent(query))


@router.get("/withdrawals")
def withdrawals(context: Ctx, query: Query) -> Response:
    """Delayed withdrawals of an address: pending, paid, cancelled."""
    with context.reading() as reading:
        found = accounts.withdrawal_requests(reading.connection, query.owner(), query.limit())
    return Json({"withdrawals": found}, cache=HOT)


def whose(query: Params) -> Whose:
    """`address` and `subaccountNumber` (0 when absent)."""
    return Whose(query.owner(), [query.subaccount()])


def whose_parent(query: Params) -> Whose:
    """`address` and the children of `parentSubaccountNumber`."""
    return Whose(query.owner(), children_of(query.subaccount("parentSubaccountNumber", "subaccountNumber")))


def _positions(context: Ctx, query: Params, of: Whose) -> Response:
    statuses = query.texts("status", among=_POSITION_STATUSES)
    with context.reading() as reading:
        found = accounts.positions(reading.connection, reading.catalog, of, statuses, query.window())
    return Json({"positions": found}, cache=HOT)


def _assets(context: Ctx, of: Whose) -> Response:
    with context.reading() as reading:
        known = healths(reading.connection, reading.catalog, of.owner, of.subaccounts)
    return Json({"positions": [accounts.asset_position(health) for health in known if health.cash]}, cache=HOT)


def _fills(context: Ctx, query: Params, of: Whose) -> Response:
    table = schema.fills
    with context.reading() as reading:
        conditions: list[Any] = []
        wanted = query.listings(reading.catalog)
        if wanted:
            conditions.append(table.c.market.in_([listing.id for listing in wanted]))
        for column, values in (
            (table.c.type, query.texts("includeTypes", "type")),
            (table.c.side, query.texts("side", among=_SIDES)),
        ):
            if values:
                conditions.append(column.in_(values))
        excluded = query.texts("excludeTypes")
        if excluded:
            conditions.append(table.c.type.not_in(excluded))
        page = accounts.fills(reading.connection, of, query.window(), *conditions)
        body = page.body("fills", [accounts.fill(row, reading.catalog) for row in page.rows])
    return Json(body, cache=HOT)


def _transfers(context: Ctx, query: Params, of: Whose) -> Response:
    with context.reading() as reading:
        page = accounts.transfers(reading.connection, of, query.window())
        body = page.body("transfers", [accounts.transfer(row, reading.catalog) for row in page.rows])
    return Json(body, cache=HISTORY)


def _unknown(owner: str, number: int | None = None) -> ApiError:
    what = owner if number is None else f"subaccount {number} of {owner}"
    return ApiError(
        404,
        "unknown_subaccount",
        f"{what} is not known here: it begins with a deposit into the Vault",
        "address",
        "params",
    )
