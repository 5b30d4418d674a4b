# SPDX-License-Identifier: AGPL-3.0-only
"""The contracts on a real node, with wallets by role, and short ways to make history for an index to follow."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.support.abi import Log, RevertError
from tests.support.anvil import Rpc, anvil, record
from tests.support.chain import deploy
from tests.support.system import BTC, ETH, Keys, System, deploy_system
from tests.support.wire import Fill, Order, Signed, sign_order, wallet
from tests.support.world import account_key

USDC = 10**6
KEYS = Keys(wallet("governance"), wallet("operator"), wallet("price signer"), wallet("guardian"))
TRADERS = tuple(wallet(role) for role in ("maker", "taker", "hedger", "liquidator"))
MAKER, TAKER, HEDGER, LIQUIDATOR = TRADERS
PRICE = {1: 2_300_000, 2: 1_600_000}
IDS = {BTC.ticker: BTC.id, ETH.ticker: ETH.id}


@dataclass(frozen=True)
class Mark:
    """A moment of a chain: its height and what the venue knew then."""

    block: int
    snapshot: str
    head: bytes
    batches: int
    prices: dict[int, int]


class ChainVenue:
    """A deployed exchange. Traders start with 100,000 USDC."""

    def __init__(self, rpc: Rpc, *, funds: int = 100_000 * USDC) -> None:
        self.rpc = rpc
        for key in (KEYS.governance, KEYS.operator, KEYS.price_signer, KEYS.guardian, *TRADERS):
            rpc.fund(key.address)
        self.system: System = deploy_system(rpc, KEYS)
        self.exchange = self.system.exchange
        self.prices = dict(PRICE)
        self.backstop = ""
        self._generation = 0
        self._fill_id = 0
        self.push(PRICE)
        for key in TRADERS:
            if funds:
                self.system.fund(key.address, funds)

    def mark(self) -> Mark:
        """Where the chain stands, to come back to once."""
        kept = (self.system.head, self.system.batches, dict(self.prices))
        return Mark(self.block, self.rpc.request("evm_snapshot"), *kept)

    def back(self, to: Mark) -> None:
        """Take back every block since. Marks made later are gone too."""
        assert self.rpc.request("evm_revert", to.snapshot)
        self.system.head, self.system.batches, self.prices = to.head, to.batches, dict(to.prices)

    def record(self) -> dict[str, Any]:
        """The deployment record."""
        return record(self.system, start_block=1)

    @property
    def block(self) -> int:
        return int(self.rpc.request("eth_blockNumber"), 16)

    def push(self, prices: dict[int, int]) -> None:
        self.rpc.warp(1)
        self.prices |= prices
        self.system.push(self.prices)

    def warp(self, seconds: int) -> None:
        """Let time pass, with prices that are fresh afterwards."""
        self.rpc.warp(seconds)
        self.push({})

    def signed(self, key: LocalAccount, side: str, **fields: Any) -> Signed:
        """A good order, newer than all before it."""
        self._generation = max(self._generation + 1, self.rpc.now * 1000)
        base: dict[str, Any] = {
            "market": "BTC-USD",
            "side": side,
            "account": key.address,
            "generation": self._generation,
            "expiry": self.rpc.now + 3_600,
        }
        order = Order(**(base | fields))
        return sign_order(key, self.system.domain, order, IDS[order.market])

    def trade(
        self,
        taker: LocalAccount,
        maker: LocalAccount,
        lots: int,
        price: int | None = None,
        market: str = "BTC-USD",
        *,
        taker_fee: int = 350,
        maker_fee: int = 0,
        subaccount: int = 0,
        referrer: int = 0,
    ) -> list[Log]:
        """The taker buys (sells when `lots` is negative) from the maker, or the fill is rejected on chain."""
        at = self.prices[IDS[market]] if price is None else price
        sides = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
        fields: dict[str, Any] = {"market": market, "limit_price": at, "size": abs(lots)}
        self._fill_id += 1
        orders = [
            self.signed(taker, sides[0], slot=1, subaccount=subaccount, referrer=referrer, **fields),
            self.signed(maker, sides[1], slot=2, **fields),
        ]
        fill = Fill(self._fill_id, at, abs(lots), 0, 1, taker_fee=taker_fee, maker_fee=maker_fee)
        return self.system.settle(orders, [fill])

    def liquidate(self, owner: LocalAccount, market: int = 1, size: int = 2**40) -> None:
        self.exchange.send(LIQUIDATOR.address).liquidate(owner.address, 0, market, size, 0)

    def liquidate_on_the_book(self, owner: LocalAccount, maker: LocalAccount, lots: int) -> list[Log]:
        """The maker buys `lots` of an account's long position at the index price."""
        price = self.prices[1] // 100 * 100 + 100
        buyer = self.signed(maker, "BUY", slot=3, size=lots, limit_price=price)
        seller = self.signed(owner, "SELL", slot=1, size=lots, limit_price=1).order
        words = (*seller.words(1), 0, 0)
        nobody = Signed(seller, seller.hash(self.system.domain), words, owner.address)
        self._fill_id += 1
        return self.system.settle([nobody, buyer], [Fill(self._fill_id, price, lots, 0, 1, maker_fee=250, flags=2)])

    def deleverage(self, owner: LocalAccount, counterparties: list[LocalAccount], sizes: list[int]) -> None:
        keys = [account_key(key) for key in counterparties]
        self.exchange.send(LIQUIDATOR.address).deleverage(owner.address, 0, 1, keys, sizes)

    def name_backstop(self, cash: int) -> None:
        """A contract as the backstop, with `cash` in its account 0. It cannot act, only pay."""
        self.backstop = deploy(self.rpc, KEYS.governance.address, "Relayed").address
        self.exchange.send(KEYS.governance.address).set_backstop(self.backstop)
        payer = HEDGER.address
        self.system.usdc.send(payer).mint(payer, cash)
        self.system.usdc.send(payer).approve(self.system.vault.address, cash)
        self.system.vault.send(payer).deposit(self.backstop, 0, cash)

    def act(self, dice: random.Random) -> None:
        """One random thing that users, the operator or the price feed may do. Reverts are part of life."""
        taker, maker = dice.sample(TRADERS, 2)
        market = dice.choice(list(IDS))
        move = dice.randrange(100)
        try:
            if move < 55:
                index = self.prices[IDS[market]]
                price = (index + dice.randrange(-index // 100, index // 100)) // 100 * 100
                self.trade(taker, maker, dice.choice((-1, 1)) * dice.randrange(1, 4_000), price, market)
            elif move < 70:
                id_ = IDS[market]
                self.push({id_: self.prices[id_] * dice.randrange(96, 105) // 100})
            elif move < 78:
                self.warp(dice.choice((60, 700, 3_600, 9_000)))
            elif move < 84:
                self.system.fund(taker.address, dice.randrange(1, 5_000) * USDC, dice.randrange(2))
            elif move < 90:
                self.system.vault.send(taker.address).request_withdrawal(
                    0, dice.randrange(1, 500) * USDC, taker.address
                )
            elif move < 94:
                self.rpc.warp(130)
                self.push({})
                self.system.vault.send(maker.address).execute_withdrawal(dice.randrange(1, 6))
            elif move < 96:
                self.system.donate(taker.address, dice.randrange(1, 50) * USDC)
            elif move < 97:
                self.exchange.send(taker.address).cancel_all(0)
            else:
                self.liquidate(taker, IDS[market])
        except RevertError:
            pass


@contextmanager
def venue(*arguments: str, **options: Any) -> Iterator[ChainVenue]:
    """A node of its own, started with `arguments`, with the contracts on it."""
    with anvil(*arguments) as node:
        yield ChainVenue(node.rpc, **options)
