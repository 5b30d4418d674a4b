# SPDX-License-Identifier: AGPL-3.0-only
"""Every answer says which block and which record of the relayer it was read after; every request is counted."""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer import metrics
from indexer.progress import Progress

HEIGHT_HEADER = "Ouro-Height"
SEQ_HEADER = "Ouro-Seq"


class Observed:
    """ASGI middleware. The headers are a lower bound: what was applied before the request was handled."""

    def __init__(self, app: ASGIApp, progress: Progress) -> None:
        self._app = app
        self._progress = progress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        before = (self._progress.height, self._progress.seq)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                height, seq = scope.get("state", {}).get("read_after", before)
                headers = MutableHeaders(scope=message)
                headers[HEIGHT_HEADER] = str(height)
                headers[SEQ_HEADER] = str(seq)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            metrics.requests.labels(scope["method"], route, str(status)).observe(time.perf_counter() - started)
