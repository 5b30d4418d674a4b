# SPDX-License-Identifier: AGPL-3.0-only
"""What `OracleRouter.price` costs on a real node, everything cold, and that it never needs more than it says."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.abi import abi_of
from tests.support.anvil import DEPLOYER, GUARDIAN, Rpc, anvil
from tests.support.chain import Contract, deploy
from tests.support.oracles import NOBODY, Sources, push_price

OWNER = DEPLOYER.address
MARKETS = 8
CALL = 2_600  # of a contract that the transaction has not touched yet


@dataclass
class Scene:
    """A router on anvil with `MARKETS` markets of three sources each: Chainlink, Pyth and pushed."""

    rpc: Rpc
    sources: Sources
    forwarder: Contract

    def price_gas(self, market: int) -> int:
        """Of the one call from another contract, everything cold."""
        data = self.sources.router.data("price", market)
        intrinsic = 21_000 + sum(16 if byte else 4 for byte in data)
        return self.rpc.transact(OWNER, self.sources.router.address, data).gas_used - intrinsic + CALL

    def prices_gas(self, count: int) -> int:
        """Of a transaction that asks for so many markets."""
        calls = [(self.sources.router.address, self.sources.router.data("price", 1 + i)) for i in range(count)]
        return int(self.forwarder.send(OWNER).run(calls).gas_used)


def scene(rpc: Rpc, *, on_l2: bool) -> Scene:
    sequencer, grace = NOBODY, 0
    if on_l2:
        uptime = deploy(rpc, OWNER, "UptimeFeedDouble", OWNER)
        uptime.send(OWNER).initialize()
        sequencer, grace = deploy(rpc, OWNER, "ChainlinkProxyDouble", uptime.address).address, 300
        rpc.warp(300)
    sources = Sources(rpc, OWNER, GUARDIAN.address, sequencer=sequencer, grace=grace)
    pushed = deploy(rpc, OWNER, "PushedOracle", DEPLOYER.address)
    for market in range(1, MARKETS + 1):
        feed, id_ = sources.chainlink_feed(), market.to_bytes(32, "big")
        feed.answer(23_000)
        sources.pyth.answer(id_, 23_000)
        push_price(pushed, DEPLOYER, market, 2_300_000)
        named = [sources.of_chainlink(feed), sources.of_pyth(id_, 3_600), sources.of_pushed(pushed, market, 3_600)]
        sources.configure(market, named)
    return Scene(rpc, sources, deploy(rpc, OWNER, "Relayed", abi=abi_of("Relayed")))


@pytest.fixture(scope="module")
def rpc() -> Iterator[Rpc]:
    with anvil() as node:
        node.rpc.fund(OWNER)
        yield node.rpc


def test_three_cold_sources_leave_most_of_the_allowance(rpc: Rpc) -> None:
    plain, on_l2 = scene(rpc, on_l2=False), scene(rpc, on_l2=True)
    for each in (plain, on_l2):
        assert each.sources.router.call.price(1)[0] == 2_300_000
    alone, behind = plain.price_gas(1), on_l2.price_gas(1)
    marginal = (on_l2.prices_gas(8) - on_l2.prices_gas(2)) // 6
    print(f"\nprice(), three cold sources: {alone}; with a sequencer feed: {behind}; each further market: {marginal}")
    assert alone < 80_000
    assert behind < 100_000
    assert marginal < 65_000


def test_the_dearest_price_stays_within_what_the_router_says(rpc: Rpc) -> None:
    """Every source, and the sequencer feed to the last word, uses all it is given."""
    worst = scene(rpc, on_l2=True)
    router = worst.sources.router
    named = [source[0] for source in router.call.sources_of(1)[3]]
    for address in named:
        rpc.request("anvil_setCode", address, "0x5b5f56")
    rpc.warp(1)
    spent = worst.price_gas(1)
    print(f"\nprice(), all sources burning: {spent}; PRICE_GAS {router.call.PRICE_GAS()}")
    assert 150_000 < spent < router.call.PRICE_GAS()
    assert router.call.price(1) == (0, 0)
    data = router.data("price", 1)
    rpc.transact(OWNER, router.address, data, 21_000 + 16 * len(data) + router.call.PRICE_GAS())
    assert router.call.PRICE_GAS() <= 250_000
