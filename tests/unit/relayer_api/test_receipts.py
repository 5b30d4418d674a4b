# SPDX-License-Identifier: AGPL-3.0-only
"""Receipts from a real journal: for every record, also beside other groups, and only for the newest."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ouro import merkle, receipts
from ouro.eip712 import Domain
from relayer.journal import Identity, Journal, OsFiles
from relayer.receipts import LocalHeadSigner, Receipts

DOMAIN = Domain(31_337, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")
IDENTITY = Identity(core_version=1, chain_id=31_337, contract=DOMAIN.verifying_contract, config=b"{}")
SIGNER = LocalHeadSigner(b"\x11" * 32)
STATE = b"\x07" * 32


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal.open(OsFiles(tmp_path), IDENTITY)
    yield made
    made.close()


def test_every_acknowledged_record_has_a_receipt_at_once(journal: Journal) -> None:
    book = Receipts(DOMAIN, SIGNER)
    journal.on_sealed = book.seal
    futures = [journal.append([b"%d" % i, b"and %d" % i], STATE) for i in range(40)]
    heads: dict[int, bytes] = {}
    for i, future in enumerate(futures):
        last = future.result(timeout=60)
        for seq, record in ((last - 1, b"%d" % i), (last, b"and %d" % i)):
            receipt = book.of(seq)
            assert receipt is not None
            assert receipt.record == record
            head = receipts.verify(receipt, SIGNER.address, DOMAIN, record=record)
            assert heads.setdefault(receipt.last_seq, head) == head
    assert heads[journal.seq] == journal.head
    found = [book.of(seq) for seq in range(1, 81)]
    assert receipts.contradictions([each for each in found if each is not None]) == []
    assert book.of(0) is None
    assert book.of(81) is None


def test_only_the_newest_records_are_kept(journal: Journal) -> None:
    book = Receipts(DOMAIN, SIGNER, kept_records=100)
    journal.on_sealed = book.seal
    for _ in range(60):
        journal.append([b"record"] * 5, STATE).result(timeout=60)
    kept = [seq for seq in range(1, 301) if book.of(seq) is not None]
    assert kept == list(range(kept[0], 301))
    assert 100 <= len(kept) <= 125


def test_a_signer_that_fails_costs_its_receipts_and_nothing_else(journal: Journal) -> None:
    class Moody:
        address = SIGNER.address
        broken = True

        def sign(self, digest: bytes) -> bytes:
            if self.broken:
                raise OSError("the device is gone")
            return SIGNER.sign(digest)

    signer = Moody()
    book = Receipts(DOMAIN, signer)
    journal.on_sealed = book.seal
    assert journal.append([b"a"], STATE).result(timeout=60) == 1
    signer.broken = False
    assert journal.append([b"b"], STATE).result(timeout=60) == 2
    assert book.of(1) is None
    receipt = book.of(2)
    assert receipt is not None
    assert receipts.verify(receipt, SIGNER.address, DOMAIN, record=b"b") == journal.head
    bare = msgspec.structs.replace(receipt, record=b"")
    assert bare.leaf == merkle.leaf(b"b")
