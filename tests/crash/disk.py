# SPDX-License-Identifier: AGPL-3.0-only
"""A disk that forgets: whatever was not synced is lost, kept or torn when the power goes."""

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


class ForgetfulDisk:
    """A `FileLayer` in memory. `operations` counts writes and syncs; at number `fuse` the power goes, before or in the
    middle of it.

    `honest=False` takes fdatasync out: `sync` returns as if it had worked.
    """

    def __init__(self, rng: Random, *, honest: bool = True) -> None:
        self._rng = rng
        self._honest = honest
        self._files: dict[str, _File] = {}
        self._locked = False
        self._off = False
        self.operations = 0
        self.fuse: int | None = None

    def names(self) -> list[str]:
        """Names in the folder."""
        return sorted(self._files)

    def read(self, name: str) -> bytes:
        """All that a reader sees: page cache included."""
        return bytes(self._files[name].written)

    def append_to(self, name: str) -> "_Handle":
        """Opens or creates a file."""
        self._files.setdefault(name, _File())
        return _Handle(self, name)

    def truncate(self, name: str, size: int) -> None:
        """Cuts and syncs."""
        file = self._files[name]
        del file.written[size:]
        file.synced = bytes(file.written)

    def remove(self, name: str) -> None:
        """Deletes."""
        del self._files[name]

    def sync_folder(self) -> None:
        """Makes names durable."""
        self.step()
        if self._honest:
            for file in self._files.values():
                file.name_synced = True

    def free_bytes(self) -> int:
        """Plenty."""
        return 2**40

    def lock(self) -> None:
        """One user at a time."""
        if self._locked:
            raise JournalLockedError("locked")
        self._locked = True

    def unlock(self) -> None:
        """The next may come."""
        self._locked = False

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

    def power_on(self) -> None:
        """What a reboot finds: synced bytes, and of the others any sectors, in any combination, the rest zeros or cut
        off.
        """
        rng = self._rng
        for name, file in list(self._files.items()):
            if not file.name_synced and rng.random() < 0.5:
                del self._files[name]
                continue
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
        self._locked = False
        self._off = False
        self.fuse = None


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
