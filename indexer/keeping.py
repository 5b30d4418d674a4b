# SPDX-License-Identifier: AGPL-3.0-only
"""What the following process does beside following: tell others how far it is, and drop old letters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sqlalchemy import Engine

from indexer.progress import Progress
from indexer.store import outbox
from indexer.store.engine import DatabaseFile
from indexer.store.heartbeat import Heartbeat, beat

_BEAT_S = 1.0
_PRUNE_EVERY = 60
"""Beats between two prunings."""


class Keeping:
    """Writes heartbeats; keeps letters for `hours`, and no more than `letters` of them."""

    def __init__(self, engine: Engine, progress: Progress, *, hours: int, letters: int) -> None:
        self._engine = engine
        self._progress = progress
        self._hours = hours
        self._letters = letters
        self._file = DatabaseFile(engine)

    async def run(self, well: Callable[[], None]) -> None:
        """Until cancelled; `well` hears of each beat. Raises what the database raises; to be called again then."""
        beats = 0
        while True:
            await asyncio.to_thread(self.beat)
            if beats % _PRUNE_EVERY == 0:
                await asyncio.to_thread(self.prune)
            beats += 1
            well()
            await asyncio.sleep(_BEAT_S)

    def beat(self) -> None:
        """Raises `ReplacedDatabaseError`."""
        self._file.check()
        progress = self._progress
        with self._engine.begin() as connection:
            beat(
                connection,
                Heartbeat(
                    progress.head,
                    _since_1970(progress.chain_seen_s),
                    _since_1970(progress.head_moved_s),
                    _since_1970(progress.relayer_seen_s),
                ),
            )

    def prune(self) -> None:
        before_ms = time.time_ns() // 1_000_000 - self._hours * 3_600_000
        with self._engine.begin() as connection:
            outbox.lock(connection)
            outbox.prune(connection, before_ms=before_ms, keep=self._letters)


def _since_1970(monotonic_s: float) -> int:
    """Milliseconds since 1970 of a moment of the monotonic clock; 0: never."""
    ago_s = time.monotonic() - monotonic_s
    return max(0, int((time.time() - ago_s) * 1_000)) if ago_s < 1e9 else 0
