# SPDX-License-Identifier: AGPL-3.0-only
"""Follow the relayer's event log: the live book first, then the tables, then whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import httpx
import structlog

from indexer.orders.book import Book
from indexer.orders.event_log import WAIT_S, EventLog
from indexer.orders.records import BookRecord
from indexer.progress import Progress
from indexer.store.order_store import OrderStore, RelayerCursor

_log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Who wants to know; called on the event loop."""

    def book_changed(self, record: BookRecord, book: Book) -> None:
        """A book changed (nothing is written yet)."""

    def orders_changed(self) -> None:
        """Orders or matches changed, and the tables say so."""

    def log_restarted(self) -> None:
        """The log is another one: books are empty, orders forgotten."""


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
        """Follow until cancelled; `well` hears that the log answered. Raises `RelayerLogError` while the relayer is
        away, and what the database raises; to be called again then.
        """
        if self._behind:
            # The books have what was not written: they, and who listens to them, begin where the tables are.
            await self.open()
            self._listener.log_restarted()
        async with self._log.connected() as client:
            await self._check_log(client)
            # the first answer comes at once, so that an empty log does not keep the front door waiting
            await self._read(client, wait_s=0)
            while True:
                well()
                await self._read(client, wait_s=WAIT_S)

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
