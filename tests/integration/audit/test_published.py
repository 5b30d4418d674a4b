# SPDX-License-Identifier: AGPL-3.0-only
"""A journal over HTTP: late, with open conditional orders as hashes, and as provable as the folder."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from ouro import merkle
from ouro.deployment import Deployment
from relayer.audit import Auditor, Report
from relayer.audit.node import Node
from relayer.audit.published import PublishedJournal
from relayer.audit.source import ReadGroup, Source
from relayer.core import inputs
from relayer.core.inputs import Place
from tests.integration.audit.conftest import play, post, trader_of
from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World, world
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("published")) as made:
        yield made


@pytest.fixture(scope="module")
def relayer(exchange: World) -> Iterator[RelayerProcess]:
    with exchange.relayer(OURO_RELAYER_PUBLISH_DELAY_S="0", OURO_RELAYER_MAX_ORDER_AGE_S="0") as process:
        play(exchange, process, process.state / "receipts")
        yield process


def audit(exchange: World, source: Source) -> Report:
    with closing(Node(exchange.node.rpc_url)) as node:
        return Auditor(source, node, deployment=Deployment.load(exchange.deployment)).run()


def places(relayer: RelayerProcess) -> tuple[dict[bytes, Place], list[ReadGroup]]:
    """Orders that the published journal shows, and its groups."""
    groups: list[ReadGroup] = []
    for segment in PublishedJournal(relayer.url).segments():
        groups += [group for group in segment.groups() if isinstance(group, ReadGroup)]
    records = [record for group in groups for record in group.records if record is not None]
    items = [item for item in map(inputs.decode, records) if isinstance(item, Place)]
    return {item.order_id: item for item in items}, groups


def test_a_published_journal_passes(exchange: World, relayer: RelayerProcess) -> None:
    report = audit(exchange, PublishedJournal(relayer.url))
    assert report.passed, report.text()
    assert any("fills on chain" in each for each in report.proven)
    listed = relayer.http.get("/v4/journal/segments").json()
    assert listed["delaySeconds"] == 0
    assert listed["segments"][0]["firstSeq"] == 1


def test_a_conditional_order_is_a_hash_until_it_has_ended(exchange: World, relayer: RelayerProcess) -> None:
    key = trader_of(exchange, relayer, "stopper")
    order = exchange.order(key, "SELL", price=BTC_PRICE - 9_000, trigger="AT_OR_BELOW", trigger_price=BTC_PRICE - 8_000)
    body = exchange.body(key, order)
    placed = post(relayer, body)
    assert placed["status"] == "UNTRIGGERED"
    order_id = bytes.fromhex(placed["id"][2:])

    shown, groups = places(relayer)
    assert order_id not in shown
    [(at, group)] = [(at, group) for group in groups for at, record in enumerate(group.records) if record is None]
    leaf = group.leaves[at]
    report = audit(exchange, PublishedJournal(relayer.url))
    assert report.passed, report.text()
    assert any("of which only the hash is shown" in each for each in report.unproven)

    relayer.http.request("DELETE", f"/v4/orders/{placed['id']}", json=exchange.cancel(key, placed["id"]))
    shown, _ = places(relayer)
    assert merkle.leaf(inputs.encode(shown[order_id])) == leaf
    report = audit(exchange, PublishedJournal(relayer.url))
    assert report.passed
    assert not any("only the hash" in each for each in report.unproven)


def test_a_relayer_that_publishes_another_history_is_found(exchange: World, relayer: RelayerProcess) -> None:
    """What hides a record cannot also change one: every head is computed anew."""

    class Lying(PublishedJournal):
        def segments(self) -> Iterator[Lying.Segment]:
            for segment in super().segments():
                yield Lying.Segment(segment)

        class Segment:
            def __init__(self, true) -> None:  # type: ignore[no-untyped-def]
                self.name, self.header, self._true = true.name, true.header, true

            def groups(self) -> Iterator[ReadGroup]:
                for group in self._true.groups():
                    if group.first_seq <= 20 <= group.last_seq:
                        leaves = tuple(bytes(32) for _ in group.leaves)
                        yield msgspec.structs.replace(group, records=(None,) * len(leaves), leaves=leaves)
                    else:
                        yield group

    finding = audit(exchange, Lying(relayer.url)).first_wrong
    assert finding is not None
    assert finding.first <= 20 <= finding.last


def test_segments_that_do_not_exist(relayer: RelayerProcess) -> None:
    for path, status, code in (
        ("/v4/journal/segments/2", 404, "no_segment"),
        ("/v4/journal/segments/999999", 404, "no_segment"),
        ("/v4/journal/segments/x", 400, "bad_seq"),
        ("/v4/journal/segments/1?from=-1", 400, "bad_seq"),
    ):
        answer = relayer.http.get(path)
        assert (answer.status_code, answer.json()["errorCode"]) == (status, code)


def test_nothing_is_published_before_its_time(tmp_path: Path) -> None:
    with world(tmp_path) as fresh:
        with fresh.relayer("late", OURO_RELAYER_PUBLISH_DELAY_S="3", OURO_RELAYER_MAX_ORDER_AGE_S="0") as late:
            first = late.http.get("/v4/journal/segments").json()
            assert first["segments"] == []
            assert late.http.get("/v4/journal/segments/1").status_code == 404
            eventually(lambda: late.http.get("/v4/journal/segments").json()["upTo"] > 0, "publication")
            [only] = late.http.get("/v4/journal/segments").json()["segments"]
            assert (only["firstSeq"], only["lastSeq"] > 0) == (1, True)
        with fresh.relayer("never", OURO_RELAYER_PUBLISH_DELAY_S="-1") as never:
            assert never.http.get("/v4/journal/segments").json()["segments"] == []


def test_an_amend_that_does_not_name_what_it_waits_for_is_hidden_all_the_same(
    exchange: World, relayer: RelayerProcess
) -> None:
    key = trader_of(exchange, relayer, "slicer")
    order = exchange.order(key, "SELL", price=BTC_PRICE + 9_000)
    later = {"conditions": {"notBefore": str(exchange.now_ms() + 600_000)}}
    placed = post(relayer, exchange.body(key, order) | later)
    assert placed["status"] == "UNTRIGGERED"
    newer = exchange.body(key, order.but(revision=1, limit_price=BTC_PRICE + 8_000))
    assert relayer.http.patch(f"/v4/orders/{placed['id']}", json=newer).json()["status"] == "UNTRIGGERED"
    amended = bytes.fromhex(exchange.order_id(newer)[2:])
    assert amended not in places(relayer)[0]
    cancel = exchange.cancel(key, "0x" + amended.hex())
    assert relayer.http.request("DELETE", f"/v4/orders/0x{amended.hex()}", json=cancel).status_code == 200
    assert amended in places(relayer)[0]


def test_an_amend_of_an_order_that_waits_for_nothing_is_shown(exchange: World, relayer: RelayerProcess) -> None:
    key = trader_of(exchange, relayer, "quoter")
    order = exchange.order(key, "SELL", price=BTC_PRICE + 9_000)
    placed = post(relayer, exchange.body(key, order))
    newer = exchange.body(key, order.but(revision=1, limit_price=BTC_PRICE + 8_000))
    assert relayer.http.patch(f"/v4/orders/{placed['id']}", json=newer).json()["status"] == "OPEN"
    assert bytes.fromhex(exchange.order_id(newer)[2:]) in places(relayer)[0]


def test_many_downloads_at_once_are_all_whole(relayer: RelayerProcess) -> None:
    [first, *_] = relayer.http.get("/v4/journal/segments").json()["segments"]
    path = f"/v4/journal/segments/{first['firstSeq']}"
    with httpx.Client(base_url=relayer.url, timeout=120) as http, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.get(path).content, range(32)))
    shortest = min(answers, key=len)
    assert len(shortest) > 1_000
    assert all(answer.startswith(shortest) for answer in answers)
