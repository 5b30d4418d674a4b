# SPDX-License-Identifier: AGPL-3.0-only
"""Snapshots on disk: the state after a record, from which a restart continues with the journal behind it.

    file  "OUROSNP1" | length u32 | header (msgpack) | crc32 u32 | state

A file appears under its name only when all of it is on the disk, so one that is there is whole or damaged by the disk.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from zlib import crc32

import msgspec

from relayer.journal.errors import JournalError
from relayer.journal.files import FileLayer
from relayer.journal.format import Mark

FORMAT = 1
SUFFIX = ".snapshot"
_MAGIC = b"OUROSNP1"
_U32 = struct.Struct("<I")
_TEMPORARY = ".new"


class SnapshotDamagedError(JournalError):
    """A snapshot is not what was written."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself: after which record of which journal, and what its state is.

    `identity` is the hash of the journal's identity, `trail` the core's rolling hash, `event_seq` the number of the
    last public record, `state_hash` the sha256 of the state's `state_bytes` bytes.
    """

    format: int = FORMAT
    core_version: int
    identity: bytes
    seq: int
    head: bytes
    trail: bytes
    event_seq: int
    state_hash: bytes
    state_bytes: int

    @property
    def mark(self) -> Mark:
        """Its place in the journal."""
        return Mark(self.seq, self.head)

    @property
    def name(self) -> str:
        """Its file. At an upgrade there are two states after one record, with different heads."""
        return f"{self.seq:016d}-{self.head[:4].hex()}{SUFFIX}"


class Snapshots:
    """A folder of snapshots."""

    def __init__(self, files: FileLayer) -> None:
        self._files = files

    def write(self, snapshot: Snapshot, state: bytes) -> None:
        """Writes one; it is there, whole and durable, when this returns. Raises OSError."""
        packed = msgspec.msgpack.encode(snapshot)
        temporary = snapshot.name + _TEMPORARY
        if temporary in self._files.names():
            self._files.remove(temporary)
        file = self._files.append_to(temporary)
        try:
            file.write(_MAGIC + _U32.pack(len(packed)) + packed + _U32.pack(crc32(packed)))
            file.write(state)
            file.sync()
        except OSError:
            file.close()
            self._files.remove(temporary)
            raise
        file.close()
        self._files.rename(temporary, snapshot.name)
        self._files.sync_folder()

    def all(self) -> list[Snapshot]:
        """Those whose header is good and whose length is right, newest first."""
        found = [self._read_header(name) for name in self._files.names() if name.endswith(SUFFIX)]
        return sorted((each for each in found if each is not None), key=lambda each: each.seq, reverse=True)

    def load(self, snapshot: Snapshot) -> bytes:
        """The state of one. Raises SnapshotDamagedError."""
        try:
            size = self._files.size(snapshot.name)
            state = self._files.read(snapshot.name, size - snapshot.state_bytes)
        except (OSError, KeyError) as error:
            raise SnapshotDamagedError(f"{snapshot.name} cannot be read: {error}") from error
        if sha256(state).digest() != snapshot.state_hash:
            raise SnapshotDamagedError(f"{snapshot.name} is damaged: its state has another hash")
        return state

    def remove(self, snapshot: Snapshot) -> None:
        """Deletes one."""
        self._files.remove(snapshot.name)

    def clean(self) -> None:
        """Deletes what a crash left half-written."""
        for name in self._files.names():
            if name.endswith(_TEMPORARY):
                self._files.remove(name)

    def free_bytes(self) -> int:
        """Room left on their disk."""
        return self._files.free_bytes()

    def _read_header(self, name: str) -> Snapshot | None:
        start = len(_MAGIC) + _U32.size
        data = self._files.read(name, 0, start)
        if len(data) < start or not data.startswith(_MAGIC):
            return None
        (length,) = _U32.unpack_from(data, len(_MAGIC))
        rest = self._files.read(name, start, length + _U32.size)
        if len(rest) < length + _U32.size or _U32.unpack_from(rest, length)[0] != crc32(rest[:length]):
            return None
        snapshot = msgspec.msgpack.decode(rest[:length], type=Snapshot)
        whole = start + length + _U32.size + snapshot.state_bytes
        return snapshot if snapshot.format == FORMAT and self._files.size(name) == whole else None
