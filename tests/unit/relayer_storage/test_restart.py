# SPDX-License-Identifier: AGPL-3.0-only
"""Restarts from snapshots, upgrades, and copies: always the state and the event log of a relayer that never stopped."""

import json
import shutil
from pathlib import Path

import pytest

from relayer.core import Core
from relayer.follower import Follower, FollowerPolicy
from relayer.journal import JournalCorruptError, JournalMismatchError, OsFiles, SnapshotDamagedError
from tests.unit.relayer_storage.days import Storage, append, cheaper, close, day_of

EVERY_50 = FollowerPolicy(snapshot_records=50, snapshot_s=1e9, journal_s=0, events_s=0)
KEEP_ALL = FollowerPolicy(snapshot_records=50, snapshot_s=1e9)


def follow(storage: Storage, policy: FollowerPolicy = EVERY_50, *, whole: bool = False) -> Follower:
    follower = Follower(
        OsFiles(storage.folder / "journal"), storage.snapshots, storage.events(), policy, clock_s=lambda: 0.0
    )
    follower.step(whole=whole)
    return follower


def numbers(lines: list[bytes]) -> list[int]:
    return [json.loads(line)["seq"] for line in lines]


def test_a_restart_replays_only_what_is_behind_the_newest_snapshot(tmp_path: Path) -> None:
    day = day_of(1, 120)
    storage = Storage(tmp_path)
    storage.write(day.venue.config, day.venue.inputs)
    follow(storage)
    newest = storage.snapshots.all()[0]
    engine, replayed = storage.engine(day.venue.config)
    assert replayed == len(day.venue.inputs) - newest.seq < 60
    assert engine.core.state_hash() == day.venue.core.state_hash()
    assert engine.event_log.seq == day.venue.core.seq
    assert numbers(engine.event_log.read(1, 10_000)) == list(range(1, engine.event_log.seq + 1))
    close(engine)


def test_damaged_snapshots_are_passed_over(tmp_path: Path) -> None:
    day = day_of(2, 120)
    storage = Storage(tmp_path)
    storage.write(day.venue.config, day.venue.inputs)
    follow(storage)
    newest, older = storage.snapshots.all()
    path = tmp_path / "snapshots" / newest.name
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(SnapshotDamagedError, match="another hash"):
        storage.snapshots.load(newest)
    engine, replayed = storage.engine(day.venue.config)
    assert replayed == len(day.venue.inputs) - older.seq
    assert engine.core.state_hash() == day.venue.core.state_hash()
    close(engine)
    path.write_bytes(bytes(data[:100]))
    assert storage.snapshots.all() == [older]


def test_a_snapshot_of_records_that_the_journal_lost_is_not_used(tmp_path: Path) -> None:
    day = day_of(3, 200)
    storage = Storage(tmp_path)
    items = day.venue.inputs
    storage.write(day.venue.config, items[:100])
    shutil.copytree(tmp_path / "journal", tmp_path / "earlier")
    storage.write(day.venue.config, items[100:])
    follow(storage, whole=True)
    assert storage.snapshots.all()[0].seq > 100
    shutil.rmtree(tmp_path / "journal")
    (tmp_path / "earlier").rename(tmp_path / "journal")
    core = storage.write(day.venue.config, items[100:])
    assert core.state_hash() == day.venue.core.state_hash()


def test_old_files_go_and_the_relayer_starts_without_them(tmp_path: Path) -> None:
    day = day_of(4, 250)
    storage = Storage(tmp_path, segment_bytes=8_000, event_bytes=20_000)
    storage.write(day.venue.config, day.venue.inputs)
    before = len(list((tmp_path / "journal").glob("*.journal")))
    follow(storage)
    kept = storage.snapshots.all()
    assert len(kept) == 2
    segments = sorted((tmp_path / "journal").glob("*.journal"))
    assert len(segments) < before
    assert 1 < int(segments[0].stem) <= kept[1].seq + 1
    engine, _ = storage.engine(day.venue.config)
    assert engine.core.state_hash() == day.venue.core.state_hash()
    first = engine.event_log.first_seq
    assert 1 < first <= kept[1].event_seq + 1
    assert engine.event_log.read(first - 1, 10) == []
    assert numbers(engine.event_log.read(first, 3)) == [first, first + 1, first + 2]
    close(engine)
    for snapshot in kept:
        storage.snapshots.remove(snapshot)
    with pytest.raises(JournalCorruptError, match="no snapshot"):
        storage.journal(day.venue.config)


