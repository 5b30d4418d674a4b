# SPDX-License-Identifier: AGPL-3.0-only
"""Candles, trade by trade and block by block."""

from hypothesis import given
from hypothesis import strategies as st

from indexer.views.apply import write_candles
from indexer.views.block import Block
from indexer.views.candles import RESOLUTIONS, Bar, Bars, begun, extend, started_at
from indexer.views.rows import MemoryRows


def test_resolutions_are_those_of_the_schema() -> None:
    assert list(RESOLUTIONS) == ["1MIN", "5MINS", "15MINS", "30MINS", "1HOUR", "4HOURS", "1DAY"]


@given(st.integers(0, 2**33), st.sampled_from(sorted(RESOLUTIONS.values())))
def test_a_time_lies_in_its_candle(time_s: int, resolution_s: int) -> None:
    start = started_at(time_s, resolution_s)
    assert start % resolution_s == 0
    assert start <= time_s < start + resolution_s


trades = st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**6)), min_size=1, max_size=8)


def bar_of(printed: list[tuple[int, int]], open_interest: int = 0) -> Bar:
    bar = Bar(*printed[0], open_interest)
    for price, size in printed[1:]:
        bar.add(price, size)
    return bar


@given(st.lists(trades, min_size=1, max_size=5))
def test_a_candle_sums_up_its_trades(blocks: list[list[tuple[int, int]]]) -> None:
    candle = begun((1, 60, 120), bar_of(blocks[0], 7))
    for block in blocks[1:]:
        extend(candle, bar_of(block, 8))
    printed = [trade for block in blocks for trade in block]
    prices = [price for price, _ in printed]
    assert candle == {
        "market": 1,
        "resolution_s": 60,
        "started_at": 120,
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "volume": sum(size for _, size in printed),
        "notional": sum(price * size for price, size in printed),
        "trades": len(printed),
        "starting_open_interest": 7,
    }


def test_a_block_goes_into_the_candles_of_each_of_its_markets() -> None:
    rows = MemoryRows()
    for time_s in (3_590, 3_600):
        bars = Bars()
        for market, price in ((1, 10), (2, 20), (1, 12)):
            bars.add(market, price, 5, 3)
        write_candles(rows, Block(1, "", "", time_s), bars)
    found = {key: (row["open"], row["close"], row["trades"]) for key, row in rows.states["candles"].items()}
    assert found[1, 3_600, 0] == found[1, 3_600, 3_600] == (10, 12, 2)
    assert found[1, 86_400, 0] == (10, 12, 4)
    assert found[2, 14_400, 0] == (20, 20, 2)
    assert len(found) == 2 * (5 * 2 + 2)
