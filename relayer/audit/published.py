# SPDX-License-Identifier: AGPL-3.0-only
"""A journal as its relayer publishes it: segments over HTTP, read as they come."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

import httpx
import msgspec

from ouro import merkle
from relayer.audit.errors import AuditError
from relayer.audit.source import ReadGroup, ReadSegment
from relayer.journal.format import FORMAT, SegmentHeader
from relayer.publication import MAGIC, PublishedGroup

_U32 = Struct("<I")
_MOST_BYTES = 2**28
_group = msgspec.msgpack.Decoder(PublishedGroup)


class PublishedJournal:
    """The segments under a relayer's URL."""

    def __init__(self, url: str, *, timeout_s: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s

    def segments(self) -> Iterator[ReadSegment]:
        """In order. Raises AuditError when there is none, or the relayer does not answer."""
        with httpx.Client(base_url=self._url, timeout=self._timeout_s) as client:
            try:
                answer = client.get("/v4/journal/segments")
                answer.raise_for_status()
                starts = [int(each["firstSeq"]) for each in answer.json()["segments"]]
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise AuditError(f"{self._url} publishes no journal: {error}") from None
            if not starts:
                raise AuditError(f"{self._url} has published nothing yet: its delay is not over")
            for start in starts:
                try:
                    with client.stream("GET", f"/v4/journal/segments/{start}") as response:
                        response.raise_for_status()
                        yield _HttpSegment(f"segment {start}", _Bytes(response.iter_bytes()))
                except httpx.HTTPError as error:
                    raise AuditError(f"segment {start} cannot be read from {self._url}: {error}") from None

    def tail_note(self) -> str:
        """What is younger than the delay."""
        return "records that are not published yet"


class _HttpSegment:
    def __init__(self, name: str, data: _Bytes) -> None:
        self.name = name
        self._data = data
        if data.take(len(MAGIC)) != MAGIC:
            raise AuditError(f"{name} is no published segment")
        try:
            self.header = msgspec.msgpack.decode(data.framed(), type=SegmentHeader)
        except msgspec.DecodeError as error:
            raise AuditError(f"{name} has no readable header: {error}") from None
        if self.header.format != FORMAT:
            raise AuditError(f"{name} has format {self.header.format}, this program reads {FORMAT}")

    def groups(self) -> Iterator[ReadGroup]:
        while packed := self._data.framed():
            try:
                group = _group.decode(packed)
                yield _read(group)
            except (msgspec.DecodeError, IndexError) as error:
                raise AuditError(f"{self.name} holds something that is no group: {error}") from None


def _read(group: PublishedGroup) -> ReadGroup:
    leaves = list(map(merkle.leaf, group.records))
    records: list[bytes | None] = list(group.records)
    for at in group.hidden:
        leaves[at], records[at] = group.records[at], None
    return ReadGroup(group.first_seq, tuple(records), tuple(leaves), group.state_hash, group.head)


class _Bytes:
    """A stream of bytes, taken in pieces of the sizes wanted."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = bytearray()

    def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        while len(self._buffer) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._buffer += chunk
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def framed(self) -> bytes:
        """The next piece behind its length; empty at the end. Raises AuditError for one that is cut off."""
        prefix = self.take(_U32.size)
        if not prefix:
            return b""
        size = _U32.unpack(prefix)[0] if len(prefix) == _U32.size else _MOST_BYTES + 1
        piece = self.take(size) if size <= _MOST_BYTES else b""
        if len(piece) != size:
            raise AuditError("a published segment ends in the middle of a group")
        return piece
