# SPDX-License-Identifier: AGPL-3.0-only
"""An index of a test chain without its front door, and what its tables hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from indexer.chain.follower import Follower
from indexer.chain.rpc import Node
from indexer.chain.source import BlockSource
from indexer.service import addresses_of, chain_store
from indexer.store import dump
from indexer.store.chain_store import Position, Reversal
from indexer.store.engine import open_engine
from indexer.store.query import rows
from indexer.store.schema import FACT, STATE, tables_of
from indexer.store.unit import BlockUnit
from indexer.views.block import Block
from ouro.deployment import Deployment
from tests.integration.indexer.venue import ChainVenue
from tests.support.databases import Databases


class Watcher:
    """Remembers what the follower said."""

    def __init__(self) -> None:
        self.reversals: list[Reversal] = []

    def applied(self, block: Block, unit: BlockUnit, position: Position) -> None:
        pass

    def advanced(self, position: Position, head: int) -> None:
        pass

    def reverted(self, reversal: Reversal, position: Position) -> None:  # noqa: ARG002
        self.reversals.append(reversal)


class Index:
    """One database that follows one node."""

    def __init__(self, rpc_url: str, record: dict[str, Any], database_url: str) -> None:
        self.deployment = Deployment.from_record(record)
        self.engine = open_engine(database_url, writes=True)
        self.node = Node(rpc_url)
        self.watcher = Watcher()
        source = BlockSource(self.node, addresses_of(self.deployment))
        store = chain_store(self.engine, self.deployment)
        self.follower = Follower(self.node, source, store, self.watcher, chain_id=self.deployment.chain_id, poll_s=0)

    def sync(self) -> None:
        """Follow until there is nothing left to do."""
        while self.follower.step():
            pass

    def dump(self) -> str:
        """Every chain table as text."""
        with self.engine.begin() as connection:
            return "".join(dump.lines(connection))

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Every chain table, in the order of its key."""
        with self.engine.begin() as connection:
            return {
                table.name: rows(connection, select(table).order_by(*table.primary_key.columns))
                for table in [*tables_of(FACT), *tables_of(STATE)]
            }

    def close(self) -> None:
        self.node.close()
        self.engine.dispose()


@contextmanager
def fresh_index(chain: ChainVenue, databases: Databases) -> Iterator[Index]:
    """An index that read the whole chain anew, into a database that goes with it."""
    url = databases.new()
    fresh = Index(chain.rpc.url, chain.record(), url)
    try:
        fresh.sync()
        yield fresh
    finally:
        fresh.close()
        databases.drop(url)


def assert_equals_fresh_sync(index: Index, chain: ChainVenue, databases: Databases) -> None:
    """Table by table, so that a failure names the rows."""
    with fresh_index(chain, databases) as fresh:
        mine, theirs = index.tables(), fresh.tables()
    for name, expected in theirs.items():
        assert mine[name] == expected, name
