# SPDX-License-Identifier: AGPL-3.0-only
"""A peer that resets connections is a failure outside, for every service that talks to it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
import uvloop

from ouro.async_http import AsyncClient

RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def resetting_url() -> Iterator[str]:
    """Whoever connects is cut off at once, by a reset."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        # It ends when the listener is shut down.
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


def test_89_a_peer_that_resets_connections_ends_nobody(resetting_url: str) -> None:
    async def scene() -> int:
        failed = 0
        for _ in range(400):
            async with AsyncClient() as client:
                try:
                    await client.get(resetting_url)
                except httpx.TransportError:
                    failed += 1
        return failed

    assert uvloop.run(scene()) == 400


class Broken(httpx.AsyncBaseTransport):
    """Fails by an attribute."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        return getattr(None, self._name)()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "kind"), [("getpeername", httpx.ConnectError), ("other", AttributeError)])
def test_faults_of_our_own_stay_what_they_are(name: str, kind: type[Exception]) -> None:
    async def scene() -> None:
        async with AsyncClient(transport=Broken(name)) as client:
            await client.get("http://127.0.0.1/")

    with pytest.raises(kind):
        uvloop.run(scene())
