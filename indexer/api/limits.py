# SPDX-License-Identifier: AGPL-3.0-only
"""Reads are limited by weight per network address: what costs the database more weighs more. Writes are the relayer's
to limit, health is nobody's.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.api.answer import NEVER, Json

WINDOW_S = 10
MAX_CLIENTS = 65_536
LIMIT, REMAINING, RESET = "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"

_US = 1_000_000
_IPV6_PREFIX = 64
_USUAL = 10
_HEAVY = 5
"""Sums and files are that many times as heavy."""
_WEIGHTS = (
    ("/v4/time", 1),
    ("/v4/height", 1),
    ("/v4/status", 1),
    ("/v4/candles/", 1),
    ("/v4/query/", 100),
    ("/v4/leaderboard", 50),
    ("/v4/stats", 50),
)


@dataclass(frozen=True)
class Standing:
    """What is left for a client; `reset_ms` (since 1970) is when all of it will be there again."""

    allowed: bool
    remaining: int
    reset_ms: int
    retry_s: int


class Allowance:
    """Up to `limit` weight at once for each client, which comes back evenly over `WINDOW_S` seconds.

    Remembers at most `MAX_CLIENTS`; the least recently seen are forgotten.
    """

    def __init__(self, limit: int, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        self.limit = limit
        self._now_us = now_us
        self._full_at_us: dict[str, int] = {}

    def take(self, client: str, weight: int) -> Standing:
        """Takes `weight` if it is there; what is heavier than the limit needs all of it."""
        now, window = self._now_us(), WINDOW_S * _US
        # A clock that was set back must not lock anybody out for long.
        full_at = min(max(self._full_at_us.pop(client, 0), now), now + 2 * window)
        cost = -(-min(weight, self.limit) * window // self.limit)
        allowed = full_at + cost - now <= window
        if allowed:
            full_at += cost
        self._full_at_us[client] = full_at
        if len(self._full_at_us) > MAX_CLIENTS:
            del self._full_at_us[next(iter(self._full_at_us))]
        left = max(0, window - (full_at - now))
        retry_s = 0 if allowed else -(-(cost - left) // _US)
        return Standing(allowed, left * self.limit // window, -(-full_at // 1_000), retry_s)


class Limited:
    """ASGI middleware: tells each reader what is left, and refuses (429) who has nothing left."""

    def __init__(self, app: ASGIApp, allowance: Allowance) -> None:
        self._app = app
        self._allowance = allowance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        weight = weight_of(scope)
        client = scope.get("client")
        if not weight or client is None:
            await self._app(scope, receive, send)
            return
        standing = self._allowance.take(client_of(client[0]), weight)
        headers = {
            LIMIT: str(self._allowance.limit),
            REMAINING: str(standing.remaining),
            RESET: str(standing.reset_ms),
        }
        if not standing.allowed:
            message = (
                f"Too many requests: reads may weigh {self._allowance.limit} in {WINDOW_S} s and this one weighs "
                f"{weight}; go on in {standing.retry_s} s"
            )
            answer = Json({"errors": [{"msg": message}], "errorCode": "rate_limited"}, 429, cache=NEVER)
            answer.headers.update({**headers, "Retry-After": str(standing.retry_s)})
            await answer(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, sending)


def weight_of(scope: Scope) -> int:
    """What a request weighs; 0: it is not limited here."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return 0
    path: str = scope["path"]
    if not path.startswith("/v4/"):
        return 0
    weight = next((weight for start, weight in _WEIGHTS if path.startswith(start)), _USUAL)
    query = scope.get("query_string", b"")
    return weight * _HEAVY if b"aggregate=" in query or b"format=" in query else weight


@lru_cache(maxsize=4_096)
def client_of(host: str) -> str:
    """Whom an address stands for: of IPv6 the network that one customer is given."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> _IPV6_PREFIX << _IPV6_PREFIX, _IPV6_PREFIX)))
    return str(address)
