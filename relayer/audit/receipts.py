# SPDX-License-Identifier: AGPL-3.0-only
"""Does the journal hold what the operator gave receipts for?"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ouro import receipts
from ouro.eip712 import Domain
from ouro.receipts import Receipt, ReceiptError
from relayer.audit.report import Report
from relayer.audit.source import ReadGroup

AGREES = "is the record the one that the operator gave a receipt for?"


class ReceiptBook:
    """Receipts by the number of their record. Unsound ones are left out and said so: anybody can write a file."""

    def __init__(self, report: Report, found: Iterable[Receipt], signer: str, domain: Domain) -> None:
        self._report = report
        self._by_seq: dict[int, list[Receipt]] = {}
        self.agreeing = 0
        self.newest = 0
        """The last record that a receipt vouches for."""
        self.unsound: list[str] = []
        sound: list[Receipt] = []
        for receipt in found:
            try:
                receipts.verify(receipt, signer, domain)
            except ReceiptError as error:
                self.unsound.append(str(error))
            else:
                sound.append(receipt)
                self._by_seq.setdefault(receipt.seq, []).append(receipt)
        for contradiction in receipts.contradictions(sound):
            self._report.wrong(
                min(each.seq for each in sound),
                "do the operator's receipts agree with each other?",
                "one history",
                contradiction,
                last=max(each.seq for each in sound),
            )

    def __len__(self) -> int:
        return len(self._by_seq)

    def take(self, group: ReadGroup, head: bytes) -> None:
        """Compares a group; `head` is the one that its records lead to."""
        if not self._by_seq:
            return
        for at, leaf in enumerate(group.leaves):
            seq = group.first_seq + at
            for receipt in self._by_seq.pop(seq, ()):
                self._compare(receipt, group, leaf, head)

    def end(self, last_seq: int) -> None:
        """Whatever is left was given for records that the journal does not have."""
        for seq in sorted(self._by_seq):
            if seq <= last_seq:
                found = "a journal that begins behind it"
            else:
                found = f"a journal that ends with record {last_seq}"
            for receipt in self._by_seq[seq]:
                self._report.wrong(seq, AGREES, _about(receipt), found)
        self._by_seq.clear()

    def _compare(self, receipt: Receipt, group: ReadGroup, leaf: bytes, head: bytes) -> None:
        if receipt.leaf != leaf:
            record = group.records[receipt.seq - group.first_seq]
            found = _named(record) if record is not None else "a record that is not shown"
            self._report.wrong(receipt.seq, AGREES, _about(receipt), f"{found}, hash 0x{leaf.hex()}")
        elif (receipt.first_seq, receipt.count, receipt.head) != (group.first_seq, len(group.leaves), head):
            self._report.wrong_since_proven(
                max(group.last_seq, receipt.last_seq),
                "is the history the one that the operator signed?",
                f"head 0x{receipt.head.hex()} after record {receipt.last_seq}",
                f"0x{head.hex()} after record {group.last_seq}",
            )
        else:
            self.agreeing += 1
            self.newest = group.last_seq
            self._report.vouched(group.last_seq)


def _about(receipt: Receipt) -> str:
    what = _named(receipt.record) if receipt.record else "a record"
    return f"{what}, hash 0x{receipt.leaf.hex()}"


def _named(record: bytes) -> str:
    try:
        fields = msgspec.msgpack.decode(record)
        kind = str(fields[0]) if isinstance(fields, list) and fields else "no record"
    except msgspec.DecodeError:
        return "no record"
    if kind == "place" and len(fields) > 5 and isinstance(fields[5], bytes):
        return f"order 0x{fields[5].hex()}"
    return f"a {kind}"
