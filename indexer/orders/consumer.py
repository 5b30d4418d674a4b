# SPDX-License-Identifier: AGPL-3.0-only
"""Follow the relayer's event log: the live book first, then the tables, then whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import httpx
import msgspec
import structlog

from indexer import metrics
from indexer.orders.book import Book
from indexer.orders.records import BookRecord, Record, decode_record
from indexer.progress import Progress
from indexer.store.order_store import OrderStore, RelayerCursor, digest_of
from ouro.async_http import AsyncClient

_log = structlog.get_logger(__name__)

_LIMIT = 1_000
_WAIT_S = 15


class Listener(Protocol):
    """Who wants to know; called on the event loop."""

    def book_changed(self, record: BookRecord, book: Book) -> None:
        """A book changed (nothing is written yet)."""

    def orders_changed(self) -> None:
        """Orders or matches changed, and the tables say so."""

    def log_restarted(self) -> None:
        """The log is another one: books are empty, orders forgotten."""


class LogGapError(Exception):
    """The log skipped a record."""


class RelayerLogError(Exception):
    """The log cannot be followed for the moment."""


UNAVAILABLE = (httpx.HTTPError, msgspec.DecodeError, LogGapError)
"""What may be wrong with the log for a while."""


class EventLog:
    """The relayer's event log over HTTP. `token` is what it asks for, if it does."""

    def __init__(self, relayer_url: str, token: str = "") -> None:
        self._url = relayer_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def client(self) -> httpx.AsyncClient:
        """A connection to it, to be closed by who asks for it."""
        return AsyncClient(base_url=self._url, timeout=_WAIT_S + 10, headers=self._headers)

    @staticmethod
    async def lines(client: httpx.AsyncClient, first: int, limit: int, wait_s: int) -> list[bytes]:
        """Records from number `first` on; waits so long for the first of them."""
        answer = await client.get("/events", params={"from": first, "limit": limit, "wait": wait_s})
        answer.raise_for_status()
        return [line for line in answer.content.split(b"\n") if line.strip()]

    async def holds(self, client: httpx.AsyncClient, cursor: RelayerCursor) -> bool:
        """Whether it is still the log that was followed up to the cursor."""
        if cursor.seq == 0:
            return True
        lines = await self.lines(client, cursor.seq, 1, 0)
        return bool(lines) and digest_of(lines[0]) == cursor.digest

    async def after(self, client: httpx.AsyncClient, seq: int, wait_s: int) -> tuple[list[Record], bytes]:
        """The records after `seq`, and the last of them as it arrived. Raises `LogGapError`."""
        lines = await self.lines(client, seq + 1, _LIMIT, wait_s)
        records = [decode_record(line) for line in lines]
        if [record.seq for record in records] != list(range(seq + 1, seq + 1 + len(records))):
            raise LogGapError(f"records {records[0].seq} to {records[-1].seq} do not follow {seq}")
        return records, lines[-1] if lines else b""


class RelayerFollower:
    """Keeps the relayer-order tables and the live books at the end of the relayer's log."""

    def __init__(self, log: EventLog, store: OrderStore, progress: Progress, listener: Listener) -> None:
        self._log = log
        self._store = store
        self._progress = progress
        self._listener = listener
        self.books: dict[str, Book] = {}
        self._cursor = RelayerCursor(0, "", 1)
        self._behind = False

    async def open(self) -> None:
        """Load cursor and books; call once before `run`."""
        self._cursor = await asyncio.to_thread(self._store.open)
        books = await asyncio.to_thread(self._store.books)
        self.books.clear()
        self.books.update(books)
        self._behind = False
        await self._progress.relayer(self._cursor.seq, self._cursor.epoch)

    async def run(self, well: Callable[[], None]) -> None:
        """Follow until cancelled; `well` hears that the log answered. Raises what `UNAVAILABLE` names while the relayer
        is away, and what the database raises; to be called again then.
        """
        if self._behind:
            # The books have what was not written: they, and who listens to them, begin where the tables are.
            await self.open()
            self._listener.log_restarted()
        try:
            async with self._log.client() as client:
                await self._check_log(client)
                # the first answer comes at once, so that an empty log does not keep the front door waiting
                await self._read(client, wait_s=0)
                while True:
                    well()
                    await self._read(client, wait_s=_WAIT_S)
        except UNAVAILABLE as error:
            metrics.relayer_errors.inc()
            raise RelayerLogError(f"the relayer's log does not answer: {error!r}") from error

    async def _check_log(self, client: httpx.AsyncClient) -> None:
        """The last record known must still be there, else this is another log and everything starts again."""
        if await self._log.holds(client, self._cursor):
            return
        _log.warning("the relayer's log is a new one", known=self._cursor.seq)
        self._cursor = await asyncio.to_thread(self._store.restart, self._cursor)
        self.books.clear()
        await self._progress.relayer(0, self._cursor.epoch)
        self._listener.log_restarted()

    async def _read(self, client: httpx.AsyncClient, *, wait_s: int) -> None:
        records, last_line = await self._log.after(client, self._cursor.seq, wait_s)
        self._progress.relayer_alive()
        if not records:
            return
        self._behind = True
        for record in records:
            if isinstance(record, BookRecord):
                book = self.books.setdefault(record.market, Book())
                book.apply(record)
                self._listener.book_changed(record, book)
        self._cursor = await asyncio.to_thread(self._store.apply, records, last_line, self._cursor)
        self._behind = False
        await self._progress.relayer(self._cursor.seq, self._cursor.epoch)
        self._listener.orders_changed()
