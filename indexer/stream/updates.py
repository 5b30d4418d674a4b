# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: what is said without the outbox: books, which bypass the database, and the height."""

from __future__ import annotations

from indexer.orders.book import Book
from indexer.orders.records import BookRecord
from indexer.reads import books
from indexer.reads.catalog import Listing
from indexer.reads.text import iso
from indexer.stream.hub import Stamp, Update


def of_height(height: int, time_s: int, final: int, version: int) -> Update:
    """The tables reached a block, or `final` did; `version` counts their changes."""
    contents = {"blockHeight": str(height), "time": iso(time_s), "finalHeight": str(final)}
    return Update("v4_block_height", "", contents, Stamp("chain", version))


def of_book(record: BookRecord, book: Book, listing: Listing) -> Update:
    """A change of a book, which is in `book` already."""
    return Update("v4_orderbook", listing.ticker, books.update(record, book, listing), Stamp("book", record.book_seq))
