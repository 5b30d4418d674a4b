# SPDX-License-Identifier: AGPL-3.0-only
"""The follower: a second process that reads the relayer's journal as it grows and applies it to a core of its own.

It compares the state after every group with what the relayer wrote down, writes snapshots, and removes the files that
snapshots and retention have made unnecessary. It writes nothing into the journal, and never talks to the relayer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from relayer.event_files import EventFiles
from relayer.journal import (
    START,
    Group,
    JournalTail,
    OsFiles,
    SegmentHeader,
    Snapshot,
    SnapshotDamagedError,
    Snapshots,
    identity_hash,
)
from relayer.journal.files import FileLayer
from relayer.journal.segments import header_of, prune, segment_names
from relayer.logs import logger
from relayer.replica import Replica

log = logger("follower")

SPARE_BYTES = 256 * 2**20
"""Room that a snapshot must leave on its disk: the journal needs it more."""

RETRY_S = 1.0


class FollowerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When to take snapshots, and what to keep.

    A snapshot comes after `snapshot_records` records, or after `snapshot_s` seconds if there are any. Of
    snapshots the newest `keep_snapshots` stay. Segments of the journal and of the event log go when the oldest snapshot
    kept does not need them and they are older than `journal_s` and `events_s` seconds.
    """

    snapshot_records: int = 100_000
    snapshot_s: float = 600.0
    keep_snapshots: int = 2
    journal_s: float = 365 * 86_400.0
    events_s: float = 30 * 86_400.0


class Follower:
    """Owner of a replica. Single-threaded: whoever runs it calls `step`."""

    def __init__(
        self,
        journal: FileLayer,
        snapshots: Snapshots,
        events: EventFiles | None,
        policy: FollowerPolicy | None = None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts from the newest snapshot that the journal holds, once there is a journal."""
        self._journal = journal
        self._snapshots = snapshots
        self._events = events
        self._policy = policy or FollowerPolicy()
        self._clock_s = clock_s
        self._tail: JournalTail | None = None
        self._replica: Replica | None = None
        self._snapshot_seq = 0
        self._snapshot_at = clock_s()
        self._not_before = 0.0

    @property
    def seq(self) -> int:
        """Number of the last record that was applied and compared."""
        return 0 if self._replica is None else self._replica.core.input_seq

    @property
    def head(self) -> bytes:
        """The journal's head there."""
        return START.head if self._tail is None else self._tail.mark.head

    @property
    def replica(self) -> Replica | None:
        """What it has come to; None before there is a journal."""
        return self._replica

    def step(self, *, whole: bool = False) -> int:
        """Applies what is new and takes a snapshot if it is time; answers the number of records.

        `whole` is for a journal that no relayer is writing. Raises JournalDivergedError at the first group whose state
        is not the relayer's, JournalCorruptError, JournalMismatchError (the relayer was upgraded, this is not).
        """
        if self._tail is None and not self._begin():
            return 0
        assert self._tail is not None
        count = 0
        for item in self._tail.items(whole=whole):
            if self._replica is None:
                assert isinstance(item, SegmentHeader)
                self._replica = Replica(item.identity)
            count += self._replica.follow(item)
            if isinstance(item, Group):
                self._snapshot_if_due()
        self._snapshot_if_due()
        return count

    def snapshot(self) -> Snapshot | None:
        """Takes one now; None when the event log is not that far yet, or the disk has no room for it."""
        assert self._replica is not None
        assert self._tail is not None
        started = time.perf_counter()
        core = self._replica.core
        if self._events is not None and not self._events.sync_to(core.seq):
            return None
        snapshot, state = self._replica.snapshot(self._tail.mark.head)
        if self._snapshots.free_bytes() < SPARE_BYTES + len(state):
            log.error("no_room", needed=len(state), seq=snapshot.seq)
            return None
        self._snapshots.write(snapshot, state)
        self._snapshot_seq, self._snapshot_at = snapshot.seq, self._clock_s()
        seconds = round(time.perf_counter() - started, 3)
        log.info("snapshot", seq=snapshot.seq, state_bytes=len(state), seconds=seconds)
        self._prune()
        return snapshot

    def _begin(self) -> bool:
        names = segment_names(self._journal)
        headers = [header for name in names if (header := header_of(self._journal, name)) is not None]
        if not headers:
            return False
        self._snapshots.clean()
        identities = {identity_hash(header.identity): header.identity for header in headers}
        for snapshot in self._snapshots.all():
            identity = identities.get(snapshot.identity)
            tail = JournalTail(self._journal, snapshot.mark)
            # A power cut may have taken records that a snapshot already had in it.
            if identity is None or not tail.locate():
                continue
            try:
                self._replica = Replica.load(identity, self._snapshots, snapshot)
            except SnapshotDamagedError as error:
                log.error("snapshot_damaged", error=str(error))
                continue
            self._tail, self._snapshot_seq = tail, snapshot.seq
            break
        else:
            self._tail = JournalTail(self._journal)
        log.info("following", after=self.seq)
        return True

    def _snapshot_if_due(self) -> None:
        fresh = self.seq - self._snapshot_seq
        waited = self._clock_s() - self._snapshot_at
        due = fresh >= self._policy.snapshot_records or (fresh and waited >= self._policy.snapshot_s)
        if due and self._clock_s() >= self._not_before and self.snapshot() is None:
            # The relayer writes its event log a moment later than its journal.
            self._not_before = self._clock_s() + RETRY_S

    def _prune(self) -> None:
        kept = self._snapshots.all()
        for snapshot in kept[self._policy.keep_snapshots :]:
            self._snapshots.remove(snapshot)
        if len(kept) < self._policy.keep_snapshots:
            return
        oldest = kept[self._policy.keep_snapshots - 1]
        gone = prune(self._journal, oldest.seq, self._policy.journal_s)
        if self._events is not None:
            gone += self._events.prune(oldest.event_seq, self._policy.events_s)
        if gone:
            log.info("removed", files=gone)


def follower_of(state: Path, policy: FollowerPolicy) -> Follower:
    """A follower of the relayer whose state is in a folder."""
    return Follower(
        OsFiles(state / "journal"),
        Snapshots(OsFiles(state / "snapshots")),
        EventFiles(OsFiles(state / "events")),
        policy,
    )
