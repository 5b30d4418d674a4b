# SPDX-License-Identifier: AGPL-3.0-only
"""The event log: long poll and stream. Consumers keep their own place and come back with `from`.

A stream reads the shared log, so a slow consumer holds no memory of its own; one that takes no data for a while or
falls far behind what it had reached is cut off and may come back where it was. Records that are no longer kept are a
gap: a stream says so in a frame of its own and goes on behind it, a poll is refused with the number to go on from.

Where a token is configured nobody reads without it: the log tells of conditional orders before they trigger.
"""

from __future__ import annotations

import asyncio
import hmac
from contextlib import suppress

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from relayer.api.errors import ApiError
from relayer.api.venue import Venue, venue_of

router = APIRouter()

MAX_LIMIT = 10_000
MAX_WAIT_S = 20.0
CHUNK = 256
MAX_LAG = 20_000
MAX_STREAMS = 64
SEND_TIMEOUT_S = 10.0

SLOW_CONSUMER = 4008
"""Close code: too slow; come back with the `from` in the reason."""
BAD_REQUEST = 4000
UNAUTHORIZED = 4001
TRY_LATER = 1013
GOING_AWAY = 1001


@router.get("/events")
async def poll(
    request: Request,
    start: str = Query("1", alias="from", description="number of the first record wanted"),
    limit: str = Query("1000", description="at most so many records, up to 10000"),
    wait: str = Query("0", description="seconds to wait for the first record, up to 20"),
) -> Response:
    """Records from a number on, one JSON object per line; waits for the first one if there is none yet."""
    venue = venue_of(request)
    if not _has_token(request, venue.events_token):
        raise ApiError(
            401, "not_authorised", "the event log needs its token: send Authorization: Bearer and OURO_EVENTS_TOKEN"
        )
    venue.need_running()
    from_seq = _whole(start, "from", 2**53)
    size = max(1, min(_whole(limit, "limit", 2**53), MAX_LIMIT))
    wait_s = min(_seconds(wait), MAX_WAIT_S)
    log = venue.engine.event_log
    if from_seq < log.first_seq:
        raise ApiError(
            410,
            "records_gone",
            f"records before {log.first_seq} are not kept: take a snapshot from elsewhere and go on from there",
            "from",
            {"firstSeq": log.first_seq},
        )
    if log.seq < from_seq and wait_s:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await log.wait(from_seq)
    lines = log.read(from_seq, size)
    headers = {"X-Last-Seq": str(log.seq), "Cache-Control": "no-store"}
    return Response(b"".join(line + b"\n" for line in lines), media_type="application/x-ndjson", headers=headers)


@router.websocket("/events/stream")
async def stream(websocket: WebSocket) -> None:
    """Records from a number on, one per frame, without end."""
    await websocket.accept()
    venue = venue_of(websocket)
    if not _has_token(websocket, venue.events_token):
        await websocket.close(UNAUTHORIZED, "the event log needs its token in the header Authorization: Bearer")
        return
    text = websocket.query_params.get("from", "1")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        await websocket.close(BAD_REQUEST, "from must be the number of a record")
        return
    if not venue.engine.running:
        await websocket.close(GOING_AWAY, "the relayer is starting or stopping")
        return
    if len(venue.streams) >= MAX_STREAMS:
        venue.engine.metrics.shed.labels("streams").inc()
        await websocket.close(TRY_LATER, "too many streams are open: try again later")
        return
    consumers = venue.engine.metrics.consumers
    consumers.inc()
    venue.streams.add(websocket)
    pump = asyncio.ensure_future(_pump(websocket, venue, max(1, int(text))))
    listener = asyncio.ensure_future(_until_gone(websocket))
    try:
        await asyncio.wait((pump, listener), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (pump, listener):
            task.cancel()
        results = await asyncio.gather(pump, listener, return_exceptions=True)
        consumers.dec()
        venue.streams.discard(websocket)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | RuntimeError):
            raise result


async def _pump(websocket: WebSocket, venue: Venue, cursor: int) -> None:
    log = venue.engine.event_log
    live = False
    while True:
        if log.seq < cursor:
            live = True
            await log.wait(cursor)
        if log.closed:
            await _close(websocket, GOING_AWAY, f"the relayer is stopping: come back with from={cursor}")
            return
        if live and log.seq - cursor >= MAX_LAG:
            await _cut(websocket, venue, cursor)
            return
        if cursor < log.first_seq:
            gap = {"type": "gap", "from": cursor, "next": log.first_seq}
            if not await _sent(websocket, msgspec.json.encode(gap)):
                await _cut(websocket, venue, cursor)
                return
            cursor = log.first_seq
        for line in log.read(cursor, CHUNK):
            if not await _sent(websocket, line):
                await _cut(websocket, venue, cursor)
                return
            cursor += 1


async def _sent(websocket: WebSocket, line: bytes) -> bool:
    """Whether the consumer took it in time."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await websocket.send_text(line.decode())
    except TimeoutError:
        return False
    return True


def _has_token(connection: HTTPConnection, token: str) -> bool:
    if not token:
        return True
    given = connection.headers.get("authorization", "")
    return hmac.compare_digest(given.encode("latin-1", "replace"), f"Bearer {token}".encode())


async def _cut(websocket: WebSocket, venue: Venue, cursor: int) -> None:
    venue.engine.metrics.slow_consumers.inc()
    await _close(websocket, SLOW_CONSUMER, f"too slow: come back with from={cursor}")


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await websocket.close(code, reason)


async def _until_gone(websocket: WebSocket) -> None:
    """Reads (and ignores) what the consumer says, which is how its leaving is noticed."""
    while websocket.client_state is WebSocketState.CONNECTED:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return


def _whole(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17 and int(text) <= most):
        raise ApiError(400, "invalid_parameter", f"{name} must be a whole number", name)
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise ApiError(400, "invalid_parameter", "wait must be a number of seconds", "wait")
    return seconds
