# SPDX-License-Identifier: AGPL-3.0-only
"""Answers of the API share the app's origin, where a browser keeps session keys: none may become a page there."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DATA = "default-src 'none'; frame-ancestors 'none'; sandbox"
#: Its scripts come from elsewhere, so it gets an origin of its own, without storage.
DESCRIPTION = "frame-ancestors 'none'; sandbox allow-scripts"
DESCRIPTION_PATH = "/docs"

_CSP = "Content-Security-Policy"


class Guarded:
    """ASGI middleware: adds the headers to what brings no policy of its own, as the app's files do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if _CSP not in headers:
                    headers[_CSP] = DESCRIPTION if scope["path"] == DESCRIPTION_PATH else DATA
                    headers["X-Content-Type-Options"] = "nosniff"
                    headers["X-Frame-Options"] = "DENY"
                    headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)
