# SPDX-License-Identifier: AGPL-3.0-only
"""The follower as a process, and what is done with a journal while its relayer is stopped."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from ouro.settings import Settings
from relayer.core import Core
from relayer.engine import Engine
from relayer.event_files import EventFiles
from relayer.event_log import EventLog
from relayer.follower import FollowerPolicy, follower_of
from relayer.journal import Journal, JournalError, OsFiles, Snapshots
from relayer.journal.segments import header_of, segment_names
from relayer.logs import logger
from relayer.metrics import Metrics
from relayer.replica import config_of, snapshot_of

log = logger("follower")

POLL_S = 0.25
REPORT_S = 60.0


class FollowerSettings(Settings):
    """What the follower reads of the configuration: `OURO_RELAYER_...` in the environment. See `FollowerPolicy`."""

    relayer_snapshot_records: int = Field(default=100_000, ge=1)
    relayer_snapshot_minutes: float = Field(default=10.0, gt=0)
    relayer_keep_snapshots: int = Field(default=2, ge=2)
    relayer_journal_days: float = Field(default=365.0, ge=0)
    relayer_events_days: float = Field(default=30.0, ge=0)

    def policy(self) -> FollowerPolicy:
        """In the follower's units."""
        return FollowerPolicy(
            snapshot_records=self.relayer_snapshot_records,
            snapshot_s=self.relayer_snapshot_minutes * 60,
            keep_snapshots=self.relayer_keep_snapshots,
            journal_s=self.relayer_journal_days * 86_400,
            events_s=self.relayer_events_days * 86_400,
        )


def follow_until_stopped(settings: FollowerSettings) -> None:
    """Runs until SIGTERM or Ctrl-C. Raises the journal's errors, after an alarm in the log."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    follower = follower_of(settings.state_dir, settings.policy())
    reported_at = 0.0
    try:
        while not ended.is_set():
            if not follower.step():
                ended.wait(POLL_S)
            if time.monotonic() - reported_at >= REPORT_S:
                reported_at = time.monotonic()
                log.info("agrees", seq=follower.seq, head=follower.head.hex())
    except JournalError as error:
        log.critical("alarm", error=str(error), seq=follower.seq)
        raise
    log.info("stopped", seq=follower.seq)


def snapshot_of_the_end(settings: FollowerSettings) -> str:
    """Replays the journal of a relayer that is stopped, completes its event log and takes a snapshot of the end; says
    which. Raises the journal's errors.
    """
    files, snapshots = OsFiles(settings.state_dir / "journal"), Snapshots(OsFiles(settings.state_dir / "snapshots"))
    headers = [header_of(files, name) for name in segment_names(files)]
    newest = next((header for header in reversed(headers) if header is not None), None)
    if newest is None:
        raise JournalError(f"there is no journal in {settings.state_dir}")
    journal = Journal.open(files, newest.identity, marks=[snapshot.mark for snapshot in snapshots.all()])
    try:
        events = EventFiles(OsFiles(settings.state_dir / "events"))
        event_log = EventLog(events)
        engine = Engine(Core(config_of(newest.identity)), journal, event_log, Metrics())
        engine.replay(snapshots)
        event_log.close()
        core = engine.core
        if not events.sync_to(core.seq):
            raise JournalError("the event log could not be written: is its disk full?")
        state = core.dump()
        snapshot = snapshot_of(core, newest.identity, journal.head, state)
        snapshots.write(snapshot, state)
    finally:
        journal.close()
    return f"{snapshot.name}: record {snapshot.seq}, head 0x{snapshot.head.hex()}"


def with_lock(folder: Path, work: Callable[[], None]) -> None:
    """Does something while no other process may use a folder. Raises JournalLockedError."""
    files = OsFiles(folder)
    files.lock()
    try:
        work()
    finally:
        files.unlock()
