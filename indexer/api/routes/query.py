# SPDX-License-Identifier: AGPL-3.0-only
"""`/v4/query`: trades and contract events by any filter, page by page, or as a file; trades also summed."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from indexer.api.answer import HISTORY, Json
from indexer.api.context import Ctx, Query
from indexer.query import events, exports, request, trades

router = APIRouter(prefix="/v4/query", tags=["query"])

CURSOR_HEADER = "Ouro-Cursor"


@router.get("/trades", openapi_extra={"parameters": request.described(request.PARAMETERS)})
def query_trades(context: Ctx, query: Query) -> Response:
    """Prints of the tape; with `address` that account's sides of fills. `cursor` goes on where a page ended."""
    with context.reading() as reading:
        wanted = request.parse(query, reading.catalog)
        if wanted.aggregate is not None:
            found, last = trades.sums(reading.connection, reading.catalog, wanted), None
            columns = exports.sum_columns(wanted.aggregate)
        else:
            page = trades.find(reading.connection, reading.catalog, wanted)
            found, last = page.rows, page.cursor
            columns = exports.PRINT_COLUMNS if wanted.account is None else exports.SIDE_COLUMNS
    if wanted.format == "json":
        if wanted.aggregate is not None:
            return Json({"sums": found}, cache=HISTORY)
        return Json({"trades": found, "cursor": last}, cache=HISTORY)
    return _file("trades", wanted.format, found, columns, last)


@router.get("/events", openapi_extra={"parameters": request.described(events.PARAMETERS)})
def query_events(context: Ctx, query: Query) -> Response:
    """Contract events that have no list of their own, newest first: roles, rules, keys, price sources."""
    contracts = context.deployment.addresses
    wanted = events.parse(query, contracts)
    with context.reading() as reading:
        page = events.find(reading.connection, reading.catalog, wanted, contracts)
    if wanted.format == "json":
        return Json({"events": page.rows, "cursor": page.cursor}, cache=HISTORY)
    return _file("events", wanted.format, page.rows, exports.EVENT_COLUMNS, page.cursor)


def _file(
    name: str, format_: str, found: Sequence[dict[str, Any]], columns: Sequence[str], last: str | None
) -> Response:
    is_csv = format_ == "csv"
    body = exports.as_csv(found, columns) if is_csv else exports.as_parquet(found, columns)
    headers = {"Cache-Control": HISTORY, "Content-Disposition": f'attachment; filename="{name}.{format_}"'}
    if last is not None:
        headers[CURSOR_HEADER] = last
    return Response(body, 200, headers, exports.CSV_TYPE if is_csv else exports.PARQUET_TYPE)
