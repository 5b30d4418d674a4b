# SPDX-License-Identifier: AGPL-3.0-only
"""Situations that several attacks start from: a position with a known health, against a deep counterparty."""

from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount

from tests.reference.exchange import Executed
from tests.support.system import BTC, ETH, Listing
from tests.support.twin import Twin
from tests.support.wire import wallet
from tests.support.world import PRICE, USDC


@dataclass
class Scene:
    """`victim` is about to be liquidated, `maker` is on the other side, `liquidator` has cash."""

    listings: tuple[Listing, ...] = (BTC, ETH)
    twin: Twin = field(init=False)
    victim: LocalAccount = field(default_factory=lambda: wallet("victim"))
    maker: LocalAccount = field(default_factory=lambda: wallet("maker"))
    liquidator: LocalAccount = field(default_factory=lambda: wallet("liquidator"))

    def __post_init__(self) -> None:
        self.twin = Twin(self.listings)

    def fund(self, victim: int, maker: int = 1_000_000, liquidator: int = 1_000_000) -> None:
        """In USDC."""
        for key, amount in ((self.victim, victim), (self.maker, maker), (self.liquidator, liquidator)):
            if amount:
                self.twin.deposit(key, amount * USDC)

    def trade(
        self,
        taker: LocalAccount,
        maker: LocalAccount,
        lots: int,
        price: int = PRICE[1],
        market: int = 1,
        taker_subaccount: int = 0,
    ) -> None:
        """Negative lots: the taker sells. It must settle."""
        sides = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
        ticker = self.twin.listings[market].ticker
        fields = {"market": ticker, "limit_price": price, "size": abs(lots)}
        orders = [
            self.twin.world.signed(taker, sides[0], subaccount=taker_subaccount, **fields),
            self.twin.world.signed(maker, sides[1], slot=2, **fields),
        ]
        [outcome] = self.twin.settle(orders, [self.twin.world.fill(price, abs(lots))])
        assert isinstance(outcome, Executed), outcome

    def price(self, price: int, market: int = 1) -> None:
        self.twin.push(market, price)

    def size(self, key: LocalAccount, market: int = 1, subaccount: int = 0) -> int:
        return self.twin.model.accounts[key.address, subaccount].position(market).size

    def liquidate(self, size: int = 10**9, market: int = 1, by: LocalAccount | None = None) -> bool:
        liquidator = by or self.liquidator
        taken = self.twin.liquidate((self.victim, 0), (liquidator, 0), market, size)
        self.twin.check()
        return taken is not None
