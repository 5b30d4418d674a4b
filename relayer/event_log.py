# SPDX-License-Identifier: AGPL-3.0-only
"""The public records by number: what consumers read. All of them in files, the newest also in memory."""

import asyncio
from collections.abc import Iterable

from relayer.core.outputs import PublicRecord, encode_json
from relayer.event_files import EventFiles

TAIL = 32_768
"""Records in memory: whoever is further behind reads from files."""


class EventLog:
    """Append-only. Consumers own their cursors, so a consumer costs nothing here however far behind it is.

    Appending and waiting happen on one event loop (before that, the replay may append from another thread). Without
    `files` everything stays in memory.
    """

    def __init__(self, files: EventFiles | None = None, *, tail: int = TAIL) -> None:
        self._files = files
        self._tail = tail
        self._lines: list[bytes] = []
        self._before = 0
        self._first_on_disk = 1
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False

    def begin(self, seq: int) -> None:
        """Makes `seq` the last record: the state that is to go on has said so many."""
        self._lines.clear()
        self._before = seq
        if self._files is not None:
            self._files.rewind(seq)
            self._first_on_disk = self._files.first_seq

    @property
    def seq(self) -> int:
        """Number of the last record, 0 when there is none."""
        return self._before + len(self._lines)

    @property
    def first_seq(self) -> int:
        """Number of the oldest record that can be read."""
        return min(self._before + 1, self._first_on_disk)

    @property
    def closed(self) -> bool:
        """Whether nothing will come any more: consumers should leave."""
        return self._closed

    def append(self, records: Iterable[PublicRecord]) -> None:
        """Publishes records; they must continue the numbers. Wakes those who wait."""
        fresh: list[bytes] = []
        seq = self.seq
        for record in records:
            seq += 1
            if record.seq != seq:
                raise ValueError(f"record {record.seq} cannot follow record {seq - 1}")
            fresh.append(encode_json(record))
        if not fresh:
            return
        self._lines.extend(fresh)
        if self._files is not None:
            self._files.append(fresh)
            if len(self._lines) > self._tail + self._tail // 4:
                self._before += len(self._lines) - self._tail
                del self._lines[: -self._tail]
        self._wake()

    def read(self, from_seq: int, limit: int) -> list[bytes]:
        """Some records as JSON lines, at most `limit`, starting with `from_seq` (numbers start with 1).

        None when that one is not there yet, or no longer: see `first_seq`.
        """
        from_seq = max(from_seq, 1)
        if from_seq <= self._before:
            return [] if self._files is None else self._files.read(from_seq, limit)
        start = from_seq - self._before - 1
        return self._lines[start : start + limit]

    def flush(self) -> None:
        """Hands to the files what they do not have yet, and sees which of them were removed."""
        if self._files is not None:
            self._files.flush()
            self._first_on_disk = self._files.first_seq

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
        if self._files is not None:
            self._files.close()
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
