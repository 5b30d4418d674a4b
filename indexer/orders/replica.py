# SPDX-License-Identifier: AGPL-3.0-only
"""The live books of a process that only serves: from the tables, then from the relayer's log, with an own cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import structlog
from sqlalchemy import Engine

from indexer.orders.book import Book
from indexer.orders.consumer import Listener
from indexer.orders.event_log import WAIT_S, EventLog
from indexer.orders.records import BookRecord
from indexer.store.order_store import RelayerCursor, digest_of, read_books

_log = structlog.get_logger(__name__)

_NEW_LOG_S = 0.5


class BookReplica:
    """Keeps live books at the end of the relayer's log, and writes nothing."""

    def __init__(self, log: EventLog, engine: Engine, listener: Listener) -> None:
        self._log = log
        self._engine = engine
        self._listener = listener
        self._cursor = RelayerCursor(0, "", 0)
        self.books: dict[str, Book] = {}

    @property
    def seq(self) -> int:
        """The newest record in the books."""
        return self._cursor.seq

    async def open(self) -> None:
        """Take the books from the tables."""
        self._cursor, books = await asyncio.to_thread(read_books, self._engine)
        self.books.clear()
        self.books.update(books)

    async def run(self, well: Callable[[], None]) -> None:
        """Follow until cancelled; `well` hears that the log answered. Raises `RelayerLogError` while the relayer is
        away; to be called again then.
        """
        async with self._log.connected() as client:
            while True:
                await self._follow(client, well)

    async def _follow(self, client: httpx.AsyncClient, well: Callable[[], None]) -> None:
        if not await self._log.holds(client, self._cursor):
            # The tables turn to the new log when the following process has seen it; until then they hold the old one.
            _log.warning("the relayer's log is a new one", known=self._cursor.seq)
            await asyncio.sleep(_NEW_LOG_S)
            await self.open()
            self._listener.log_restarted()
            return
        wait_s = 0
        while True:
            records, last_line = await self._log.after(client, self._cursor.seq, wait_s)
            wait_s = WAIT_S
            well()
            for record in records:
                if isinstance(record, BookRecord):
                    book = self.books.setdefault(record.market, Book())
                    book.apply(record)
                    self._listener.book_changed(record, book)
            if records:
                self._cursor = RelayerCursor(records[-1].seq, digest_of(last_line), self._cursor.epoch)
