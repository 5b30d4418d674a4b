# SPDX-License-Identifier: AGPL-3.0-only
"""The public records in memory, by number: what consumers read. Replaying the journal gives it again."""

import asyncio
from collections.abc import Iterable

from relayer.core.outputs import PublicRecord, encode_json


class EventLog:
    """Append-only. Consumers own their cursors, so a consumer costs nothing here however far behind it is.

    Appending and waiting happen on one event loop (before that, the replay may append from another thread).
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False

    @property
    def seq(self) -> int:
        """Number of the last record, 0 when there is none."""
        return len(self._lines)

    @property
    def first_seq(self) -> int:
        """Number of the oldest record that can be read."""
        return 1

    @property
    def closed(self) -> bool:
        """Whether nothing will come any more: consumers should leave."""
        return self._closed

    def append(self, records: Iterable[PublicRecord]) -> None:
        """Publishes records; they must continue the numbers. Wakes those who wait."""
        before = len(self._lines)
        for record in records:
            if record.seq != len(self._lines) + 1:
                raise ValueError(f"record {record.seq} cannot follow record {len(self._lines)}")
            self._lines.append(encode_json(record))
        if len(self._lines) != before:
            self._wake()

    def read(self, from_seq: int, limit: int) -> list[bytes]:
        """Up to `limit` records as JSON lines, starting with `from_seq` (numbers start with 1)."""
        start = max(from_seq, 1) - 1
        return self._lines[start : start + limit]

    async def wait(self, seq: int) -> None:
        """Returns once record `seq` is there, or the log is closed."""
        while self.seq < seq and not self._closed:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    def close(self) -> None:
        """Sends everybody home."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
