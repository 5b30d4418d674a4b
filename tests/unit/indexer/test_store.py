# SPDX-License-Identifier: AGPL-3.0-only
"""The store: what is written can be taken back, the schema is what the migrations make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
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
from ouro.codec import PositionWord
from ouro.units import SCALE
from tests.unit.indexer.chain import Blocks, hash_of


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path / 'index.sqlite'}", writes=True)
    migrate(opened)
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
