# SPDX-License-Identifier: AGPL-3.0-only
"""One stream connection: frames in, numbered frames out."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque

import msgspec
from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from indexer.api.context import Context
from indexer.api.errors import ApiError
from indexer.parts import is_outside, reason_of
from indexer.stream.filters import TradeFilter
from indexer.stream.gate import Gate
from indexer.stream.hub import Hub, Session
from indexer.stream.keys import OF_ACCOUNTS, VERSIONS, Key
from indexer.stream.snapshots import Since, snapshot
from indexer.stream.tail import of_letter

_LIMITS = {"v4_subaccounts": 256, "v4_parent_subaccounts": 256, "v4_markets": 1, "v4_block_height": 1}
_LIMIT = 32
_INVALID_PER_SECOND = 2
_SNAPSHOTS = 16
"""Snapshots in the making for one client; its further requests wait."""
_MAX_TEXT = 128
"""No channel and no id is longer; what is echoed must not be either."""
_POLICY_VIOLATION = 1008
_TRY_AGAIN_LATER = 1013
_RATE_LIMITED = "rate_limited"


class _Request(msgspec.Struct, rename="camel"):
    type: str
    channel: str = ""
    id: str | int | None = None
    batched: bool = False
    filter: TradeFilter | None = None
    auth: str | None = None
    from_seq: int | None = None
    epoch: str = ""


_decoder = msgspec.json.Decoder(_Request)


async def serve(websocket: WebSocket) -> None:
    """`/v4/ws`: subscribe, unsubscribe, ping."""
    await websocket.accept()
    hub: Hub = websocket.app.state.hub
    gate: Gate = websocket.app.state.gate
    host = websocket.client.host if websocket.client else ""
    connection = _Connection(websocket, websocket.app.state.context, hub, gate, host)
    refusal = gate.enter(host)
    if refusal:
        await connection.turn_away(refusal)
        return
    hub.join(connection.session)
    connection.session.say("connected")
    sender = asyncio.create_task(connection.send())
    receiver = asyncio.create_task(connection.receive())
    try:
        await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(connection.session)
        gate.leave(host)
        for task in (sender, receiver, *connection.snapshots):
            task.cancel()
        await asyncio.gather(sender, receiver, *connection.snapshots, return_exceptions=True)
        if websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError):
                await websocket.close(connection.close_code)


class _Connection:
    def __init__(self, websocket: WebSocket, context: Context, hub: Hub, gate: Gate, host: str) -> None:
        self._websocket = websocket
        self._context = context
        self._hub = hub
        self._gate = gate
        self._host = host
        self._invalid: deque[float] = deque(maxlen=_INVALID_PER_SECOND + 1)
        self.session = Session(self._begin)
        self.snapshots: set[asyncio.Task[None]] = set()
        self.close_code = 1000

    async def turn_away(self, reason: str) -> None:
        """Say why there is no connection, and end it."""
        self._refuse(reason, errorCode=_RATE_LIMITED)
        frame = await self.session.next_frame()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.send_text((frame or b"").decode())
            await self._websocket.close(_TRY_AGAIN_LATER)

    async def send(self) -> None:
        """Until the session is closed, the client is gone, or it reads too slowly."""
        while True:
            frame = await self.session.next_frame()
            if self.session.too_slow:
                self.close_code = _TRY_AGAIN_LATER
                return
            if frame is None:
                return
            try:
                await self._websocket.send_text(frame.decode())
            except (WebSocketDisconnect, RuntimeError):
                return

    async def receive(self) -> None:
        """Until the client is gone or sends too much that is not a request."""
        while True:
            try:
                text = await self._websocket.receive_text()
            except (WebSocketDisconnect, RuntimeError, KeyError):
                return
            try:
                request = _decoder.decode(text)
            except msgspec.DecodeError as error:
                self._refuse(f"not a request: {error}")
                if self._too_many_invalid():
                    self.close_code = _POLICY_VIOLATION
                    return
                continue
            self._handle(request)
            if len(self.snapshots) >= _SNAPSHOTS:
                await asyncio.wait(self.snapshots, return_when=asyncio.FIRST_COMPLETED)

    def _handle(self, request: _Request) -> None:
        id_ = "" if request.id is None else str(request.id)
        if max(len(id_), len(request.channel), len(request.type)) > _MAX_TEXT:
            self._refuse(f"type, channel and id have at most {_MAX_TEXT} characters")
            return
        if request.type == "ping":
            self.session.say("pong", id_="" if request.id is None else request.id)
        elif request.type == "subscribe":
            self._subscribe((request.channel, id_), request)
        elif request.type == "unsubscribe":
            key = _normal((request.channel, id_))
            self._hub.unsubscribe(self.session, key)
            self.session.say("unsubscribed", *key)
        else:
            self._refuse(f"type is subscribe, unsubscribe or ping, not {request.type!r}")

    def _subscribe(self, asked: Key, request: _Request) -> None:
        key = _normal(asked)
        channel = key[0]
        if channel not in VERSIONS:
            self._refuse(f"no channel is called {channel!r}; there are {', '.join(VERSIONS)}", asked)
        elif request.filter is not None and channel != "v4_trades":
            self._refuse("only v4_trades takes a filter", asked)
        elif (request.auth is not None or request.from_seq is not None) and channel not in OF_ACCOUNTS:
            self._refuse(f"only {' and '.join(OF_ACCOUNTS)} take auth and fromSeq", asked)
        elif key in self.session.subscriptions:
            self._refuse("already subscribed", asked)
        elif sum(name == channel for name, _ in self.session.subscriptions) >= _LIMITS.get(channel, _LIMIT):
            self._refuse(f"too many subscriptions to {channel} on this connection", asked)
        elif refusal := self._gate.subscribe(self._host, channel, resumes=request.from_seq is not None):
            self._refuse(refusal, asked, errorCode=_RATE_LIMITED)
        else:
            self._hub.subscribe(self.session, key, batched=request.batched, wanted=request.filter, auth=request.auth)
            self._begin(key, None if request.from_seq is None else Since(request.epoch, request.from_seq))

    def _begin(self, key: Key, since: Since | None = None) -> None:
        task = asyncio.create_task(self._start(key, since))
        self.snapshots.add(task)
        task.add_done_callback(self.snapshots.discard)

    async def _start(self, key: Key, since: Since | None) -> None:
        subscription = self.session.subscriptions[key]
        while True:
            subscription.stale = False
            try:
                found = await snapshot(self._context, key, subscription.auth, since)
            except ApiError as error:
                if self.session.subscriptions.get(key) is subscription:
                    self._hub.unsubscribe(self.session, key)
                    self._refuse(error.message, key, errorCode=error.code)
                return
            except Exception as error:
                if not is_outside(error):
                    raise
                # No snapshot for the moment: the client subscribes again.
                if self.session.subscriptions.get(key) is subscription:
                    self._hub.unsubscribe(self.session, key)
                    self._refuse(f"{reason_of(error)}: subscribe again", key, errorCode="database_unavailable")
                return
            if not subscription.stale:
                break
        if self.session.subscriptions.get(key) is subscription:
            replay = [update for letter in found.replay for update in of_letter(letter, [key])]
            self._hub.started(self.session, key, found.contents, found.positions, found.reader, replay)

    def _refuse(self, message: str, key: Key = ("", ""), **more: str) -> None:
        self.session.say("error", *key, message=message, **more)

    def _too_many_invalid(self) -> bool:
        now = time.monotonic()
        self._invalid.append(now)
        return len(self._invalid) > _INVALID_PER_SECOND and now - self._invalid[0] < 1.0


def _normal(key: Key) -> Key:
    """Tickers in upper case; channels that take no id have none."""
    channel, id_ = key
    if channel in ("v4_markets", "v4_block_height"):
        return channel, ""
    return (channel, id_) if "subaccounts" in channel else (channel, id_.upper())
