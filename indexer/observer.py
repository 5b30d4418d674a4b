# SPDX-License-Identifier: AGPL-3.0-only
"""In the chain follower's thread: tell the event loop how far the tables are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from indexer.reads.catalog import Listing, catalog
from indexer.store import schema
from indexer.store.chain_store import Position, Reversal
from indexer.store.unit import BlockUnit
from indexer.views.block import Block


@dataclass(frozen=True)
class Moved:
    """Where the tables are; the node's head and the markets, where these are new."""

    position: Position
    head: int | None
    listings: dict[str, Listing] | None = None


class ChainObserver:
    """Hands over what was committed; what streams say of it is in the outbox."""

    def __init__(self, reader: Engine, moved: Callable[[Moved], None]) -> None:
        """`moved` is called on `loop`."""
        self._reader = reader
        self._moved = moved
        self.loop: asyncio.AbstractEventLoop | None = None

    def applied(self, block: Block, unit: BlockUnit, position: Position) -> None:  # noqa: ARG002
        self._tell(Moved(position, None, listings(self._reader) if unit.changed(schema.markets) else None))

    def advanced(self, position: Position, head: int) -> None:
        self._tell(Moved(position, head))

    def reverted(self, reversal: Reversal, position: Position) -> None:  # noqa: ARG002
        self._tell(Moved(position, None, listings(self._reader)))

    def _tell(self, moved: Moved) -> None:
        loop = self.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._moved, moved)


def listings(engine: Engine) -> dict[str, Listing]:
    """The markets as the tables have them now."""
    with engine.begin() as connection:
        return dict(catalog(connection).by_ticker)


class Silent:
    """Nobody listens to a rebuild."""

    def applied(self, block: Block, unit: BlockUnit, position: Position) -> None:
        pass

    def advanced(self, position: Position, head: int) -> None:
        pass

    def reverted(self, reversal: Reversal, position: Position) -> None:
        pass
