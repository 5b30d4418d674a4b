# SPDX-License-Identifier: AGPL-3.0-only
"""The exchange that a cascade falls on: contracts on a node of their own, leveraged longs against a few shorts."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from eth_account.signers.local import LocalAccount

from keeper.rpc_chain import RpcChain
from keeper.watch import ChainWatch
from ouro import events
from ouro.deployment import Deployment
from ouro.ledger import Ledger
from ouro.units import PPM, SCALE
from tests.support.anvil import ACCOUNTS, Node, anvil, deploy_on, record
from tests.support.chain import deploy
from tests.support.system import System
from tests.support.wire import Fill, Order, Signed, sign_order, wallet

MICRO = 10**6
MARKETS = {"BTC-USD": 1, "ETH-USD": 2}
PRICES = {1: 2_300_000, 2: 1_600_000}
TAKERS_IN_A_BATCH = 31
LEVERAGES = (1.4, 2, 3, 4, 5, 6, 8, 10, 12, 15)
MARGINS = (300, 3_000)
INSURANCE_USDC = 20_000
BACKSTOP_USDC = 20_000
KEEPER_USDC_AN_ACCOUNT = 6_000
OVERPRICED = 10**12
"""Far beyond what anybody deposits here, micro-USDC."""


@dataclass(frozen=True)
class Fall:
    """All prices fall by `percent` of what they were, evenly over `seconds`."""

    percent: int
    seconds: float

    def at(self, elapsed: float) -> dict[int, int]:
        """Index prices so many seconds after the beginning."""
        done_ppm = min(PPM, int(elapsed * PPM / self.seconds))
        return {id_: price - price * self.percent * done_ppm // (100 * PPM) for id_, price in PRICES.items()}


@dataclass(frozen=True)
class Books:
    """What there is at one moment. Money in micro-USDC."""

    insurance: int
    backstop: int
    positions: int
    notional: int


@dataclass
class CascadeVenue:
    """The contracts, who trades on them, and what must hold of them."""

    node: Node
    system: System
    deployment: Deployment
    keepers: list[LocalAccount]
    keeper_usdc: int
    backstop: str
    prices: dict[int, int] = field(default_factory=lambda: dict(PRICES))
    fills: int = 0

    @classmethod
    @contextmanager
    def started(cls, accounts: int, keepers: int, seed: int) -> Iterator["CascadeVenue"]:
        """A node with everything deployed, funded and traded; blocks come with transactions until told otherwise."""
        with anvil("--order", "fifo") as node:
            first = int(node.rpc.request("eth_blockNumber"), 16) + 1
            system = deploy_on(node.rpc)
            deployment = Deployment.from_record(record(system, first))
            governance = system.keys.governance.address
            backstop = deploy(node.rpc, governance, "Relayed").address
            system.exchange.send(governance).set_backstop(backstop)
            keys = ACCOUNTS[4 : 4 + keepers]
            venue = cls(node, system, deployment, keys, KEEPER_USDC_AN_ACCOUNT * accounts, backstop)
            system.usdc.send(governance).mint(governance, OVERPRICED * accounts)
            system.usdc.send(governance).approve(system.vault.address, OVERPRICED * accounts)
            venue.deposit(backstop, BACKSTOP_USDC * MICRO)
            system.vault.send(governance).donate(INSURANCE_USDC * MICRO)
            for key in keys:
                venue.deposit(key.address, venue.keeper_usdc * MICRO)
            venue.trade(accounts, random.Random(seed))
            yield venue

    def deposit(self, owner: str, amount: int) -> None:
        """Micro-USDC to an account's subaccount 0."""
        self.system.vault.send(self.system.keys.governance.address).deposit(owner, 0, amount)

    def push(self, prices: dict[int, int]) -> None:
        """New index prices."""
        self.system.push(prices)
        self.prices = prices

    def mine_by_the_clock(self) -> None:
        """From now on a block every second."""
        self.node.rpc.request("evm_setAutomine", False)
        self.node.rpc.request("evm_setIntervalMining", 1)

    def trade(self, accounts: int, dice: random.Random) -> None:
        """Leveraged longs in either market, every fifth in both; each batch's short side is one more account."""
        longs = accounts - -(-accounts * 6 // 5 // (TAKERS_IN_A_BATCH + 1)) - len(MARKETS)
        legs: dict[int, list[tuple[LocalAccount, int]]] = {id_: [] for id_ in PRICES}
        for number in range(longs):
            key = wallet(f"cascade {number}")
            margin = dice.randint(*MARGINS) * MICRO
            markets = list(PRICES) if number % 5 == 0 else [list(PRICES)[number % 2]]
            self.deposit(key.address, margin)
            notional = int(margin * dice.choice(LEVERAGES)) // len(markets)
            for id_ in markets:
                legs[id_].append((key, max(1, notional // PRICES[id_])))
        used = longs
        for id_, takers in legs.items():
            for start in range(0, len(takers), TAKERS_IN_A_BATCH):
                self._batch(id_, takers[start : start + TAKERS_IN_A_BATCH], wallet(f"cascade {used}"))
                used += 1
        for number in range(used, accounts):
            self.deposit(wallet(f"cascade {number}").address, MARGINS[0] * MICRO)

    def _batch(self, market: int, takers: Sequence[tuple[LocalAccount, int]], maker: LocalAccount) -> None:
        """Each taker buys from the maker, who holds a quarter of it all as margin."""
        price, ticker = PRICES[market], next(name for name, id_ in MARKETS.items() if id_ == market)
        total = sum(lots for _, lots in takers)
        self.deposit(maker.address, total * price // 4)
        self.push(PRICES)
        now = self.node.rpc.now
        self.fills += 1
        sold = Order(ticker, "SELL", total, price, maker.address, now * 1000, now + 3_600, slot=self.fills)
        orders: list[Signed] = [sign_order(maker, self.system.domain, sold, market)]
        fills = []
        for place, (key, lots) in enumerate(takers, 1):
            self.fills += 1
            bought = replace(sold, side="BUY", size=lots, account=key.address, slot=self.fills)
            orders.append(sign_order(key, self.system.domain, bought, market))
            fills.append(Fill(self.fills, price, lots, place, 0))
        rejected = [log for log in self.system.settle(orders, fills) if log.name == "FillRejected"]
        if rejected:
            raise RuntimeError(f"the venue cannot be set up: {rejected[0]}")

    # What there is

    @contextmanager
    def reading(self) -> Iterator[RpcChain]:
        """A connection to the node."""
        chain = RpcChain(self.node.rpc_url)
        try:
            yield chain
        finally:
            chain.close()

    def watch(self) -> ChainWatch:
        """The ledger as of the newest block, from the events alone."""
        with self.reading() as chain:
            watch = ChainWatch(chain, self.deployment)
            watch.sync()
        return watch

    def books(self) -> Books:
        """Now."""
        watch = self.watch()
        holders = [(account, id_) for account in watch.holders() for id_ in watch.markets_of(account)]
        return Books(
            insurance=int(self.system.exchange.call.insurance()),
            backstop=int(self.system.exchange.call.cash(self.backstop, 0)),
            positions=len(holders),
            notional=sum(max(0, watch.lots_of(account, id_)) * self.prices[id_] for account, id_ in holders),
        )

    def equity(self, account: LocalAccount) -> int:
        """Scaled."""
        return int(self.system.exchange.call.margin_of(account.address, 0)[0])

    def happened(self) -> list[events.Event]:
        """Every event of the Exchange."""
        with self.reading() as chain:
            raw = chain.logs([self.deployment.contracts.exchange], 0, chain.head().number)
        return [event for event in map(events.decode_log, raw) if event is not None]

    def taken_over(self) -> list[events.Liquidated]:
        return [event for event in self.happened() if isinstance(event, events.Liquidated)]

    def spread(self) -> int:
        """What loss steps took from the opposite side, micro-USDC."""
        ledger = Ledger(self.deployment.markets)
        total = 0
        for event in self.happened():
            if isinstance(event, events.LossSpread):
                total += event.per_lot_scaled * ledger.markets_state[event.market].open_interest // SCALE
            ledger.apply(event)
        return total

    def gas_used(self, hashes: Sequence[str]) -> dict[str, int]:
        """By transaction."""
        with self.reading() as chain:
            found = chain.receipts(hashes)
        return {receipt.transaction_hash: receipt.gas_used for receipt in found if receipt is not None}
