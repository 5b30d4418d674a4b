# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: live books in the wire's shapes."""

from collections.abc import Iterable
from typing import Any

from indexer.orders.book import Book, Level
from indexer.orders.records import BookRecord
from indexer.reads.catalog import Listing

DEPTH = 100


def snapshot(book: Book, listing: Listing, depth: int = DEPTH) -> dict[str, Any]:
    """The best levels of both sides, best first; `seq` is the last change they hold."""
    bids, asks = book.top(depth)
    return {"bids": _levels(bids, listing), "asks": _levels(asks, listing), "seq": str(book.seq)}


def update(record: BookRecord, listing: Listing) -> dict[str, Any]:
    """Levels that changed as [price, absolute size], "0" deletes; `prevSeq` is the change that `seq` follows."""
    sides = {"bids": record.bids, "asks": record.asks}
    return {
        **{
            name: [[listing.price(price), listing.size(size)] for price, size in levels]
            for name, levels in sides.items()
            if levels
        },
        "seq": str(record.book_seq),
        "prevSeq": str(record.book_seq - 1),
    }


def _levels(levels: Iterable[Level], listing: Listing) -> list[dict[str, str]]:
    return [{"price": listing.price(price), "size": listing.size(size)} for price, size in levels]
