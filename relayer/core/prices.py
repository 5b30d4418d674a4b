# SPDX-License-Identifier: AGPL-3.0-only
"""Sorted prices of one side of a book: insert, remove and step in about O(sqrt n), whatever the gaps between prices.

A scan over ticks could be made to crawl by a sparse book, and a heap with forgotten entries by placing and cancelling;
here neither helps: only prices that exist are kept, in sorted chunks of bounded length.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

_CHUNK = 512


class SortedKeys:
    """A set of integers, smallest first."""

    __slots__ = ("_chunks", "_maxima")

    def __init__(self) -> None:
        self._chunks: list[list[int]] = []
        self._maxima: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def __iter__(self) -> Iterator[int]:
        for chunk in self._chunks:
            yield from chunk

    @property
    def first(self) -> int:
        """The smallest key; the set must not be empty."""
        return self._chunks[0][0]

    def add(self, key: int) -> None:
        """Adds a key that is not yet there."""
        chunks, maxima = self._chunks, self._maxima
        if not chunks:
            chunks.append([key])
            maxima.append(key)
            return
        at = bisect_left(maxima, key)
        if at == len(maxima):
            at -= 1
            chunks[at].append(key)
            maxima[at] = key
        else:
            insort(chunks[at], key)
        if len(chunks[at]) > _CHUNK:
            chunk = chunks[at]
            half = len(chunk) // 2
            chunks[at : at + 1] = [chunk[:half], chunk[half:]]
            maxima[at : at + 1] = [chunk[half - 1], chunk[-1]]

    def remove(self, key: int) -> None:
        """Removes a key that is there."""
        at = bisect_left(self._maxima, key)
        chunk = self._chunks[at]
        del chunk[bisect_left(chunk, key)]
        if not chunk:
            del self._chunks[at]
            del self._maxima[at]
        else:
            self._maxima[at] = chunk[-1]
