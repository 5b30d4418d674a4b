# SPDX-License-Identifier: AGPL-3.0-only
"""Cancels: one order by id or client id, many at once, all of a subaccount, the dead man's switch.

They are taken whenever the relayer runs, also when no orders are: they only lower risk.
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from relayer.api.bodies import (
    MAX_BATCH_BODY_BYTES,
    CancelAllAfterBody,
    CancelAnyBody,
    CancelBatchBody,
    CancelBody,
    decode_body,
    decode_items,
    read_body,
)
from relayer.api.errors import ApiError, answer, item_answer, refusal_of
from relayer.api.limits import Meter
from relayer.api.venue import Venue, meter_of, venue_of
from relayer.api.verifying import revoked_key, wrong_signer
from relayer.core.inputs import AnyCancel, CancelAll, CancelAllAfter
from relayer.core.outputs import Ack
from relayer.engine import ack_of

router = APIRouter()

FAILED = (400, 401)
"""What is answered to a cancel that nobody may ask for."""

_SHAPE = '{"cancel": {...}, "signature": "0x..."}'
_ANY_SHAPE = '{"cancelAll": {...}, "signature": "0x..."} (or cancel, or cancelByClientId)'
_cancel = msgspec.json.Decoder(CancelBody)
_any = msgspec.json.Decoder(CancelAnyBody)
_batch = msgspec.json.Decoder(CancelBatchBody)
_cancel_all_after = msgspec.json.Decoder(CancelAllAfterBody)


@router.delete("/v4/orders/batch")
async def cancel_batch(request: Request) -> Response:
    """Carry out up to 50 cancels one after the other, with an answer for each; one that fails stops no other."""
    venue = venue_of(request)
    data = await read_body(request, MAX_BATCH_BODY_BYTES)
    items = decode_items(decode_body(data, _batch, f'{{"cancels": [{_SHAPE}]}}').cancels, "cancels")
    venue.limits.request(meter_of(request), len(items) - 1, cancels=True)
    venue.need_running()
    meter = meter_of(request)
    read = await venue.intake.in_cancel_thread(lambda: [_read_item(venue, bytes(raw)) for raw in items])
    known = [result if isinstance(result, ApiError) else _answer_before(venue, meter, *result) for result in read]
    pending = [
        result[0] for result, told in zip(read, known, strict=True) if told is None and not isinstance(result, ApiError)
    ]
    venue.limits.failed_cancels(meter, sum(isinstance(told, ApiError) and told.status in FAILED for told in known))
    acks = iter(await _applied(venue, pending))
    return answer(200, {"results": [_item(venue, next(acks) if told is None else told) for told in known]})


@router.delete("/v4/orders")
async def cancel_any(request: Request) -> Response:
    """Cancel all orders of a subaccount (`cancelAll`, in one market or in all), or one by id or client id."""
    venue = venue_of(request)
    body = decode_body(await read_body(request), _any, _ANY_SHAPE)
    venue.need_running()
    item, digest = venue.verifier.cancel_any(body)
    return await _command(request, item, digest)


@router.delete("/v4/orders/{order_id}")
async def cancel(request: Request, order_id: str) -> Response:
    """Cancel one order."""
    venue = venue_of(request)
    body = decode_body(await read_body(request), _cancel, _SHAPE)
    venue.need_running()
    item, digest = venue.verifier.cancel(body.cancel, body.signature, order_id)
    return await _command(request, item, digest)


@router.post("/v4/orders/cancelAllAfter")
async def cancel_all_after(request: Request) -> Response:
    """Arm, renew or (0 seconds) disarm the switch that cancels all orders of a subaccount."""
    venue = venue_of(request)
    example = '{"cancelAllAfter": {...}, "signature": "0x..."}'
    body = decode_body(await read_body(request), _cancel_all_after, example)
    venue.need_running()
    item, digest = venue.verifier.cancel_all_after(body.cancel_all_after, body.signature)
    return await _command(request, item, digest)


async def _command(request: Request, item: AnyCancel, digest: bytes) -> Response:
    venue = venue_of(request)
    ack = _answer_before(venue, meter_of(request), item, digest)
    if isinstance(ack, ApiError):
        raise ack
    if ack is None:
        ack = await venue.engine.command(item)
    venue.engine.metrics.answers.labels(_name(item), ack.http_status).inc()
    if not ack.ok:
        raise refusal_of(ack, venue.receipt(ack))
    body = _cancelled_body(ack) | venue.receipt(ack)
    if isinstance(item, CancelAllAfter):
        del body["cancelled"]
    return answer(ack.http_status, body)


async def _applied(venue: Venue, items: list[AnyCancel]) -> list[Ack]:
    """The answers to a batch. What another of the batch had taken away by its turn counts as a cancel of nothing."""
    if not items:
        return []
    hopeful = [venue.engine.core.takes_away(item) for item in items]
    acks = list(map(ack_of, await venue.engine.apply(items)))
    for item, was_hopeful, ack in zip(items, hopeful, acks, strict=True):
        if was_hopeful and not ack.cancelled:
            venue.limits.refused(item.account)
    return acks


def _read_item(venue: Venue, raw: bytes) -> tuple[AnyCancel, bytes] | ApiError:
    try:
        return venue.verifier.cancel_any(decode_body(raw, _any, _SHAPE))
    except ApiError as error:
        return error


def _answer_before(venue: Venue, meter: Meter, item: AnyCancel, digest: bytes) -> Ack | ApiError | None:
    """What is answered before the journal, None for what goes on to it. Keys cost nothing: what strangers sign must not
    be able to fill the disk, nor may cancels that cancel nothing.
    """
    core = venue.engine.core
    if not core.may_sign(item.account, item.signer):
        return wrong_signer(item.signer, item.account, digest)
    if core.is_revoked(item.account, item.signer):
        return revoked_key(item.signer)  # its orders ended with it
    if not core.has_deposited(item.account):
        if isinstance(item, CancelAll):
            return Ack(input_seq=0, ok=True, http_status=200, seq=venue.engine.event_log.seq)
        return ApiError(
            401, "not_authorised", f"{item.account} has never had a deposit: there is nothing to cancel", "signature"
        )
    try:
        venue.limits.cancel(item.account, meter, idle=not core.takes_away(item))
    except ApiError as error:
        venue.engine.metrics.shed.labels("cancels").inc()
        return error
    return None


def _item(venue: Venue, result: Ack | ApiError) -> dict[str, Any]:
    if isinstance(result, Ack):
        venue.engine.metrics.answers.labels("cancelBatch", result.http_status).inc()
        if result.ok:
            return item_answer(result.http_status, _cancelled_body(result) | venue.receipt(result))
        result = refusal_of(result, venue.receipt(result))
    venue.engine.metrics.refusals.labels(result.code).inc()
    return item_answer(result.status, result.body())


def _name(item: AnyCancel) -> str:
    return type(item).__name__[:1].lower() + type(item).__name__[1:]


def _cancelled_body(ack: Ack) -> dict[str, Any]:
    done: dict[str, Any] = {"seq": ack.seq, "cancelled": list(ack.cancelled)}
    if ack.order_id:
        done |= {"id": ack.order_id, "clientId": ack.client_id, "status": ack.order_status, "filled": str(ack.filled)}
    return done
