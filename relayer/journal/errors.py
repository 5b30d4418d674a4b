# SPDX-License-Identifier: AGPL-3.0-only
"""What can go wrong with a journal."""

from ouro.errors import OuroError


class JournalError(OuroError):
    """Base of the journal's errors."""


class JournalLockedError(JournalError):
    """Another process has the journal open."""


class JournalMismatchError(JournalError):
    """The journal on disk belongs to another chain, contract, configuration or core version."""


class JournalCorruptError(JournalError):
    """Synced data is damaged: `path` and `offset` say where. Never repaired silently."""

    def __init__(self, path: str, offset: int, what: str) -> None:
        super().__init__(f"{path}: {what} at offset {offset}")
        self.path = path
        self.offset = offset


class JournalFailedError(JournalError):
    """A write or sync failed. The core may be ahead of the disk now: the process must end and recover by replay."""


class JournalDivergedError(JournalError):
    """A replay gave another state than the one recorded; `seq` is the last record of the group where it shows."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"the replay differs from the journal at or before record {seq}")
        self.seq = seq
