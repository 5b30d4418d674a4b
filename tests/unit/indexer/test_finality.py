# SPDX-License-Identifier: AGPL-3.0-only
"""What was told as confirmed is told as final later, once, or as reverted; also without a new block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from indexer.chain.rpc import Header
from indexer.store import outbox
from indexer.store.chain_store import ChainStore, Limits
from indexer.store.engine import open_engine
from indexer.stream.letters import Letters
from indexer.views.block import Block
from tests.unit.indexer.chain import LONG_SIDE, SHORT_SIDE, hash_of
from tests.unit.indexer.market import Market


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url, writes=True)
    yield opened
    opened.dispose()


class Told:
    """What the long side is told, from letter to letter."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._seq = engine, 0

    def next(self, owner: str = LONG_SIDE) -> list[dict[str, Any]]:
        with self._engine.begin() as connection:
            letters = outbox.after(connection, self._seq, [owner], 100)
            self._seq = outbox.head(connection).seq
        return [msgspec.json.decode(letter.body.contents) for letter in letters]


def header(number: int) -> Header:
    return Header(number, hash_of(number), hash_of(number - 1), 7_200)


def test_finality_is_told_once(engine: Engine) -> None:
    store = ChainStore(engine, "31337:0xaa", 1, Letters())
    store.open()
    told, market = Told(engine), Market(store)
    assert [each["finalHeight"] for each in told.next()] == ["0"]
    market.fill(100)
    market.deposit(LONG_SIDE, 10**6)
    market.apply(10)
    [message] = told.next()
    assert message["status"] == "confirmed"
    fills, transfers = [fill["id"] for fill in message["fills"]], [message["transfers"]["id"]]

    # The deposit of block 1 becomes final with block 3, the rest with block 4: of no news there is no message.
    def apply(number: int, final: int) -> None:
        empty = Block(number, hash_of(number), hash_of(number - 1), market.blocks.time_s)
        assert store.apply(empty, Limits(final, 0)).final == final

    apply(3, 1)
    [first] = told.next()
    assert first["final"]["fills"] == []
    assert len(first["final"]["transfers"]) == 1
    apply(4, 2)
    [second] = told.next()
    assert second["final"] == {"fills": fills, "transfers": transfers}
    assert (second["height"], second["finalHeight"]) == ("4", "2")
    apply(5, 3)
    assert told.next() == []

    # What is final as soon as it is there says so itself, and is not named again.
    market.blocks.number = 6
    market.limits = Limits(6, 0)
    market.fill(-50)
    market.apply(10)
    [message] = told.next()
    assert (message["status"], message["fills"][0]["status"]) == ("final", "final")
    assert store.finalise(header(6), Limits(6, 0)).final == 6
    assert told.next() == []


@pytest.mark.parametrize("way", ["finalise", "advance"])
def test_blocks_become_final_without_events(engine: Engine, way: str) -> None:
    store = ChainStore(engine, "31337:0xaa", 1, Letters())
    store.open()
    told, market = Told(engine), Market(store)
    market.fill(100)
    market.apply(10)
    fill = told.next(SHORT_SIDE)[-1]["fills"][0]["id"]
    if way == "finalise":
        store.finalise(header(2), Limits(2, 0))
    else:
        store.advance([header(900)], Limits(800, 800))
    [message] = told.next(SHORT_SIDE)
    assert message["final"]["fills"] == [fill]


def test_what_is_reverted_never_becomes_final(engine: Engine) -> None:
    store = ChainStore(engine, "31337:0xaa", 1, Letters())
    store.open()
    told, market = Told(engine), Market(store)
    market.fill(100)
    market.apply(10)
    [fill] = told.next()[-1]["fills"]
    store.revert(header(1))
    assert [message["reverted"]["fills"] for message in told.next()] == [[fill["id"]]]
    store.apply(Block(2, hash_of(2, 1), hash_of(1), market.blocks.time_s), Limits(1, 0))
    store.apply(Block(3, hash_of(3, 1), hash_of(2, 1), market.blocks.time_s), Limits(2, 0))
    assert all(message["final"]["fills"] == [] for message in told.next())
