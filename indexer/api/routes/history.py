# SPDX-License-Identifier: AGPL-3.0-only
"""What happened to an address over time: funding payments, profit, trades as decisions, moves between two parties."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from indexer.api.answer import HISTORY, HOT, Json
from indexer.api.context import Ctx, Query
from indexer.api.params import Params
from indexer.api.routes.accounts import whose, whose_parent
from indexer.reads import account_lists, accounts, history
from indexer.reads.account_lists import Party
from indexer.reads.accounts import Whose
from indexer.store import schema

router = APIRouter(prefix="/v4", tags=["history"])


@router.get("/fundingPayments")
def funding_payments(context: Ctx, query: Query) -> Response:
    """What positions of a subaccount were paid (negative: paid) for each hour, newest first; from `afterOrAt` on."""
    return _payments(context, query, whose(query))


@router.get("/fundingPayments/parentSubaccount")
@router.get("/fundingPayments/parentSubaccountNumber")
def parent_funding_payments(context: Ctx, query: Query) -> Response:
    """The same of a parent subaccount's children."""
    return _payments(context, query, whose_parent(query))


@router.get("/historical-pnl")
def historical_pnl(context: Ctx, query: Query) -> Response:
    """Equity and profit of a subaccount at the end of each hour, newest first."""
    return _historical(context, query, whose(query))


@router.get("/historical-pnl/parentSubaccountNumber")
@router.get("/historical-pnl/parentSubaccount")
def parent_historical_pnl(context: Ctx, query: Query) -> Response:
    """Sums of a parent subaccount's children."""
    return _historical(context, query, whose_parent(query))


@router.get("/pnl")
def pnl(context: Ctx, query: Query) -> Response:
    """As `/historical-pnl`; with `daily=true` the last tick of each day (UTC)."""
    return _pnl(context, query, whose(query))


@router.get("/pnl/parentSubaccountNumber")
def parent_pnl(context: Ctx, query: Query) -> Response:
    """Sums of a parent subaccount's children."""
    return _pnl(context, query, whose_parent(query))


@router.get("/tradeHistory")
def trade_history(context: Ctx, query: Query) -> Response:
    """Fills of a subaccount as decisions: OPEN, EXTEND, PARTIAL_CLOSE, CLOSE and forced ones, newest first."""
    return _trades(context, query, whose(query))


@router.get("/tradeHistory/parentSubaccountNumber")
def parent_trade_history(context: Ctx, query: Query) -> Response:
    """The same of a parent subaccount's children."""
    return _trades(context, query, whose_parent(query))


@router.get("/transfers/between")
def transfers_between(context: Ctx, query: Query) -> Response:
    """Moves from a source to a recipient and back, newest first, and their net."""
    source = Party(query.address("sourceAddress"), query.subaccount("sourceSubaccountNumber"))
    recipient = Party(query.address("recipientAddress"), query.subaccount("recipientSubaccountNumber"))
    with context.reading() as reading:
        found = account_lists.between(reading.connection, reading.catalog, source, recipient, query.window())
    return Json(found, cache=HISTORY)


def _payments(context: Ctx, query: Params, of: Whose) -> Response:
    window = query.window()
    after_s = query.time_s("afterOrAt", up=True)
    if after_s is not None:
        window = replace(window, since_s=max(after_s, window.since_s or 0))
    with context.reading() as reading:
        conditions = _in_markets(schema.funding_payments, query, reading.catalog)
        page = history.funding_payments(reading.connection, of, window, *conditions)
        body = page.body("fundingPayments", [history.funding_payment(row, reading.catalog) for row in page.rows])
    return Json(body, cache=HISTORY)


def _historical(context: Ctx, query: Params, of: Whose) -> Response:
    with context.reading() as reading:
        found = history.pnl(reading.connection, of, query.window())
    body = found.page.body("historicalPnl", [history.historical_tick(tick) for tick in found.ticks])
    return Json(body, cache=HISTORY)


def _pnl(context: Ctx, query: Params, of: Whose) -> Response:
    with context.reading() as reading:
        found = history.pnl(reading.connection, of, query.window(), daily=query.flag("daily"))
    return Json(found.page.body("pnl", [history.tick(tick) for tick in found.ticks]), cache=HISTORY)


def _trades(context: Ctx, query: Params, of: Whose) -> Response:
    with context.reading() as reading:
        conditions = _in_markets(schema.fills, query, reading.catalog)
        page = accounts.fills(reading.connection, of, query.window(), *conditions)
        found = account_lists.trade_history(reading.connection, reading.catalog, page.rows)
    return Json(page.body("tradeHistory", found), cache=HOT)


def _in_markets(table: Any, query: Params, catalog: Any) -> list[Any]:
    wanted = query.listings(catalog)
    return [table.c.market.in_([listing.id for listing in wanted])] if wanted else []
