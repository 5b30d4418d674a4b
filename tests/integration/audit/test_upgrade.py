# SPDX-License-Identifier: AGPL-3.0-only
"""A journal that goes on under another configuration, and one whose beginning was removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from ouro.deployment import Deployment
from relayer.audit import Auditor, Report
from relayer.audit.node import Node
from relayer.audit.source import DiskJournal
from relayer.core import inputs
from relayer.core.inputs import BatchBuilt, Place
from relayer.journal import OsFiles, Snapshots
from relayer.journal.format import SegmentHeader, chain, encode_group, encode_segment_header, founded
from relayer.journal.reader import open_segment
from tests.integration.audit.conftest import play, post
from tests.integration.audit.test_honest import ouro_audit
from tests.integration.relayer.harness import BTC_PRICE, World, world
from tests.support.waiting import eventually

CUT = "the state before them is not known"


@dataclass(frozen=True)
class Upgraded:
    """What two starts left, the second with higher fees."""

    world: World
    state: Path

    @property
    def journal(self) -> Path:
        return self.state / "journal"

    @property
    def snapshots(self) -> Snapshots:
        return Snapshots(OsFiles(self.state / "snapshots"))


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    folder = tmp_path_factory.mktemp("upgraded")
    with world(folder) as exchange:
        with exchange.relayer("it") as first:
            play(exchange, first, folder / "receipts.jsonl")
            first.stop()
        with exchange.relayer("it", OURO_RELAYER_TAKER_FEE_PPM="450") as second:
            fills = len(exchange.settled_fill_ids())
            exchange.push()
            maker, taker = exchange.trader("maker"), exchange.trader("taker")
            second.catch_up()
            post(second, exchange.signed(maker, "SELL", 10, BTC_PRICE))
            post(second, exchange.signed(taker, "BUY", 10, BTC_PRICE, time_in_force="IOC", max_fee_ppm=450))
            eventually(lambda: len(exchange.settled_fill_ids()) == fills + 1, "the fill on chain")
            second.catch_up()
            second.stop()
        yield Upgraded(exchange, second.state)


def audit(run: Upgraded, folder: Path, snapshots: Snapshots | None = None) -> Report:
    deployment = Deployment.load(run.world.deployment)
    with closing(Node(run.world.node.rpc_url)) as node:
        return Auditor(DiskJournal(folder), node, deployment=deployment, snapshots=snapshots).run()


def without_beginning(run: Upgraded, folder: Path) -> Path:
    """A copy of the journal whose first file was removed."""
    shutil.copytree(run.journal, folder)
    first, _ = sorted(folder.glob("*.journal"))
    first.unlink()
    return folder


def segment(path: Path) -> tuple[SegmentHeader, list[tuple[tuple[bytes, ...], bytes]]]:
    reader = open_segment(path.name, path.read_bytes(), is_last=True)
    assert reader is not None
    return reader.header, [(group.records, group.state_hash) for group in reader.groups()]


def rewritten(path: Path, header: SegmentHeader, groups: list[tuple[tuple[bytes, ...], bytes]]) -> None:
    """The second segment as somebody with the disk would have it: every checksum and head is right."""
    head = founded(header.before, header.identity, header.snapshot)
    parts = [encode_segment_header(msgspec.structs.replace(header, head=head))]
    first_seq = header.first_seq
    for records, state_hash in groups:
        head = chain(head, first_seq, records, state_hash)
        parts.append(encode_group(first_seq, records, state_hash, head, header.salt))
        first_seq += len(records)
    path.write_bytes(b"".join(parts))


def test_it_is_proven_across_another_configuration(upgraded: Upgraded) -> None:
    old, new = sorted(upgraded.journal.glob("*.journal"))
    assert segment(old)[0].identity.config != segment(new)[0].identity.config
    report = audit(upgraded, upgraded.journal)
    assert report.passed, report.text()
    said = "; ".join(report.proven)
    assert "groups in 2 segments form one chain of heads" in said
    fills = len(upgraded.world.settled_fill_ids())
    assert f"{fills} fills on chain" in said
    assert not any("core version" in each or CUT in each for each in report.unproven)


def test_a_segment_that_starts_from_another_state_is_found(upgraded: Upgraded, tmp_path: Path) -> None:
    shutil.copytree(upgraded.journal, tmp_path / "journal")
    _, new = sorted((tmp_path / "journal").glob("*.journal"))
    header, groups = segment(new)
    rewritten(new, msgspec.structs.replace(header, snapshot=bytes(32)), groups)
    first = audit(upgraded, tmp_path / "journal").first_wrong
    assert first is not None
    assert first.check == "does the segment start from the state that the one before it left?"
    assert (first.first, first.last) == (header.first_seq, header.first_seq)


def test_a_configuration_that_was_put_in_afterwards_is_found(upgraded: Upgraded, tmp_path: Path) -> None:
    shutil.copytree(upgraded.journal, tmp_path / "journal")
    old, new = sorted((tmp_path / "journal").glob("*.journal"))
    header, groups = segment(new)
    rewritten(new, msgspec.structs.replace(header, identity=segment(old)[0].identity), groups)
    report = audit(upgraded, tmp_path / "journal")
    checks = {finding.check for finding in report.findings}
    assert checks & {
        "do the same inputs give the same results?",
        "is the head that the chain has a head of this journal?",
    }, report.text()
    first = report.first_wrong
    assert first is not None
    assert first.first >= header.first_seq


def test_without_its_beginning_a_journal_is_replayed_from_a_snapshot(upgraded: Upgraded, tmp_path: Path) -> None:
    folder = without_beginning(upgraded, tmp_path / "journal")
    bare = audit(upgraded, folder)
    assert bare.passed, bare.text()
    assert any(CUT in each for each in bare.unproven)
    assert not any("results when they are replayed" in each for each in bare.proven)

    report = audit(upgraded, folder, upgraded.snapshots)
    assert report.passed, report.text()
    assert any("results when they are replayed" in each for each in report.proven)
    assert any("taken from a snapshot" in each for each in report.unproven)
    assert not any(CUT in each for each in report.unproven)


def test_the_command_takes_the_folder_of_snapshots(upgraded: Upgraded, tmp_path: Path) -> None:
    folder = without_beginning(upgraded, tmp_path / "journal")
    chain_of = ["--rpc", upgraded.world.node.rpc_url, "--deployment", str(upgraded.world.deployment)]
    status, out, err = ouro_audit("--journal", str(folder), *chain_of, "--snapshots", str(upgraded.state / "snapshots"))
    assert status == 0, out + err
    assert "taken from a snapshot" in out


def test_from_a_snapshot_too_a_forged_record_is_found(upgraded: Upgraded, tmp_path: Path) -> None:
    folder = without_beginning(upgraded, tmp_path / "journal")
    [path] = folder.glob("*.journal")
    header, groups = segment(path)
    # The taker's order is left out: the fill on chain follows from nothing.
    orders = [record for records, _ in groups for record in records if isinstance(inputs.decode(record), Place)]
    less = [(tuple(record for record in records if record != orders[-1]), state) for records, state in groups]
    rewritten(path, header, [(records, state) for records, state in less if records])
    report = audit(upgraded, folder, upgraded.snapshots)
    assert not report.passed
    assert any(each.check == "do the same inputs give the same results?" for each in report.findings), report.text()


def test_a_snapshot_of_something_else_proves_nothing(upgraded: Upgraded, tmp_path: Path) -> None:
    folder = without_beginning(upgraded, tmp_path / "journal")
    shutil.copytree(upgraded.state / "snapshots", tmp_path / "snapshots")
    for path in (tmp_path / "snapshots").glob("*.snapshot"):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    report = audit(upgraded, folder, Snapshots(OsFiles(tmp_path / "snapshots")))
    assert report.passed, report.text()
    assert not any("results when they are replayed" in each for each in report.proven)
    assert any(each for each in report.unproven if "records from" in each), report.text()


def test_batches_go_on_in_the_new_segment(upgraded: Upgraded) -> None:
    """What makes the tests above worth something: both segments have settled."""
    for path in upgraded.journal.glob("*.journal"):
        records = [record for group, _ in segment(path)[1] for record in group]
        assert any(isinstance(inputs.decode(record), BatchBuilt) for record in records)
