# SPDX-License-Identifier: Apache-2.0
"""Receipts: the operator's signed word that a record has its place in his journal.

A receipt holds the record (or only its leaf), where it stands in its group, the path to the group's root, and the
operator's signature over the head after the group. Who keeps receipts can show later that history was changed: one
head is signed per group, and everything before it is in it. docs/fairness.md says what that proves and what not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from ouro import eip712, merkle
from ouro.eip712 import Domain, SignatureError
from ouro.errors import OuroError

_ORDER_ID = {"place": 5, "cancel": 3}
"""Where the order's id stands in a record."""


class ReceiptError(OuroError, ValueError):
    """A receipt that cannot be read, or that does not prove what it is said to prove."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Record number `seq` is in the group of `count` records from `first_seq` on.

    `before` is the head before the group, `state_hash` the core's hash after it. `record` is empty where the receipt
    shows only its hash. `signature` is over `Head(seq of the group's last record, head after the group)`.
    """

    seq: int
    leaf: bytes
    first_seq: int
    count: int
    path: tuple[bytes, ...]
    state_hash: bytes
    before: bytes
    signature: bytes
    record: bytes = b""

    @property
    def last_seq(self) -> int:
        """Number of the group's last record."""
        return self.first_seq + self.count - 1

    @property
    def head(self) -> bytes:
        """The head after the group, by the path. Raises ReceiptError when the path does not fit the group."""
        try:
            root = merkle.root_of_path(self.leaf, self.seq - self.first_seq, self.count, self.path)
            return merkle.next_head(self.before, self.first_seq, self.count, root, self.state_hash)
        except (ValueError, OverflowError) as error:
            raise ReceiptError(f"the receipt for record {self.seq}: {error}") from None

    def signer(self, domain: Domain) -> str:
        """Who signed the head, checksummed. Raises ReceiptError."""
        if self.record and merkle.leaf(self.record) != self.leaf:
            raise ReceiptError(f"the receipt for record {self.seq} holds a record of another hash")
        try:
            return eip712.recover(eip712.head_digest(domain, self.last_seq, self.head), self.signature)
        except SignatureError as error:
            raise ReceiptError(f"the receipt for record {self.seq}: {error}") from None

    def order_id(self) -> str:
        """The id (0x hex) of the order that the record places or cancels; empty when it does neither or is unknown."""
        try:
            fields = msgspec.msgpack.decode(self.record, type=tuple[Any, ...])
        except msgspec.DecodeError:
            return ""
        at = _ORDER_ID.get(fields[0]) if fields and isinstance(fields[0], str) else None
        if at is None or len(fields) <= at or not isinstance(fields[at], bytes):
            return ""
        order_id: bytes = fields[at]
        return "0x" + order_id.hex()


def verify(receipt: Receipt, signer: str, domain: Domain, *, record: bytes = b"", order_id: str = "") -> bytes:
    """The head that this receipt binds its signer to, if it is sound.

    `signer` is the address that signs the operator's heads, `domain` the Exchange's. Given `record` or `order_id`, the
    receipt must be for that record, for that order. Raises ReceiptError with what is wrong.
    """
    if record and merkle.leaf(record) != receipt.leaf:
        raise ReceiptError(f"the receipt for record {receipt.seq} is for another record")
    if order_id and receipt.order_id() != order_id.lower():
        raise ReceiptError(f"the receipt for record {receipt.seq} is not for order {order_id}")
    found = receipt.signer(domain)
    if found != signer:
        raise ReceiptError(f"the receipt for record {receipt.seq} is signed by {found}, not by {signer}")
    return receipt.head


def contradictions(receipts: Iterable[Receipt]) -> list[str]:
    """What cannot be true at once among receipts of one signer: one head per number, one group per record."""
    faults: list[str] = []
    ordered = sorted(receipts, key=lambda each: (each.first_seq, each.count, each.seq))
    for one, other in pairwise(ordered):
        if one.last_seq < other.first_seq:
            if one.last_seq + 1 == other.first_seq and one.head != other.before:
                faults.append(f"the group from {other.first_seq} does not continue the head after {one.last_seq}")
        elif (one.first_seq, one.count) != (other.first_seq, other.count):
            faults.append(
                f"records {one.first_seq} to {one.last_seq} and {other.first_seq} to {other.last_seq} are both groups"
            )
        elif one.head != other.head:
            faults.append(f"two heads after record {one.last_seq}: 0x{one.head.hex()} and 0x{other.head.hex()}")
    return faults


def to_json(receipt: Receipt) -> dict[str, Any]:
    """As the relayer answers it; hashes and bytes are 0x hex."""
    shown: dict[str, Any] = {"seq": receipt.seq}
    if receipt.record:
        shown["record"] = "0x" + receipt.record.hex()
    else:
        shown["leaf"] = "0x" + receipt.leaf.hex()
    return shown | {
        "firstSeq": receipt.first_seq,
        "count": receipt.count,
        "path": ["0x" + sibling.hex() for sibling in receipt.path],
        "stateHash": "0x" + receipt.state_hash.hex(),
        "before": "0x" + receipt.before.hex(),
        "signature": "0x" + receipt.signature.hex(),
    }


def from_json(shown: Mapping[str, Any]) -> Receipt:
    """The receipt again. Raises ReceiptError naming the field that is missing or malformed."""
    record = _hex(shown, "record") if shown.get("record") else b""
    path = shown.get("path")
    if not isinstance(path, list) or not all(isinstance(each, str) for each in path):
        raise ReceiptError("the receipt's path is not a list of hashes")
    receipt = Receipt(
        seq=_number(shown, "seq"),
        record=record,
        leaf=merkle.leaf(record) if record else _hex(shown, "leaf", 32),
        first_seq=_number(shown, "firstSeq"),
        count=_number(shown, "count"),
        path=tuple(_hex({"path": each}, "path", 32) for each in path),
        state_hash=_hex(shown, "stateHash", 32),
        before=_hex(shown, "before", 32),
        signature=_hex(shown, "signature", 65),
    )
    if not receipt.first_seq <= receipt.seq <= receipt.last_seq:
        raise ReceiptError(f"the receipt's record {receipt.seq} is not in its own group")
    return receipt


def encode_line(receipt: Receipt) -> bytes:
    """One line of a receipts file, with the line feed."""
    return msgspec.json.encode(to_json(receipt)) + b"\n"


def decode_line(line: bytes) -> Receipt:
    """A line of a receipts file. Raises ReceiptError."""
    try:
        shown = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ReceiptError(f"a line of the receipts is not a JSON object: {error}") from None
    return from_json(shown)


def _hex(shown: Mapping[str, Any], name: str, size: int = 0) -> bytes:
    value = shown.get(name)
    try:
        raw = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else None
    except ValueError:
        raw = None
    if raw is None or (size and len(raw) != size):
        raise ReceiptError(f"the receipt's {name} is not {size or 'any'} bytes in hex")
    return raw


def _number(shown: Mapping[str, Any], name: str) -> int:
    value = shown.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 63:
        raise ReceiptError(f"the receipt's {name} is not a positive number")
    return value
