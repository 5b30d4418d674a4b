# SPDX-License-Identifier: AGPL-3.0-only
"""The journal on real files: recovery, damage, locking, identity, failure."""

import errno
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from ouro import merkle
from relayer.journal import (
    ZERO_HEAD,
    Identity,
    Journal,
    JournalCorruptError,
    JournalDivergedError,
    JournalFailedError,
    JournalLockedError,
    JournalMismatchError,
    OsFiles,
    SealedGroup,
)
from relayer.journal.format import chain, founded

IDENTITY = Identity(core_version=1, chain_id=31337, contract="0x" + "11" * 20, config=b"{}")
HASH = b"\x07" * 32


def write(folder: Path, *groups: list[bytes], segment_bytes: int = 2**20) -> Journal:
    journal = Journal.open(OsFiles(folder), IDENTITY, segment_bytes=segment_bytes)
    for group in groups:
        journal.append(group, HASH).result(timeout=60)
    return journal


def records(journal: Journal) -> list[bytes]:
    return [record for group in journal.groups() for record in group.records]


def test_append_numbers_records_and_chains_them(tmp_path: Path) -> None:
    journal = Journal.open(OsFiles(tmp_path), IDENTITY)
    start = founded(ZERO_HEAD, IDENTITY)
    assert (journal.seq, journal.head) == (0, start)
    assert journal.append([b"a", b"b"], HASH).result(timeout=60) == 2
    assert journal.append([b"c"], HASH).result(timeout=60) == 3
    assert (journal.seq, journal.head) == (3, chain(chain(start, 1, [b"a", b"b"], HASH), 3, [b"c"], HASH))
    journal.close()


def test_reopening_continues(tmp_path: Path) -> None:
    write(tmp_path, [b"a"], [b"b", b""]).close()
    journal = write(tmp_path, [b"c"])
    assert records(journal) == [b"a", b"b", b"", b"c"]
    head = founded(ZERO_HEAD, IDENTITY)
    for first_seq, group in ((1, [b"a"]), (2, [b"b", b""]), (4, [b"c"])):
        head = chain(head, first_seq, group, HASH)
    assert journal.head == head
    journal.close()


def test_the_identity_is_in_the_head_from_the_start(tmp_path: Path) -> None:
    heads = set()
    for index, config in enumerate((b"{}", b"[]")):
        journal = Journal.open(OsFiles(tmp_path / str(index)), msgspec.structs.replace(IDENTITY, config=config))
        heads.add(journal.head)
        journal.close()
    assert len(heads) == 2


def test_every_group_is_told_of_once_it_is_on_disk_and_before_its_futures(tmp_path: Path) -> None:
    journal = write(tmp_path)
    before = journal.head
    told: list[SealedGroup] = []
    said: list[bytes] = []

    def listen(group: SealedGroup, records: Sequence[bytes]) -> None:
        assert (journal.seq, journal.head) == (group.last_seq, group.head)
        assert group.leaves == tuple(map(merkle.leaf, records))
        told.append(group)
        said.extend(records)

    journal.on_sealed = listen
    futures = [journal.append([b"%d" % i, b"and %d" % i], HASH) for i in range(50)]
    for number, future in enumerate(futures, 1):
        assert future.result(timeout=60) == 2 * number
        assert len(said) >= 2 * number
    assert said == [record for i in range(50) for record in (b"%d" % i, b"and %d" % i)]
    for group in told:
        assert group.before == before
        before = merkle.next_head(before, group.first_seq, group.count, merkle.root(group.leaves), group.state_hash)
        assert group.head == before
    assert before == journal.head
    assert [group.sealed() for group in journal.groups()] == told
    journal.close()


def test_many_segments_read_as_one(tmp_path: Path) -> None:
    groups = [[bytes([i]) * 100] for i in range(20)]
    write(tmp_path, *groups, segment_bytes=500).close()
    assert len(list(tmp_path.glob("*.journal"))) > 4
    journal = write(tmp_path, segment_bytes=500)
    assert records(journal) == [group[0] for group in groups]
    journal.close()


@pytest.mark.parametrize("cut", [1, 10, 60, 130])
def test_torn_tail_is_cut_off(tmp_path: Path, cut: int) -> None:
    write(tmp_path, [b"kept"], [b"torn" * 20]).close()
    path = next(tmp_path.glob("*.journal"))
    path.write_bytes(path.read_bytes()[:-cut])
    journal = write(tmp_path, [b"next"])
    assert records(journal) == [b"kept", b"next"]
    journal.close()


