# SPDX-License-Identifier: AGPL-3.0-only
"""Writes pass through to the relayer, and requests for test money to the faucet: method, path, query and body as they
came, status and body as they come back.
"""

from __future__ import annotations

import asyncio
import math
import time

import httpx
from starlette.requests import Request
from starlette.responses import Response

from indexer.api.errors import ApiError
from ouro.async_http import AsyncClient

_UP = ("content-type", "accept", "idempotency-key")
_DOWN = ("content-type", "retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
_MAX_BODY = 1 << 20
_ASKED_EVERY_S = 2.0
_ANSWERS_WITHIN_S = 5.0


class Forwarder:
    """Connections to one service behind the front door, kept alive. `name` is what errors call it, `advice` what to do
    when it does not answer.
    """

    def __init__(
        self, url: str, name: str = "relayer", advice: str = "read the order by its id before sending it again"
    ) -> None:
        self._name, self._advice = name, advice
        self._client = AsyncClient(
            base_url=url, timeout=30.0, limits=httpx.Limits(max_connections=200, max_keepalive_connections=100)
        )

        self._asking = asyncio.Lock()
        self._asked_s = -math.inf
        self._refusal = ""

    async def refusal(self) -> str:
        """Why the service takes nothing now; empty when it does. Asked once for all who want to know in two seconds."""
        async with self._asking:
            if time.monotonic() - self._asked_s > _ASKED_EVERY_S:
                self._refusal = await self._ask()
                self._asked_s = time.monotonic()
        return self._refusal

    async def _ask(self) -> str:
        try:
            answer = await self._client.get("/ready", timeout=_ANSWERS_WITHIN_S)
            told = answer.json() if answer.status_code != httpx.codes.OK else {}
        except (httpx.HTTPError, ValueError):
            return f"the {self._name} does not answer"
        if answer.status_code == httpx.codes.OK:
            return ""
        reason = told.get("reason") if isinstance(told, dict) else None
        return str(reason or f"the {self._name} is not ready")

    async def close(self) -> None:
        await self._client.aclose()

    async def __call__(self, request: Request) -> Response:
        """The service's answer. Raises a 503 when there is none, a 413 for a body beyond a megabyte."""
        if ".." in request.url.path.split("/") or not request.url.path.isprintable():
            raise ApiError(404, "not_found", "there is nothing at this path")
        body = await _body(request)
        headers = {name: request.headers[name] for name in _UP if name in request.headers}
        if request.client is not None:
            # In place of what the client says of itself: the services limit by it.
            headers["x-forwarded-for"] = request.client.host
        try:
            answer = await self._client.request(
                request.method,
                request.url.path,
                params=httpx.QueryParams(request.url.query),
                content=body,
                headers=headers,
            )
        except httpx.HTTPError as error:
            raise ApiError(
                503,
                f"{self._name}_unavailable",
                f"the {self._name} does not answer, so nothing is known of this request's fate: {self._advice} "
                f"({type(error).__name__})",
            ) from error
        kept = {name: answer.headers[name] for name in _DOWN if name in answer.headers}
        return Response(answer.content, answer.status_code, {**kept, "Cache-Control": "no-store"})


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > _MAX_BODY:
            raise ApiError(413, "body_too_large", "the body is larger than a megabyte")
        parts.append(part)
    return b"".join(parts)
