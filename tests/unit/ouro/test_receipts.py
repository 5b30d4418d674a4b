# SPDX-License-Identifier: AGPL-3.0-only
"""What a receipt proves, and what makes it worthless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from ouro import eip712, merkle, receipts
from ouro.eip712 import Domain
from ouro.receipts import Receipt, ReceiptError

KEY, OTHER_KEY = b"\x11" * 32, b"\x22" * 32
DOMAIN = Domain(31_337, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")
SIGNER = eip712.recover(
    eip712.head_digest(DOMAIN, 1, bytes(32)), eip712.sign(eip712.head_digest(DOMAIN, 1, bytes(32)), KEY)
)
ORDER_ID = b"\x0d" * 32
PLACE = msgspec.msgpack.encode(("place", b"t", b"a", b"r", b"v", ORDER_ID, SIGNER, "1"))
CANCEL = msgspec.msgpack.encode(("cancel", SIGNER, 0, ORDER_ID, SIGNER, 7))
TICK = msgspec.msgpack.encode(("tick", 1))


def group(
    records: Sequence[bytes],
    first_seq: int = 10,
    before: bytes = b"\x01" * 32,
    key: bytes = KEY,
    state: bytes = b"\x02" * 32,
) -> list[Receipt]:
    """The receipts of a group, as an operator with `key` gives them."""
    state = b"\x02" * 32
    leaves = [merkle.leaf(record) for record in records]
    head = merkle.next_head(before, first_seq, len(records), merkle.root(leaves), state)
    signature = eip712.sign(eip712.head_digest(DOMAIN, first_seq + len(records) - 1, head), key)
    return [
        Receipt(
            seq=first_seq + index,
            record=record,
            leaf=leaves[index],
            first_seq=first_seq,
            count=len(records),
            path=merkle.path(leaves, index),
            state_hash=state,
            before=before,
            signature=signature,
        )
        for index, record in enumerate(records)
    ]


def test_a_receipt_binds_its_signer_to_one_head() -> None:
    found = group([TICK, PLACE, CANCEL])
    heads = {receipts.verify(each, SIGNER, DOMAIN) for each in found}
    assert len(heads) == 1
    assert receipts.verify(found[1], SIGNER, DOMAIN, record=PLACE, order_id="0x" + ORDER_ID.hex()) in heads


def test_it_names_the_order_that_its_record_is_about() -> None:
    tick, place, cancel = group([TICK, PLACE, CANCEL])
    assert place.order_id() == cancel.order_id() == "0x" + ORDER_ID.hex()
    assert tick.order_id() == ""
    assert msgspec.structs.replace(place, record=b"\xc1").order_id() == ""


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"seq": 10}, "signed by"),
        ({"state_hash": bytes(32)}, "signed by"),
        ({"before": bytes(32)}, "signed by"),
        ({"first_seq": 9}, "path"),
        ({"leaf": merkle.leaf(b"other"), "record": b"other"}, "signed by"),
        ({"record": b"other"}, "another hash"),
        ({"count": 9}, "path"),
        ({"path": ()}, "path"),
        ({"signature": bytes(65)}, "v must be"),
    ],
)
def test_whatever_is_changed_about_it_shows(changes: dict[str, Any], complaint: str) -> None:
    receipt = msgspec.structs.replace(group([TICK, PLACE, CANCEL])[1], **changes)
    with pytest.raises(ReceiptError, match=complaint):
        receipts.verify(receipt, SIGNER, DOMAIN)


def test_it_is_for_one_record_one_order_and_one_exchange() -> None:
    receipt = group([TICK, PLACE])[1]
    with pytest.raises(ReceiptError, match="another record"):
        receipts.verify(receipt, SIGNER, DOMAIN, record=CANCEL)
    with pytest.raises(ReceiptError, match="not for order"):
        receipts.verify(receipt, SIGNER, DOMAIN, order_id="0x" + "00" * 32)
    with pytest.raises(ReceiptError, match="signed by"):
        receipts.verify(receipt, SIGNER, Domain(1, DOMAIN.verifying_contract))
    with pytest.raises(ReceiptError, match="signed by"):
        receipts.verify(group([TICK], key=OTHER_KEY)[0], SIGNER, DOMAIN)


def test_receipts_of_one_history_agree() -> None:
    first = group([TICK, PLACE])
    second = group([CANCEL], first_seq=12, before=first[0].head)
    assert receipts.contradictions([*second, *first]) == []


def test_receipts_of_two_histories_contradict_each_other() -> None:
    ours = group([TICK, PLACE])
    assert "two heads" in receipts.contradictions([ours[0], group([TICK, CANCEL])[1]])[0]
    assert "both groups" in receipts.contradictions([ours[0], group([PLACE], first_seq=11)[0]])[0]
    assert "does not continue" in receipts.contradictions([ours[0], group([CANCEL], first_seq=12)[0]])[0]


def test_json_gives_the_receipt_again() -> None:
    receipt = group([TICK, PLACE, CANCEL])[2]
    assert receipts.from_json(receipts.to_json(receipt)) == receipt
    assert receipts.decode_line(receipts.encode_line(receipt)) == receipt
    bare = msgspec.structs.replace(receipt, record=b"")
    assert receipts.from_json(receipts.to_json(bare)) == bare
    assert receipts.verify(bare, SIGNER, DOMAIN, record=CANCEL) == receipt.head


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"seq": "1"}, "seq"),
        ({"seq": 3}, "own group"),
        ({"count": 0}, "count"),
        ({"count": True}, "count"),
        ({"record": "0xzz"}, "record"),
        ({"record": "", "leaf": "0x00"}, "leaf"),
        ({"path": "0x"}, "path"),
        ({"path": ["0x00"]}, "path"),
        ({"before": None}, "before"),
        ({"signature": "0x00"}, "signature"),
    ],
)
def test_a_malformed_receipt_is_refused_by_name(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ReceiptError, match=complaint):
        receipts.from_json(receipts.to_json(group([TICK, PLACE])[1]) | changes)


def test_a_line_that_is_no_object_is_refused() -> None:
    with pytest.raises(ReceiptError, match="JSON object"):
        receipts.decode_line(b"[]")
