# SPDX-License-Identifier: AGPL-3.0-only
"""An exchange that prices both its markets through the OracleRouter: Chainlink, Pyth and the pushed price, on an L2."""

from tests.support.chain import Contract, deploy
from tests.support.oracles import BTC_ID, ETH_ID, Feed, Sources, change_oracle
from tests.support.world import KEYS, PRICE, World

GRACE = 1_800
USD = {1: 23_000, 2: 1_600}
SIZE_DECIMALS = {1: 4, 2: 3}
IDS = {1: BTC_ID, 2: ETH_ID}


class Routed:
    """`world` with the router in place. A quorum of two of three; Chainlink may be an hour old, the others a minute."""

    def __init__(self) -> None:
        self.world = World()
        self.evm = self.world.evm
        self.uptime: Contract = deploy(self.evm, self.world.governance, "UptimeFeedDouble", self.world.governance)
        self.uptime.send(self.world.governance).initialize()
        self.sources = Sources(
            self.evm, self.world.governance, KEYS.guardian.address, sequencer=self.uptime.address, grace=GRACE
        )
        self.router, self.pyth = self.sources.router, self.sources.pyth
        self.pushed = self.world.oracle
        self.feeds: dict[int, Feed] = {market: self.sources.chainlink_feed() for market in USD}
        self.evm.warp(GRACE)
        self.say()
        for market in USD:
            named = [
                self.sources.of_chainlink(self.feeds[market]),
                self.sources.of_pyth(IDS[market]),
                self.sources.of_pushed(self.pushed, market),
            ]
            self.sources.configure(market, named, size_decimals=SIZE_DECIMALS[market])
        change_oracle(self.world.system, self.router, self.evm.warp)
        self.say()

    def say(self, factor: int = 100) -> None:
        """All three sources of both markets, at so many percent of the usual price, a second later."""
        self.evm.warp(1)
        for market in USD:
            self.chainlink(market, USD[market] * factor / 100)
        self.say_fast(factor)

    def say_fast(self, factor: int = 100) -> None:
        """Pyth and the pushed price."""
        for market in USD:
            self.pyth.answer(IDS[market], str(USD[market] * factor / 100))
        self.world.system.push({market: PRICE[market] * factor // 100 for market in USD})

    def chainlink(self, market: int, price: float | str) -> None:
        self.feeds[market].answer(str(price))

    def price(self, market: int = 1) -> tuple[int, int]:
        """As the router gives it."""
        found: tuple[int, int] = self.router.call.price(market)
        return found

    def sequencer(self, *, down: bool) -> None:
        self.uptime.send(self.world.governance).updateStatus(down, self.evm.now)
