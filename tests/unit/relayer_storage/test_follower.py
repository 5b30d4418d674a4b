# SPDX-License-Identifier: AGPL-3.0-only
"""The follower beside a journal that grows: it agrees, keeps behind what is on disk for sure, and alarms at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relayer.core import Core, inputs
from relayer.follower import Follower, FollowerPolicy
from relayer.journal import Journal, JournalCorruptError, JournalDivergedError, OsFiles
from tests.unit.relayer_storage.days import Storage, append, close, day_of, identity_of

POLICY = FollowerPolicy(snapshot_records=10_000, snapshot_s=1e9)


def follower_of(storage: Storage, policy: FollowerPolicy = POLICY) -> Follower:
    return Follower(OsFiles(storage.folder / "journal"), storage.snapshots, storage.events(), policy)


def test_it_follows_a_growing_journal_across_segments_and_restarts(tmp_path: Path) -> None:
    day = day_of(1, 150)
    items, config = day.venue.inputs, day.venue.config
    storage = Storage(tmp_path, segment_bytes=6_000)
    follower = follower_of(storage)
    assert follower.step() == 0
    done = 0
    for part in range(4):
        engine, _ = storage.engine(config)
        upto = len(items) * (part + 1) // 4
        while done < upto:
            append(engine, items[done : done + 5])
            done += len(items[done : done + 5])
            follower.step()
            assert done - 5 <= follower.seq < done
        close(engine)
    follower.step(whole=True)
    assert follower.seq == done == len(items)
    assert follower.replica is not None
    assert follower.replica.core.state_hash() == day.venue.core.state_hash()


def test_a_group_counts_only_once_another_follows(tmp_path: Path) -> None:
    """Until then a power cut could take it away."""
    day = day_of(2, 20)
    storage = Storage(tmp_path)
    engine, _ = storage.engine(day.venue.config)
    follower = follower_of(storage)
    append(engine, day.venue.inputs[:5])
    follower.step()
    assert follower.seq == 0
    append(engine, day.venue.inputs[5:10])
    follower.step()
    assert follower.seq == 5
    close(engine)


def test_a_torn_tail_that_is_written_anew_disturbs_nobody(tmp_path: Path) -> None:
    day = day_of(3, 40)
    items = day.venue.inputs
    storage = Storage(tmp_path)
    storage.write(day.venue.config, items[:50])
    follower = follower_of(storage)
    follower.step()
    path = next((tmp_path / "journal").glob("*.journal"))
    path.write_bytes(path.read_bytes()[:-3])
    follower.step()
    storage.write(day.venue.config, items[45:], group=3)
    follower.step(whole=True)
    assert follower.seq == len(items)


def test_it_alarms_at_the_first_group_that_differs(tmp_path: Path) -> None:
    day = day_of(4, 60)
    items, config = day.venue.inputs, day.venue.config
    journal = Journal.open(OsFiles(tmp_path / "journal"), identity_of(config))
    core = Core(config)
    for at in range(0, 60, 5):
        for item in items[at : at + 5]:
            core.apply(item)
        records = [inputs.encode(item) for item in items[at : at + 5]]
        state = core.trail_hash() if at != 30 else bytes(32)
        journal.append(records, state).result(timeout=60)
    follower = follower_of(Storage(tmp_path))
    with pytest.raises(JournalDivergedError) as caught:
        follower.step()
    assert caught.value.seq == 35
    journal.close()


def test_a_missing_segment_is_damage(tmp_path: Path) -> None:
    day = day_of(5, 100)
    storage = Storage(tmp_path, segment_bytes=6_000)
    storage.write(day.venue.config, day.venue.inputs)
    sorted((tmp_path / "journal").glob("*.journal"))[1].unlink()
    with pytest.raises(JournalCorruptError):
        follower_of(storage).step()


def test_no_snapshot_before_the_event_log_is_that_far(tmp_path: Path) -> None:
    day = day_of(6, 60)
    storage = Storage(tmp_path)
    engine, _ = storage.engine(day.venue.config)
    append(engine, day.venue.inputs)
    follower = follower_of(storage)
    follower.step()
    assert follower.snapshot() is None
    engine.event_log.flush()
    snapshot = follower.snapshot()
    assert snapshot is not None
    assert storage.snapshots.all() == [snapshot]
    close(engine)


def test_the_process_alarms_with_its_exit_status(tmp_path: Path) -> None:
    day = day_of(7, 60)
    storage = Storage(tmp_path)
    storage.write(day.venue.config, day.venue.inputs)
    env = os.environ | {"OURO_RELAYER_SNAPSHOT_RECORDS": "40", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "relayer", "follow", "--state-dir", str(tmp_path)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 240
    while len(storage.snapshots.all()) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    second = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=180)
    assert process.returncode == 0, said
    assert second.returncode == 1
    assert "another process" in second.stderr

    # The next record says another state than the one that comes of it.
    journal = Journal.open(OsFiles(tmp_path / "journal"), identity_of(day.venue.config))
    for now in (1, 2):
        journal.append([inputs.encode(inputs.Tick(day.venue.now_ms + now))], bytes(32)).result(timeout=60)
    journal.close()
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 1
    assert f"differs from the journal at or before record {len(day.venue.inputs) + 1}" in done.stderr
    assert "alarm" in done.stdout


def test_a_snapshot_before_an_upgrade(tmp_path: Path) -> None:
    day = day_of(8, 60)
    storage = Storage(tmp_path)
    storage.write(day.venue.config, day.venue.inputs)
    (tmp_path / "events").rename(tmp_path / "lost")  # as after a crash: it is made again
    done = subprocess.run(
        [sys.executable, "-m", "relayer", "snapshot", "--state-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    [snapshot] = storage.snapshots.all()
    assert snapshot.seq == len(day.venue.inputs)
    engine, replayed = storage.engine(day.venue.config)
    assert replayed == 0
    assert engine.core.state_hash() == day.venue.core.state_hash()
    assert engine.event_log.first_seq == 1
    close(engine)
