# SPDX-License-Identifier: AGPL-3.0-only
"""How far the tables are, for a process that only serves: read from the database, again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from indexer.api.context import LiveMarkets
from indexer.orders.replica import BookReplica
from indexer.progress import Progress
from indexer.reads.catalog import Catalog, catalog
from indexer.store.heartbeat import Heartbeat, last_beat
from indexer.stream.hub import Hub
from indexer.stream.updates import of_height

POLL_S = 0.1
_IN_DEMAND_S = 0.02
"""How often it looks while a request waits for a record."""


@dataclass(frozen=True)
class _Seen:
    catalog: Catalog
    beat: Heartbeat | None


class TableWatcher:
    """Keeps `progress` and the live listings as the tables have them, and tells of heights."""

    def __init__(self, engine: Engine, hub: Hub, progress: Progress, live: LiveMarkets, books: BookReplica) -> None:
        self._engine = engine
        self._hub = hub
        self._progress = progress
        self._live = live
        self._books = books
        self._head_ms = -1

    async def run(self, well: Callable[[], None]) -> None:
        """Look until cancelled; `well` hears of each. Raises what the database raises; to be called again then."""
        while True:
            await self.look()
            well()
            await asyncio.sleep(_IN_DEMAND_S if self._progress.waiters else POLL_S)

    async def look(self) -> None:
        """Take over what the tables say now."""
        found = await asyncio.to_thread(self._read)
        known, progress = found.catalog, self._progress
        if (known.height, known.final) != (progress.height, progress.final):
            self._hub.publish([of_height(known.height, known.time_s, known.final, known.version)])
        self._live.by_ticker = known.by_ticker
        progress.chain(known.height, known.time_s, known.final)
        if found.beat is not None:
            self._take(found.beat)
        # A record is applied here when both the tables and the live books have it.
        seq = min(known.seq, self._books.seq)
        if (seq, known.epoch) != (progress.seq, progress.epoch):
            await progress.relayer(seq, known.epoch)

    def _take(self, beat: Heartbeat) -> None:
        ago_s = {
            name: time.monotonic() - max(0.0, time.time() - ms / 1_000)
            for name, ms in (("node", beat.node_ms), ("head", beat.head_ms), ("relayer", beat.relayer_ms))
        }
        self._progress.head = beat.head
        self._progress.chain_seen_s = ago_s["node"]
        self._progress.head_moved_s = ago_s["head"]
        self._progress.relayer_seen_s = ago_s["relayer"]

    def _read(self) -> _Seen:
        with self._engine.begin() as connection:
            return _Seen(catalog(connection), last_beat(connection))
