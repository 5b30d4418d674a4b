# SPDX-License-Identifier: AGPL-3.0-only
"""Limits of reads: what requests weigh, who is charged, what is told."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from indexer.api.limits import Allowance, Limited, client_of, weight_of


class Clock:
    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now_us


async def _ok(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def ask(app: Any, path: str, method: str = "GET", host: str = "192.0.2.1") -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(host, 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://front") as client:
            return await client.request(method, path)

    return asyncio.run(asked())


def test_a_reader_is_told_what_is_left_and_waits_for_it() -> None:
    clock = Clock()
    app = Limited(_ok, Allowance(20, clock))
    first = ask(app, "/v4/fills")
    assert first.status_code == 200
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("20", "10")
    assert first.headers["RateLimit-Reset"] == str(clock.now_us // 1_000 + 5_000)
    assert ask(app, "/v4/fills").headers["RateLimit-Remaining"] == "0"
    refused = ask(app, "/v4/fills")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "5"
    assert refused.json()["errorCode"] == "rate_limited"
    assert refused.json()["errors"][0]["msg"].startswith("Too many requests")
    assert ask(app, "/v4/fills", host="192.0.2.2").status_code == 200
    assert ask(app, "/v4/orders", "POST").status_code == 200
    assert ask(app, "/health").status_code == 200
    clock.now_us += 5_000_000
    assert ask(app, "/v4/fills").status_code == 200


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("/v4/candles/perpetualMarkets/BTC-USD", 1),
        ("/v4/fills", 10),
        ("/v4/query/trades", 100),
        ("/v4/query/trades?aggregate=day", 500),
        ("/v4/query/trades?market=BTC-USD&format=csv", 500),
        ("/ready", 0),
    ],
)
def test_what_reads_weigh(path: str, weight: int) -> None:
    where, _, query = path.partition("?")
    assert weight_of({"type": "http", "method": "GET", "path": where, "query_string": query.encode()}) == weight


def test_one_customer_is_one_client() -> None:
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1")
    assert client_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_the_heaviest_read_passes_a_small_limit_that_is_full() -> None:
    assert ask(Limited(_ok, Allowance(20, Clock())), "/v4/query/trades").status_code == 200


def test_clients_are_remembered_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.api.limits.MAX_CLIENTS", 2)
    allowance = Allowance(10, Clock())
    for client in ("a", "b", "c"):
        allowance.take(client, 10)
    assert allowance.take("c", 10).allowed is False
    assert allowance.take("a", 10).allowed is True