def test_retention_keeps_what_an_audit_may_ask_for(tmp_path: Path) -> None:
    day = day_of(4, 150)
    storage = Storage(tmp_path, segment_bytes=8_000, event_bytes=20_000)
    storage.write(day.venue.config, day.venue.inputs)
    before = sorted(path.name for path in tmp_path.rglob("*.*") if path.suffix in (".journal", ".events"))
    follow(storage, KEEP_ALL)
    assert len(storage.snapshots.all()) == 2
    after = sorted(path.name for path in tmp_path.rglob("*.*") if path.suffix in (".journal", ".events"))
    assert after == before


def test_another_configuration_goes_on_in_a_new_segment(tmp_path: Path) -> None:
    day = day_of(5, 160)
    items, config = day.venue.inputs, day.venue.config
    storage = Storage(tmp_path)
    storage.write(config, items[:150])
    engine, _ = storage.engine(cheaper(config))
    assert not engine.journal.needs_upgrade
    names = sorted(path.name for path in (tmp_path / "journal").glob("*.journal"))
    assert names == [f"{1:016d}.journal", f"{151:016d}.journal"]
    expected = Core(config)
    for item in items[:150]:
        expected.apply(item)
    expected = Core.restore(cheaper(config), expected.dump())
    for item in items[150:]:
        expected.apply(item)
    append(engine, items[150:])
    close(engine)
    assert engine.core.state_hash() == expected.state_hash()
    # From the snapshot at the turn, and across the turn without any.
    again, replayed = storage.engine(cheaper(config))
    assert replayed == len(items) - 150
    assert again.core.state_hash() == expected.state_hash()
    close(again)
    replica = follow(storage, KEEP_ALL, whole=True).replica
    assert replica is not None
    assert replica.core.state_hash() == expected.state_hash()
    for snapshot in storage.snapshots.all():
        storage.snapshots.remove(snapshot)
    again, replayed = storage.engine(cheaper(config))
    assert replayed == len(items)
    assert again.core.state_hash() == expected.state_hash()
    close(again)


def test_configurations_under_which_nothing_happened_leave_no_trace(tmp_path: Path) -> None:
    day = day_of(6, 30)
    items, config = day.venue.inputs, day.venue.config
    storage = Storage(tmp_path)
    storage.write(config, items)
    for step in (cheaper(config), cheaper(cheaper(config)), cheaper(config)):
        engine, _ = storage.engine(step)
        close(engine)
    assert len(list((tmp_path / "journal").glob("*.journal"))) == 2
    # A first start with the wrong fees, corrected before anything happened.
    fresh = Storage(tmp_path / "fresh")
    close(fresh.engine(config)[0])
    core = fresh.write(cheaper(config), items)
    assert [segment.name for segment in (tmp_path / "fresh" / "journal").glob("*.journal")] == [f"{1:016d}.journal"]
    assert fresh.engine(cheaper(config))[0].core.state_hash() == core.state_hash()


def test_another_core_version_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = day_of(7, 30)
    storage = Storage(tmp_path)
    storage.write(day.venue.config, day.venue.inputs)
    monkeypatch.setattr("relayer.replica.CORE_VERSION", 99)
    monkeypatch.setattr("tests.unit.relayer_storage.days.CORE_VERSION", 99)
    with pytest.raises(JournalMismatchError, match="ouro relayer snapshot"):
        storage.engine(day.venue.config)


def test_a_copy_taken_while_the_relayer_writes_restores_it(tmp_path: Path) -> None:
    """docs/relayer.md, Backup: snapshots first, then the journal, in the order of the names."""
    day = day_of(8, 200)
    items, config = day.venue.inputs, day.venue.config
    storage = Storage(tmp_path / "live", segment_bytes=8_000)
    engine, _ = storage.engine(config)
    append(engine, items[:200])
    follow(storage)
    copy = tmp_path / "copy"
    shutil.copytree(storage.folder / "snapshots", copy / "snapshots")
    append(engine, items[200:240])
    (copy / "journal").mkdir()
    for path in sorted((storage.folder / "journal").glob("*.journal")):
        data = path.read_bytes()
        append(engine, items[engine.core.input_seq :][:10])
        (copy / "journal" / path.name).write_bytes(data)
    newest = max((copy / "journal").iterdir())
    newest.write_bytes(newest.read_bytes()[:-7])  # and in the middle of a write
    restored, _ = Storage(copy, segment_bytes=8_000).engine(config)
    done = restored.core.input_seq
    assert 200 < done <= engine.core.input_seq
    straight = Core(config)
    for item in items[:done]:
        straight.apply(item)
    assert restored.core.state_hash() == straight.state_hash()
    assert restored.event_log.seq == straight.seq
    append(restored, items[done:])
    assert restored.core.state_hash() == day.venue.core.state_hash()
    close(restored)
    close(engine)
