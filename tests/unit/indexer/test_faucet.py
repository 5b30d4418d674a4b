# SPDX-License-Identifier: AGPL-3.0-only
"""Requests for test money pass through to the faucet, where there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from indexer.api.app import create_app
from indexer.api.forward import Forwarder
from indexer.store.engine import open_engine
from indexer.stream.hub import Hub
from tests.unit.indexer.front import NOBODY, context_over


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'index.sqlite'}", writes=False)
    yield engine
    engine.dispose()


class Faucet(BaseHTTPRequestHandler):
    """Says what it was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = f"{self.path} {self.headers['X-Forwarded-For']} ".encode() + body
        self.send_response(429)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Retry-After", "60")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: Any) -> None:
        pass


def ask(engine: Engine, url: str | None) -> httpx.Response:
    async def post() -> httpx.Response:
        forward = Forwarder(NOBODY)
        faucet = None if url is None else Forwarder(url, "faucet", "look at the balance")
        app = create_app(context_over(engine), Hub(), forward, faucet)
        transport = httpx.ASGITransport(app, client=("203.0.113.9", 1))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://front") as client:
                return await client.post(
                    "/v4/faucet", json={"address": "0x1"}, headers={"X-Forwarded-For": "198.51.100.1"}
                )
        finally:
            await forward.close()
            if faucet is not None:
                await faucet.close()

    return asyncio.run(post())


def test_a_request_and_its_answer_pass_unchanged(engine: Engine) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Faucet) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            answer = ask(engine, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert answer.text == '/v4/faucet 203.0.113.9 {"address":"0x1"}'


@pytest.mark.parametrize(("url", "status", "code"), [(None, 404, "no_faucet"), (NOBODY, 503, "faucet_unavailable")])
def test_without_a_faucet_it_says_so(engine: Engine, url: str | None, status: int, code: str) -> None:
    answer = ask(engine, url)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
