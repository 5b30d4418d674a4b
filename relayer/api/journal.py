# SPDX-License-Identifier: AGPL-3.0-only
"""The published journal: which segments there are, and their groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from relayer.api.errors import ApiError, answer
from relayer.api.venue import Venue, venue_of
from relayer.publication import encode_group, encode_header, order_of

router = APIRouter()

DOWNLOAD_WEIGHT = 50
_LIVE = ("OPEN", "UNTRIGGERED")


@router.get("/v4/journal/segments")
async def segments(request: Request) -> Response:
    """What of the journal is published by now: `delaySeconds` after it was written."""
    publisher = venue_of(request).publisher
    found = await asyncio.to_thread(publisher.segments)
    return answer(200, {"delaySeconds": publisher.delay_s, "upTo": publisher.up_to, "segments": found})


@router.get("/v4/journal/segments/{first_seq}")
async def segment(
    request: Request, first_seq: str, start: str = Query("0", alias="from", description="leave out what is before")
) -> Response:
    """One segment in the form that `ouro audit` reads; a conditional order that is open is shown as a hash."""
    venue = venue_of(request)
    venue.need_running()
    number, from_seq = _seq(first_seq, "firstSeq"), _seq(start, "from")
    venue.limits.request(request.scope["ouro.meter"], DOWNLOAD_WEIGHT - 1, cancels=False)
    header = await asyncio.to_thread(venue.publisher.header, number)
    if header is None:
        raise ApiError(
            404, "no_segment", f"no published segment begins with record {number}: /v4/journal/segments lists them"
        )
    body = _stream(venue, encode_header(header), number, from_seq)
    return StreamingResponse(body, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


async def _stream(venue: Venue, head: bytes, number: int, from_seq: int) -> AsyncIterator[bytes]:
    yield head
    chunks = venue.publisher.groups(number, from_seq)
    while True:
        # One chunk at a time, whoever asks: downloads wait for one another, orders for none of them.
        async with venue.publishing:
            # Reading is for a thread; what an order is now, only the loop may ask.
            chunk = await asyncio.to_thread(next, chunks, None)
            if chunk is None:
                return
            data = b"".join(encode_group(group, lambda record: _is_secret(venue, record)) for group in chunk)
        yield data


def _is_secret(venue: Venue, record: bytes) -> bool:
    order_id = order_of(record)
    if not order_id:
        return False
    order = venue.engine.core.order(order_id)
    if order is None or order.status not in _LIVE:
        return False
    return bool(order.trigger_price or order.not_before or order.parent or order.arm_price)


def _seq(text: str, param: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ApiError(400, "bad_seq", f"{param} is the number of a record", param)
    return int(text)
