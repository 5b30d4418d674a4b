# SPDX-License-Identifier: AGPL-3.0-only
"""Journals that somebody with the disk, and partly with the operator's key, has rewritten: each is found.

What only a head on chain or a receipt gives away can be narrowed down to the records since the last one that agrees;
everything else is named to the record.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from ouro import eip712, merkle, receipts
from ouro.client.receipts import read_receipts
from ouro.deployment import Deployment
from ouro.receipts import Receipt
from relayer.audit import Auditor, Finding, Report
from relayer.audit.node import Node
from relayer.audit.replay import CORES, Cores
from relayer.audit.source import DiskJournal
from relayer.core import inputs
from relayer.core.inputs import BatchBuilt, Cancel, CancelAll, ChainBlock, Place, ReserveWithdrawal, Tick
from relayer.journal.format import Identity
from tests.integration.audit.conftest import Run
from tests.integration.audit.forger import Forged
from tests.support.anvil import OPERATOR


@pytest.fixture(scope="module")
def true(run: Run) -> Forged:
    return Forged.read(run.journal)


def audit(run: Run, folder: Path, found: Sequence[Receipt] = (), cores: Cores = CORES) -> Report:
    deployment = Deployment.load(run.deployment)
    with closing(Node(run.rpc_url)) as node:
        return Auditor(DiskJournal(folder), node, deployment=deployment, receipts=found, cores=cores).run()


def first_wrong(report: Report) -> Finding:
    assert report.first_wrong is not None, report.text()
    return report.first_wrong


def holds(finding: Finding, seq: int) -> bool:
    """Whether the finding points to a record, or to few records with it."""
    return finding.first <= seq <= finding.last


def kept(run: Run) -> list[Receipt]:
    return list(read_receipts(run.receipts))


def test_what_is_rewritten_as_it_was_passes(run: Run, true: Forged, tmp_path: Path) -> None:
    assert audit(run, true.restated().write(tmp_path / "journal"), kept(run)).passed


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_a_flipped_bit(run: Run, tmp_path: Path, at: float) -> None:
    folder = tmp_path / "journal"
    shutil.copytree(run.journal, folder)
    [path] = folder.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)
    assert first_wrong(audit(run, folder)).check == "can it be read?"


def test_an_order_with_other_terms(run: Run, true: Forged, tmp_path: Path) -> None:
    seq = true.numbers(Place)[2]
    item = true.get(seq, Place)
    amounts = (int.from_bytes(item.amounts, "big") + (1 << 160)).to_bytes(32, "big")
    finding = first_wrong(
        audit(run, true.with_item(seq, msgspec.structs.replace(item, amounts=amounts)).write(tmp_path))
    )
    assert (finding.first, finding.last, finding.kind) == (seq, seq, "place")
    assert finding.check == "is it the order whose id it has?"


def test_an_order_that_nobody_signed(run: Run, true: Forged, tmp_path: Path) -> None:
    seq = true.numbers(Place)[2]
    item = true.get(seq, Place)
    other = true.get(true.numbers(Place)[3], Place)
    forged = msgspec.structs.replace(item, r=other.r, vs=other.vs)
    finding = first_wrong(audit(run, true.with_more(seq, forged).restated().write(tmp_path)))
    assert (finding.first, finding.last, finding.check) == (seq + 1, seq + 1, "who signed it?")


def test_a_clock_that_was_set(run: Run, true: Forged, tmp_path: Path) -> None:
    seq = true.numbers(Tick)[3]
    item = true.get(seq, Tick)
    forged = true.with_item(seq, Tick(item.now_ms + 1))
    # Without the results put right, a replay finds the group.
    finding = first_wrong(audit(run, forged.write(tmp_path / "1")))
    assert holds(finding, seq)
    assert finding.check == "do the same inputs give the same results?"
    # With them put right, only the chain knows.
    finding = first_wrong(audit(run, forged.restated().write(tmp_path / "2")))
    assert holds(finding, seq)
    assert finding.check == "is the head that the chain has a head of this journal?"


def test_a_cancel_that_is_dropped(run: Run, true: Forged, tmp_path: Path) -> None:
    [seq] = true.numbers(Cancel)
    finding = first_wrong(audit(run, true.without(seq).restated().write(tmp_path)))
    assert holds(finding, seq)
    assert finding.last - finding.first < len(true.records) // 2


def test_a_cancel_that_is_invented(run: Run, true: Forged, tmp_path: Path) -> None:
    seq = true.numbers(Place)[0]
    item = true.get(seq, Place)
    [true_cancel] = true.numbers(Cancel)
    signature = true.get(true_cancel, Cancel).signature
    # Nobody asked for it, whatever signature is put under it.
    for made_up in (b"", signature, bytes(64) + b"\x1b"):
        cancel = Cancel(item.signer, 0, item.order_id, item.signer, 1, made_up)
        report = audit(run, true.with_more(seq, cancel).write(tmp_path / str(len(made_up))))
        signed = [each for each in report.findings if each.check == "who signed it?"]
        assert [(each.first, each.last, each.kind) for each in signed] == [(seq + 1, seq + 1, "cancel")]


def test_a_withdrawal_that_nobody_asked_for(run: Run, true: Forged, tmp_path: Path) -> None:
    [seq] = true.numbers(ReserveWithdrawal)
    item = true.get(seq, ReserveWithdrawal)
    forged = (
        true.with_more(seq, msgspec.structs.replace(item, nonce=item.nonce + 1)),  # a second one
        true.with_item(seq, msgspec.structs.replace(item, amount=item.amount + 1)),
        true.with_item(seq, msgspec.structs.replace(item, signature=b"")),
        true.with_item(seq, msgspec.structs.replace(item, signer=OPERATOR.address, account=OPERATOR.address)),
    )
    for number, journal in enumerate(forged):
        report = audit(run, journal.write(tmp_path / str(number)))
        signed = [each for each in report.findings if each.check == "who signed it?"]
        at = seq + (number == 0)
        assert [(each.first, each.last, each.kind) for each in signed] == [(at, at, "reserve_withdrawal")]


def test_a_cancel_of_all_that_is_invented(run: Run, true: Forged, tmp_path: Path) -> None:
    [seq] = true.numbers(CancelAll)
    item = true.get(seq, CancelAll)
    again = msgspec.structs.replace(item, nonce=item.nonce + 1)
    finding = first_wrong(audit(run, true.with_more(seq, again).restated().write(tmp_path)))
    assert (finding.first, finding.last, finding.check) == (seq + 1, seq + 1, "who signed it?")


def test_orders_that_change_places(run: Run, true: Forged, tmp_path: Path) -> None:
    places = true.numbers(Place)
    one, other = places[-3], places[-2]
    finding = first_wrong(audit(run, true.swapped(one, other).write(tmp_path / "1")))
    assert holds(finding, one)


def test_a_tail_that_is_cut_off(run: Run, true: Forged, tmp_path: Path) -> None:
    last_batch = true.numbers(BatchBuilt)[-1]
    cut = true
    while len(cut.records) >= last_batch:
        cut = cut.cut(1)
    for more in range(4):
        shorter = cut.cut(more) if more else cut
        finding = first_wrong(audit(run, shorter.write(tmp_path)))
        assert holds(finding, len(shorter.records) + 1)
    # A receipt for what is gone says so too.
    newest = max(kept(run), key=lambda each: each.seq)
    checks = [each.check for each in audit(run, cut.write(tmp_path), [newest]).findings if each.first == newest.seq]
    assert "is the record the one that the operator gave a receipt for?" in checks


def test_a_tail_behind_the_last_anchor_is_only_missed_by_receipts(run: Run, true: Forged, tmp_path: Path) -> None:
    [seq] = true.numbers(CancelAll)
    cut = true
    while len(cut.records) >= seq:
        cut = cut.cut(1)
    assert audit(run, cut.write(tmp_path)).passed
    finding = first_wrong(audit(run, cut.write(tmp_path), kept(run)))
    assert finding.first > len(cut.records)


def test_a_block_that_never_was(run: Run, true: Forged, tmp_path: Path) -> None:
    blocks = [seq for seq in true.numbers(ChainBlock) if true.get(seq, ChainBlock).logs]
    seq = blocks[-1]
    item = true.get(seq, ChainBlock)
    # Its logs are others: a deposit that was not, a price that was not.
    log = msgspec.structs.replace(item.logs[0], data=bytes(len(item.logs[0].data)))
    for number, forged in enumerate(
        (
            msgspec.structs.replace(item, logs=(log, *item.logs[1:])),
            msgspec.structs.replace(item, logs=item.logs[1:]),
            msgspec.structs.replace(item, time_s=item.time_s + 1),
        )
    ):
        finding = first_wrong(audit(run, true.with_item(seq, forged).write(tmp_path / str(number))))
        assert (finding.first, finding.last, finding.kind) == (seq, seq, "chain_block")


def test_a_receipt_of_another_history(run: Run, true: Forged) -> None:
    """The operator acknowledged one order, and wrote another one down."""
    seq = true.numbers(Place)[1]
    [receipt] = [each for each in kept(run) if each.seq == true.numbers(Place)[0]]
    domain = Deployment.load(run.deployment).domain()
    record = inputs.encode(msgspec.structs.replace(true.get(seq, Place), client_id="another"))
    leaf = merkle.leaf(record)
    head = merkle.next_head(receipt.before, seq, 1, leaf, receipt.state_hash)
    signed = Receipt(
        seq=seq,
        record=record,
        leaf=leaf,
        first_seq=seq,
        count=1,
        path=(),
        state_hash=receipt.state_hash,
        before=receipt.before,
        signature=eip712.sign(eip712.head_digest(domain, seq, head), bytes(OPERATOR.key)),
    )
    assert receipts.verify(signed, OPERATOR.address, domain)
    finding = first_wrong(audit(run, run.journal, [signed]))
    assert (finding.first, finding.last) == (seq, seq)
    assert finding.check == "is the record the one that the operator gave a receipt for?"


def test_a_receipt_that_the_operator_did_not_sign_accuses_nobody(run: Run) -> None:
    forged = [msgspec.structs.replace(each, state_hash=bytes(32)) for each in kept(run)]
    report = audit(run, run.journal, forged)
    assert report.passed
    assert any("proves nothing" in each for each in report.unproven)


def test_other_fees_in_the_header(run: Run, true: Forged, tmp_path: Path) -> None:
    identity: Identity = true.header.identity
    config = identity.config.replace(b'"taker_fee_ppm":350', b'"taker_fee_ppm":351')
    assert config != identity.config
    header = msgspec.structs.replace(true.header, identity=msgspec.structs.replace(identity, config=config))
    forged = Forged(header, true.groups).restated()
    report = audit(run, forged.write(tmp_path))
    assert any("does fill" in each.check for each in report.findings)
    assert any(each.first == 1 and "head that the chain has" in each.check for each in report.findings)


def test_an_unknown_core_version_is_said_and_the_rest_proven(run: Run, true: Forged, tmp_path: Path) -> None:
    report = audit(run, run.journal, kept(run), cores={})
    assert report.passed
    assert any("core version" in each for each in report.unproven)
    assert not any("replay" in each for each in report.proven)
    # A signature, a block, an anchor and a receipt still give a forger away.
    seq = true.numbers(Tick)[3]
    folder = true.with_item(seq, Tick(1)).write(tmp_path)
    assert holds(first_wrong(audit(run, folder, kept(run), cores={})), seq)
