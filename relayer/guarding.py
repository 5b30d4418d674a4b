# SPDX-License-Identifier: AGPL-3.0-only
"""Connections that cost more than they bring: too many of one client, and requests whose heads never end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_TIMEOUT_S = 10.0
MAX_HEAD_BYTES = 65_536


def guarded(most_of_one: int, is_trusted: Callable[[str], bool]) -> type[HttpToolsProtocol]:
    """uvicorn's protocol that closes connections beyond `most_of_one` (0: any number) of one network address, and those
    whose request head takes longer than `HEAD_TIMEOUT_S` or `MAX_HEAD_BYTES`. Trusted proxies may open any number.
    """
    opened: Counter[str] = Counter()

    class Guarded(HttpToolsProtocol):
        _address = ""
        _timer: asyncio.TimerHandle | None = None
        _head_bytes = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            peer = transport.get_extra_info("peername")
            address = str(peer[0]) if peer else ""
            if most_of_one and not is_trusted(address):
                if opened[address] >= most_of_one:
                    transport.abort()
                    return
                opened[address] += 1
                self._address = address
            self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._leave()
            super().connection_lost(exc)

        def handle_websocket_upgrade(self) -> None:
            self._leave()
            super().handle_websocket_upgrade()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._timer is not None:
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD_BYTES:
                    self.transport.abort()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._expect_head()

        def on_headers_complete(self) -> Any:
            self._head_is_here()
            return super().on_headers_complete()

        def _expect_head(self) -> None:
            if self._timer is None:
                self._head_bytes = 0
                self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

        def _head_is_here(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _leave(self) -> None:
            self._head_is_here()
            if self._address:
                opened[self._address] -= 1
                if not opened[self._address]:
                    del opened[self._address]
                self._address = ""

    return Guarded
