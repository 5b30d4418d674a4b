# SPDX-License-Identifier: AGPL-3.0-only
"""Orders: place, amend, many at once, look at one, check a signature."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ouro import addresses
from relayer.api.bodies import (
    MAX_BATCH_BODY_BYTES,
    AmendBody,
    PlaceBatchBody,
    PlaceBody,
    VerifyBody,
    decode_body,
    decode_items,
    read_body,
    read_bytes32,
    read_label,
    read_uint,
)
from relayer.api.errors import ApiError, answer, item_answer, refusal_of
from relayer.api.venue import Venue, meter_of, venue_of
from relayer.core.outputs import Ack, OrderState

router = APIRouter()

_ORDER_SHAPE = '{"order": {...}, "signature": "0x...", "clientId": "1"}'
_place = msgspec.json.Decoder(PlaceBody)
_amend = msgspec.json.Decoder(AmendBody)
_batch = msgspec.json.Decoder(PlaceBatchBody)
_verify = msgspec.json.Decoder(VerifyBody)


@router.post("/v4/orders")
async def place(request: Request) -> Response:
    """Place a signed order. The answer comes when the order is matched and on disk."""
    body = decode_body(await read_body(request), _place, _ORDER_SHAPE)
    return await _placed(request, "place", body)


@router.patch("/v4/orders/{order_id}")
async def amend(request: Request, order_id: str) -> Response:
    """Replace an open order by its next revision, as one step: refused, the old order stands as it was."""
    body = decode_body(await read_body(request), _amend, _ORDER_SHAPE)
    replaces = "0x" + _order_id(order_id).hex()
    fields = {name: getattr(body, name) for name in AmendBody.__struct_fields__}
    return await _placed(request, "amend", PlaceBody(**fields, replaces=replaces))


@router.post("/v4/orders/batch")
async def place_batch(request: Request) -> Response:
    """Place up to 50 orders one after the other, with an answer for each; one that is refused stops no other."""
    venue = venue_of(request)
    data = await read_body(request, MAX_BATCH_BODY_BYTES)
    items = decode_items(decode_body(data, _batch, f'{{"orders": [{_ORDER_SHAPE}]}}').orders, "orders")
    venue.limits.request(meter_of(request), len(items) - 1, cancels=False)
    venue.need_ready()
    bodies: list[PlaceBody | ApiError] = []
    for raw in items:
        try:
            bodies.append(decode_body(bytes(raw), _place, _ORDER_SHAPE))
        except ApiError as error:
            bodies.append(error)
    acks = iter(
        await venue.intake.place_all([body for body in bodies if isinstance(body, PlaceBody)], meter_of(request))
    )
    results = [body if isinstance(body, ApiError) else next(acks) for body in bodies]
    return answer(200, {"results": [_item(venue, result) for result in results]})


@router.post("/v4/orders/verify")
async def verify(request: Request) -> Response:
    """Say whom an order's signature recovers to and which digest it must be over. Places nothing."""
    venue = venue_of(request)
    body = decode_body(await read_body(request), _verify, '{"order": {...}, "signature": "0x..."}')
    venue.need_running()
    verdict = venue.verifier.verdict(body.order, body.signature, venue.engine.core.may_sign)
    return answer(200, verdict)


@router.get("/v4/orders/{order_id}")
async def read(request: Request, order_id: str) -> Response:
    """One order as it stands."""
    venue = venue_of(request)
    venue.need_running()
    order = venue.engine.core.order(_order_id(order_id))
    return await _found(venue, order, f"there is no order {order_id}", "id")


@router.get("/v4/orders")
async def read_by_client_id(request: Request, address: str = "", clientId: str = "") -> Response:  # noqa: N803
    """One order as it stands, by the name that its owner gave it."""
    venue = venue_of(request)
    venue.need_running()
    try:
        owner = addresses.parse(address)
    except ValueError as error:
        raise ApiError(400, "invalid_parameter", f"address {error}", "address") from None
    number = read_uint("subaccountNumber", 16, request.query_params.get("subaccountNumber", "0"))
    name = read_label("clientId", clientId)
    order = venue.engine.core.order_by_client_id(owner, number, name)
    if order is not None and order.private:
        order = None  # anybody can guess a client id; who knows the order's hash has seen the order
    return await _found(venue, order, f"subaccount {number} of {owner} has no order of that clientId", "clientId")


async def _found(venue: Venue, order: OrderState | None, missing: str, param: str) -> Response:
    seq = venue.engine.core.seq
    await venue.engine.durable()
    if order is None:
        raise ApiError(404, "order_not_found", missing, param)
    return answer(200, {**msgspec.to_builtins(order), "seq": seq})


async def _placed(request: Request, name: str, body: PlaceBody) -> Response:
    venue = venue_of(request)
    venue.need_ready()
    ack = await venue.intake.place(body, meter_of(request))
    venue.engine.metrics.answers.labels(name, ack.http_status).inc()
    if not ack.ok:
        raise refusal_of(ack, venue.receipt(ack))
    return answer(ack.http_status, placed_body(ack) | venue.receipt(ack))


def _order_id(text: str) -> bytes:
    try:
        return read_bytes32("id", text if text.startswith("0x") else "0x" + text)
    except ApiError:
        raise ApiError(400, "bad_order_id", "an order id is its EIP-712 hash: 0x and 64 hex digits", "id") from None


def _item(venue: Venue, result: Ack | ApiError) -> dict[str, Any]:
    refused = result if isinstance(result, ApiError) else None
    if isinstance(result, Ack) and not result.ok:
        refused = refusal_of(result, venue.receipt(result))
    if refused is not None:
        venue.engine.metrics.refusals.labels(refused.code).inc()
        return item_answer(refused.status, refused.body())
    assert isinstance(result, Ack)
    venue.engine.metrics.answers.labels("placeBatch", result.http_status).inc()
    return item_answer(result.http_status, placed_body(result) | venue.receipt(result))


def placed_body(ack: Ack) -> dict[str, Any]:
    """What a placed order is answered with."""
    placed: dict[str, Any] = {
        "id": ack.order_id,
        "clientId": ack.client_id,
        "status": ack.order_status,
        "filled": str(ack.filled),
        "seq": ack.seq,
    }
    if ack.reason:
        placed["reason"] = ack.reason
    return placed
