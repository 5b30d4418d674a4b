# SPDX-License-Identifier: AGPL-3.0-only
"""A disk that forgets: whatever was not synced is lost, kept or torn when the power goes."""

import errno
from random import Random

from relayer.journal.errors import JournalLockedError

_SECTOR = 512


class PowerOffError(Exception):
    """The power went in the middle of an operation."""


class _File:
    """Synced bytes, and everything written."""

    def __init__(self) -> None:
        self.synced = b""
        self.written = bytearray()
        self.name_synced = False
        self.former = ""


class ForgetfulDisk:
    """A `FileLayer` in memory. `operations` counts writes and syncs; at number `fuse` the power goes, before or in the
    middle of it.

    `honest=False` takes fdatasync out: `sync` returns as if it had worked.
    """

    def __init__(self, rng: Random, *, honest: bool = True) -> None:
        self._rng = rng
        self._honest = honest
        self._files: dict[str, _File] = {}
        self._locked: set[str] = set()
        self._off = False
        self.operations = 0
        self.fuse: int | None = None
        self.room: int | None = None
        """Bytes that can still be written, None for plenty; the reserve is on top."""
        self.reserve = 0

    def folder(self, name: str) -> "Folder":
        """A folder of its own on this disk."""
        return Folder(self, name)

    def names(self) -> list[str]:
        """Names in the folder."""
        return sorted(self._files)

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """All that a reader sees: page cache included."""
        end = None if size < 0 else offset + size
        return bytes(self._file(name).written[offset:end])

    def size(self, name: str) -> int:
        """Bytes that a reader sees."""
        return len(self._file(name).written)

    def age_s(self, name: str) -> float:
        """All files are old."""
        self._file(name)
        return 1e9

    def _file(self, name: str) -> _File:
        if name not in self._files:
            raise FileNotFoundError(name)
        return self._files[name]

    def append_to(self, name: str) -> "_Handle":
        """Opens or creates a file."""
        self._files.setdefault(name, _File())
        return _Handle(self, name)

    def truncate(self, name: str, size: int) -> None:
        """Cuts and syncs."""
        file = self._files[name]
        del file.written[size:]
        file.synced = bytes(file.written)

    def rename(self, old: str, new: str) -> None:
        """Gives another name; which of both is there after a power cut is open until the folder is synced."""
        self.step()
        file = self._files.pop(old)
        file.name_synced = False
        file.former = old
        self._files[new] = file

    def remove(self, name: str) -> None:
        """Deletes."""
        self._file(name)
        del self._files[name]

    def sync_folder(self) -> None:
        """Makes names durable."""
        self.step()
        if self._honest:
            for file in self._files.values():
                file.name_synced = True
                file.former = ""

    def hold_reserve(self, size: int) -> bool:
        """Room that writes take when there is no other."""
        if self.room is not None and self.reserve < size and self.room < 2 * size:
            return False
        self.reserve = size
        return True

    def free_bytes(self) -> int:
        """Plenty, unless a test says otherwise."""
        return 2**40 if self.room is None else self.room

    def lock(self, folder: str = "") -> None:
        """One user of a folder at a time."""
        if folder in self._locked:
            raise JournalLockedError("locked")
        self._locked.add(folder)

    def unlock(self, folder: str = "") -> None:
        """The next may come."""
        self._locked.discard(folder)

    def step(self) -> None:
        """One operation; the power may go here."""
        if self._off:
            raise PowerOffError
        self.operations += 1
        if self.fuse is not None and self.operations >= self.fuse:
            self._off = True
            raise PowerOffError

    def write(self, name: str, data: bytes) -> None:
        """Appends; when the power goes meanwhile, some of it has been written."""
        file = self._files[name]
        if self.room is not None:
            if self.room < len(data):
                self.room, self.reserve = self.room + self.reserve, 0
            if self.room < len(data):
                file.written += data[: self.room]
                self.room = 0
                raise OSError(errno.ENOSPC, "no space left")
            self.room -= len(data)
        try:
            self.step()
        except PowerOffError:
            if self.operations == self.fuse:
                file.written += data[: self._rng.randrange(len(data) + 1)]
            raise
        file.written += data

    def sync(self, name: str) -> None:
        """fdatasync, unless it was taken out."""
        self.step()
        if self._honest:
            file = self._files[name]
            file.synced = bytes(file.written)

    def start_again(self) -> None:
        """The process was killed, the machine was not: all that was written is there."""
        self._locked = set()
        self._off = False
        self.fuse = None

    def power_on(self) -> None:
        """What a reboot finds: synced bytes, and of the others any sectors, in any combination, the rest zeros or cut
        off.
        """
        rng = self._rng
        for name, file in list(self._files.items()):
            if not file.name_synced and rng.random() < 0.5:
                del self._files[name]
                if not file.former:
                    continue
                self._files[file.former] = file
            file.former = ""
            lost_part = bytes(file.written[len(file.synced) :])
            kept = bytearray(lost_part[: rng.randrange(len(lost_part) + 1)])
            if rng.random() < 0.5:
                for at in range(0, len(kept), _SECTOR):
                    if rng.random() < 0.3:
                        kept[at : at + _SECTOR] = bytes(len(kept[at : at + _SECTOR]))
            file.written = bytearray(file.synced) + kept
            # The reboot found these bytes on the platter, so they are durable from here on.
            file.synced = bytes(file.written)
            file.name_synced = True
        self.start_again()


class Folder:
    """A `FileLayer` in a folder of a disk, which all folders share."""

    def __init__(self, disk: ForgetfulDisk, name: str) -> None:
        self._disk = disk
        self._prefix = name + "/"

    def names(self) -> list[str]:
        return [name.removeprefix(self._prefix) for name in self._disk.names() if name.startswith(self._prefix)]

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        return self._disk.read(self._prefix + name, offset, size)

    def size(self, name: str) -> int:
        return self._disk.size(self._prefix + name)

    def age_s(self, name: str) -> float:
        return self._disk.age_s(self._prefix + name)

    def append_to(self, name: str) -> "_Handle":
        return self._disk.append_to(self._prefix + name)

    def truncate(self, name: str, size: int) -> None:
        self._disk.truncate(self._prefix + name, size)

    def sync(self, name: str) -> None:
        self._disk.sync(self._prefix + name)

    def rename(self, old: str, new: str) -> None:
        self._disk.rename(self._prefix + old, self._prefix + new)

    def remove(self, name: str) -> None:
        self._disk.remove(self._prefix + name)

    def sync_folder(self) -> None:
        self._disk.sync_folder()

    def free_bytes(self) -> int:
        return self._disk.free_bytes()

    def hold_reserve(self, size: int) -> bool:
        return self._disk.hold_reserve(size)

    def lock(self) -> None:
        self._disk.lock(self._prefix)

    def unlock(self) -> None:
        self._disk.unlock(self._prefix)


class _Handle:
    def __init__(self, disk: ForgetfulDisk, name: str) -> None:
        self._disk = disk
        self._name = name

    def write(self, data: bytes) -> None:
        self._disk.write(self._name, data)

    def sync(self) -> None:
        self._disk.sync(self._name)

    def close(self) -> None:
        return None
