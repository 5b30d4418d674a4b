# SPDX-License-Identifier: AGPL-3.0-only
"""Writes pass through to the relayer: method, path, query and body as they came, status and body as they come back."""

from __future__ import annotations

import httpx
from starlette.requests import Request
from starlette.responses import Response

from indexer.api.errors import ApiError

_UP = ("content-type", "accept", "idempotency-key")
_DOWN = ("content-type", "retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
_MAX_BODY = 1 << 20


class Forwarder:
    """Connections to the relayer, kept alive."""

    def __init__(self, relayer_url: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=relayer_url, timeout=30.0, limits=httpx.Limits(max_connections=200, max_keepalive_connections=100)
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def __call__(self, request: Request) -> Response:
        """The relayer's answer. Raises a 503 when there is none, a 413 for a body beyond a megabyte."""
        if ".." in request.url.path.split("/") or not request.url.path.isprintable():
            raise ApiError(404, "not_found", "there is nothing at this path")
        body = await _body(request)
        headers = {name: request.headers[name] for name in _UP if name in request.headers}
        if request.client is not None:
            # In place of what the client says of itself: the relayer limits by it.
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
                "relayer_unavailable",
                "the relayer does not answer, so nothing is known of this request's fate: read the order by its id "
                f"before sending it again ({type(error).__name__})",
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
