# SPDX-License-Identifier: AGPL-3.0-only
"""Orders: read from the relayer's log; writes go to the relayer as they are."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from indexer.api.answer import HOT, Json
from indexer.api.context import Ctx, Query
from indexer.api.errors import ApiError
from indexer.api.params import Params
from indexer.api.routes.accounts import whose, whose_parent
from indexer.reads import orders as reads
from indexer.reads.accounts import Whose

router = APIRouter(prefix="/v4", tags=["orders"])

_SIDES = ("BUY", "SELL")
_STATUSES = (
    "OPEN",
    "FILLED",
    "CANCELED",
    "UNTRIGGERED",
    "BEST_EFFORT_OPENED",
    "BEST_EFFORT_CANCELED",
    "ERROR",
)


@router.get("/orders")
def orders(context: Ctx, query: Query) -> Response:
    """Orders of a subaccount, newest first, as a bare array."""
    return _orders(context, query, whose(query))


@router.get("/orders/parentSubaccountNumber")
def parent_orders(context: Ctx, query: Query) -> Response:
    return _orders(context, query, whose_parent(query))


@router.get("/orders/{order_id}")
def order(context: Ctx, order_id: str) -> Response:
    """One order by its EIP-712 hash."""
    with context.reading() as reading:
        found = reads.order_by_id(reading.connection, reading.catalog, order_id.lower())
    if found is None:
        raise ApiError(404, "unknown_order", f"no order has the id {order_id}", "orderId", "params")
    return Json(found, cache=HOT)


@router.post("/orders")
@router.post("/orders/{path:path}")
@router.patch("/orders")
@router.patch("/orders/{path:path}")
@router.delete("/orders")
@router.delete("/orders/{path:path}")
@router.post("/withdrawals")
async def write(request: Request) -> Response:
    """Forwarded to the relayer verbatim, as is its answer. 503 when the relayer is away."""
    forwarded: Response = await request.app.state.forward(request)
    return forwarded


def _orders(context: Ctx, query: Params, of: Whose) -> Response:
    with context.reading() as reading:
        wanted = reads.OrderFilter(
            owner=of.owner,
            subaccounts=of.subaccounts,
            tickers=[listing.ticker for listing in query.listings(reading.catalog)],
            sides=query.texts("side", among=_SIDES),
            statuses=query.texts("status", among=_STATUSES),
            types=query.texts("type", "includeTypes"),
            excluded_types=query.texts("excludeTypes"),
            expiry_until_s=query.time_s("goodTilBlockTimeBeforeOrAt"),
            expiry_after_s=query.time_s("goodTilBlockTimeAfter"),
            limit=query.limit(),
        )
        found = reads.orders(reading.connection, reading.catalog, wanted)
    return Json(found, cache=HOT)
