# SPDX-License-Identifier: AGPL-3.0-only
"""An exchange that goes over to the oracle router: relayer and audit read its prices at each block."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from eth_account.signers.local import LocalAccount

from ouro.deployment import Deployment
from relayer.audit import Auditor, Report
from relayer.audit.node import Node
from relayer.audit.source import DiskJournal
from relayer.core.inputs import ChainBlock
from tests.integration.audit.conftest import post
from tests.integration.audit.forger import Forged
from tests.integration.relayer.harness import BTC_PRICE, ETH_PRICE, Json, RelayerProcess, World, world
from tests.support.anvil import DEPLOYER, GUARDIAN
from tests.support.oracles import Feed, Sources, change_oracle
from tests.support.waiting import eventually

PUSHED_LATER = BTC_PRICE + 50_000


@dataclass
class Routed:
    """The world, its feeds by market, what the relayer left, and what it took for the index price of BTC when."""

    world: World
    feeds: dict[int, Feed]
    state: Path
    seen: dict[str, int]
    fills: int


def say(feeds: dict[int, Feed], btc: str, eth: str = "1600") -> None:
    feeds[1].answer(btc)
    feeds[2].answer(eth)


def signed(exchange: World, key: LocalAccount, side: str, price: int, **fields: object) -> Json:
    """An order by the chain's clock, which is two weeks ahead."""
    exchange._last_ms = max(exchange._last_ms, exchange.node.rpc.now * 1000)
    return exchange.signed(key, side, 100, price, **fields)


def index_price(exchange: World, relayer: RelayerProcess, key: LocalAccount) -> int:
    """As the relayer tells it to somebody whose price is far away."""
    relayer.catch_up()
    answer = relayer.http.post("/v4/orders", json=signed(exchange, key, "BUY", 10 * BTC_PRICE))
    found = re.search(r"around the index price (\d+)", answer.text)
    assert found is not None, answer.text
    return int(found.group(1))


def play(exchange: World) -> Routed:
    rpc, system = exchange.node.rpc, exchange.system
    sources = Sources(rpc, DEPLOYER.address, GUARDIAN.address)
    feeds = {market: sources.chainlink_feed() for market in (1, 2)}
    say(feeds, "23000")
    for market, decimals in ((1, 4), (2, 3)):
        sources.configure(market, [sources.of_chainlink(feeds[market])], size_decimals=decimals, quorum=1)
    seen: dict[str, int] = {}
    with exchange.relayer() as relayer:
        maker, taker = exchange.trader("maker"), exchange.trader("taker")
        seen["pushed"] = index_price(exchange, relayer, taker)
        change_oracle(system, sources.router, rpc.warp)
        relayer.catch_up()
        seen["without"] = relayer.http.post("/v4/orders", json=signed(exchange, taker, "BUY", BTC_PRICE)).status_code
        say(feeds, "23100")
        seen["router"] = index_price(exchange, relayer, taker)
        # What the old oracle says counts no more.
        exchange.push(btc=PUSHED_LATER)
        say(feeds, "23200")
        seen["later"] = index_price(exchange, relayer, taker)
        post(relayer, signed(exchange, maker, "SELL", 2_320_000))
        post(relayer, signed(exchange, taker, "BUY", 2_320_000, time_in_force="IOC"))
        eventually(lambda: len(exchange.settled_fill_ids()) == 1, "the fill on chain")
        relayer.catch_up()
        relayer.stop()
        # A restart has the prices from its journal.
        relayer.start()
        seen["again"] = index_price(exchange, relayer, taker)
        assert relayer.stop() == 0
    return Routed(exchange, feeds, relayer.state, seen, len(exchange.settled_fill_ids()))


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routed]:
    with world(tmp_path_factory.mktemp("routed")) as exchange:
        yield play(exchange)


def audit(routed: Routed, folder: Path) -> Report:
    deployment = Deployment.load(routed.world.deployment)
    with closing(Node(routed.world.node.rpc_url)) as node:
        return Auditor(DiskJournal(folder), node, deployment=deployment).run()


def test_the_relayer_follows_the_router(routed: Routed) -> None:
    assert routed.seen == {
        "pushed": BTC_PRICE,
        "without": 503,
        "router": 2_310_000,
        "later": 2_320_000,
        "again": 2_320_000,
    }
    assert routed.fills == 1


def test_blocks_have_prices_only_once_the_router_says_them(routed: Routed) -> None:
    blocks = [item for item in Forged.read(routed.state / "journal").items if isinstance(item, ChainBlock)]
    priced = [bool(block.prices) for block in blocks]
    assert priced == sorted(priced)
    assert 0 < sum(priced) < len(priced)
    assert [each[:2] for each in blocks[-1].prices] == [(1, 2_320_000), (2, ETH_PRICE)]


def test_the_audit_reads_the_same_prices(routed: Routed) -> None:
    report = audit(routed, routed.state / "journal")
    assert report.passed, report.text()
    assert any("prices are those that the oracle says" in each for each in report.proven)
    assert not any("the prices at" in each for each in report.unproven)


def test_a_price_that_the_oracle_did_not_say_is_found(routed: Routed, tmp_path: Path) -> None:
    true = Forged.read(routed.state / "journal")
    seq = next(at for at in true.numbers(ChainBlock) if true.get(at, ChainBlock).prices)
    block = true.get(seq, ChainBlock)
    [(market, price, published_at), other] = block.prices
    wrong = (
        ((market, price + 1, published_at), other),
        ((market, price, published_at + 1), other),
    )
    for number, prices in enumerate(wrong):
        forged = true.with_item(seq, msgspec.structs.replace(block, prices=prices)).restated()
        first = audit(routed, forged.write(tmp_path / str(number))).first_wrong
        assert first is not None
        assert (first.first, first.last, first.check) == (seq, seq, f"are these the prices of block {block.number}?")


def test_a_price_that_is_kept_back_is_found(routed: Routed, tmp_path: Path) -> None:
    true = Forged.read(routed.state / "journal")
    seq = true.numbers(ChainBlock)[-1]
    block = true.get(seq, ChainBlock)
    forged = true.with_item(seq, msgspec.structs.replace(block, prices=block.prices[1:])).restated()
    findings = audit(routed, forged.write(tmp_path / "one")).findings
    assert any(each.first == seq and "are these the prices" in each.check for each in findings)
    # All of a block's prices may be missing, since nodes forget: then the report says so.
    none = true.with_item(seq, msgspec.structs.replace(block, prices=())).restated()
    assert any("the prices at 1 blocks" in each for each in audit(routed, none.write(tmp_path / "all")).unproven)
