# SPDX-License-Identifier: AGPL-3.0-only
"""Is the journal one chain: every group on the head before it, every segment on the one before, the identity in it?"""

from __future__ import annotations

from collections import OrderedDict

from ouro import merkle
from relayer.audit.report import Report
from relayer.audit.source import ReadGroup
from relayer.journal.format import ZERO_HEAD, Identity, SegmentHeader, founded

KEPT_HEADS = 2**18


class History:
    """The chain of heads. The newest heads are kept, and for good those that `keep` was asked to."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._recent: OrderedDict[bytes, int] = OrderedDict()
        self._kept: dict[bytes, int] = {}
        self.head = ZERO_HEAD
        self.next_seq = 1
        self.identity: Identity | None = None
        self.segments = 0

    def begin(self, header: SegmentHeader) -> None:
        """Goes on to the next segment."""
        first = self.segments == 0
        self.segments += 1
        if first:
            self.next_seq = self._report.first_seq = header.first_seq
            self.head = header.before
            if header.first_seq > 1:
                self._report.unproven.append(
                    f"records before {header.first_seq}: the journal given here begins with that one"
                )
        elif (header.first_seq, header.before) != (self.next_seq, self.head):
            self._report.wrong(
                min(self.next_seq, header.first_seq),
                "does the segment continue the one before it?",
                f"record {self.next_seq} on head 0x{self.head.hex()}",
                f"record {header.first_seq} on head 0x{header.before.hex()}",
            )
        is_new = header.identity != self.identity and (not first or header.first_seq == 1 or header.snapshot)
        expected = founded(header.before, header.identity, header.snapshot) if is_new else header.before
        if header.head != expected:
            self._report.wrong(
                header.first_seq,
                "does the head hold the journal's identity?",
                f"head 0x{expected.hex()} at the segment's start",
                f"0x{header.head.hex()}",
            )
        self.identity = header.identity
        self.next_seq, self.head = header.first_seq, header.head
        # A batch may anchor the head where nothing was written yet.
        self._recent[header.before] = self._recent[header.head] = header.first_seq - 1

    def take(self, group: ReadGroup) -> None:
        """Follows one group. Where heads do not match it goes on with the one that is claimed."""
        if group.first_seq != self.next_seq:
            self._report.wrong(
                min(group.first_seq, self.next_seq),
                "are the records numbered without a gap?",
                f"record {self.next_seq} next",
                f"a group of {len(group.leaves)} records that begins with {group.first_seq}",
            )
        root = merkle.root(group.leaves)
        head = merkle.next_head(self.head, group.first_seq, len(group.leaves), root, group.state_hash)
        if head != group.head:
            self._report.wrong(
                group.first_seq,
                "do the group's records lead to the head that is written beside them?",
                f"head 0x{head.hex()}",
                f"0x{group.head.hex()}",
                last=group.last_seq,
            )
        self.head = group.head
        self.next_seq = group.last_seq + 1
        self._recent[group.head] = group.last_seq
        if len(self._recent) > KEPT_HEADS:
            self._recent.popitem(last=False)

    def seq_of(self, head: bytes) -> int | None:
        """The record after which this was the head; None when it never was, as far as is kept."""
        kept = self._kept.get(head)
        return self._recent.get(head) if kept is None else kept

    def keep(self, head: bytes) -> None:
        """Remembers a head that a batch carries until `forget`: the chain may take its time."""
        seq = self._recent.get(head)
        if seq is not None:
            self._kept[head] = seq

    def forget(self, head: bytes) -> None:
        """The batch that carried it is final."""
        self._kept.pop(head, None)
