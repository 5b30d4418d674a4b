# SPDX-License-Identifier: AGPL-3.0-only
"""Funding payments and hourly ticks: they add up, to the unit, to what positions got and accounts made."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from indexer.chain.rpc import Header
from indexer.reads import accounts, history
from indexer.reads.accounts import Whose
from indexer.reads.catalog import catalog
from indexer.reads.window import Window
from indexer.store import schema
from indexer.store.chain_store import ChainStore, Limits
from indexer.store.engine import open_engine
from indexer.store.migrate import migrate
from indexer.store.query import rows
from indexer.views.block import Block
from ouro import events
from ouro.codec import PositionWord
from ouro.events import LogPosition
from ouro.ledger import Ledger
from ouro.maths import fees, funding
from ouro.units import SCALE
from tests.unit.indexer.chain import LONG_SIDE, SHORT_SIDE, Blocks

PRICE = 2_300_000
HOUR = funding.HOUR_S


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path / 'index.sqlite'}", writes=True)
    migrate(opened)
    yield opened
    opened.dispose()


class Market:
    """The contract's side of one market with two accounts: their words and the events that the contract would log."""

    def __init__(self, store: ChainStore, final: int = 0) -> None:
        self.store, self.limits = store, Limits(final, final)
        self.blocks = Blocks(time_s=HOUR * 100)
        self.ledger = Ledger()
        self.price = PRICE
        self.words = {LONG_SIDE: PositionWord(0, 0, 0), SHORT_SIDE: PositionWord(0, 0, 0)}
        self.cash = dict.fromkeys(self.words, 0)
        self.received = dict.fromkeys(self.words, 0)
        self.left = dict.fromkeys(self.words, 0)
        self.ended: dict[str, list[int]] = {LONG_SIDE: [], SHORT_SIDE: []}
        self._fill_id = 0
        self.equities: dict[tuple[str, int], int] = {}
        self.blocks.list_market()
        self.blocks.price(PRICE)
        for owner in self.words:
            self.deposit(owner, 10**12)
        self.apply(10)

    def deposit(self, owner: str, amount: int) -> None:
        self.cash[owner] += amount
        self.blocks.add(events.Credited, account=owner, subaccount=0, amount=amount, cash=self.cash[owner])
        self.blocks.add(events.Deposited, payer=owner, account=owner, subaccount=0, amount=amount)

    def push(self, price: int) -> None:
        self.price = price
        self.blocks.price(price)

    def fill(self, lots: int, *, fee_ppm: int = 350) -> None:
        """LONG_SIDE trades `lots` signed with SHORT_SIDE at the index price."""
        now = self.blocks.time_s
        state = self.ledger.markets_state[1].funding
        touched = funding.touch(state, now, self.price)
        if touched.hour != state.hour:
            self.blocks.add(
                events.FundingAccrued,
                market=1,
                g_long=touched.g_long,
                g_short=touched.g_short,
                rate=touched.rate,
                index_price=self.price,
                at=now,
            )
        g_long, g_short = funding.indices(touched, now)
        self._fill_id += 1
        for owner, delta, fee in (
            (LONG_SIDE, lots, fees.fee(abs(lots) * self.price, fee_ppm)),
            (SHORT_SIDE, -lots, 0),
        ):
            self.words[owner] = self._moved(owner, delta, fee, g_long, g_short)
        self.blocks.fill(
            self._fill_id,
            lots,
            self.price,
            self.words[LONG_SIDE],
            self.words[SHORT_SIDE],
            taker_fee_ppm=fee_ppm,
        )
        self.blocks.settled()

    def _moved(self, owner: str, delta: int, fee: int, g_long: int, g_short: int) -> PositionWord:
        old = self.words[owner]
        size = old.size + delta
        bare = old.q - old.size * (g_long if old.size > 0 else g_short)
        self.received[owner] += bare - self.left[owner]
        if old.size and (size == 0 or (size > 0) != (old.size > 0)):
            self.ended[owner].append(self.received[owner] // SCALE)
            self.received[owner] = 0
        bare -= (delta * self.price + fee) * SCALE
        self.left[owner] = bare if size else 0
        if size:
            return PositionWord(size, bare + size * (g_long if size > 0 else g_short), 0)
        realised = bare // SCALE
        self.cash[owner] += realised
        self.blocks.add(
            events.PositionClosed, account=owner, subaccount=0, market=1, realised=realised, cash=self.cash[owner]
        )
        return PositionWord(0, 0, 0)

    def apply(self, seconds: int) -> Block:
        """Write the block; the next one is so much later. Notes what the ledger says at the end of the hour."""
        now = self.blocks.time_s
        block = self.blocks.done(seconds)
        self.store.apply(block, self.limits)
        self.ledger.apply_all(
            [type(event)(**{**_fields(event), "where": _timed(event.where, block)}) for event in block.events]
        )
        end = (now // HOUR + 1) * HOUR
        if self.blocks.time_s >= end:
            for owner in self.words:
                worth = self.ledger.margin(owner, 0, end)
                self.equities[owner, end] = worth.equity_scaled // SCALE
        return block


def _fields(event: events.Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def _timed(where: LogPosition, block: Block) -> LogPosition:
    fields = {name: getattr(where, name) for name in where.__struct_fields__}
    return LogPosition(**{**fields, "block_time": block.time_s})


def played(engine: Engine, *, seed: int = 3, steps: int = 60) -> Market:
    """A random history over many hours, with flips, closes and moving prices."""
    store = ChainStore(engine, "31337:0xaa", 1)
    store.open()
    market = Market(store)
    dice = random.Random(seed)
    for _ in range(steps):
        market.push(PRICE + dice.randrange(-50, 50) * 1_000)
        for _ in range(dice.randrange(3)):
            size = market.words[LONG_SIDE].size
            lots = dice.choice([dice.randrange(1, 5_000), -dice.randrange(1, 5_000), -size, -2 * size])
            if lots:
                market.price, index = market.price + dice.randrange(-100, 300), market.price
                market.fill(lots)
                market.price = index
        if dice.randrange(8) == 0:
            market.deposit(LONG_SIDE, dice.randrange(1, 10**9))
        market.apply(dice.choice([10, 60, 900, 3_600, 3_600, 9_000]))
    return market


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_payments_add_up_to_what_each_position_got(engine: Engine, seed: int) -> None:
    market = played(engine, seed=seed)
    with engine.begin() as connection:
        paid: dict[tuple[str, int], int] = {}
        for row in rows(connection, select(schema.funding_payments)):
            key = (row["owner"], row["number"])
            paid[key] = paid.get(key, 0) + row["amount"]
        positions = rows(connection, select(schema.positions))
        closed = [row for row in positions if row["status"] == "CLOSED"]
        assert len(closed) > 4
        assert any(row["net_funding"] for row in closed)
        for owner, received in market.ended.items():
            mine = sorted((row for row in closed if row["owner"] == owner), key=lambda row: row["number"])
            assert [row["net_funding"] for row in mine] == received
        for row in positions:
            assert paid.get((row["owner"], row["number"]), 0) == row["net_funding"]


@pytest.mark.parametrize("seed", [3, 4])
def test_ticks_equal_the_reference_model_at_each_hours_end(engine: Engine, seed: int) -> None:
    market = played(engine, seed=seed)
    with engine.begin() as connection:
        ticks = rows(connection, select(schema.pnl_ticks))
    assert len(ticks) > 40
    assert {row["time_s"] % HOUR for row in ticks} == {0}
    found = {(row["owner"], row["time_s"]): row["equity"] for row in ticks}
    assert found == {key: market.equities[key] for key in found}


def test_history_says_deltas_of_transfers_and_profit_since_the_beginning(engine: Engine) -> None:
    store = ChainStore(engine, "31337:0xaa", 1)
    store.open()
    market = Market(store)
    market.apply(HOUR)
    market.deposit(LONG_SIDE, 5_000_000)
    market.push(PRICE)
    market.fill(1_000)
    market.apply(HOUR)
    market.push(PRICE + 1_000)
    market.apply(HOUR)
    market.push(PRICE)
    market.apply(10)
    with engine.begin() as connection:
        page = history.pnl(connection, Whose(LONG_SIDE, [0]), Window())
    fee = fees.fee(1_000 * PRICE, 350)
    assert [(tick.net_transfers, tick.total_pnl) for tick in page.ticks] == [
        (0, 1_000 * 1_000 - fee),
        (5_000_000, -fee),
        (10**12, 0),
    ]
    assert [tick.equity for tick in page.ticks][1] == 10**12 + 5_000_000 - fee


def known(subaccount: int) -> dict[str, Any]:
    return {"owner": LONG_SIDE, "subaccount": subaccount, "cash": 0, "created_block": 1, "updated_block": 1}


def test_a_parent_sums_its_children_and_keeps_what_a_quiet_one_had(engine: Engine) -> None:
    base = {"block_time_s": 0, "owner": LONG_SIDE}
    ticks = [
        {**base, "block_number": 1, "subaccount": 0, "time_s": 3_600, "equity": 10, "transferred": 7},
        {**base, "block_number": 1, "subaccount": 128, "time_s": 3_600, "equity": 100, "transferred": 100},
        {**base, "block_number": 2, "subaccount": 0, "time_s": 7_200, "equity": 12, "transferred": 8},
    ]
    with engine.begin() as connection:
        connection.execute(schema.accounts.insert(), [known(0), known(128)])
        connection.execute(schema.pnl_ticks.insert(), ticks)
        found = history.pnl(connection, Whose(LONG_SIDE, [0, 128]), Window()).ticks
        newest = history.pnl(connection, Whose(LONG_SIDE, [0, 128]), Window(limit=1)).ticks
    assert [(tick.time_s, tick.equity, tick.net_transfers, tick.total_pnl) for tick in found] == [
        (7_200, 112, 1, 4),
        (3_600, 110, 107, 3),
    ]
    assert newest == found[:1]


def test_a_day_ends_with_its_last_hour(engine: Engine) -> None:
    day = 86_400
    base = {"block_time_s": 0, "owner": LONG_SIDE, "subaccount": 0}
    with engine.begin() as connection:
        connection.execute(schema.accounts.insert(), [known(0)])
        connection.execute(
            schema.pnl_ticks.insert(),
            [
                {**base, "block_number": n, "time_s": at, "equity": 10 * n, "transferred": n}
                for n, at in enumerate((day - 3_600, day, day + 3_600, 2 * day, 2 * day + 3_600), 1)
            ],
        )
        found = history.pnl(connection, Whose(LONG_SIDE, [0]), Window(), daily=True).ticks
    assert [(tick.time_s, tick.equity, tick.net_transfers) for tick in found] == [
        (2 * day + 3_600, 50, 1),
        (2 * day, 40, 2),
        (day, 20, 2),
    ]


def test_a_reorg_takes_payments_and_ticks_back(engine: Engine) -> None:
    market = played(engine, steps=20)
    with engine.begin() as connection:
        before = [rows(connection, select(table).order_by(*table.primary_key.columns)) for table in _HISTORY]
        height = connection.execute(select(schema.chain_cursor.c.block_number)).scalar_one()
    top = market.store.recent()[0]
    market.push(PRICE)
    market.fill(700)
    market.apply(HOUR)
    market.push(PRICE)
    market.fill(-1)
    market.apply(HOUR)
    market.store.revert(Header(height, top.hash, top.parent_hash, top.time_s))
    with engine.begin() as connection:
        after = [rows(connection, select(table).order_by(*table.primary_key.columns)) for table in _HISTORY]
    assert after == before


_HISTORY = (
    schema.funding_payments,
    schema.pnl_ticks,
    schema.account_days,
    schema.net_transfers,
    schema.positions,
    schema.settings,
)


def test_payments_in_the_wires_shape(engine: Engine) -> None:
    played(engine)
    with engine.begin() as connection:
        markets = catalog(connection)
        page = history.funding_payments(connection, Whose(LONG_SIDE, [0]), Window(limit=3))
        found = [history.funding_payment(row, markets) for row in page.rows]
        positions = accounts.positions(connection, markets, Whose(LONG_SIDE, [0]), ["CLOSED"], Window())
    assert len(found) == 3
    assert set(found[0]) >= {
        "createdAt",
        "createdAtHeight",
        "perpetualId",
        "ticker",
        "oraclePrice",
        "size",
        "side",
        "rate",
        "payment",
        "subaccountNumber",
        "fundingIndex",
    }
    assert found[0]["subaccountNumber"] == "0"
    assert positions
