# SPDX-License-Identifier: AGPL-3.0-only
"""Reading segments back: where the good data ends, what is a torn tail, and what is damage.

Only one group is ever in flight, and the next is written after it was synced. So a bad group at the very end of the
last segment is one that a crash tore, never acknowledged, and is cut off; a bad group with anything valid behind it
was synced once, and is an error. Damage to the very last synced group cannot be told from a tear by the file alone;
the anchors on chain can.
"""

from __future__ import annotations

from collections.abc import Iterator

from relayer.journal.errors import JournalCorruptError, JournalMismatchError
from relayer.journal.format import (
    FORMAT,
    GROUP_HEADER_SIZE,
    GROUP_MAGIC,
    SEGMENT_MAGIC,
    Group,
    Mark,
    SegmentHeader,
    chain,
    decode_body,
    decode_group_header,
    decode_segment_header,
)

_ANY_MAGIC = SEGMENT_MAGIC[:-1]


class SegmentReader:
    """One segment's bytes. After `groups` is exhausted, `end` is where the good data ends and `head`, `next_seq` hold
    there.
    """

    def __init__(self, name: str, data: bytes, header: SegmentHeader, start: int, *, is_last: bool) -> None:
        self.name = name
        self.header = header
        self.end = start
        self.head = header.head
        self.next_seq = header.first_seq
        self._data = data
        self._is_last = is_last

    def groups(self) -> Iterator[Group]:
        """The groups in order; raises JournalCorruptError at damage."""
        data = self._data
        while self.end < len(data):
            group = self._group_at(self.end)
            if group is None:
                return
            yield group

    def skip_to(self, mark: Mark) -> bool:
        """Steps over groups, unread, until the place is `mark`; False when this segment does not have it."""
        data, salt = self._data, self.header.salt
        while self.next_seq <= mark.seq:
            header = decode_group_header(data, self.end, salt)
            if header is None or header.first_seq != self.next_seq:
                return False
            end = self.end + GROUP_HEADER_SIZE + header.body_length
            if end > len(data):
                return False
            self.end, self.head = end, header.head
            self.next_seq += header.count
        return self.next_seq == mark.seq + 1 and mark.head in (self.head, self._before())

    def _before(self) -> bytes:
        """At the start of a segment the head before it, too: under a new identity it differs."""
        return self.header.before if self.next_seq == self.header.first_seq else self.head

    def _group_at(self, offset: int) -> Group | None:
        data, salt = self._data, self.header.salt
        header = decode_group_header(data, offset, salt)
        if header is None:
            if self._valid_header_after(offset + 1):
                raise JournalCorruptError(self.name, offset, "a damaged group header with valid groups behind it")
            self._refuse_tear(offset)
            return None
        end = offset + GROUP_HEADER_SIZE + header.body_length
        if header.first_seq != self.next_seq:
            raise JournalCorruptError(
                self.name, offset, f"record {self.next_seq} expected, group starts with {header.first_seq}"
            )
        records = decode_body(data[offset + GROUP_HEADER_SIZE : end], header)
        if records is None:
            if end < len(data):
                raise JournalCorruptError(self.name, offset, "a damaged group with more data behind it")
            self._refuse_tear(offset)
            return None
        head = chain(self.head, header.first_seq, records, header.state_hash)
        if head != header.head:
            raise JournalCorruptError(self.name, offset, "the hash chain does not continue")
        group = Group(header.first_seq, records, header.state_hash, self.head, head)
        self.end = end
        self.head = head
        self.next_seq += len(records)
        return group

    def _refuse_tear(self, offset: int) -> None:
        if not self._is_last:
            raise JournalCorruptError(self.name, offset, "a torn group in a segment that others follow")

    def _valid_header_after(self, offset: int) -> bool:
        data, salt = self._data, self.header.salt
        at = data.find(GROUP_MAGIC, offset)
        while at >= 0:
            if decode_group_header(data, at, salt) is not None:
                return True
            at = data.find(GROUP_MAGIC, at + 1)
        return False


def open_segment(name: str, data: bytes, *, is_last: bool) -> SegmentReader | None:
    """A reader for a segment; None for a last segment whose header a crash tore before anything was in it."""
    found = decode_segment_header(data)
    if found is None:
        if data.startswith(_ANY_MAGIC) and not data.startswith(SEGMENT_MAGIC[: len(data)]):
            written = data[7:8].decode("ascii", "replace")
            raise JournalMismatchError(
                f"{name} was written by another version of this program, in format {written}: this one reads {FORMAT}"
            )
        if is_last and len(data) < 2**16 and GROUP_MAGIC not in data:
            return None
        raise JournalCorruptError(name, 0, "a damaged segment header")
    header, start = found
    return SegmentReader(name, data, header, start, is_last=is_last)
