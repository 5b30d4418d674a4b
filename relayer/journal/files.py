# SPDX-License-Identifier: AGPL-3.0-only
"""The few file operations a journal needs, behind an interface, so that crash tests can lose what was not synced."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol

from relayer.journal.errors import JournalLockedError


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

    def read(self, name: str) -> bytes:
        """All of a file."""

    def append_to(self, name: str) -> AppendFile:
        """Opens a file at its end, creating it."""

    def truncate(self, name: str, size: int) -> None:
        """Cuts a file and syncs it."""

    def remove(self, name: str) -> None:
        """Deletes a file."""

    def sync_folder(self) -> None:
        """Makes created and deleted names durable."""

    def free_bytes(self) -> int:
        """Room left on the disk."""

    def lock(self) -> None:
        """Takes the journal for this process alone; raises JournalLockedError."""

    def unlock(self) -> None:
        """Gives it back."""


class OsAppendFile:
    """A real file; `sync` is fdatasync."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        """Appends all of `data`, however often the kernel takes only a part."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

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

    def names(self) -> list[str]:
        """Names in the folder, sorted."""
        return sorted(path.name for path in self._folder.iterdir())

    def read(self, name: str) -> bytes:
        """All of a file."""
        return (self._folder / name).read_bytes()

    def append_to(self, name: str) -> OsAppendFile:
        """Opens a file at its end, creating it."""
        return OsAppendFile(self._folder / name)

    def truncate(self, name: str, size: int) -> None:
        """Cuts a file and syncs it."""
        fd = os.open(self._folder / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, size)
            os.fsync(fd)
        finally:
            os.close(fd)

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
