# SPDX-License-Identifier: AGPL-3.0-only
"""Orders: place, cancel, look at one, check a signature."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from relayer.api.bodies import (
    CancelAllAfterBody,
    CancelAllBody,
    CancelBody,
    PlaceBody,
    VerifyBody,
    decode_body,
    read_body,
)
from relayer.api.errors import ApiError, answer, refusal_of
from relayer.api.openapi import body_of
from relayer.api.venue import Venue, venue_of
from relayer.core.inputs import Cancel, CancelAll, CancelAllAfter
from relayer.core.outputs import Ack

router = APIRouter()

_place = msgspec.json.Decoder(PlaceBody)
_verify = msgspec.json.Decoder(VerifyBody)
_cancel = msgspec.json.Decoder(CancelBody)
_cancel_all = msgspec.json.Decoder(CancelAllBody)
_cancel_all_after = msgspec.json.Decoder(CancelAllAfterBody)


@router.post("/v4/orders", openapi_extra=body_of(PlaceBody))
async def place(request: Request) -> Response:
    """Place a signed order. The answer comes when the order is matched and on disk."""
    venue = venue_of(request)
    body = decode_body(await read_body(request), _place, '{"order": {...}, "signature": "0x...", "clientId": "1"}')
    venue.need_ready()
    ack = await venue.intake.place(body)
    venue.engine.metrics.answers.labels("place", ack.http_status).inc()
    if not ack.ok:
        raise refusal_of(ack)
    placed: dict[str, Any] = {
        "id": ack.order_id,
        "clientId": ack.client_id,
        "status": ack.order_status,
        "filled": str(ack.filled),
        "seq": ack.seq,
    }
    if ack.reason:
        placed["reason"] = ack.reason
    return answer(ack.http_status, placed)


@router.post("/v4/orders/verify", openapi_extra=body_of(VerifyBody))
async def verify(request: Request) -> Response:
    """Say whom an order's signature recovers to and which digest it must be over. Places nothing."""
    venue = venue_of(request)
    body = decode_body(await read_body(request), _verify, '{"order": {...}, "signature": "0x..."}')
    verdict = venue.verifier.verdict(body.order, body.signature, venue.engine.core.may_sign)
    return answer(200, verdict)


@router.post("/v4/orders/cancelAllAfter", openapi_extra=body_of(CancelAllAfterBody))
async def cancel_all_after(request: Request) -> Response:
    """Arm, renew or (0 seconds) disarm the switch that cancels all orders of a subaccount."""
    venue = venue_of(request)
    example = '{"cancelAllAfter": {...}, "signature": "0x..."}'
    body = decode_body(await read_body(request), _cancel_all_after, example)
    venue.need_running()
    item = venue.verifier.cancel_all_after(body.cancel_all_after, body.signature)
    return await _command(venue, "cancelAllAfter", item)


@router.delete("/v4/orders", openapi_extra=body_of(CancelAllBody))
async def cancel_all(request: Request) -> Response:
    """Cancel all orders of a subaccount, or those in one market."""
    venue = venue_of(request)
    body = decode_body(await read_body(request), _cancel_all, '{"cancelAll": {...}, "signature": "0x..."}')
    venue.need_running()
    item = venue.verifier.cancel_all(body.cancel_all, body.signature)
    return await _command(venue, "cancelAll", item)


@router.delete("/v4/orders/{order_id}", openapi_extra=body_of(CancelBody))
async def cancel(request: Request, order_id: str) -> Response:
    """Cancel one order."""
    venue = venue_of(request)
    body = decode_body(await read_body(request), _cancel, '{"cancel": {...}, "signature": "0x..."}')
    venue.need_running()
    item = venue.verifier.cancel(body.cancel, body.signature, order_id)
    return await _command(venue, "cancel", item)


@router.get("/v4/orders/{order_id}")
async def read(request: Request, order_id: str) -> Response:
    """One order as it stands."""
    venue = venue_of(request)
    venue.need_running()
    text = order_id.removeprefix("0x")
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ApiError(400, "bad_order_id", "an order id is its EIP-712 hash: 0x and 64 hex digits", "id")
    order = venue.engine.core.order(raw)
    seq = venue.engine.core.seq
    await venue.engine.durable()
    if order is None:
        raise ApiError(404, "order_not_found", f"there is no order 0x{text.lower()}", "id")
    return answer(200, {**msgspec.to_builtins(order), "seq": seq})


async def _command(venue: Venue, name: str, item: Cancel | CancelAll | CancelAllAfter) -> Response:
    # Strangers are answered before the journal: keys cost nothing, and must not be able to fill the disk.
    if not venue.engine.core.is_known(item.signer):
        if isinstance(item, CancelAll):
            return answer(200, {"seq": venue.engine.event_log.seq, "cancelled": []})
        raise ApiError(
            401,
            "not_authorised",
            f"{item.signer} signed this and has never had a deposit: sign with the account's own key",
            "signature",
        )
    ack: Ack = await venue.engine.command(item)
    venue.engine.metrics.answers.labels(name, ack.http_status).inc()
    if not ack.ok:
        raise refusal_of(ack)
    done: dict[str, Any] = {"seq": ack.seq}
    if ack.order_id:
        done |= {"id": ack.order_id, "clientId": ack.client_id, "status": ack.order_status, "filled": str(ack.filled)}
    if name != "cancelAllAfter":
        done["cancelled"] = list(ack.cancelled)
    return answer(ack.http_status, done)
