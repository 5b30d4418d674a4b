# SPDX-License-Identifier: AGPL-3.0-only
"""The bytes of a segment: a header, then groups of records, each group one write and one sync.

    segment  "OUROJNL2" | length u32 | header (msgpack) | crc32 u32 | group*
    group    "OJG2" | body length u32 | first seq u64 | count u32 | body crc32 u32 | state hash 32 | head 32
             | check u32 | body
    body     (length u32 | record)*

All numbers little-endian. `head` is the hash chain after the group: `ouro.merkle.next_head` over the head before it,
its numbers, the tree over its records and its state hash. It runs through all segments; where a journal begins, or
goes on under another identity, `founded` puts that identity into it. `check` is a crc32 over the salt of the segment
and the group header before it: nobody who sends records can make bytes inside one look like a group.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256
from zlib import crc32

import msgspec

from ouro import merkle

FORMAT = 2
ZERO_HEAD = bytes(32)
SEGMENT_MAGIC = b"OUROJNL2"
GROUP_MAGIC = b"OJG2"
_GROUP = struct.Struct("<4sIQII32s32s")
_U32 = struct.Struct("<I")
GROUP_HEADER_SIZE = _GROUP.size + _U32.size


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whose journal it is. `config` is the core's configuration, byte for byte; `epoch` rises at a fail-over."""

    core_version: int
    chain_id: int
    contract: str
    config: bytes
    epoch: int = 1


class Mark(msgspec.Struct, frozen=True):
    """A place between two groups: the number of the last record before it, and the head there."""

    seq: int
    head: bytes


START = Mark(0, ZERO_HEAD)
"""Before everything, and before the identity."""


class SegmentHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a segment: whose it is, where it starts in the journal, and the salt of its group checks.

    `before` is the head after the record before the first, `head` the one that the first group continues: the same,
    unless the identity is new. Then `snapshot` is the hash of the state that the segment starts from (empty at 1).
    """

    format: int
    identity: Identity
    first_seq: int
    before: bytes
    head: bytes
    salt: bytes
    snapshot: bytes = b""


class Group(msgspec.Struct, frozen=True):
    """A group as read back. `head` and `state_hash` hold after its last record, `before` is the head before it."""

    first_seq: int
    records: tuple[bytes, ...]
    state_hash: bytes
    before: bytes
    head: bytes

    @property
    def last_seq(self) -> int:
        """Number of its last record."""
        return self.first_seq + len(self.records) - 1

    def sealed(self) -> SealedGroup:
        """What receipts for its records are made of."""
        leaves = tuple(merkle.leaf(record) for record in self.records)
        return SealedGroup(self.first_seq, leaves, self.state_hash, self.before, self.head)


class SealedGroup(msgspec.Struct, frozen=True):
    """A group on disk without its records: the hashes of its leaves, and the heads around it."""

    first_seq: int
    leaves: tuple[bytes, ...]
    state_hash: bytes
    before: bytes
    head: bytes

    @property
    def count(self) -> int:
        """How many records it has."""
        return len(self.leaves)

    @property
    def last_seq(self) -> int:
        """Number of its last record: what the operator signs together with `head`."""
        return self.first_seq + len(self.leaves) - 1


class GroupHeader(msgspec.Struct, frozen=True):
    """The fields of a group header whose check is right."""

    body_length: int
    first_seq: int
    count: int
    body_crc: int
    state_hash: bytes
    head: bytes


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The first bytes of a segment."""
    packed = msgspec.msgpack.encode(header)
    return SEGMENT_MAGIC + _U32.pack(len(packed)) + packed + _U32.pack(crc32(packed))


def decode_segment_header(data: bytes) -> tuple[SegmentHeader, int] | None:
    """The header and its length; None when it is torn or no segment at all."""
    start = len(SEGMENT_MAGIC) + _U32.size
    if len(data) < start or not data.startswith(SEGMENT_MAGIC):
        return None
    (length,) = _U32.unpack_from(data, len(SEGMENT_MAGIC))
    end = start + length
    if len(data) < end + _U32.size:
        return None
    packed = data[start:end]
    if _U32.unpack_from(data, end)[0] != crc32(packed):
        return None
    return msgspec.msgpack.decode(packed, type=SegmentHeader), end + _U32.size


def identity_hash(identity: Identity) -> bytes:
    """What names an identity in few bytes."""
    return sha256(msgspec.msgpack.encode(identity)).digest()


def founded(before: bytes, identity: Identity, snapshot: bytes = b"") -> bytes:
    """The head where a journal begins (`before` is zero), or goes on under another identity from a snapshot."""
    return sha256(before + identity_hash(identity) + snapshot).digest()


def chain(head: bytes, first_seq: int, records: Sequence[bytes], state_hash: bytes) -> bytes:
    """The hash chain continued over one group."""
    root = merkle.root([merkle.leaf(record) for record in records])
    return merkle.next_head(head, first_seq, len(records), root, state_hash)


def encode_group(first_seq: int, records: Sequence[bytes], state_hash: bytes, head: bytes, salt: bytes) -> bytes:
    """A group; `head` is the chain after it."""
    pack = _U32.pack
    parts: list[bytes] = []
    for record in records:
        parts.append(pack(len(record)))
        parts.append(record)
    body = b"".join(parts)
    fields = _GROUP.pack(GROUP_MAGIC, len(body), first_seq, len(records), crc32(body), state_hash, head)
    return fields + pack(crc32(fields, crc32(salt))) + body


def decode_group_header(data: bytes, offset: int, salt: bytes) -> GroupHeader | None:
    """The header at `offset`, None when its check is wrong or it is cut off."""
    if len(data) - offset < GROUP_HEADER_SIZE:
        return None
    fields = data[offset : offset + _GROUP.size]
    if _U32.unpack_from(data, offset + _GROUP.size)[0] != crc32(fields, crc32(salt)):
        return None
    magic, body_length, first_seq, count, body_crc, state_hash, head = _GROUP.unpack(fields)
    if magic != GROUP_MAGIC:
        return None
    return GroupHeader(body_length, first_seq, count, body_crc, state_hash, head)


def decode_body(body: bytes, header: GroupHeader) -> tuple[bytes, ...] | None:
    """The records of a group, None when the body is not what was written."""
    if len(body) != header.body_length or crc32(body) != header.body_crc:
        return None
    records: list[bytes] = []
    at = 0
    while at < len(body):
        (length,) = _U32.unpack_from(body, at)
        at += _U32.size
        records.append(body[at : at + length])
        at += length
    return tuple(records) if len(records) == header.count and at == len(body) else None
