# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer's journal: what the core was told, on disk before anything leaves the process.

    journal = Journal.open(OsFiles(folder), Identity(core_version=..., chain_id=..., contract=..., config=...))
    journal.replay(lambda record: core.apply(inputs.decode(record)), core.trail_hash)
    future = journal.append([inputs.encode(item)], core.trail_hash())     # concurrent.futures.Future -> record number
    await asyncio.wrap_future(future)                                     # on disk; now answers may leave
    journal.head                                                          # hash chain, `next` of a batch
    journal.on_sealed = receipts.seal                                     # leaf hashes and heads: proof of a record

When a future raises JournalFailedError the process must end: the core is ahead of the disk.
"""

from relayer.journal.errors import (
    JournalCorruptError,
    JournalDivergedError,
    JournalError,
    JournalFailedError,
    JournalLockedError,
    JournalMismatchError,
)
from relayer.journal.files import AppendFile, FileLayer, OsFiles
from relayer.journal.format import START, ZERO_HEAD, Group, Identity, Mark, SealedGroup, SegmentHeader, identity_hash
from relayer.journal.journal import Journal
from relayer.journal.snapshots import Snapshot, SnapshotDamagedError, Snapshots
from relayer.journal.tail import JournalTail

__all__ = [
    "START",
    "ZERO_HEAD",
    "AppendFile",
    "FileLayer",
    "Group",
    "Identity",
    "Journal",
    "JournalCorruptError",
    "JournalDivergedError",
    "JournalError",
    "JournalFailedError",
    "JournalLockedError",
    "JournalMismatchError",
    "JournalTail",
    "Mark",
    "OsFiles",
    "SealedGroup",
    "SegmentHeader",
    "Snapshot",
    "SnapshotDamagedError",
    "Snapshots",
    "identity_hash",
]
