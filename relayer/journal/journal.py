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
    ZERO_HEAD,
    Group,
    Identity,
    SealedGroup,
    SegmentHeader,
    encode_group,
    encode_segment_header,
    founded,
)
from relayer.journal.reader import open_segment

_SUFFIX = ".journal"
SEGMENT_BYTES = 256 * 2**20
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

    def __init__(self, files: FileLayer, identity: Identity, segment_bytes: int) -> None:
        self._files = files
        self._identity = identity
        self._segment_bytes = segment_bytes
        self._names: list[str] = []
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
    def open(cls, files: FileLayer, identity: Identity, *, segment_bytes: int = SEGMENT_BYTES) -> Journal:
        """Locks, recovers and opens a journal, creating it when there is none.

        Cuts a torn tail off. Raises JournalLockedError, JournalMismatchError (other chain, contract, configuration or
        core version) or JournalCorruptError (damage in data that was synced).
        """
        files.lock()
        try:
            journal = cls(files, identity, segment_bytes)
            journal._recover()
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
        """Whose journal it is."""
        return self._identity

    def has_room(self, reserve_bytes: int = 64 * 2**20) -> bool:
        """Whether the disk can take more: when not, refuse new orders before they reach the core."""
        return self._files.free_bytes() > reserve_bytes

    def groups(self) -> Iterator[Group]:
        """Everything on disk, group by group; raises JournalCorruptError at damage."""
        for index, name in enumerate(self._names):
            reader = open_segment(name, self._files.read(name), is_last=index == len(self._names) - 1)
            if reader is not None:
                yield from reader.groups()

    def replay(self, apply: Callable[[bytes], object], state_hash: Callable[[], bytes]) -> int:
        """Feeds every record to `apply` and compares the state after each group; answers the number of records.

        Raises JournalDivergedError at the first group after which `state_hash()` is not what was recorded.
        """
        count = 0
        for group in self.groups():
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
            if self._failure is not None or self._closing:
                raise JournalFailedError("the journal takes no more records") from self._failure
            self._pending.append(_Pending(records, state_hash, future))
            self._wake.notify()
        return future

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

    def _recover(self) -> None:
        names = [name for name in self._files.names() if name.endswith(_SUFFIX)]
        while names:
            name = names[-1]
            reader = open_segment(name, self._files.read(name), is_last=True)
            if reader is not None:
                break
            # A crash came between creating this segment and syncing its header: nothing was ever in it.
            self._files.remove(name)
            self._files.sync_folder()
            names.pop()
        self._names = names
        if not names:
            self._start_segment()
            self._synced = (0, self._head)
            return
        for index, name in enumerate(names):
            data = self._files.read(name)
            is_last = index == len(names) - 1
            reader = open_segment(name, data, is_last=is_last)
            assert reader is not None
            self._check_identity(reader.header)
            if (reader.header.first_seq, reader.header.before) != (self._next_seq, self._head):
                raise JournalCorruptError(name, 0, "the segment does not continue the one before it")
            for _ in reader.groups():
                pass
            self._next_seq, self._head = reader.next_seq, reader.head
            if is_last:
                if reader.end < len(data):
                    self._files.truncate(name, reader.end)
                self._file = self._files.append_to(name)
                self._salt = reader.header.salt
                self._size = reader.end
        self._synced = (self._next_seq - 1, self._head)

    def _check_identity(self, header: SegmentHeader) -> None:
        if header.format != FORMAT:
            raise JournalMismatchError(f"the journal has format {header.format}, this program writes {FORMAT}")
        for field in ("core_version", "chain_id", "contract", "epoch", "config"):
            found, wanted = getattr(header.identity, field), getattr(self._identity, field)
            if found != wanted:
                raise JournalMismatchError(f"the journal's {field} is {found!r}, this relayer has {wanted!r}")

    def _start_segment(self) -> None:
        name = f"{self._next_seq:016d}{_SUFFIX}"
        self._salt = os.urandom(16)
        before = self._head
        if self._next_seq == 1:
            self._head = founded(before, self._identity)
        header = encode_segment_header(
            SegmentHeader(
                format=FORMAT,
                identity=self._identity,
                first_seq=self._next_seq,
                before=before,
                head=self._head,
                salt=self._salt,
            )
        )
        if self._file is not None:
            self._file.close()
        self._file = self._files.append_to(name)
        self._file.write(header)
        self._file.sync()
        self._files.sync_folder()
        self._names.append(name)
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
