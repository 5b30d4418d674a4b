# SPDX-License-Identifier: AGPL-3.0-only
"""Bytes that a node may answer instead of JSON-RPC: each is an error that callers know, and the next node is asked."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from relayer.chain_watch import Rpc, RpcError, RpcUnreachableError

RAW: list[bytes] = [
    b"",
    b"<html>",
    b'"\xff\xfe"',
    b"[" * 100_000,
    b"[[]]",
    b"null",
    b"7",
    b"{}",
    b'{"id": [1], "result": 1}',
    b'{"id": {}, "result": 1}',
    b'{"id": 1}',
    b'{"id": 1, "error": "text"}',
    b'{"id": 1, "error": 7}',
    b'{"id": 999, "result": "0x1"}',
    b'{"id": 1, "result": 1e999}',
]


@contextmanager
def _node(answer: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/a-secret-key"
    finally:
        server.shutdown()
        server.server_close()


async def _ask(*urls: str) -> Any:
    rpc = Rpc(urls, Counter("errors", "", registry=CollectorRegistry()))
    try:
        return await rpc.call("eth_blockNumber")
    finally:
        await rpc.close()


@pytest.mark.parametrize("raw", RAW)
def test_what_is_no_answer_is_an_error_without_the_secrets_of_the_url(raw: bytes) -> None:
    with _node(raw) as url, pytest.raises(RpcUnreachableError) as refused:
        asyncio.run(_ask(url))
    assert "a-secret-key" not in str(refused.value)


@pytest.mark.parametrize("raw", RAW)
def test_then_the_next_node_is_asked(raw: bytes) -> None:
    with _node(raw) as bad, _node(b'{"id": 1, "result": "0x7"}') as good:
        assert asyncio.run(_ask(bad, good)) == "0x7"


@pytest.mark.parametrize("code", [b"-32000", b'"text"', b"null", b"1.5"])
def test_an_error_of_the_node_is_told_as_such(code: bytes) -> None:
    answer = b'{"id": 1, "error": {"code": ' + code + b', "message": "no"}}'
    with _node(answer) as url, pytest.raises(RpcError, match="eth_blockNumber: no"):
        asyncio.run(_ask(url))
