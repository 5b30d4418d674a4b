# SPDX-License-Identifier: AGPL-3.0-only
"""An attacker who owns the disk: takes a journal apart and writes it again, with every checksum and head put right."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from relayer.core import Core, CoreConfig, inputs
from relayer.core.inputs import Input
from relayer.journal.format import ZERO_HEAD, SegmentHeader, chain, encode_group, encode_segment_header, founded
from relayer.journal.reader import open_segment

T = TypeVar("T")


@dataclass(frozen=True)
class Forged:
    """A journal in memory: what each group says, and its state hash."""

    header: SegmentHeader
    groups: tuple[tuple[tuple[bytes, ...], bytes], ...]

    @classmethod
    def read(cls, folder: Path) -> Forged:
        """A journal of one segment."""
        [path] = folder.glob("*.journal")
        reader = open_segment(path.name, path.read_bytes(), is_last=True)
        assert reader is not None
        return cls(reader.header, tuple((group.records, group.state_hash) for group in reader.groups()))

    @property
    def records(self) -> list[bytes]:
        return [record for records, _ in self.groups for record in records]

    @property
    def items(self) -> list[Input]:
        return [inputs.decode(record) for record in self.records]

    def numbers(self, kind: type[T]) -> list[int]:
        """The numbers of the records of a kind."""
        return [seq for seq, item in enumerate(self.items, 1) if isinstance(item, kind)]

    def get(self, seq: int, kind: type[T]) -> T:
        """The record of that number."""
        item = self.items[seq - 1]
        assert isinstance(item, kind)
        return item

    def changed(self, change: Callable[[int, bytes], Sequence[bytes]]) -> Forged:
        """Each record is replaced by what `change` makes of it; groups that are left empty go away."""
        groups = []
        seq = 0
        for records, state_hash in self.groups:
            made: list[bytes] = []
            for record in records:
                seq += 1
                made.extend(change(seq, record))
            if made:
                groups.append((tuple(made), state_hash))
        return replace(self, groups=tuple(groups))

    def with_item(self, seq: int, item: Input) -> Forged:
        """Another record in the place of one."""
        return self.changed(lambda at, record: [inputs.encode(item)] if at == seq else [record])

    def without(self, seq: int) -> Forged:
        return self.changed(lambda at, record: [] if at == seq else [record])

    def with_more(self, seq: int, item: Input) -> Forged:
        """An invented record behind one."""
        return self.changed(lambda at, record: [record, inputs.encode(item)] if at == seq else [record])

    def swapped(self, one: int, other: int) -> Forged:
        records = self.records
        swap = {one: records[other - 1], other: records[one - 1]}
        return self.changed(lambda at, record: [swap.get(at, record)])

    def cut(self, groups: int) -> Forged:
        """Without its last groups."""
        return replace(self, groups=self.groups[:-groups])

    def restated(self) -> Forged:
        """With the state hashes that a replay gives, as far as the core takes it."""
        core = Core(msgspec.json.decode(self.header.identity.config, type=CoreConfig))
        groups = []
        for records, _ in self.groups:
            for record in records:
                core.apply(inputs.decode(record))
            groups.append((records, core.trail_hash()))
        return replace(self, groups=tuple(groups))

    def write(self, folder: Path) -> Path:
        """A journal that every relayer would take, of one segment."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        head = founded(ZERO_HEAD, self.header.identity)
        header = msgspec.structs.replace(self.header, before=ZERO_HEAD, head=head)
        parts = [encode_segment_header(header)]
        first_seq = 1
        for records, state_hash in self.groups:
            head = chain(head, first_seq, records, state_hash)
            parts.append(encode_group(first_seq, records, state_hash, head, header.salt))
            first_seq += len(records)
        (folder / f"{1:016d}.journal").write_bytes(b"".join(parts))
        return folder
