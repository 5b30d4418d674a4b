# SPDX-License-Identifier: AGPL-3.0-only
"""A day's figures of a market: read from few candles, equal to those of all its minutes."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest
from sqlalchemy import insert

from indexer.reads.tape import last_day
from indexer.store.engine import open_engine
from indexer.store.schema import candles

NOON = 1_700_000_000 // 86_400 * 86_400 + 43_200


class Known:
    """As much of a catalog and of a listing as is looked at."""

    def __init__(self, time_s: int) -> None:
        self.time_s, self.id = time_s, 1


@pytest.mark.parametrize("now", [NOON, NOON + 1, NOON + 1_859, NOON + 3_540, NOON + 3_599])
def test_it_is_the_sum_of_all_minutes(database_url: str, now: int) -> None:
    draw = random.Random(now)
    minutes: dict[int, dict[str, Any]] = {}
    hours: dict[int, dict[str, Any]] = {}
    for _ in range(300):
        at = draw.randrange(now - 100_000, now + 1)
        for made, resolution in ((minutes, 60), (hours, 3_600)):
            start = at // resolution * resolution
            row = made.setdefault(
                start,
                {"market": 1, "resolution_s": resolution, "started_at": start, "open": 1, "high": 1, "low": 1}
                | {"close": 1, "volume": 0, "notional": 0, "trades": 0, "starting_open_interest": 0},
            )
            row["notional"] += at
            row["trades"] += 1
    engine = open_engine(database_url, writes=True)
    with engine.begin() as connection:
        connection.execute(insert(candles), [*minutes.values(), *hours.values()])
        known = cast(Any, Known(now))
        found = last_day(connection, known, known)
    engine.dispose()
    expected = [row for start, row in minutes.items() if start > now - 86_400]
    assert sum(row["notional"] for row in found) == sum(row["notional"] for row in expected)
    assert sum(row["trades"] for row in found) == sum(row["trades"] for row in expected) > 200
    assert [row["started_at"] for row in found] == sorted(row["started_at"] for row in found)
    assert len(found) <= 84
