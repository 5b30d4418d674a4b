# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: live books in the wire's shapes."""

import zlib
from collections.abc import Iterable
from typing import Any

from indexer.orders.book import Book, Level
from indexer.orders.records import BookRecord
from indexer.reads.catalog import Listing

DEPTH = 100
CHECKED = 10


def snapshot(book: Book, listing: Listing, depth: int = DEPTH) -> dict[str, Any]:
    """The best levels of both sides, best first; `seq` is the last change they hold."""
    bids, asks = book.top(depth)
    return {
        "bids": _levels(bids, listing),
        "asks": _levels(asks, listing),
        "seq": str(book.seq),
        "checksum": checksum(book, listing),
    }


def update(record: BookRecord, book: Book, listing: Listing) -> dict[str, Any]:
    """Levels that changed as [price, absolute size], "0" deletes; `prevSeq` is the change that `seq` follows. The
    checksum is that of `book`, which has the change already.
    """
    sides = {"bids": record.bids, "asks": record.asks}
    return {
        **{
            name: [[listing.price(price), listing.size(size)] for price, size in levels]
            for name, levels in sides.items()
            if levels
        },
        "seq": str(record.book_seq),
        "prevSeq": str(record.book_seq - 1),
        "checksum": checksum(book, listing),
    }


def checksum(book: Book, listing: Listing) -> int:
    """CRC-32 of the ten best bids, then asks, best first, as they are written: `price:size` joined by `|`."""
    levels = [level for side in book.top(CHECKED) for level in side]
    return zlib.crc32("|".join(f"{listing.price(price)}:{listing.size(size)}" for price, size in levels).encode())


def _levels(levels: Iterable[Level], listing: Listing) -> list[dict[str, str]]:
    return [{"price": listing.price(price), "size": listing.size(size)} for price, size in levels]
