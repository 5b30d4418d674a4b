# SPDX-License-Identifier: AGPL-3.0-only
"""The few file operations a journal needs, behind an interface, so that crash tests can lose what was not synced."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from relayer.journal.errors import JournalLockedError

RESERVE = "reserve"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class AppendFile(Protocol):
    """A file open for appending."""

    def write(self, data: bytes) -> None:
        """Appends all of `data`; it may be lost until `sync`."""

    def sync(self) -> None:
        """Returns once everything written is on the disk; raises OSError if that is not sure."""

    def close(self) -> None:
        """Closes the file without syncing."""


class FileLayer(Protocol):
    """The disk."""

    def names(self) -> list[str]:
        """Names in the journal's folder, sorted."""

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """A file from `offset` on, at most `size` bytes (-1: all)."""

    def size(self, name: str) -> int:
        """Bytes of a file."""

    def age_s(self, name: str) -> float:
        """Seconds since a file was last written to."""

    def append_to(self, name: str) -> AppendFile:
        """Opens a file at its end, creating it."""

    def truncate(self, name: str, size: int) -> None:
        """Cuts a file and syncs it."""

    def sync(self, name: str) -> None:
        """Puts all that was written to a file, by whomever, on the disk."""

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, in the place of a file that had it."""

    def remove(self, name: str) -> None:
        """Deletes a file."""

    def sync_folder(self) -> None:
        """Makes created and deleted names durable."""

    def free_bytes(self) -> int:
        """Room left on the disk."""

    def hold_reserve(self, size: int) -> bool:
        """Keeps `size` bytes for writes that find the disk full; they take it by themselves. False: there is no room.

        Asked again, it sees that they are still (or again) there.
        """

    def lock(self) -> None:
        """Takes the journal for this process alone; raises JournalLockedError."""

    def unlock(self) -> None:
        """Gives it back."""


class OsAppendFile:
    """A real file; `sync` is fdatasync. `on_full` may make room when the disk is full, and says whether it did."""

    def __init__(self, path: Path, on_full: Callable[[], bool]) -> None:
        self._on_full = on_full
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        """Appends all of `data`, however often the kernel takes only a part."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError as error:
                # Nothing of this call was taken, so going on is safe: unlike after a failed sync.
                if error.errno not in _FULL or not self._on_full():
                    raise

    def sync(self) -> None:
        """fdatasync."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Closes the descriptor."""
        os.close(self._fd)


class OsFiles:
    """A folder on a real disk."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock_fd: int | None = None
        self._reserve = folder / RESERVE

    def names(self) -> list[str]:
        """Names in the folder, sorted."""
        return sorted(path.name for path in self._folder.iterdir())

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """A file from `offset` on, at most `size` bytes."""
        with (self._folder / name).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return (self._folder / name).stat().st_size

    def age_s(self, name: str) -> float:
        """Seconds since the last write, by the clock of this machine."""
        return time.time() - (self._folder / name).stat().st_mtime

    def append_to(self, name: str) -> OsAppendFile:
        """Opens a file at its end, creating it."""
        return OsAppendFile(self._folder / name, self._release_reserve)

    def truncate(self, name: str, size: int) -> None:
        """Cuts a file and syncs it."""
        fd = os.open(self._folder / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, size)
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync(self, name: str) -> None:
        """fdatasync of the file."""
        fd = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def rename(self, old: str, new: str) -> None:
        """Atomic on POSIX."""
        (self._folder / old).replace(self._folder / new)

    def remove(self, name: str) -> None:
        """Deletes a file."""
        (self._folder / name).unlink()

    def sync_folder(self) -> None:
        """fsync of the folder."""
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def free_bytes(self) -> int:
        """Room for unprivileged writers."""
        stats = os.statvfs(self._folder)
        return stats.f_bavail * stats.f_frsize

    def hold_reserve(self, size: int) -> bool:
        """A file whose blocks are allocated, and deleted when a write finds no others."""
        if not size:
            return True
        if self._reserve.exists() and self._reserve.stat().st_size == size:
            return True
        if self.free_bytes() < 2 * size:
            return False
        fd = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError:
            self._reserve.unlink()
            return False
        finally:
            os.close(fd)
        return True

    def _release_reserve(self) -> bool:
        try:
            self._reserve.unlink()
        except FileNotFoundError:
            return False
        return True

    def lock(self) -> None:
        """flock on a file of its own: the kernel drops it when the process ends, however it ends."""
        fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise JournalLockedError(f"another process has the journal in {self._folder} open") from error
        self._lock_fd = fd

    def unlock(self) -> None:
        """Closes the lock's descriptor."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None
