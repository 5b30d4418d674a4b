# SPDX-License-Identifier: AGPL-3.0-only
"""The journal as it is published: a while later, and with open conditional orders as hashes only.

    segment  "OUROPUB2" | length u32 | header (msgpack) | (length u32 | group (msgpack))*

Numbers are little-endian. The header is the segment's without its salt. A group has the heads of the group on disk; a
record that is not shown yet is its leaf. Whoever reads it computes every head anew, so nothing can be left out unseen.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct

import msgspec

from relayer.audit.source import DiskJournal, ReadGroup
from relayer.core import inputs
from relayer.core.inputs import Place
from relayer.journal.format import SegmentHeader

MAGIC = b"OUROPUB2"
CHUNK_RECORDS = 256
STEP_S = 1.0
_U32 = Struct("<I")
_TRIGGER_BITS = 3 << 5
_PLACE = msgspec.msgpack.encode("place")


class PublishedGroup(msgspec.Struct, frozen=True, array_like=True):
    """A group; `hidden` are the places (from 0) in `records` at which only the leaf stands."""

    first_seq: int
    state_hash: bytes
    head: bytes
    records: tuple[bytes, ...]
    hidden: tuple[int, ...] = ()


class SegmentInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A published segment, `last_seq` as far as it is published."""

    first_seq: int
    last_seq: int


def encode_header(header: SegmentHeader) -> bytes:
    """The first bytes of a published segment."""
    packed = msgspec.msgpack.encode(msgspec.structs.replace(header, salt=b""))
    return MAGIC + _U32.pack(len(packed)) + packed


def encode_group(group: ReadGroup, is_secret: Callable[[bytes], bool]) -> bytes:
    """A group with those records hidden of which `is_secret` says so."""
    hidden = tuple(at for at, record in enumerate(group.records) if record is None or is_secret(record))
    shown = [record or b"" for record in group.records]
    for at in hidden:
        shown[at] = group.leaves[at]
    packed = msgspec.msgpack.encode(PublishedGroup(group.first_seq, group.state_hash, group.head, tuple(shown), hidden))
    return _U32.pack(len(packed)) + packed


def order_of(record: bytes) -> bytes:
    """The id of the order that a record places if it may be a conditional one: an amend keeps conditions that it does
    not name. Empty for every other record.
    """
    if record[1 : 1 + len(_PLACE)] != _PLACE:
        return b""
    item = inputs.decode(record)
    if not isinstance(item, Place):
        return b""
    has_trigger = int.from_bytes(item.amounts[-2:], "big") & _TRIGGER_BITS
    return item.order_id if has_trigger or item.not_before_ms or item.parent or item.arm_price or item.replaces else b""


class Publisher:
    """Knows how far the journal in a folder is published. `sealed` is for the writer thread, the rest for the loop."""

    def __init__(
        self, folder: Path, delay_s: int, known_seq: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Records are published `delay_s` seconds after they were written, never if that is negative. Those up to
        `known_seq` were there before this process and count as written now.
        """
        self.delay_s = delay_s
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._written: deque[list[float | int]] = deque([[clock(), known_seq]])
        self._up_to = 0

    def sealed(self, last_seq: int) -> None:
        """A group that ends with `last_seq` has reached the disk."""
        if self.delay_s < 0:
            return
        now = self._clock()
        with self._lock:
            # One entry for each second; it is due when all of it is.
            if self._written and now - self._written[-1][0] < STEP_S:
                self._written[-1][1] = last_seq
            else:
                self._written.append([now, last_seq])

    @property
    def up_to(self) -> int:
        """The last record that is published, 0 for none."""
        if self.delay_s < 0:
            return 0
        due = self._clock() - self.delay_s - (STEP_S if self.delay_s else 0)
        with self._lock:
            while self._written and self._written[0][0] <= due:
                self._up_to = int(self._written.popleft()[1])
            return self._up_to

    def segments(self) -> list[SegmentInfo]:
        """What is published by now, in order. Blocking. Raises AuditError when the folder cannot be read."""
        up_to = self.up_to
        if not up_to:
            return []
        starts = [segment.header.first_seq for segment in DiskJournal(self._folder).segments()]
        ends = [*(start - 1 for start in starts[1:]), up_to]
        return [SegmentInfo(start, min(end, up_to)) for start, end in zip(starts, ends, strict=True) if start <= up_to]

    def header(self, first_seq: int) -> SegmentHeader | None:
        """The header of a published segment, None when there is none that begins there. Blocking."""
        if not 0 < first_seq <= self.up_to:
            return None
        return next((each.header for each in DiskJournal(self._folder).segments(first_seq)), None)

    def groups(self, first_seq: int, from_seq: int) -> Iterator[list[ReadGroup]]:
        """The published groups of a segment from that one on which holds `from_seq`, in chunks. Blocking."""
        up_to = self.up_to
        chunk: list[ReadGroup] = []
        records = 0
        for segment in DiskJournal(self._folder).segments(first_seq):
            for group in segment.groups():
                if not isinstance(group, ReadGroup) or group.last_seq > up_to:
                    break
                if group.last_seq < from_seq:
                    continue
                chunk.append(group)
                records += len(group.records)
                if records >= CHUNK_RECORDS:
                    yield chunk
                    chunk, records = [], 0
            break
        if chunk:
            yield chunk
