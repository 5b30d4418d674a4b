# SPDX-License-Identifier: AGPL-3.0-only
"""The event log on disk: JSON lines in files named by the number of their first record.

Never synced by the relayer: a replay makes lost lines again. A snapshot is only written once the lines up to it are
durable, so a restart needs no line that could be missing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from relayer.journal.files import AppendFile, FileLayer
from relayer.logs import logger

log = logger("events")

SUFFIX = ".events"
SEGMENT_BYTES = 16 * 2**20
FLUSH_BYTES = 64 * 2**10
_EVERY = 256
"""Of so many lines the place of one is kept in memory."""
_INDEXED_SEGMENTS = 8


class EventFiles:
    """Written by one process (`append`, `rewind`), looked at by another (`last_seq`, `sync_to`, `prune`)."""

    def __init__(self, files: FileLayer, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._files = files
        self._segment_bytes = segment_bytes
        self._file: AppendFile | None = None
        self._name = ""
        self._size = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._places: dict[str, list[int]] = {}
        self._synced: set[str] = set()
        self._is_failing = False
        self.next_seq = 1

    def rewind(self, seq: int) -> None:
        """Makes `seq` the last record: what is behind it goes, and if it is not there itself, everything."""
        self._close_file()
        self._waiting.clear()
        self._places.clear()
        self.next_seq = seq + 1
        names = self._names()
        holding = [name for name in names if _first_seq(name) <= seq]
        for name in names[len(holding) :]:
            self._files.remove(name)
        if not holding:
            return
        places = self._index(holding[-1])
        if len(places) < seq + 2 - _first_seq(holding[-1]):
            log.warning("gap", reason="records are missing before the snapshot", first=seq + 1)
            for name in holding:
                self._files.remove(name)
            return
        self._files.truncate(holding[-1], places[seq + 1 - _first_seq(holding[-1])])

    @property
    def first_seq(self) -> int:
        """Number of the oldest record on disk; that of the next one when there is none."""
        names = self._names()
        return _first_seq(names[0]) if names else self.next_seq

    def append(self, lines: Sequence[bytes]) -> None:
        """Takes the next records. They reach the file later, at `flush` by the latest."""
        self._waiting.extend(lines)
        self._waiting_bytes += sum(map(len, lines))
        self.next_seq += len(lines)
        if self._waiting_bytes >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what waits. On a full disk it goes on waiting: cancels are worth more than this file."""
        if not self._waiting:
            return
        data = b"".join(line + b"\n" for line in self._waiting)
        try:
            if self._file is None or self._size >= self._segment_bytes:
                self._begin()
            assert self._file is not None
            self._file.write(data)
        except OSError as error:
            self._recover(error)
            return
        self._is_failing = False
        self._size += len(data)
        self._waiting.clear()
        self._waiting_bytes = 0

    def read(self, from_seq: int, limit: int) -> list[bytes]:
        """Some records from a number on, at most `limit`; none when the number is not on disk."""
        self.flush()
        names = self._names()
        at = bisect_right(names, from_seq, key=_first_seq) - 1
        if at < 0:
            return []
        name = names[at]
        try:
            places = self._sparse(name)
            line = from_seq - _first_seq(name)
            block, skipped = divmod(line, _EVERY)
            if block >= len(places):
                return []
            last = min(block + (skipped + limit) // _EVERY + 1, len(places))
            end = places[last] if last < len(places) else self._files.size(name)
            data = self._files.read(name, places[block], end - places[block])
        except FileNotFoundError:
            return []  # pruned meanwhile
        lines = data.split(b"\n")[:-1]
        return lines[skipped : skipped + limit]

    def sync_to(self, seq: int) -> bool:
        """Makes the records up to `seq` durable; False when they are not all in the files yet."""
        names = [name for name in self._names() if _first_seq(name) <= seq]
        if not names:
            return seq == 0
        try:
            if len(self._index(names[-1])) < seq + 2 - _first_seq(names[-1]):
                return False
            for name in names:
                if name not in self._synced:
                    self._files.sync(name)
        except FileNotFoundError:
            return False
        self._files.sync_folder()
        self._synced = set(names[:-1])
        return True

    def prune(self, seq: int, older_s: float) -> list[str]:
        """Deletes files whose records are all below `seq` and that are older than so many seconds."""
        names = self._names()
        gone = []
        for name, following in pairwise(names):
            if _first_seq(following) > seq or self._files.age_s(name) < older_s:
                break
            self._files.remove(name)
            gone.append(name)
        return gone

    def close(self) -> None:
        """Writes what waits."""
        self.flush()
        self._close_file()

    def _begin(self) -> None:
        self._close_file()
        names = self._names()
        first_waiting = self.next_seq - len(self._waiting)
        if names and self._files.size(names[-1]) < self._segment_bytes:
            self._name = names[-1]
        else:
            self._name = f"{first_waiting:016d}{SUFFIX}"
        self._file = self._files.append_to(self._name)
        self._size = self._files.size(self._name)

    def _recover(self, error: OSError) -> None:
        """Cuts off what was written of a line; the next flush tries again."""
        if not self._is_failing:
            log.error("not_written", error=str(error))
        self._is_failing = True
        if self._file is not None:
            self._close_file()
            self._files.truncate(self._name, self._size)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _names(self) -> list[str]:
        return [name for name in self._files.names() if name.endswith(SUFFIX)]

    def _sparse(self, name: str) -> list[int]:
        """Where every 256th line of a file begins, kept while the file does not grow."""
        size = self._files.size(name)
        known = self._places.get(name)
        if known is None or known[-1] != size:
            if len(self._places) > _INDEXED_SEGMENTS:
                self._places.clear()
            known = self._places[name] = [*self._index(name)[:-1:_EVERY], size]
        return known[:-1]

    def _index(self, name: str) -> list[int]:
        """Where each line begins, and the end of the last whole one."""
        data = self._files.read(name)
        places = [0]
        at = data.find(b"\n")
        while at >= 0:
            places.append(at + 1)
            at = data.find(b"\n", at + 1)
        return places


def _first_seq(name: str) -> int:
    return int(name.removesuffix(SUFFIX))
