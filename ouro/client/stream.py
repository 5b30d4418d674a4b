# SPDX-License-Identifier: Apache-2.0
"""The stream at `/v4/ws`, blocking and asynchronous. Both reconnect by themselves and subscribe again.

    with Stream() as stream:
        stream.subscribe("v4_orderbook", "BTC-USD")
        for event in stream:
            ...

After a broken connection, or a lost message, the next event is `connected`. Then account channels say `resumed` and
what was missed, each update once; the others, and accounts of which too much was missed, start over with a
`subscribed` snapshot.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

import websockets.asyncio.client as async_sockets
import websockets.sync.client as sockets
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from ouro.client.errors import StreamGapError, UnreachableError
from ouro.client.networks import network
from ouro.client.stream_core import LocalBook, StreamCore, StreamEvent, backoff, stream_url

__all__ = ["AsyncStream", "LocalBook", "Stream", "StreamEvent"]

_CANNOT_CONNECT = (OSError, InvalidHandshake, InvalidURI)
_LOST = (ConnectionClosed, StreamGapError)
_MAX_FRAME_BYTES = 16 * 1024 * 1024


class Stream:
    """Blocking stream; iterate over it. With `reconnect=False` a lost connection raises `UnreachableError`."""

    def __init__(self, base_url: str | None = None, *, reconnect: bool = True) -> None:
        self.url = stream_url(network(base_url).url)
        self._core = StreamCore()
        self._reconnect = reconnect
        self._ended = False
        self._socket: sockets.ClientConnection | None = None

    def subscribe(
        self, channel: str, subject: str = "", *, batched: bool = False, auth: Callable[[], str] | None = None
    ) -> None:
        """Subscribe now, and again after every reconnect. `batched` asks for updates gathered over 250 ms. `auth` gives
        the owner's proof (`orders.read_proof`), each time that an account is subscribed to.
        """
        self._send(self._core.subscribe(channel, subject, batched=batched, auth=auth))

    def unsubscribe(self, channel: str, subject: str = "") -> None:
        self._send(self._core.unsubscribe(channel, subject))

    def _send(self, frame: str) -> None:
        if self._socket is not None:
            with suppress(ConnectionClosed):  # the iteration notices, reconnects and subscribes again
                self._socket.send(frame)

    def connect(self) -> None:
        """Connect and send the subscriptions. Raises `UnreachableError`."""
        try:
            self._socket = sockets.connect(self.url, max_size=_MAX_FRAME_BYTES)
            for frame in self._core.opening_frames():
                self._socket.send(frame)
        except (*_CANNOT_CONNECT, ConnectionClosed) as error:
            raise UnreachableError(f"cannot open the stream at {self.url}: {error}") from error

    def __iter__(self) -> Iterator[StreamEvent]:
        attempt = 0
        while not self._is_over():
            try:
                if self._socket is None:
                    self.connect()
                    attempt = 0
                assert self._socket is not None
                yield from self._core.receive(self._socket.recv())
                for frame in self._core.to_send:
                    self._send(frame)
                self._core.to_send.clear()
            except (*_LOST, UnreachableError) as error:
                if self._is_over():
                    return
                self._drop()
                if not self._reconnect:
                    raise _ended(self.url, error) from error
                time.sleep(backoff(attempt))
                attempt += 1

    def close(self) -> None:
        """Close the connection for good: whoever iterates comes to the end."""
        self._ended = True
        self._drop()

    def _is_over(self) -> bool:
        return self._ended

    def _drop(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncStream:
    """Asynchronous stream; `async for` over it. Otherwise as `Stream`."""

    def __init__(self, base_url: str | None = None, *, reconnect: bool = True) -> None:
        self.url = stream_url(network(base_url).url)
        self._core = StreamCore()
        self._reconnect = reconnect
        self._ended = False
        self._socket: async_sockets.ClientConnection | None = None

    async def subscribe(
        self, channel: str, subject: str = "", *, batched: bool = False, auth: Callable[[], str] | None = None
    ) -> None:
        """As of `Stream`."""
        await self._send(self._core.subscribe(channel, subject, batched=batched, auth=auth))

    async def unsubscribe(self, channel: str, subject: str = "") -> None:
        await self._send(self._core.unsubscribe(channel, subject))

    async def _send(self, frame: str) -> None:
        if self._socket is not None:
            with suppress(ConnectionClosed):  # the iteration notices, reconnects and subscribes again
                await self._socket.send(frame)

    async def connect(self) -> None:
        """Connect and send the subscriptions. Raises `UnreachableError`."""
        try:
            self._socket = await async_sockets.connect(self.url, max_size=_MAX_FRAME_BYTES)
            for frame in self._core.opening_frames():
                await self._socket.send(frame)
        except (*_CANNOT_CONNECT, ConnectionClosed) as error:
            raise UnreachableError(f"cannot open the stream at {self.url}: {error}") from error

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        attempt = 0
        while not self._is_over():
            try:
                if self._socket is None:
                    await self.connect()
                    attempt = 0
                assert self._socket is not None
                for event in self._core.receive(await self._socket.recv()):
                    yield event
                for frame in self._core.to_send:
                    await self._send(frame)
                self._core.to_send.clear()
            except (*_LOST, UnreachableError) as error:
                if self._is_over():
                    return
                await self._drop()
                if not self._reconnect:
                    raise _ended(self.url, error) from error
                await asyncio.sleep(backoff(attempt))
                attempt += 1

    async def close(self) -> None:
        """Close the connection for good: whoever iterates comes to the end."""
        self._ended = True
        await self._drop()

    def _is_over(self) -> bool:
        return self._ended

    async def _drop(self) -> None:
        socket = self._socket
        if socket is not None:
            # Whoever comes while it closes waits for that, too: the event loop may end afterwards.
            await socket.close()
            if self._socket is socket:
                self._socket = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _ended(url: str, error: Exception) -> UnreachableError:
    return error if isinstance(error, UnreachableError) else UnreachableError(f"the stream at {url} ended: {error}")
