# SPDX-License-Identifier: AGPL-3.0-only
"""`/v4/query/trades`: trades by any filter, page by page, summed, or as a file."""

from fastapi import APIRouter
from starlette.responses import Response

from indexer.api.answer import HISTORY, Json
from indexer.api.context import Ctx, Query
from indexer.query import exports, request, trades

router = APIRouter(prefix="/v4/query", tags=["query"])

CURSOR_HEADER = "Ouro-Cursor"


@router.get("/trades")
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
    is_csv = wanted.format == "csv"
    body = exports.as_csv(found, columns) if is_csv else exports.as_parquet(found, columns)
    headers = {"Cache-Control": HISTORY, "Content-Disposition": f'attachment; filename="trades.{wanted.format}"'}
    if last is not None:
        headers[CURSOR_HEADER] = last
    return Response(body, 200, headers, exports.CSV_TYPE if is_csv else exports.PARQUET_TYPE)
