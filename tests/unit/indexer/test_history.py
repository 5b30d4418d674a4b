# SPDX-License-Identifier: AGPL-3.0-only
"""Funding payments and hourly ticks: they add up, to the unit, to what positions got and accounts made."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import Engine, select

from indexer.chain.rpc import Header
from indexer.reads import accounts, history
from indexer.reads.accounts import Whose
from indexer.reads.catalog import catalog
from indexer.reads.window import Window
from indexer.store import schema
from indexer.store.chain_store import ChainStore
from indexer.store.engine import open_engine
from indexer.store.query import rows
from ouro.maths import fees
from tests.unit.indexer.chain import LONG_SIDE, SHORT_SIDE
from tests.unit.indexer.market import HOUR, PRICE, Market, played


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url, writes=True)
    yield opened
    opened.dispose()


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


def test_a_position_held_through_an_hour_pays_size_times_rate_times_price(engine: Engine) -> None:
    store = ChainStore(engine, "31337:0xaa", 1)
    store.open()
    market = Market(store)
    market.price = PRICE + 100
    market.fill(10_000)
    market.price = PRICE
    market.apply(HOUR)
    market.push(PRICE)
    market.fill(5_000)
    market.apply(HOUR)
    market.push(PRICE - 5_000)
    market.fill(-15_000)
    market.apply(10)
    with engine.begin() as connection:
        paid = {row["owner"]: row for row in rows(connection, select(schema.funding_payments))}
    rate = paid[LONG_SIDE]["rate"]
    assert rate > 0
    assert paid[LONG_SIDE]["price"] == PRICE
    # The second fill came ten seconds into the hour.
    first, rest = 10_000 * 10, 15_000 * (HOUR - 10)
    exact = Fraction((first + rest) * rate * PRICE, HOUR * 10**8)
    assert 0 <= -paid[LONG_SIDE]["amount"] - exact < 1
    assert 0 <= exact - paid[SHORT_SIDE]["amount"] < 1


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
