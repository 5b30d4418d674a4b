# SPDX-License-Identifier: AGPL-3.0-only
"""Sorted prices of one side of a book: a step to the next price costs nothing, whatever the gap; an insert or a removal
costs O(log n) comparisons and moves at most a chunk of pointers and the list of chunks.

A scan over ticks could be made to crawl by a sparse book, and a heap with forgotten entries by placing and cancelling;
here neither helps: only prices that exist are kept, in sorted chunks. No chunk is longer than `_CHUNK`, and two
neighbours hold more than half of that together, so that whoever thins the book out does not leave a long list of
nearly empty chunks behind.
"""

from bisect import bisect_left
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

    def add(self, key: int) -> int | None:
        """Adds a key that is not yet there, and answers the one below it, None when it is the smallest."""
        chunks, maxima = self._chunks, self._maxima
        if not chunks:
            chunks.append([key])
            maxima.append(key)
            return None
        at = min(bisect_left(maxima, key), len(maxima) - 1) if len(maxima) > 1 else 0
        chunk = chunks[at]
        place = bisect_left(chunk, key) if key > chunk[0] else 0
        below = chunk[place - 1] if place else maxima[at - 1] if at else None
        chunk.insert(place, key)
        maxima[at] = chunk[-1]
        if len(chunk) > _CHUNK:
            half = len(chunk) // 2
            chunks[at : at + 1] = [chunk[:half], chunk[half:]]
            maxima[at : at + 1] = [chunk[half - 1], chunk[-1]]
        return below

    def remove(self, key: int) -> None:
        """Removes a key that is there."""
        chunks, maxima = self._chunks, self._maxima
        at = bisect_left(maxima, key) if len(maxima) > 1 else 0
        chunk = chunks[at]
        del chunk[bisect_left(chunk, key) if key > chunk[0] else 0]
        if chunk:
            maxima[at] = chunk[-1]
        else:
            del chunks[at]
            del maxima[at]
            at = max(0, at - 1)
        if len(chunks) > 1:
            self._join(at)
            self._join(at - 1)

    def _join(self, at: int) -> None:
        """Makes one of a chunk and the next when together they are half of one at most."""
        chunks = self._chunks
        if 0 <= at < len(chunks) - 1 and len(chunks[at]) + len(chunks[at + 1]) <= _CHUNK // 2:
            chunks[at].extend(chunks[at + 1])
            self._maxima[at] = self._maxima[at + 1]
            del chunks[at + 1]
            del self._maxima[at + 1]
