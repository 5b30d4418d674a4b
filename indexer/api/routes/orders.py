# SPDX-License-Identifier: AGPL-3.0-only
"""Orders: read from the relayer's log; writes go to the relayer as they are."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from indexer.api.answer import HOT, NEVER, Json
from indexer.api.context import Ctx, Query, Reading
from indexer.api.errors import ApiError, bad_proof
from indexer.api.params import Params
from indexer.api.routes.accounts import whose, whose_parent
from indexer.reads import orders as reads
from indexer.reads.accounts import Whose
from indexer.reads.owners import Reader, reader_of
from ouro.eip712 import Domain
from ouro.reading import HEADER, ProofError, ReadProof

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


Proof = Annotated[
    str | None,
    Header(alias=HEADER, description="The owner's proof, <expiry>:<0x signature>: shows orders that wait, too."),
]


@router.get("/orders")
def orders(context: Ctx, query: Query, proof: Proof = None) -> Response:
    """Orders of a subaccount, newest first, as a bare array. Those that wait are for their owner alone."""
    return _orders(context, query, whose(query), proof)


@router.get("/orders/parentSubaccountNumber")
def parent_orders(context: Ctx, query: Query, proof: Proof = None) -> Response:
    return _orders(context, query, whose_parent(query), proof)


@router.get("/orders/{order_id}")
def order(context: Ctx, order_id: str, proof: Proof = None) -> Response:
    """One order by its EIP-712 hash. One that was never live looks like none to everybody but its owner."""
    if proof is not None:
        _check_form(proof)
    with context.reading() as reading:
        row = reads.order_row(reading.connection, order_id.lower())
        listing = reading.catalog.by_ticker.get(row["market"]) if row else None
        hidden = row is not None and row["private"] and not _owns(reading, context.domain, row["owner"], proof)
        found = reads.one(reading.connection, row, listing) if row and listing else None
    if found is None or hidden:
        hint = ", or it waits and the proof is not its owner's" if proof else ""
        raise ApiError(404, "unknown_order", f"no order has the id {order_id}{hint}", "orderId", "params")
    return _shown(found, proof)


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


def _orders(context: Ctx, query: Params, of: Whose, proof: str | None) -> Response:
    with context.reading() as reading:
        reader = None if proof is None else _reader(reading, context.domain, of.owner, proof)
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
            client_id=query.text("clientId"),
            private=reader is not None,
            limit=query.limit(),
        )
        found = reads.orders(reading.connection, reading.catalog, wanted)
    return _shown(found, proof)


def _shown(found: Any, proof: str | None) -> Response:
    """What was shown to an owner is for nobody's cache."""
    answer = Json(found, cache=HOT if proof is None else NEVER)
    answer.headers["Vary"] = HEADER
    return answer


def _reader(reading: Reading, domain: Domain, owner: str, proof: str) -> Reader:
    """Raises a 401 for a proof that proves nothing."""
    try:
        return reader_of(reading.connection, reading.catalog, domain, owner, proof)
    except ProofError as error:
        raise bad_proof(error) from None


def _owns(reading: Reading, domain: Domain, owner: str, proof: str | None) -> bool:
    try:
        return proof is not None and reader_of(reading.connection, reading.catalog, domain, owner, proof) is not None
    except ProofError:
        return False


def _check_form(proof: str) -> None:
    """What can be said of a proof before it is known whose it is. Raises a 401."""
    try:
        ReadProof.parse(proof).check_time(int(time.time()))
    except ProofError as error:
        raise bad_proof(error) from None
