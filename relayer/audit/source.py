# SPDX-License-Identifier: AGPL-3.0-only
"""Where a journal comes from, as segments of groups. Nothing here judges: damage is passed on as it is found."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import msgspec

from ouro import merkle
from relayer.audit.errors import AuditError
from relayer.journal.format import (
    FORMAT,
    GROUP_HEADER_SIZE,
    GROUP_MAGIC,
    SegmentHeader,
    decode_body,
    decode_group_header,
    decode_segment_header,
)

_LONGEST_HEADER = 2**22


class ReadGroup(msgspec.Struct, frozen=True):
    """A group as its publisher has it: `records` may hold None for one of which only the leaf is shown."""

    first_seq: int
    records: tuple[bytes | None, ...]
    leaves: tuple[bytes, ...]
    state_hash: bytes
    head: bytes

    @property
    def last_seq(self) -> int:
        """Number of its last record."""
        return self.first_seq + len(self.leaves) - 1


class Damage(msgspec.Struct, frozen=True):
    """Bytes that were synced once and are no group any more."""

    where: str
    what: str


class ReadSegment(Protocol):
    """One segment, read from the front."""

    name: str
    header: SegmentHeader

    def groups(self) -> Iterator[ReadGroup | Damage]:
        """Its groups; after a damage there is nothing more."""


class Source(Protocol):
    """A journal."""

    def segments(self) -> Iterator[ReadSegment]:
        """Its segments in order. Raises AuditError when there is no journal."""

    def tail_note(self) -> str:
        """What was left out at its end and why; empty if nothing."""


class _DiskSegment:
    def __init__(self, path: Path, *, is_last: bool) -> None:
        self.name = path.name
        self._path = path
        self._is_last = is_last
        self.torn = 0
        with path.open("rb") as file:
            found = decode_segment_header(file.read(_LONGEST_HEADER))
        if found is None:
            raise AuditError(f"{path} has no readable segment header")
        self.header, self._start = found
        if self.header.format != FORMAT:
            raise AuditError(f"{path} has format {self.header.format}, this program reads {FORMAT}")

    def groups(self) -> Iterator[ReadGroup | Damage]:
        with ExitStack() as stack:
            file = stack.enter_context(self._path.open("rb"))
            size = self._path.stat().st_size
            data = stack.enter_context(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
            yield from self._groups(data)  # type: ignore[arg-type]  # a map slices to bytes, which is all that is asked

    def _groups(self, data: bytes) -> Iterator[ReadGroup | Damage]:
        at, size, salt = self._start, len(data), self.header.salt
        while at < size:
            header = decode_group_header(data, at, salt)
            end = at + GROUP_HEADER_SIZE + (header.body_length if header is not None else 0)
            records = decode_body(data[at + GROUP_HEADER_SIZE : end], header) if header is not None else None
            if header is None or records is None:
                behind = _group_behind(data, at + 1, salt)
                if self._is_last and not behind:
                    self.torn = size - at
                    return
                follows = "a group" if behind else "a segment"
                yield Damage(f"{self.name}, byte {at}", f"bytes that are no group, with {follows} behind them")
                return
            leaves = tuple(map(merkle.leaf, records))
            yield ReadGroup(header.first_seq, records, leaves, header.state_hash, header.head)
            at = end


class DiskJournal:
    """A relayer's own folder, or a copy of it. It may be in use: a half-written last group is left out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: _DiskSegment | None = None

    def segments(self, only: int = 0) -> Iterator[ReadSegment]:
        """In order of their names, which are their first record's number; `only` the one that begins with a record."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix == ".journal")
        except OSError as error:
            raise AuditError(f"the journal in {self._folder} cannot be read: {error}") from None
        if not paths:
            raise AuditError(f"there is no journal in {self._folder}: name the folder that holds *.journal files")
        for index, path in enumerate(paths):
            if only and int(path.stem) != only:
                continue
            try:
                self._last = _DiskSegment(path, is_last=index == len(paths) - 1)
            except OSError as error:
                raise AuditError(f"{path} cannot be read: {error}") from None
            yield self._last

    def tail_note(self) -> str:
        """A crash tears the group in flight, which was never acknowledged."""
        if self._last is None or not self._last.torn:
            return ""
        return f"the last {self._last.torn} bytes of {self._last.name} are no whole group (torn by a crash, or cut)"


def _group_behind(data: bytes, at: int, salt: bytes) -> bool:
    at = data.find(GROUP_MAGIC, at)
    while at >= 0:
        if decode_group_header(data, at, salt) is not None:
            return True
        at = data.find(GROUP_MAGIC, at + 1)
    return False


def hidden_of(records: Sequence[bytes | None]) -> int:
    """How many records of a group are shown by their leaf only."""
    return sum(1 for record in records if record is None)
