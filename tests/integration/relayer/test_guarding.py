# SPDX-License-Identifier: AGPL-3.0-only
"""Connections that hold on to the relayer: slow heads, endless heads, slow bodies, far too many."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from relayer import guarding
from relayer.api import bodies
from relayer.guarding import guarded
from tests.integration.relayer.test_slow_consumers import serving

MOST = 3


@asynccontextmanager
async def _guarded(folder: Path) -> AsyncIterator[int]:
    async with serving(folder, http=guarded(MOST, lambda _: False)) as (_, port):
        yield port


async def _ended(reader: asyncio.StreamReader) -> float:
    """Seconds until the other side has hung up."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(10):
            while await reader.read(4_096):
                pass
    except ConnectionResetError:
        pass
    return time.monotonic() - started


@pytest.mark.parametrize("sent", [b"", b"POST /v4/or", b"POST /v4/orders HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(guarding, "HEAD_TIMEOUT_S", 0.3)

    async def run() -> None:
        async with _guarded(tmp_path) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await _ended(reader) < 5
            writer.close()

    asyncio.run(run())


def test_a_second_head_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "HEAD_TIMEOUT_S", 0.3)

    async def run() -> None:
        async with _guarded(tmp_path) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            writer.write(b"GET /health HTT")
            assert await _ended(reader) < 4, "sooner than an idle connection would be closed"
            writer.close()

    asyncio.run(run())


def test_a_head_without_end(tmp_path: Path) -> None:
    async def run() -> None:
        async with _guarded(tmp_path) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ")
            hung_up = asyncio.create_task(_ended(reader))
            for _ in range(50):
                if hung_up.done():
                    break
                writer.write(b"x" * 8_192)
                await asyncio.sleep(0.01)
            assert await hung_up < 5
            writer.close()

    asyncio.run(run())


def test_a_body_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT_S", 0.3)

    async def run() -> None:
        async with _guarded(tmp_path) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /v4/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            async with asyncio.timeout(5):
                answer = await reader.readuntil(b"\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 408"), answer
            writer.close()

    asyncio.run(run())


def test_so_many_and_no_more(tmp_path: Path) -> None:
    async def run() -> None:
        async with _guarded(tmp_path) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST)]
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await _ended(reader) < 2
            writer.close()
            for _, each in held:
                each.close()
            await asyncio.sleep(0.2)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                assert (await http.get("/health")).status_code == 200
            for _ in range(2 * MOST):
                async with connect(f"ws://127.0.0.1:{port}/events/stream"):
                    pass

    asyncio.run(run())
