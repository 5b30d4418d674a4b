# SPDX-License-Identifier: AGPL-3.0-only
"""A full disk: new orders are refused, what only lowers risk goes on in reserved space, nothing is written twice."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from relayer.event_files import EventFiles
from relayer.journal import Identity, Journal, JournalFailedError, OsFiles
from relayer.journal.files import RESERVE
from tests.crash.disk import ForgetfulDisk

IDENTITY = Identity(core_version=1, chain_id=31337, contract="0x" + "11" * 20, config=b"{}")
HASH = bytes(32)
MB = 2**20


class SmallDisk(OsFiles):
    """A real folder on a disk with room for so many bytes beside the reserve: writes beyond it fail as the kernel's do,
    after a part was taken.
    """

    def __init__(self, folder: Path, room: int) -> None:
        super().__init__(folder)
        self.room = room
        self.folder = folder

    def free_bytes(self) -> int:
        return self.room


def limited(monkeypatch: pytest.MonkeyPatch, disk: SmallDisk) -> None:
    """Makes writes of this process count against the room."""
    real_write, reserve = os.write, disk.folder / RESERVE
    held = [reserve.stat().st_size]

    def write(fd: int, data: bytes) -> int:
        if held[0] and not reserve.exists():
            disk.room += held[0]
            held[0] = 0
        if not disk.room:
            raise OSError(errno.ENOSPC, "no space left on device")
        taken = real_write(fd, bytes(data)[: disk.room])
        disk.room -= taken
        return taken

    monkeypatch.setattr(os, "write", write)


def test_cancels_go_on_in_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SmallDisk(tmp_path, 10 * MB)
    journal = Journal.open(disk, IDENTITY, reserve_bytes=MB)
    disk.room = 5_000
    limited(monkeypatch, disk)
    assert not journal.has_room(1_000_000)
    told = []
    for number in range(100):
        told.append(b"%d" % number * 100)
        journal.append([told[-1]], HASH).result(timeout=60)
    assert not (tmp_path / RESERVE).exists()
    # No orders before the reserve is there again, whatever is free.
    assert not journal.has_room(0)
    disk.room = 10 * MB
    assert journal.has_room(1_000_000)
    assert (tmp_path / RESERVE).stat().st_size == MB
    journal.close()
    again = Journal.open(disk, IDENTITY)
    assert [record for group in again.groups() for record in group.records] == told
    again.close()


def test_when_the_reserve_is_used_up_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SmallDisk(tmp_path, 10 * MB)
    journal = Journal.open(disk, IDENTITY, reserve_bytes=MB)
    limited(monkeypatch, disk)
    disk.room = 1_000
    journal.append([b"x" * (MB // 2)], HASH).result(timeout=60)
    with pytest.raises(JournalFailedError):
        journal.append([b"x" * 2 * MB], HASH).result(timeout=60)
    journal.close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
from relayer.journal import Identity, Journal, JournalFailedError, OsFiles
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal.open(OsFiles(Path(sys.argv[1])), Identity(core_version=1, chain_id=1, contract="", config=b""))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
done = 0
try:
    for number in range(1_000):
        done = journal.append([b"%06d" % number * 20], bytes(32)).result(timeout=60)
except JournalFailedError as error:
    print(done, error)
"""


def test_a_file_that_may_not_grow_ends_the_journal_and_loses_nothing(tmp_path: Path) -> None:
    """The kernel's own limit (EFBIG), in a process of its own."""
    said = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=240)
    assert "File too large" in said.stdout, said.stdout + said.stderr
    done = int(said.stdout.split()[0])
    assert done > 50
    identity = Identity(core_version=1, chain_id=1, contract="", config=b"")
    journal = Journal.open(OsFiles(tmp_path), identity)
    records = [record for group in journal.groups() for record in group.records]
    assert records == [b"%06d" % number * 20 for number in range(done)]
    journal.close()


def test_the_event_log_waits_in_memory_and_cuts_off_half_a_line() -> None:
    disk = ForgetfulDisk(Random(1))
    events = EventFiles(disk)
    events.append([b"first"])
    events.flush()
    disk.room = 10
    events.append([b"second", b"third"])
    events.flush()
    assert [disk.read(name) for name in disk.names()] == [b"first\n"]
    disk.room = None
    events.append([b"fourth"])
    assert events.read(1, 10) == [b"first", b"second", b"third", b"fourth"]
