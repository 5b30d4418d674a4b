# SPDX-License-Identifier: AGPL-3.0-only
"""The store: what is written can be taken back, the schema is what the migrations make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from indexer.chain.rpc import Header
from indexer.store import schema
from indexer.store.chain_store import ChainStore, Limits, WrongDeploymentError
from indexer.store.engine import open_engine
from indexer.store.migrate import migrate
from indexer.store.query import rows
from indexer.store.schema import FACT, STATE, metadata, tables_of
from indexer.store.unit import BlockUnit, StateCache
from indexer.views.rows import MemoryRows
from ouro.codec import PositionWord
from ouro.units import SCALE
from tests.unit.indexer.chain import Blocks, hash_of


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url, writes=True)
    yield opened
    opened.dispose()


def contents(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    with engine.begin() as connection:
        return {
            table.name: rows(connection, select(table).order_by(*table.primary_key.columns))
            for table in [*tables_of(FACT), *tables_of(STATE)]
        }


def header(number: int, fork: int = 0) -> Header:
    return Header(number, hash_of(number, fork), hash_of(number - 1, fork), 7_200)


def test_migrations_make_the_schema_that_the_code_expects(engine: Engine) -> None:
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    migrate(engine)


def test_a_database_belongs_to_one_deployment(engine: Engine) -> None:
    ChainStore(engine, "31337:0xaa", 1).open()
    with pytest.raises(WrongDeploymentError, match="31337:0xaa"):
        ChainStore(engine, "31337:0xbb", 1).open()


sizes = st.lists(st.integers(-9, 9).filter(bool), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(sizes, max_size=4), undone=st.lists(sizes, min_size=1, max_size=4))
def test_reverting_restores_every_row(engine: Engine, before: list[list[int]], undone: list[list[int]]) -> None:
    """Blocks of fills are applied and taken back; the tables are what they were."""
    store = ChainStore(engine, "31337:0xaa", 1)
    store.open()
    store.clear()
    store.open()
    limits = Limits(0, 0)
    blocks = Blocks()
    blocks.list_market()
    blocks.price(100)
    store.apply(blocks.done(), limits)
    held = fill_id = 0

    def apply(lots: list[int]) -> None:
        nonlocal held, fill_id
        for delta in lots:
            held, fill_id = held + delta, fill_id + 1
            word = PositionWord(held, -held * 100 * SCALE, 0)
            blocks.fill(fill_id, delta, 100, word, PositionWord(-held, held * 100 * SCALE, 0))
        blocks.settled(len(lots))
        store.apply(blocks.done(), limits)

    for lots in before:
        apply(lots)
    expected, height = contents(engine), blocks.number - 1
    for lots in undone:
        apply(lots)
    reversal, position = store.revert(header(height))
    assert contents(engine) == expected
    assert position.number == height
    assert sum(len(ids) for ids in reversal.trades.values()) == sum(map(len, undone))


def test_a_failing_block_leaves_nothing_behind(engine: Engine) -> None:
    store = ChainStore(engine, "31337:0xaa", 1)
    before = store.open()
    blocks = Blocks()
    blocks.list_market()

    def fail(_unit: object) -> None:
        raise RuntimeError("power cut")

    block = blocks.done()
    with pytest.raises(RuntimeError, match="power cut"):
        store.apply(block, Limits(0, 0), fail)
    assert store.open() == before
    assert contents(engine)["markets"] == []
    store.apply(block, Limits(0, 0))
    assert len(contents(engine)["markets"]) == 1


def test_images_of_final_blocks_are_forgotten(engine: Engine) -> None:
    store = ChainStore(engine, "31337:0xaa", 1)
    store.open()
    blocks = Blocks()
    blocks.list_market()
    store.apply(blocks.done(), Limits(0, 0))
    blocks.price(100)
    store.apply(blocks.done(), Limits(1, 1))
    with engine.begin() as connection:
        kept = {row["block_number"] for row in rows(connection, select(schema.undo))}
        recent = {row["block_number"] for row in rows(connection, select(schema.recent_blocks))}
    assert kept == {2}
    assert recent == {1, 2}


def test_money_beyond_64_bits_is_exact(engine: Engine) -> None:
    with engine.begin() as connection:
        wide = -(2**126) - 1
        connection.execute(schema.totals.insert(), [{"name": "insurance", "amount": wide}])
        assert rows(connection, select(schema.totals)) == [{"name": "insurance", "amount": wide}]


@pytest.mark.parametrize("limit", [None, 3, 50_000])
def test_what_is_held_and_touched_counts_the_block_at_hand(engine: Engine, limit: int | None) -> None:
    """The store and the dictionaries answer alike, before and within a block that opens, closes and reopens: from the
    database, from a cache that knows all from the beginning, and from one that had to let go of some.
    """
    memory = MemoryRows()
    cache = StateCache() if limit is None else StateCache(limit)
    if limit is not None:
        cache.begin()
    blocks: list[list[tuple[int, int, int]]] = [
        [(1, 1, 5), (2, 1, -5), (1, 2, 7)],
        [(1, 1, 0), (3, 2, 2)],
        [(1, 1, -4), (3, 2, 0), (2, 1, 0)],
    ]
    for number, changes in enumerate(blocks, 1):
        with engine.begin() as connection:
            unit = BlockUnit(connection, number, cache)
            for owner, market, size in changes:
                key = {"owner": f"0x{owner:040x}", "subaccount": 0}
                word = {**key, "market": market, "size": size, "quote_scaled": 0, "one_shot_ms": 0, "exposures": 1}
                account = {**key, "cash": 0, "created_block": 1, "updated_block": number}
                for kept in (unit, memory):
                    kept.put(schema.position_words, word)
                    kept.put(schema.accounts, account)
                for market_ in (None, 1, 2):
                    assert list(unit.held(market_)) == list(memory.held(market_))
                for since in (1, number, number + 1):
                    assert list(unit.touched(since)) == list(memory.touched(since))
            unit.flush()
        unit.committed()
    assert cache.is_whole == (limit == 50_000)


def test_prefetched_rows_are_the_rows(engine: Engine) -> None:
    found = {"name": "insurance", "amount": 5}
    with engine.begin() as connection:
        connection.execute(schema.totals.insert(), [found])
        unit = BlockUnit(connection, 1, StateCache())
        unit.put(schema.totals, {"name": "fees", "amount": 1})
        unit.prefetch(schema.totals, [("insurance",), ("fees",), ("referrals",)])
        connection.execute(schema.totals.delete())
        assert unit.get(schema.totals, "insurance") == found
        assert unit.get(schema.totals, "fees") == {"name": "fees", "amount": 1}
        assert unit.get(schema.totals, "referrals") is None


def test_the_cache_is_bounded_and_keeps_what_is_young() -> None:
    cache = StateCache(10)
    for number in range(25):
        cache.put("totals", ("first",), {"name": "first", "amount": number})
        cache.put("totals", (str(number),), {"name": str(number), "amount": number})
    known = cache.table("totals")
    assert len(known) <= 10
    assert known["first",] == {"name": "first", "amount": 24}
    assert known["24",] == {"name": "24", "amount": 24}
    assert ("3",) not in known