def test_damage_in_the_middle_names_the_offset(tmp_path: Path) -> None:
    write(tmp_path, [b"first" * 10], [b"second" * 10], [b"third"]).close()
    path = next(tmp_path.glob("*.journal"))
    data = bytearray(path.read_bytes())
    at = data.index(b"secondsecond")
    data[at] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(JournalCorruptError) as caught:
        Journal.open(OsFiles(tmp_path), IDENTITY)
    assert path.name in str(caught.value)
    assert data[caught.value.offset : caught.value.offset + 4] == b"OJG2"
    assert caught.value.offset < at


def test_damaged_group_header_in_the_middle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [b"first"], [b"second"]).close()
    path = next(tmp_path.glob("*.journal"))
    data = bytearray(path.read_bytes())
    data[data.index(b"OJG2") + 5] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(JournalCorruptError, match="header"):
        Journal.open(OsFiles(tmp_path), IDENTITY)


def test_bytes_in_a_record_cannot_pass_for_a_group(tmp_path: Path) -> None:
    """A torn group whose records hold a copy of a real group (of another journal) is still just a torn tail."""
    write(tmp_path / "other", [b"x"]).close()
    foreign = next((tmp_path / "other").glob("*.journal")).read_bytes()
    write(tmp_path / "own", [b"kept"], [foreign, b"end" * 9]).close()
    path = next((tmp_path / "own").glob("*.journal"))
    data = bytearray(path.read_bytes())
    data[data.index(b"OJG2", data.index(b"kept")) + 5] ^= 1
    path.write_bytes(bytes(data[:-3]))
    journal = write(tmp_path / "own")
    assert records(journal) == [b"kept"]
    journal.close()


def test_second_opener_is_refused(tmp_path: Path) -> None:
    journal = write(tmp_path, [b"a"])
    with pytest.raises(JournalLockedError):
        Journal.open(OsFiles(tmp_path), IDENTITY)
    journal.close()
    Journal.open(OsFiles(tmp_path), IDENTITY).close()


def test_second_process_is_refused(tmp_path: Path) -> None:
    journal = write(tmp_path, [b"a"])
    program = (
        "import sys; from pathlib import Path; from relayer.journal import *\n"
        "try: OsFiles(Path(sys.argv[1])).lock()\n"
        "except JournalLockedError: sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == 7
    journal.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [("core_version", 2), ("chain_id", 1), ("contract", "0x" + "22" * 20), ("config", b"[]"), ("epoch", 2)],
)
def test_foreign_journal_is_refused(tmp_path: Path, field: str, value: object) -> None:
    write(tmp_path, [b"a"]).close()
    with pytest.raises(JournalMismatchError, match=field):
        Journal.open(OsFiles(tmp_path), msgspec.structs.replace(IDENTITY, **{field: value}))


def test_a_journal_in_another_format_is_named_so(tmp_path: Path) -> None:
    (tmp_path / f"{1:016d}.journal").write_bytes(b"OUROJNL1" + bytes(100))
    with pytest.raises(JournalMismatchError, match="format 1"):
        Journal.open(OsFiles(tmp_path), IDENTITY)


def test_divergence_is_found_at_its_group(tmp_path: Path) -> None:
    journal = write(tmp_path, [b"a"], [b"b", b"c"])
    assert journal.replay(lambda _: None, lambda: HASH) == 3
    seen: list[bytes] = []
    with pytest.raises(JournalDivergedError) as caught:
        journal.replay(seen.append, lambda: HASH if len(seen) < 2 else b"\x08" * 32)
    assert caught.value.seq == 3
    journal.close()


class FailingFiles(OsFiles):
    """A disk whose sync fails from some moment on."""

    failing = False

    def append_to(self, name: str):  # type: ignore[no-untyped-def]
        handle = super().append_to(name)
        sync = handle.sync

        def failing_sync() -> None:
            if self.failing:
                raise OSError(errno.EIO, "input/output error")
            sync()

        handle.sync = failing_sync  # type: ignore[method-assign]
        return handle


def test_failed_sync_is_never_retried(tmp_path: Path) -> None:
    files = FailingFiles(tmp_path)
    journal = Journal.open(files, IDENTITY)
    journal.append([b"a"], HASH).result(timeout=60)
    files.failing = True
    with pytest.raises(JournalFailedError):
        journal.append([b"b"], HASH).result(timeout=60)
    files.failing = False
    with pytest.raises(JournalFailedError):
        journal.append([b"c"], HASH)
    assert journal.seq == 1
    journal.close()


def test_writers_that_wait_share_a_group(tmp_path: Path) -> None:
    journal = Journal.open(OsFiles(tmp_path), IDENTITY)
    futures = [journal.append([b"%d" % i], HASH) for i in range(500)]
    assert [future.result(timeout=60) for future in futures] == list(range(1, 501))
    assert len(list(journal.groups())) < 500
    journal.close()
