# SPDX-License-Identifier: AGPL-3.0-only
"""What a client keeps of the answers to its writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ouro import eip712, merkle, receipts
from ouro.client.config import ClientConfig
from ouro.client.receipts import ReceiptFile, ReceiptWarning, read_receipts
from ouro.receipts import Receipt, ReceiptError
from tests.unit.client.conftest import CONFIG

KEY = b"\x42" * 32
SIGNER = eip712.recover(bytes(32), eip712.sign(bytes(32), KEY))


@pytest.fixture
def told() -> ClientConfig:
    """An exchange that announces who signs its receipts."""
    return ClientConfig.from_record(CONFIG | {"receiptSigner": SIGNER.lower()})


def shown(config: ClientConfig, seq: int = 7, key: bytes = KEY) -> dict[str, Any]:
    """A receipt for a group of one, as an answer carries it."""
    record = b"record %d" % seq
    leaf = merkle.leaf(record)
    head = merkle.next_head(bytes(32), seq, 1, leaf, bytes(32))
    return receipts.to_json(
        Receipt(
            seq=seq,
            record=record,
            leaf=leaf,
            first_seq=seq,
            count=1,
            path=(),
            state_hash=bytes(32),
            before=bytes(32),
            signature=eip712.sign(eip712.head_digest(config.order_domain(), seq, head), key),
        )
    )


def test_receipts_of_single_answers_and_batches_are_kept(tmp_path: Path, told: ClientConfig) -> None:
    book = ReceiptFile(tmp_path / "receipts")
    one, two, three = (shown(told, seq) for seq in (1, 2, 3))
    book.keep(json.dumps({"id": "0x1", "receipt": one}).encode(), told)
    results = [{"status": 201, "body": {"receipt": two}}, {"status": 422, "body": {"receipt": three}}]
    book.keep(json.dumps({"results": results}).encode(), told)
    assert [receipts.to_json(each) for each in book.read()] == [one, two, three]
    assert ReceiptFile(tmp_path / "receipts").read() == book.read()


def test_answers_without_receipts_leave_nothing(tmp_path: Path, told: ClientConfig) -> None:
    book = ReceiptFile(tmp_path / "receipts")
    for content in (b"", b"[]", b"not json", b'{"cancelled": ["0x1"]}'):
        book.keep(content, told)
    assert book.read() == []


def test_a_worthless_receipt_is_told_and_not_kept(tmp_path: Path, told: ClientConfig) -> None:
    book = ReceiptFile(tmp_path / "receipts")
    with pytest.warns(ReceiptWarning, match="signed by"):
        book.keep(json.dumps({"receipt": shown(told, key=b"\x43" * 32)}).encode(), told)
    with pytest.warns(ReceiptWarning, match="stateHash"):
        book.keep(json.dumps({"receipt": shown(told) | {"stateHash": "0x"}}).encode(), told)
    assert book.read() == []


def test_a_full_disk_does_not_undo_an_order(tmp_path: Path, told: ClientConfig) -> None:
    book = ReceiptFile(tmp_path / "receipts")
    (tmp_path / "receipts").unlink()
    (tmp_path / "receipts").mkdir()
    with pytest.warns(ReceiptWarning, match="not kept"):
        book.keep(json.dumps({"receipt": shown(told)}).encode(), told)


def test_a_damaged_line_is_named(tmp_path: Path, told: ClientConfig) -> None:
    path = tmp_path / "receipts"
    ReceiptFile(path).keep(json.dumps({"receipt": shown(told)}).encode(), told)
    with path.open("ab") as file:
        file.write(b"\n{}\n")
    with pytest.raises(ReceiptError, match="line 3"):
        list(read_receipts(path))
