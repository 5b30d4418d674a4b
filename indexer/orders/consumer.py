# SPDX-License-Identifier: AGPL-3.0-only
"""Follow the relayer's event log: the live book first, then the tables, then whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import httpx
import msgspec
import structlog

from indexer import metrics
from indexer.orders.book import Book
from indexer.orders.records import BookRecord, FillRecord, OrderRecord, decode_record
from indexer.progress import Progress
from indexer.store.order_store import OrderStore, RelayerCursor, digest_of

_log = structlog.get_logger(__name__)

_LIMIT = 1_000
_WAIT_S = 15
_RETRY_S = (0.25, 0.5, 1.0, 2.0, 5.0)


class Listener(Protocol):
    """Who wants to know; called on the event loop."""

    def book_changed(self, record: BookRecord) -> None:
        """A book changed (nothing is written yet)."""

    async def orders_changed(self, records: Sequence[OrderRecord | FillRecord]) -> None:
        """Orders or matches changed, and the tables say so."""

    async def log_restarted(self) -> None:
        """The log is another one: books are empty, orders forgotten."""


class LogGapError(Exception):
    """The log skipped a record."""


class RelayerFollower:
    """Keeps the relayer-order tables and the live books at the end of the relayer's log."""

    def __init__(
        self, relayer_url: str, store: OrderStore, progress: Progress, listener: Listener, token: str = ""
    ) -> None:
        """`token` is what the relayer's event log asks for, if it does."""
        self._url = relayer_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._store = store
        self._progress = progress
        self._listener = listener
        self.books: dict[str, Book] = {}
        self._cursor = RelayerCursor(0, "", 1)

    async def open(self) -> None:
        """Load cursor and books; call once before `run`."""
        self._cursor = await asyncio.to_thread(self._store.open)
        self.books.update(await asyncio.to_thread(self._store.books))
        await self._progress.relayer(self._cursor.seq, self._cursor.epoch)

    async def run(self) -> None:
        """Follow until cancelled. Outlives a relayer that is away."""
        failures = 0
        async with httpx.AsyncClient(base_url=self._url, timeout=_WAIT_S + 10) as client:
            while True:
                try:
                    await self._check_log(client)
                    # the first answer comes at once, so that an empty log does not keep the front door waiting
                    await self._read(client, wait_s=0)
                    failures = 0
                    while True:
                        await self._read(client, wait_s=_WAIT_S)
                except (httpx.HTTPError, msgspec.DecodeError, LogGapError) as error:
                    metrics.relayer_errors.inc()
                    if failures == 0:
                        _log.warning("relayer log unavailable", error=repr(error))
                    await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                    failures += 1

    async def _check_log(self, client: httpx.AsyncClient) -> None:
        """The last record known must still be there, else this is another log and everything starts again."""
        if self._cursor.seq == 0:
            return
        lines = await self._lines(client, self._cursor.seq, 1, 0)
        if lines and digest_of(lines[0]) == self._cursor.digest:
            return
        _log.warning("the relayer's log is a new one", known=self._cursor.seq)
        self._cursor = await asyncio.to_thread(self._store.restart, self._cursor)
        self.books.clear()
        await self._progress.relayer(0, self._cursor.epoch)
        await self._listener.log_restarted()

    async def _read(self, client: httpx.AsyncClient, *, wait_s: int) -> None:
        lines = await self._lines(client, self._cursor.seq + 1, _LIMIT, wait_s)
        self._progress.relayer_alive()
        if not lines:
            return
        records = [decode_record(line) for line in lines]
        if [record.seq for record in records] != list(range(self._cursor.seq + 1, self._cursor.seq + 1 + len(records))):
            raise LogGapError(f"records {records[0].seq} to {records[-1].seq} do not follow {self._cursor.seq}")
        for record in records:
            if isinstance(record, BookRecord):
                self.books.setdefault(record.market, Book()).apply(record)
                self._listener.book_changed(record)
        self._cursor = await asyncio.to_thread(self._store.apply, records, lines[-1], self._cursor)
        await self._progress.relayer(self._cursor.seq, self._cursor.epoch)
        changed = [record for record in records if not isinstance(record, BookRecord)]
        if changed:
            await self._listener.orders_changed(changed)

    async def _lines(self, client: httpx.AsyncClient, first: int, limit: int, wait_s: int) -> list[bytes]:
        answer = await client.get(
            "/events", params={"from": first, "limit": limit, "wait": wait_s}, headers=self._headers
        )
        answer.raise_for_status()
        return [line for line in answer.content.split(b"\n") if line.strip()]
