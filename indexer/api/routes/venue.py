# SPDX-License-Identifier: AGPL-3.0-only
"""The exchange as a whole, and what it knows beside trading: keys, referrers, requested closes, endings, screening."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from indexer.api.answer import HISTORY, HOT, Json
from indexer.api.context import Ctx, Query
from indexer.api.errors import bad_parameter
from indexer.api.params import owner_address
from indexer.api.rankings import Rankings
from indexer.api.routes.accounts import whose
from indexer.reads import account_lists, platform
from indexer.reads.text import iso
from indexer.store import schema

router = APIRouter(prefix="/v4", tags=["venue"])


@router.get("/sessionKeys")
def session_keys(context: Ctx, query: Query) -> Response:
    """Session keys of an address."""
    with context.reading() as reading:
        found = account_lists.session_keys(reading.connection, reading.catalog, query.owner())
    return Json({"sessionKeys": found}, cache=HOT)


@router.get("/referrers")
def referrers(context: Ctx, query: Query) -> Response:
    """Registered referrers, of an `address` or by `number`, newest first."""
    owner = query.address("address") if query.text("address") else None
    with context.reading() as reading:
        found = account_lists.referrers(reading.connection, owner, query.integer("number"), query.limit())
    return Json({"referrers": found}, cache=HOT)


@router.get("/closeRequests")
def close_requests(context: Ctx, query: Query) -> Response:
    """Closes without the operator that a subaccount asked for."""
    with context.reading() as reading:
        found = account_lists.close_requests(reading.connection, reading.catalog, whose(query))
    return Json({"closeRequests": found}, cache=HOT)


@router.get("/marketEndings")
def market_endings(context: Ctx) -> Response:
    """Markets whose trading has ended, and the price they settle at."""
    with context.reading() as reading:
        found = account_lists.market_endings(reading.catalog)
    return Json({"marketEndings": found}, cache=HOT)


@router.get("/liquidations")
def liquidations(context: Ctx, query: Query) -> Response:
    """Take-overs, newest first: all of them, or those of `address` (and `subaccountNumber`), of `market`."""
    table = schema.liquidations
    with context.reading() as reading:
        conditions: list[Any] = []
        if query.text("address"):
            conditions.append(table.c.owner == query.owner())
            if query.text("subaccountNumber"):
                conditions.append(table.c.subaccount == query.subaccount())
        wanted = query.listings(reading.catalog)
        if wanted:
            conditions.append(table.c.market.in_([listing.id for listing in wanted]))
        page = account_lists.liquidations(reading.connection, query.window(), *conditions)
        body = page.body("liquidations", [account_lists.liquidation(row, reading.catalog) for row in page.rows])
    return Json(body, cache=HISTORY)


@router.get("/stats")
def stats(context: Ctx) -> Response:
    """Figures of the whole exchange."""
    with context.reading() as reading:
        found = platform.stats(reading.connection, reading.catalog)
    return Json(found, cache=HISTORY)


@router.get("/leaderboard")
def leaderboard(context: Ctx, query: Query, request: Request) -> Response:
    """Accounts by profit or volume of the last days; at most half a minute old."""
    by, window = (query.text("by") or "PNL").upper(), (query.text("window") or "WEEK").upper()
    for name, value, known in (("by", by, platform.ORDERS), ("window", window, tuple(platform.WINDOWS))):
        if value not in known:
            raise bad_parameter(name, f"{name} is one of {', '.join(known)}, not {value}")
    rankings: Rankings = request.app.state.rankings
    found = rankings.get(context, by, window)
    return Json({"by": by, "window": window, "leaderboard": found[: query.limit()]}, cache=HISTORY)


@router.get("/screen")
def screen(query: Query) -> Response:
    """Nobody is kept out here: what an account may do is for the contracts alone to say."""
    query.owner()
    return Json({"restricted": False}, cache=HISTORY)


@router.get("/compliance/screen/{address}")
def compliance(context: Ctx, address: str) -> Response:
    """As `/screen`, in the newer shape."""
    owner_address(address)
    return Json({"status": "COMPLIANT", "updatedAt": iso(context.progress.time_s)}, cache=HISTORY)
