# SPDX-License-Identifier: AGPL-3.0-only
"""The journal: recovery at opening, replay, and appending by group commit in one writer thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import msgspec

from ouro import merkle
from relayer.journal.errors import JournalCorruptError, JournalDivergedError, JournalFailedError, JournalMismatchError
from relayer.journal.files import AppendFile, FileLayer
from relayer.journal.format import (
    FORMAT,
    START,
    ZERO_HEAD,
    Group,
    Identity,
    Mark,
    SealedGroup,
    SegmentHeader,
    encode_group,
    encode_segment_header,
    founded,
    identity_hash,
)
from relayer.journal.reader import SegmentReader, open_segment
from relayer.journal.segments import SUFFIX, first_seq_of, header_of, segment_names

SEGMENT_BYTES = 64 * 2**20
MAX_GROUP_RECORDS = 4_096


class _Pending(msgspec.Struct):
    """Records of one `append` that wait for the writer."""

    records: Sequence[bytes]
    state_hash: bytes
    future: Future[int]


class Journal:
    """Append-only, hash-chained records in segments. Open one with `Journal.open`; records are numbered from 1.

    `append` may be called from one thread (the event loop's); the writer thread gathers what has piled up while the
    last group was synced into the next group.
    """

    def __init__(self, files: FileLayer, identity: Identity, segment_bytes: int, reserve_bytes: int) -> None:
        self._files = files
        self._identity = identity
        self._wanted = identity
        self._segment_bytes = segment_bytes
        self._reserve_bytes = reserve_bytes
        self._start = START
        self._names: list[str] = []
        self._segment_first_seq = 1
        self._file: AppendFile | None = None
        self._salt = b""
        self._size = 0
        self._head = ZERO_HEAD
        self._next_seq = 1
        self._synced = (0, ZERO_HEAD)
        self.on_sealed: Callable[[SealedGroup, Sequence[bytes]], None] = _nobody
        """Told of every group that has just reached the disk, with its records, in the writer thread and before any
        future is set. It must be quick and must not raise: the next group waits for it.
        """
        self._failure: Exception | None = None
        self._pending: list[_Pending] = []
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    @classmethod
    def open(
        cls,
        files: FileLayer,
        identity: Identity,
        *,
        marks: Sequence[Mark] = (),
        upgrade: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = 0,
    ) -> Journal:
        """Locks, recovers and opens a journal, creating it when there is none.

        `marks` are where snapshots were taken: what is before the last of them that is in the journal (`start`) is
        neither read nor needed. Cuts a torn tail off. `reserve_bytes` of the disk are kept for when it is full. With
        `upgrade` a journal under another configuration or core version opens under its own `identity`, and takes
        records after `upgrade`.

        Raises JournalLockedError, JournalMismatchError (other chain or contract; without `upgrade` also other
        configuration or core version) or JournalCorruptError (damage in data that was synced, or a beginning that is
        gone and no snapshot to start from).
        """
        files.lock()
        try:
            journal = cls(files, identity, segment_bytes, reserve_bytes)
            journal._recover(marks, upgrade=upgrade)
            files.hold_reserve(reserve_bytes)
        except BaseException:
            files.unlock()
            raise
        journal._thread = threading.Thread(target=journal._write, name="journal-writer", daemon=True)
        journal._thread.start()
        return journal

    @property
    def seq(self) -> int:
        """Number of the last record that is on disk, 0 for an empty journal."""
        return self._synced[0]

    @property
    def head(self) -> bytes:
        """The hash chain after the last group on disk: `next` of a batch built now."""
        return self._synced[1]

    @property
    def identity(self) -> Identity:
        """Whose journal it is; before an upgrade, whose it was."""
        return self._identity

    @property
    def wanted(self) -> Identity:
        """The identity that it was opened for."""
        return self._wanted

    @property
    def start(self) -> Mark:
        """The mark that it was opened from; before everything without one."""
        return self._start

    @property
    def needs_upgrade(self) -> bool:
        """Whether it was written under another identity than the one it was opened for."""
        return self._identity != self._wanted

    def has_room(self, spare_bytes: int = 64 * 2**20) -> bool:
        """Whether the disk can take more: when not, refuse new orders before they reach the core.

        The reserve does not count, and if it was used up there is no room until it could be filled again.
        """
        return self._files.hold_reserve(self._reserve_bytes) and self._files.free_bytes() > spare_bytes

    def identities(self) -> dict[bytes, Identity]:
        """The identities under which it was written, by their hash."""
        headers = [header_of(self._files, name) for name in self._names]
        return {identity_hash(header.identity): header.identity for header in headers if header is not None}

    def groups(self) -> Iterator[Group]:
        """Everything on disk, group by group; raises JournalCorruptError at damage."""
        return (item for item in self.items() if isinstance(item, Group))

    def items(self, after: Mark = START) -> Iterator[SegmentHeader | Group]:
        """What is on disk behind a mark: the header of each segment, and its groups. Raises JournalCorruptError."""
        begun = after == START
        for index in range(len(self._names)):
            is_last = index == len(self._names) - 1
            if not begun and not is_last and first_seq_of(self._names[index + 1]) <= after.seq:
                continue
            reader = self._open(index)
            if not begun:
                begun = reader.skip_to(after)
                if not begun:
                    continue
            yield reader.header
            yield from reader.groups()
        if not begun:
            raise JournalCorruptError(self._names[-1], 0, f"record {after.seq} does not leave the head of the snapshot")

    def _open(self, index: int) -> SegmentReader:
        name = self._names[index]
        reader = open_segment(name, self._files.read(name), is_last=index == len(self._names) - 1)
        if reader is None:
            raise JournalCorruptError(name, 0, "a damaged segment header")
        return reader

    def replay(self, apply: Callable[[bytes], object], state_hash: Callable[[], bytes], *, after: Mark = START) -> int:
        """Feeds every record behind a mark to `apply` and compares the state after each group; answers the number of
        records.

        Raises JournalDivergedError at the first group after which `state_hash()` is not what was recorded.
        """
        count = 0
        for group in self.items(after):
            if not isinstance(group, Group):
                continue
            for record in group.records:
                apply(record)
            count += len(group.records)
            if state_hash() != group.state_hash:
                raise JournalDivergedError(group.last_seq)
        return count

    def append(self, records: Sequence[bytes], state_hash: bytes) -> Future[int]:
        """Queues records with the state hash (32 bytes) after the last of them; the future gives its number once all
        are on disk.

        After a failure every future raises JournalFailedError, and so does this.
        """
        if not records:
            raise ValueError("nothing to append")
        future: Future[int] = Future()
        with self._wake:
            if self._failure is not None or self._closing or self.needs_upgrade:
                raise JournalFailedError("the journal takes no more records") from self._failure
            self._pending.append(_Pending(records, state_hash, future))
            self._wake.notify()
        return future

    def upgrade(self, state_hash: bytes) -> Mark:
        """Goes on under the identity that it was opened for, in a new segment that starts from a snapshot with that
        hash; answers where. The snapshot must be on disk soon: until then a restart replays what is before it.
        """
        with self._wake:
            if self._pending or not self.needs_upgrade:
                raise ValueError("nothing to upgrade, or records wait")
            if self._segment_first_seq == self._next_seq:
                # Nothing was written under the present identity: it never was.
                self._head = self._open(len(self._names) - 1).header.before
                self._files.remove(self._names.pop())
                self._files.sync_folder()
            self._identity = self._wanted
            self._start_segment(state_hash if self._next_seq > 1 else b"")
            self._synced = (self._next_seq - 1, self._head)
            return Mark(*self._synced)

    def close(self) -> None:
        """Writes what is queued, syncs, and lets the next process in."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        if self._file is not None:
            self._file.close()
        self._files.unlock()

    # Recovery

    def _recover(self, marks: Sequence[Mark], *, upgrade: bool) -> None:
        names = segment_names(self._files)
        while names and open_segment(names[-1], self._files.read(names[-1]), is_last=True) is None:
            # A crash came between creating this segment and syncing its header: nothing was ever in it.
            self._files.remove(names.pop())
            self._files.sync_folder()
        self._names = names
        if not names:
            self._start_segment()
            self._synced = (0, self._head)
            return
        first, reader = self._first_reader(marks)
        for index in range(first, len(names)):
            if index > first:
                reader = self._open(index)
                if (reader.header.first_seq, reader.header.before) != (self._next_seq, self._head):
                    raise JournalCorruptError(names[index], 0, "the segment does not continue the one before it")
            self._check_chain(reader.header)
            for _ in reader.groups():
                pass
            self._next_seq, self._head = reader.next_seq, reader.head
        self._take_identity(reader.header, upgrade=upgrade)
        name = names[-1]
        if reader.end < self._files.size(name):
            self._files.truncate(name, reader.end)
        # A process that was killed may have written what nobody has synced yet; from here on it counts as on disk.
        self._files.sync(name)
        self._files.sync_folder()
        self._file = self._files.append_to(name)
        self._salt = reader.header.salt
        self._size = reader.end
        self._segment_first_seq = reader.header.first_seq
        self._synced = (self._next_seq - 1, self._head)

    def _first_reader(self, marks: Sequence[Mark]) -> tuple[int, SegmentReader]:
        """The segment to begin with, at the newest mark that is in the journal."""
        for mark in sorted(marks, key=lambda mark: -mark.seq):
            for index in reversed(range(len(self._names))):
                if first_seq_of(self._names[index]) <= mark.seq + 1:
                    reader = self._open(index)
                    if reader.skip_to(mark):
                        self._start = mark
                        return index, reader
        reader = self._open(0)
        if reader.header.first_seq != 1:
            raise JournalCorruptError(
                self._names[0],
                0,
                f"the journal begins with record {reader.header.first_seq}, and no snapshot of what was before is good",
            )
        return 0, reader

    def _check_chain(self, header: SegmentHeader) -> None:
        if header.format != FORMAT:
            raise JournalMismatchError(f"the journal has format {header.format}, this program writes {FORMAT}")
        for field in ("chain_id", "contract"):
            self._compare(header, field)

    def _take_identity(self, header: SegmentHeader, *, upgrade: bool) -> None:
        if not upgrade:
            for field in ("core_version", "epoch", "config"):
                self._compare(header, field)
        if header.identity.epoch > self._wanted.epoch:
            self._compare(header, "epoch")
        self._identity = header.identity

    def _compare(self, header: SegmentHeader, field: str) -> None:
        found, wanted = getattr(header.identity, field), getattr(self._wanted, field)
        if found != wanted:
            raise JournalMismatchError(f"the journal's {field} is {found!r}, this relayer has {wanted!r}")

    def _start_segment(self, snapshot: bytes = b"") -> None:
        name = f"{self._next_seq:016d}{SUFFIX}"
        self._salt = os.urandom(16)
        before = self._head
        if snapshot or self._next_seq == 1:
            self._head = founded(before, self._identity, snapshot)
        header = encode_segment_header(
            SegmentHeader(
                format=FORMAT,
                identity=self._identity,
                first_seq=self._next_seq,
                before=before,
                head=self._head,
                salt=self._salt,
                snapshot=snapshot,
            )
        )
        if self._file is not None:
            self._file.close()
        self._file = self._files.append_to(name)
        self._file.write(header)
        self._file.sync()
        self._files.sync_folder()
        self._names.append(name)
        self._segment_first_seq = self._next_seq
        self._size = len(header)

    # The writer thread

    def _write(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closing:
                    self._wake.wait()
                if not self._pending:
                    return
                taken = self._take()
            try:
                self._commit(taken)
            except Exception as error:  # noqa: BLE001  (whatever it was, nobody may wait for ever)
                self._fail(error, taken)
                return
            last = self._synced[0] - sum(len(each.records) for each in taken)
            for each in taken:
                last += len(each.records)
                each.future.set_result(last)

    def _take(self) -> list[_Pending]:
        """What goes into the next group: everything that waits, up to a bound."""
        records = groups = 0
        for each in self._pending:
            records += len(each.records)
            groups += 1
            if records >= MAX_GROUP_RECORDS:
                break
        taken = self._pending[:groups]
        del self._pending[:groups]
        return taken

    def _commit(self, taken: list[_Pending]) -> None:
        if self._size >= self._segment_bytes:
            self._start_segment()
        assert self._file is not None
        records = [record for each in taken for record in each.records]
        state_hash = taken[-1].state_hash
        leaves = tuple(merkle.leaf(record) for record in records)
        head = merkle.next_head(self._head, self._next_seq, len(records), merkle.root(leaves), state_hash)
        data = encode_group(self._next_seq, records, state_hash, head, self._salt)
        self._file.write(data)
        self._file.sync()
        sealed = SealedGroup(self._next_seq, leaves, state_hash, self._head, head)
        self._size += len(data)
        self._head = head
        self._next_seq += len(records)
        self._synced = (self._next_seq - 1, head)
        self.on_sealed(sealed, records)

    def _fail(self, error: Exception, taken: list[_Pending]) -> None:
        """No retry: after a failed sync nobody knows what is on the disk."""
        with self._wake:
            self._failure = error
            waiting = [*taken, *self._pending]
            self._pending.clear()
        for each in waiting:
            failure = JournalFailedError(f"the journal could not be written: {error}")
            failure.__cause__ = error
            each.future.set_exception(failure)


def _nobody(_group: SealedGroup, _records: Sequence[bytes]) -> None:
    """Listens to nothing."""
