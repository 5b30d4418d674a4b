# SPDX-License-Identifier: AGPL-3.0-only
"""What was tried against the front door: answers that become pages of the app's origin, and clients that want too much
of the stream. Over real HTTP and WebSockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import Engine
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from indexer.api.app import create_app
from indexer.api.forward import Forwarder
from indexer.api.limits import Allowance
from indexer.stream import gate
from indexer.stream.gate import Gate
from indexer.stream.hub import Hub
from tests.unit.indexer.front import NOBODY, context_over, empty_index, served

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with empty_index(tmp_path_factory.mktemp("attacks")) as engine:
        yield engine


@contextmanager
def door(engine: Engine, ip_weight: int = 0) -> Iterator[str]:
    """Address of a front door with a page."""
    folder = Path(str(engine.url.database)).parent / "app"
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text("<!doctype html><title>Ouro</title>")
    context = replace(context_over(engine), rpc_url=NOBODY)
    app = create_app(context, Hub(), Forwarder(NOBODY), ip_weight=ip_weight, site=folder)
    with served(app) as where:
        yield where


@pytest.fixture(scope="module")
def open_door(engine: Engine) -> Iterator[str]:
    with door(engine) as address:
        yield address


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v4/time"),
        ("GET", f"/v4/orders/{SCRIPT}"),
        ("GET", f"/v4/{SCRIPT}"),
        ("GET", f"/v4/fills?address={SCRIPT}"),
        ("GET", "/v4/query/trades?format=csv"),
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/assets/gone.js"),
        ("POST", "/v4/orders"),
        ("POST", "/portfolio"),
        ("DELETE", "/v4/time"),
        ("OPTIONS", "/v4/time"),
    ],
)
def test_no_answer_of_the_api_becomes_a_page(open_door: str, method: str, path: str) -> None:
    answer = httpx.request(method, f"http://{open_door}{path}", timeout=30)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("sandbox")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "html" not in answer.headers.get("Content-Type", "")


def test_the_description_with_scripts_from_elsewhere_has_an_origin_of_its_own(open_door: str) -> None:
    answer = httpx.get(f"http://{open_door}/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'; sandbox allow-scripts"
    assert "allow-same-origin" not in answer.text
    for gone in ("/redoc", "/docs/oauth2-redirect"):
        assert httpx.get(f"http://{open_door}{gone}").status_code == 404


def test_the_app_keeps_its_own_policy(open_door: str) -> None:
    policy = httpx.get(f"http://{open_door}/trade/BTC-USD").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "sandbox" not in policy


def ask(socket: ClientConnection, **message: Any) -> dict[str, Any]:
    socket.send(msgspec.json.encode(message).decode())
    answer: dict[str, Any] = msgspec.json.decode(socket.recv(timeout=30))
    return answer


def test_a_flood_of_subscriptions_uses_up_what_reads_use_up(engine: Engine) -> None:
    with door(engine, ip_weight=100) as address, connect(f"ws://{address}/v4/ws") as socket:
        socket.recv(timeout=30)
        answers = []
        for _ in range(20):
            answers.append(ask(socket, type="subscribe", channel="v4_markets"))
            ask(socket, type="unsubscribe", channel="v4_markets")
        kinds = [answer["type"] for answer in answers]
        assert 5 <= kinds.index("error") <= 15
        refused = answers[kinds.index("error")]
        assert refused["errorCode"] == "rate_limited"
        assert "go on in" in refused["message"]
        assert ask(socket, type="ping")["type"] == "pong"
        assert httpx.get(f"http://{address}/v4/perpetualMarkets").status_code == 429


def test_a_flood_of_connections_is_turned_away_and_told_why(engine: Engine) -> None:
    with door(engine, ip_weight=100) as address:
        sockets = [connect(f"ws://{address}/v4/ws") for _ in range(15)]
        first = [msgspec.json.decode(socket.recv(timeout=30)) for socket in sockets]
        turned = [
            (message, socket) for message, socket in zip(first, sockets, strict=True) if message["type"] == "error"
        ]
        assert 1 <= len(turned) <= 5
        message, socket = turned[0]
        assert message["errorCode"] == "rate_limited"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        for each in sockets:
            each.close()


def test_connections_that_wait_are_counted_and_make_room_when_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MOST_OF_ONE", 2)
    limited = Gate(Allowance(1_000))
    assert [bool(limited.enter(host)) for host in ("::1:1", "10.0.0.1", "10.0.0.1", "10.0.0.1")] == [0, 0, 0, 1]
    assert limited.enter("10.0.0.2") == ""
    limited.leave("10.0.0.1")
    assert limited.enter("10.0.0.1") == ""
    assert not any(Gate(None).enter("10.0.0.1") for _ in range(5))


def test_going_on_costs_more_than_beginning_anew() -> None:
    limited = Gate(Allowance(100, lambda: 0))
    assert [bool(limited.subscribe("10.0.0.1", "v4_subaccounts", resumes=True)) for _ in range(3)] == [0, 0, 1]
    assert not any(limited.subscribe("10.0.0.2", "v4_orderbook") for _ in range(100))
