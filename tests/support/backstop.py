# SPDX-License-Identifier: AGPL-3.0-only
"""An exchange with the real Backstop, and short ways to join it, leave it, and have it earn and lose."""

from typing import Any

from eth_account.signers.local import LocalAccount

from tests.support.abi import Log
from tests.support.chain import Receipt
from tests.support.wire import wallet
from tests.support.world import PRICE, USDC, World

HOUR = 3_600
COOLDOWN = 3 * 24 * HOUR
WINDOW = 2 * 24 * HOUR
PERIOD = 8 * HOUR
SHARE = 10**12  # shares that a micro-USDC buys at first


class House:
    """Nobody is in the Backstop yet, and the insurance fund is empty."""

    def __init__(self, **options: Any) -> None:
        self.world = World(funds=0, **options)
        self.evm, self.vault, self.usdc = self.world.evm, self.world.vault, self.world.usdc
        self.exchange = self.world.exchange
        self.backstop = self.world.system.add_backstop()
        self.call = self.backstop.call
        self.address = self.backstop.address
        for key in (self.world.maker, wallet("liquidator")):
            self.world.system.fund(key.address, 10**8 * USDC)
        self._victims = 0

    # Joining and leaving

    def give(self, key: LocalAccount, amount: int) -> None:
        """Tokens, and leave to take them."""
        self.usdc.send(key.address).mint(key.address, amount)
        self.usdc.send(key.address).approve(self.address, amount)

    def join(self, key: LocalAccount, amount: int) -> int:
        """Of new tokens. The shares that it brought."""
        self.give(key, amount)
        before = self.shares(key)
        self.backstop.send(key.address).deposit(amount, key.address)
        return self.shares(key) - before

    def request(self, key: LocalAccount, shares: int | None = None) -> Log:
        """Of all the shares that are left, if not told otherwise."""
        asked = self.shares(key) if shares is None else shares
        return self.backstop.send(key.address).request_redeem(asked).logs[-1]

    def redeem(self, key: LocalAccount, shares: int | None = None) -> int:
        """Of all that is due, if not told otherwise. What was paid."""
        asked = self.call.maxRedeem(key.address) if shares is None else shares
        before = self.world.balance(key.address)
        self.backstop.send(key.address).redeem(asked, key.address, key.address)
        return self.world.balance(key.address) - before

    def sync(self) -> Receipt:
        return self.backstop.send(self.world.operator).sync()

    def shares(self, key: LocalAccount) -> int:
        return int(self.call.balanceOf(key.address))

    @property
    def cash(self) -> int:
        return int(self.exchange.call.cash(self.address, 0))

    @property
    def assets(self) -> int:
        return int(self.call.totalAssets())

    @property
    def locked(self) -> int:
        return int(self.call.locked_income()[0])

    # What happens to it

    def income(self, amount: int) -> None:
        """A gift, as anyone may make one."""
        payer = wallet("donor").address
        self.usdc.send(payer).mint(payer, amount)
        self.usdc.send(payer).approve(self.vault.address, amount)
        self.vault.send(payer).deposit(self.address, 0, amount)

    def settled_income(self, amount: int) -> None:
        """A gift, and the time that it takes to count."""
        self.income(amount)
        self.sync()
        self.evm.warp(PERIOD)

    def ruin_an_account(self, hole: int) -> LocalAccount:
        """At the price that is left behind its 1,000 lots or more are worth `hole` less than nothing."""
        victim = wallet(f"victim {self._victims}")
        self._victims += 1
        lots = max(1_000, hole // USDC)
        drop = -(-(hole + lots * 120_000) // lots)
        assert drop < PRICE[1]
        self.world.push({1: PRICE[1]})
        self.world.system.fund(victim.address, lots * drop - hole)
        self.world.trade(victim, self.world.maker, lots)
        self.world.push({1: PRICE[1] - drop})
        assert self.world.equity(victim) == -hole << 32
        return victim

    def liquidate(self, victim: LocalAccount, lots: int = 10**9) -> Receipt:
        liquidator = self.exchange.send(wallet("liquidator").address)
        return liquidator.liquidate(victim.address, 0, 1, lots, 0)

    def lose(self, hole: int) -> None:
        """By a liquidation."""
        self.liquidate(self.ruin_an_account(hole))

    def everything(self) -> None:
        self.lose(self.cash)
        assert self.cash == 0
