# SPDX-License-Identifier: AGPL-3.0-only
"""Rankings are read from every account's days: made once for everybody who asks within half a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from indexer.api.context import Context
from indexer.reads import platform

KEPT_S = 30.0
KEPT_RANKS = 1_000


class Rankings:
    """The newest rankings, each with when it was made. Used by all request threads."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, list[dict[str, Any]]]] = {}

    def get(self, context: Context, by: str, window: str) -> list[dict[str, Any]]:
        """The first `KEPT_RANKS`; who comes while they are made waits for them."""
        with self._lock:
            made = self._known.get((by, window))
            if made is not None and self._clock_s() - made[0] < KEPT_S:
                return made[1]
            with context.reading() as reading:
                ranks = platform.leaderboard(reading.connection, reading.catalog, by, window)[:KEPT_RANKS]
            self._known[by, window] = (self._clock_s(), ranks)
            return ranks
