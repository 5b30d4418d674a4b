# SPDX-License-Identifier: AGPL-3.0-only
"""Candles, one trade at a time."""

from hypothesis import given
from hypothesis import strategies as st

from indexer.views.candles import RESOLUTIONS, begun, extend, started_at


def test_resolutions_are_those_of_the_schema() -> None:
    assert list(RESOLUTIONS) == ["1MIN", "5MINS", "15MINS", "30MINS", "1HOUR", "4HOURS", "1DAY"]


@given(st.integers(0, 2**33), st.sampled_from(sorted(RESOLUTIONS.values())))
def test_a_time_lies_in_its_candle(time_s: int, resolution_s: int) -> None:
    start = started_at(time_s, resolution_s)
    assert start % resolution_s == 0
    assert start <= time_s < start + resolution_s


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**6)), min_size=1, max_size=20))
def test_a_candle_sums_up_its_trades(trades: list[tuple[int, int]]) -> None:
    candle = begun((1, 60, 120), *trades[0], open_interest=0)
    for price, size in trades[1:]:
        extend(candle, price, size)
    prices = [price for price, _ in trades]
    assert candle == {
        "market": 1,
        "resolution_s": 60,
        "started_at": 120,
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "volume": sum(size for _, size in trades),
        "notional": sum(price * size for price, size in trades),
        "trades": len(trades),
        "starting_open_interest": 0,
    }
