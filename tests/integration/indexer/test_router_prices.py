# SPDX-License-Identifier: AGPL-3.0-only
"""An exchange that goes over to the oracle router: the index asks for its prices, and a fresh sync finds the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from indexer.reads import markets
from indexer.reads.catalog import catalog
from tests.integration.indexer.index import Index, assert_equals_fresh_sync
from tests.integration.indexer.test_chain_tables import assert_equals_storage
from tests.integration.indexer.venue import KEYS, MAKER, TAKER, ChainVenue, venue
from tests.support.databases import Databases
from tests.support.oracles import Feed, Sources, change_oracle


class Routed:
    """A venue that is priced by a router over one feed for each market."""

    def __init__(self, chain: ChainVenue) -> None:
        self.chain = chain
        sources = Sources(chain.rpc, KEYS.governance.address, KEYS.guardian.address)
        self.feeds: dict[int, Feed] = {market: sources.chainlink_feed() for market in (1, 2)}
        self.say("23000")
        for market, decimals in ((1, 4), (2, 3)):
            source = sources.of_chainlink(self.feeds[market])
            sources.configure(market, [source], size_decimals=decimals, quorum=1)
        change_oracle(chain.system, sources.router, chain.rpc.warp)
        self.say("23000")

    def say(self, btc: str, eth: str = "1600") -> None:
        self.feeds[1].answer(btc)
        self.feeds[2].answer(eth)


@pytest.fixture(scope="module")
def routed() -> Iterator[Routed]:
    with venue() as chain:
        yield Routed(chain)


def price(index: Index) -> tuple[str, str]:
    """Of BTC, as reads and the stream tell it."""
    with index.engine.begin() as connection:
        known = catalog(connection)
        listing = known.by_ticker["BTC-USD"]
        told = markets.oracle_price(known, listing)["oraclePrice"]
        return markets.market(connection, known, listing)["oraclePrice"], told


def test_prices_follow_the_router(routed: Routed, databases: Databases) -> None:
    chain = routed.chain
    url = databases.new()
    index = Index(chain.rpc.url, chain.record(), url)
    index.sync()
    routed.say("23100.5")
    index.sync()
    assert price(index) == ("23100.5", "23100.5")
    # What the old oracle says counts no more.
    chain.push({1: 2_500_000})
    index.sync()
    assert price(index) == ("23100.5", "23100.5")
    assert_equals_storage(index, chain)

    # A fill is judged by the price at its block, and premiums are the contract's.
    chain.rpc.warp(30)
    routed.say("23200")
    chain.prices[1] = 2_320_000
    chain.trade(TAKER, MAKER, 100, 2_420_000)
    for hour in (1, 2):
        chain.rpc.warp(3_600)
        routed.say(f"2330{hour}")
        chain.exchange.send(MAKER.address).poke(1)
        index.sync()
        assert_equals_storage(index, chain)
    assert any(row["rate"] for row in index.tables()["funding_accruals"] if row["market"] == 1)
    chain.prices[1] = 2_330_200
    chain.trade(TAKER, MAKER, -40, 2_330_000)
    index.sync()
    assert_equals_storage(index, chain)
    assert index.tables()["pnl_ticks"]

    # Reading the past finds the same: what lies deep by ranges, the last blocks one by one.
    before = len(index.tables()["oracle_prices"])
    for step in range(90):
        chain.rpc.warp(17)
        if step % 3 == 0:
            routed.feeds[1].answer(str(23_300 + step))
        else:
            chain.rpc.request("anvil_mine", "0x1")
        if step % 10 == 0:
            index.sync()
    index.sync()
    kept = index.tables()["oracle_prices"][before:]
    assert len({row["price"] for row in kept}) > 10
    minutes = [row["time_s"] // 60 for row in kept if row["market"] == 1]
    assert minutes == sorted(set(minutes)), "one for each minute without an event of ours"
    assert len(minutes) > 20
    assert_equals_fresh_sync(index, chain, databases)

    # Too old for anybody: the last price stands, and is stale.
    chain.rpc.warp(4_000)
    chain.rpc.request("anvil_mine", "0x1")
    index.sync()
    [state, _] = index.tables()["market_states"]
    assert (state["index_price"], state["published_at"]) == (kept[-1]["price"], 0)
    assert kept[-1]["market"] == 1
    start = chain.rpc.request("evm_snapshot")
    routed.say("23400")
    index.sync()
    assert price(index) == ("23400", "23400")

    # A reorg takes prices back as everything else.
    assert chain.rpc.request("evm_revert", start)
    for btc in ("22800", "22900"):
        routed.say(btc)
    index.sync()
    assert price(index) == ("22900", "22900")
    assert_equals_fresh_sync(index, chain, databases)
    index.close()
    databases.drop(url)


def test_a_node_that_forgets_the_past(databases: Databases, capsys: pytest.CaptureFixture[str]) -> None:
    """Prices of old blocks are missing then, which is said once; those at the head are there."""
    with venue("--prune-history", "20") as chain:
        feeds = Routed(chain)
        for step in range(80):
            chain.rpc.warp(30)
            feeds.say(f"{23_000 + step}")
        index = Index(chain.rpc.url, chain.record(), databases.new())
        index.sync()
        assert price(index) == ("23079", "23079")
        kept = {row["block_number"] for row in index.tables()["oracle_prices"] if not row["transaction_hash"]}
        assert kept
        assert min(kept) > chain.block - 64
        assert capsys.readouterr().out.count("has not the state of old blocks") == 1
        index.close()
