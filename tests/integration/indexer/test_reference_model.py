# SPDX-License-Identifier: AGPL-3.0-only
"""Hours of trading on the real contracts beside the reference model: cash, equity, profit by the hour and the funding
that each position got are the model's, to the unit.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from indexer.reads.catalog import catalog
from indexer.reads.health import healths
from indexer.store import schema
from indexer.store.chain_store import ChainStore, Limits
from indexer.store.engine import open_engine
from indexer.store.query import rows
from indexer.views.block import Block
from ouro import events
from tests.reference.exact import HOUR
from tests.reference.exchange import AccountKey
from tests.support.chain import Receipt
from tests.support.evm import Evm
from tests.support.history import Held, History
from tests.support.twin import Twin
from tests.support.wire import wallet
from tests.unit.indexer.chain import hash_of

USDC = 10**6
TRADERS = tuple(wallet(f"trader {number}") for number in range(4))
TICKERS = {1: "BTC-USD", 2: "ETH-USD"}


@dataclass(frozen=True)
class Sent:
    """A transaction that succeeded: one block."""

    time_s: int
    receipt: Receipt


class Followed(History):
    """The twin's transactions as blocks in the tables, and what the model says at the same moments."""

    def __init__(self, twin: Twin, sent: list[Sent], store: ChainStore) -> None:
        super().__init__(twin.model)
        self.twin = twin
        self._sent, self._store = sent, store
        self._number = 0
        system = twin.world.system
        self._ours = {system.exchange.address, system.vault.address, system.oracle.address}
        store.open()
        self._index()

    @contextmanager
    def step(self) -> Iterator[None]:
        with super().step():
            yield
        self._index()

    def worth(self, key: AccountKey) -> tuple[int, int]:
        """Cash and equity at the time of the last block, by the model, micro-USDC."""
        return self.model.accounts[key].cash, self.equity(key, self.time_s)

    def _index(self) -> None:
        for sent in self._sent:
            self._number += 1
            self.time_s = sent.time_s
            place = hash_of(self._number)
            logs = [
                {
                    "address": log.address,
                    "topics": list(log.topics),
                    "data": log.data,
                    "blockNumber": self._number,
                    "blockHash": place,
                    "transactionHash": place,
                    "logIndex": index,
                }
                for index, log in enumerate(sent.receipt.raw_logs)
                if log.address in self._ours
            ]
            found = tuple(event for event in map(events.decode_log, logs) if event is not None)
            block = Block(self._number, place, hash_of(self._number - 1), sent.time_s, found)
            self._store.apply(block, Limits(self._number, self._number))
        self._sent.clear()


def play(followed: Followed, dice: random.Random) -> None:
    """One thing that may happen. What is refused changes nothing on either side."""
    twin = followed.twin
    move = dice.randrange(100)
    if move < 50:
        trade(followed, dice)
    elif move < 62:
        twin.warp(dice.choice((30, 600, 1_800, 3_600, 7_300)))
        for market in TICKERS:
            with followed.step():
                twin.push(market, around(twin, market, dice, 15))
    elif move < 75:
        market = dice.choice(list(TICKERS))
        with followed.step():
            twin.push(market, around(twin, market, dice, 30))
    elif move < 82:
        key, amount = dice.choice(TRADERS), dice.randrange(1, 5_000) * USDC
        with followed.step():
            twin.deposit(key, amount)
            followed.net_transfers[key.address, 0] += amount
    elif move < 88:
        key, amount = dice.choice(TRADERS), dice.randrange(1, 3_000) * USDC
        with followed.step():
            if twin.withdraw(key, amount):
                followed.net_transfers[key.address, 0] -= amount
    else:
        victim, liquidator = dice.sample(TRADERS, 2)
        with followed.step():
            twin.liquidate((victim, 0), (liquidator, 0), dice.choice(list(TICKERS)), 2**40)


def around(twin: Twin, market: int, dice: random.Random, per_mille: int) -> int:
    return twin.model.markets[market].price * (1_000 + dice.randrange(-per_mille, per_mille + 1)) // 1_000


def trade(followed: Followed, dice: random.Random, lots: int | None = None) -> None:
    """Between two of them, off the index price, so that funding has a premium; closes and flips among them."""
    twin, world = followed.twin, followed.twin.world
    taker, maker = dice.sample(TRADERS, 2)
    market = dice.choice(list(TICKERS))
    held = followed.model.accounts[taker.address, 0].position(market).size
    wanted = dice.choice((dice.randrange(1, 9_000), -dice.randrange(1, 9_000), -held, -held, -2 * held))
    lots = lots if lots is not None else wanted
    if not lots:
        return
    price = around(twin, market, dice, 6) // 100 * 100
    sides = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
    fields: dict[str, Any] = {"market": TICKERS[market], "limit_price": price, "size": abs(lots)}
    orders = [
        world.signed(key, side, slot=slot, **fields)
        for key, side, slot in zip((taker, maker), sides, (1, 2), strict=True)
    ]
    with followed.step():
        twin.settle(orders, [world.fill(price, abs(lots), taker_fee=350, maker_fee=-50)])


@pytest.mark.parametrize("seed", [1, 2])
def test_tables_agree_with_the_reference_model(database_url: str, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    sent: list[Sent] = []
    transact = Evm.transact

    def noted(self: Evm, *arguments: Any, **options: Any) -> Receipt:
        receipt = transact(self, *arguments, **options)
        sent.append(Sent(self.now, receipt))
        return receipt

    monkeypatch.setattr(Evm, "transact", noted)
    dice = random.Random(seed)
    engine = open_engine(database_url, writes=True)
    try:
        twin = Twin()
        followed = Followed(twin, sent, ChainStore(engine, "31337:0xaa", 1))
        started = twin.model.now
        with followed.step():
            twin.donate(TRADERS[0], 10**6 * USDC)
        for key in TRADERS:
            with followed.step():
                twin.deposit(key, 40_000 * USDC)
                followed.net_transfers[key.address, 0] += 40_000 * USDC
        for _ in range(200):
            play(followed, dice)
            with engine.begin() as connection:
                known = catalog(connection)
                for key in TRADERS:
                    for health in healths(connection, known, key.address):
                        assert (health.cash, health.equity) == followed.worth((key.address, 0))
        assert twin.model.now - started > 5 * HOUR

        with engine.begin() as connection:
            ticks = rows(connection, select(schema.pnl_ticks))
            positions = rows(connection, select(schema.positions).order_by(schema.positions.c.number))
            payments = rows(connection, select(schema.funding_payments))
            newest = rows(connection, select(schema.accounts))
        assert len({row["time_s"] for row in ticks}) > 5
        for row in ticks:
            said = (row["equity"], row["transferred"])
            assert said == followed.hours[row["time_s"]].get((row["owner"], row["subaccount"]), (0, 0)), row
        ended: dict[Held, list[int]] = defaultdict(list)
        for row in positions:
            if row["status"] != "OPEN":
                ended[(row["owner"], row["subaccount"]), row["market"]].append(row["net_funding"])
        assert ended == followed.ended
        assert sum(map(len, ended.values())) > 10
        assert any(map(any, ended.values()))
        paid: dict[tuple[Any, ...], int] = defaultdict(int)
        key_names = ("owner", "subaccount", "market", "number")
        for row in payments:
            paid[tuple(row[name] for name in key_names)] += row["amount"]
        assert all(paid[tuple(row[name] for name in key_names)] == row["net_funding"] for row in positions)
        for row in newest:
            assert row["cash"] == followed.model.accounts[row["owner"], row["subaccount"]].cash
    finally:
        engine.dispose()
