# SPDX-License-Identifier: AGPL-3.0-only
"""The live books of a process that only serves: from the tables, then from the relayer's log, with an own cursor."""

from __future__ import annotations

import asyncio

import httpx
import structlog
from sqlalchemy import Engine

from indexer import metrics
from indexer.orders.book import Book
from indexer.orders.consumer import UNAVAILABLE, EventLog, Listener, retry_s
from indexer.orders.records import BookRecord
from indexer.store.order_store import RelayerCursor, digest_of, read_books

_log = structlog.get_logger(__name__)

_WAIT_S = 15


class BookReplica:
    """Keeps live books at the end of the relayer's log, and writes nothing."""

    def __init__(self, log: EventLog, engine: Engine, listener: Listener) -> None:
        self._log = log
        self._engine = engine
        self._listener = listener
        self._cursor = RelayerCursor(0, "", 0)
        self.books: dict[str, Book] = {}
        self._failures = 0

    @property
    def seq(self) -> int:
        """The newest record in the books."""
        return self._cursor.seq

    async def open(self) -> None:
        """Take the books from the tables."""
        self._cursor, books = await asyncio.to_thread(read_books, self._engine)
        self.books.clear()
        self.books.update(books)

    async def run(self) -> None:
        """Follow until cancelled. Outlives a relayer that is away."""
        async with self._log.client() as client:
            while True:
                try:
                    await self._follow(client)
                except UNAVAILABLE as error:
                    metrics.relayer_errors.inc()
                    if self._failures == 0:
                        _log.warning("relayer log unavailable", error=repr(error))
                    await asyncio.sleep(retry_s(self._failures))
                    self._failures += 1

    async def _follow(self, client: httpx.AsyncClient) -> None:
        if not await self._log.holds(client, self._cursor):
            # The tables turn to the new log when the following process has seen it; until then they hold the old one.
            _log.warning("the relayer's log is a new one", known=self._cursor.seq)
            await asyncio.sleep(retry_s(1))
            await self.open()
            self._listener.log_restarted()
            return
        wait_s = 0
        while True:
            records, last_line = await self._log.after(client, self._cursor.seq, wait_s)
            wait_s, self._failures = _WAIT_S, 0
            for record in records:
                if isinstance(record, BookRecord):
                    book = self.books.setdefault(record.market, Book())
                    book.apply(record)
                    self._listener.book_changed(record, book)
            if records:
                self._cursor = RelayerCursor(records[-1].seq, digest_of(last_line), self._cursor.epoch)
