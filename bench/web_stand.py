# SPDX-License-Identifier: AGPL-3.0-only
"""Stands between a browser and a real exchange and makes one book busy: so many changes a second, each with its time.

Everything is passed on as it is. On the stream, the real changes of that book are replaced by changes of the size of
its best bid, which is the number of the change in smallest lots: whoever sees the page knows which one it shows.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_HOP = {"connection", "transfer-encoding", "keep-alive", "server", "date"}


class Stand:
    """One such server on a free port, in a thread of its own. `sent_ms[n]` is when change n went out (Unix time)."""

    def __init__(self, upstream: str, market: str, lot: Decimal, per_second: float) -> None:
        self._upstream = upstream
        self._market = market
        self._lot = lot
        self._per_second = per_second
        self.sent_ms: list[float] = []
        self._http = httpx.AsyncClient(base_url=upstream, timeout=30)
        app = Starlette(
            routes=[
                WebSocketRoute("/v4/ws", self._stream),
                Route("/{path:path}", self._pass, methods=["GET", "POST", "DELETE"]),
            ]
        )
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="websockets-sansio")
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> str:
        """Serve; the base URL."""
        self._thread.start()
        while not self._server.started:
            time.sleep(0.02)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    async def _pass(self, request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        target = httpx.URL(self._upstream + request.url.path, query=request.url.query.encode())
        asked = self._http.build_request(request.method, target, headers=headers, content=await request.body())
        answer = await self._http.send(asked, stream=True)
        body = b"".join([part async for part in answer.aiter_raw()])
        await answer.aclose()
        kept = {name: value for name, value in answer.headers.items() if name not in _HOP}
        return Response(body, answer.status_code, kept)

    async def _stream(self, page: WebSocket) -> None:
        await page.accept()
        async with connect(self._upstream.replace("http", "ws", 1) + "/v4/ws") as real:
            line = _Line(self, page, real)
            tasks = [asyncio.create_task(line.up()), asyncio.create_task(line.down())]
            with suppress(WebSocketDisconnect, ConnectionClosed, RuntimeError):
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in [*tasks, *line.busy]:
                task.cancel()
            await asyncio.gather(*tasks, *line.busy, return_exceptions=True)

    async def make_busy(self, line: _Line, snapshot: dict[str, Any]) -> None:
        """Change after change, evenly spaced."""
        best = max(snapshot["bids"], key=lambda level: Decimal(level["price"]))["price"]
        seq = int(snapshot["seq"])
        started = time.perf_counter()
        number = 0
        while True:
            await asyncio.sleep(max(0.0, started + number / self._per_second - time.perf_counter()))
            number = len(self.sent_ms)
            size = format(self._lot * (number + 1), "f")
            contents = {"bids": [[best, size]], "seq": str(seq + 1), "prevSeq": str(seq)}
            seq += 1
            if number == 0:
                started = time.perf_counter()
            self.sent_ms.append(time.time() * 1000)
            await line.say(
                {"type": "channel_data", "channel": "v4_orderbook", "id": self._market, "contents": contents}
            )

    def of_book(self, message: dict[str, Any]) -> bool:
        return message.get("channel") == "v4_orderbook" and message.get("id") == self._market


class _Line:
    """One page's stream, with messages numbered anew."""

    def __init__(self, stand: Stand, page: WebSocket, real: ClientConnection) -> None:
        self._stand = stand
        self._page = page
        self._real = real
        self._next = 0
        self.busy: list[asyncio.Task[None]] = []

    async def say(self, message: dict[str, Any]) -> None:
        message["message_id"] = self._next
        self._next += 1
        await self._page.send_text(json.dumps(message))

    async def up(self) -> None:
        while True:
            await self._real.send(await self._page.receive_text())

    async def down(self) -> None:
        async for text in self._real:
            message = json.loads(text)
            if self._stand.of_book(message):
                if message["type"] == "channel_data":
                    continue
                if message["type"] == "subscribed":
                    await self.say(message)
                    if not self._stand.sent_ms:
                        self.busy.append(asyncio.create_task(self._stand.make_busy(self, message["contents"])))
                    continue
            await self.say(message)
