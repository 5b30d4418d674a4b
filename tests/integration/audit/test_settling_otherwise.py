# SPDX-License-Identifier: AGPL-3.0-only
"""An operator who keeps an honest journal and settles something else with his key."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from ouro import codec
from ouro.codec import FillWord
from ouro.deployment import Deployment
from relayer.audit import Auditor, Report
from relayer.audit.node import Node
from relayer.audit.source import DiskJournal
from relayer.core import Core, NextBatch, inputs
from relayer.core.config import CoreConfig
from tests.integration.audit.conftest import post, trader_of
from tests.integration.audit.forger import Forged
from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World, world
from tests.support.waiting import eventually

NEVER = {"OURO_RELAYER_BATCH_DELAY_MS": "3600000"}


def audit(exchange: World, relayer: RelayerProcess) -> Report:
    with closing(Node(exchange.node.rpc_url)) as node:
        deployment = Deployment.load(exchange.deployment)
        return Auditor(DiskJournal(relayer.state / "journal"), node, deployment=deployment).run()


def settle_by_hand(exchange: World, journal: Path, change: Callable[[FillWord], FillWord]) -> None:
    """Sends the batch that the journal leads to, with other fills, on the journal's own head."""
    true = Forged.read(journal)
    core = Core(msgspec.json.decode(true.header.identity.config, type=CoreConfig))
    for record in true.records:
        core.apply(inputs.decode(record))
    batch: NextBatch | None = core.next_batch()
    assert batch is not None
    fills = [codec.pack_fill(change(fill)) for fill in batch.fills]
    head = DiskJournal(journal)
    *_, segment = head.segments()
    *_, last = segment.groups()
    data = codec.encode_settle(core.next_prev, last.head, batch.orders, fills)
    exchange.node.rpc.call(exchange.system.exchange.address, data, sender=exchange.operator.address)
    transaction = {
        "from": exchange.operator.address,
        "to": exchange.system.exchange.address,
        "data": "0x" + data.hex(),
        "gas": hex(8_000_000),
    }
    sent = exchange.node.rpc.request("eth_sendTransaction", transaction)
    # The node answers before it has made the block.
    eventually(lambda: exchange.node.rpc.request("eth_getTransactionReceipt", sent), "the batch in a block")


def play(exchange: World, relayer: RelayerProcess, change: Callable[[FillWord], FillWord]) -> Report:
    """A buyer who would pay more than the offer asks, settled by hand; the relayer then sees it."""
    maker, taker = trader_of(exchange, relayer, "maker"), trader_of(exchange, relayer, "taker")
    post(relayer, exchange.signed(maker, "SELL", 100, BTC_PRICE))
    post(relayer, exchange.signed(taker, "BUY", 100, BTC_PRICE + 2_000, time_in_force="IOC"))
    assert relayer.stop() == 0
    settle_by_hand(exchange, relayer.state / "journal", change)
    assert exchange.size_of(taker) == 100, "the contract takes any price within both limits"
    relayer.start(ready=False)
    relayer.catch_up()
    assert relayer.stop() == 0
    return audit(exchange, relayer)


def test_a_fill_at_a_worse_price_than_the_book_gave(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer(**NEVER) as relayer:
        report = play(exchange, relayer, lambda fill: msgspec.structs.replace(fill, price=fill.price + 1_000))
        [worse] = [each for each in report.findings if "does fill 1 " in each.check]
        assert (worse.expected, worse.found) == (f"price {BTC_PRICE}", f"price {BTC_PRICE + 1_000}")
        assert worse.first == worse.last
        assert worse.kind == "chain_block"


def test_a_fill_that_nobody_matched(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer(**NEVER) as relayer:
        report = play(exchange, relayer, lambda fill: msgspec.structs.replace(fill, fill_id=fill.fill_id + 1_000))
        [invented] = [each for each in report.findings if "does fill 1001 " in each.check]
        assert invented.expected == "no such fill, by the replay"


def test_a_batch_that_no_record_tells_of(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, exchange.relayer(**NEVER) as relayer:
        report = play(exchange, relayer, lambda fill: fill)
        assert report.first_wrong is not None
        assert report.first_wrong.check == "was the batch written down before it was sent?"
        assert json.loads(report.json())["passed"] is False
