# SPDX-License-Identifier: AGPL-3.0-only
"""Reading a journal while its relayer writes it: only what is on disk for sure.

The writer starts a group after the one before it was synced. So a group counts once another group's header follows it,
or another segment; the newest group of a running relayer comes with its next tick.
"""

from __future__ import annotations

from collections.abc import Iterator

from relayer.journal.errors import JournalCorruptError
from relayer.journal.files import FileLayer
from relayer.journal.format import (
    GROUP_HEADER_SIZE,
    START,
    Group,
    GroupHeader,
    Mark,
    SegmentHeader,
    chain,
    decode_body,
    decode_group_header,
    decode_segment_header,
)
from relayer.journal.reader import open_segment
from relayer.journal.segments import first_seq_of, segment_names

_HEADER_BYTES = 2**20
_CHUNK = 2**22


class JournalTail:
    """Follows the files behind a mark, across segments; reads only, and takes no lock."""

    def __init__(self, files: FileLayer, after: Mark = START) -> None:
        self._files = files
        self.mark = after
        self._name = ""
        self._header: SegmentHeader | None = None
        self._is_new = True
        self._offset = 0
        self._chunk = b""
        self._chunk_at = 0

    def items(self, *, whole: bool = False) -> Iterator[SegmentHeader | Group]:
        """What is new: the header of a segment when it begins, and groups. With `whole` the newest group too, for a
        journal that nobody writes.

        Raises JournalCorruptError for damage, or when the mark is not in the journal (any more).
        """
        self._chunk = b""  # what was not on disk for sure may have been cut off since, and written anew
        if self._header is None and not self.locate():
            if segment_names(self._files) and self.mark != START:
                name = segment_names(self._files)[0]
                raise JournalCorruptError(name, 0, f"the journal does not hold the place after record {self.mark.seq}")
            return
        if self._is_new:
            self._is_new = False
            assert self._header is not None
            yield self._header
        while True:
            group = self._next_group(whole=whole)
            if group is not None:
                yield group
            elif self._turn():
                assert self._header is not None
                yield self._header
            else:
                return

    def locate(self) -> bool:
        """Finds the mark. False when it is not in the journal (yet)."""
        names = segment_names(self._files)
        for index in reversed(range(len(names))):
            if first_seq_of(names[index]) > self.mark.seq + 1:
                continue
            reader = open_segment(names[index], self._files.read(names[index]), is_last=index == len(names) - 1)
            if reader is None:
                continue
            if self.mark == START and reader.header.first_seq == 1:
                self._begin(names[index], reader.header, reader.end)
                return True
            if reader.skip_to(self.mark):
                self._begin(names[index], reader.header, reader.end)
                self.mark = Mark(self.mark.seq, reader.head)
                return True
        return False

    def _begin(self, name: str, header: SegmentHeader, offset: int) -> None:
        self._name, self._header, self._offset = name, header, offset
        self._chunk, self._chunk_at = b"", 0
        if self.mark.seq + 1 == header.first_seq:
            self.mark = Mark(self.mark.seq, header.head)

    def _turn(self) -> bool:
        """Goes to the next segment when there is one that continues this one."""
        name = f"{self.mark.seq + 1:016d}.journal"
        if name == self._name:
            return False
        later = [each for each in segment_names(self._files) if each > self._name]
        if not later:
            return False
        if later[0] != name:
            raise JournalCorruptError(
                self._name, self._offset, f"record {self.mark.seq + 1} is damaged or missing, later segments exist"
            )
        found = decode_segment_header(self._files.read(name, 0, _HEADER_BYTES))
        if found is None:
            return False  # being written
        header, end = found
        if header.before != self.mark.head:
            raise JournalCorruptError(name, 0, "the segment does not continue the one before it")
        self._begin(name, header, end)
        return True

    def _next_group(self, *, whole: bool) -> Group | None:
        assert self._header is not None
        salt = self._header.salt
        header = self._group_header(self._offset, salt)
        if header is None or header.first_seq != self.mark.seq + 1:
            return None
        end = self._offset + GROUP_HEADER_SIZE + header.body_length
        if not whole and self._group_header(end, salt) is None and not self._is_left(header):
            return None
        records = decode_body(self._bytes(self._offset + GROUP_HEADER_SIZE, header.body_length), header)
        if records is None:
            self._chunk = b""
            if whole or self._group_header(self._offset, salt) != header:
                return None  # torn, or just cut off and written anew
            raise JournalCorruptError(self._name, self._offset, "a damaged group with more data behind it")
        head = chain(self.mark.head, header.first_seq, records, header.state_hash)
        if head != header.head:
            raise JournalCorruptError(self._name, self._offset, "the hash chain does not continue")
        group = Group(header.first_seq, records, header.state_hash, self.mark.head, head)
        self._offset = end
        self.mark = Mark(group.last_seq, head)
        return group

    def _is_left(self, header: GroupHeader) -> bool:
        """Whether the writer has gone on to another segment after this group."""
        name = f"{header.first_seq + header.count:016d}.journal"
        return (
            name in self._files.names() and decode_segment_header(self._files.read(name, 0, _HEADER_BYTES)) is not None
        )

    def _group_header(self, offset: int, salt: bytes) -> GroupHeader | None:
        return decode_group_header(self._bytes(offset, GROUP_HEADER_SIZE), 0, salt)

    def _bytes(self, offset: int, size: int) -> bytes:
        """Bytes of the segment, out of a chunk that is read ahead as long as it is whole."""
        start = offset - self._chunk_at
        if start < 0 or start + size > len(self._chunk):
            self._chunk = self._files.read(self._name, offset, max(size, _CHUNK))
            self._chunk_at = offset
            start = 0
        return self._chunk[start : start + size]
