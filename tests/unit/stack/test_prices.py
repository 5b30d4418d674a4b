# SPDX-License-Identifier: AGPL-3.0-only
"""The replayed series: whole numbers, no jumps, the documented formula."""

from itertools import pairwise

import pytest

from stack.prices import STEPS_PER_CANDLE, Candle, Replay, eth_from_btc, load_candles, noise_ppm


@pytest.fixture(scope="module")
def replay() -> Replay:
    return Replay(load_candles())


def test_the_file_is_eight_whole_days(replay: Replay) -> None:
    assert len(replay.candles) == 8 * 24 * 60
    assert replay.candles[0].time == "2023-03-08T00:00:00Z"
    assert replay.candles[-1].time == "2023-03-15T23:59:00Z"
    assert all(c.low <= min(c.open, c.close) <= max(c.open, c.close) <= c.high for c in replay.candles)


def test_a_candle_is_shown_in_four_steps() -> None:
    rising = Candle("", 100, 120, 90, 110)
    falling = Candle("", 110, 120, 90, 100)
    replay = Replay([rising, falling])
    assert [replay.prices(step)["BTC-USD"] for step in range(8)] == [100, 90, 120, 110, 110, 120, 90, 100]


def test_the_replay_turns_round_at_both_ends(replay: Replay) -> None:
    last = len(replay.candles) * STEPS_PER_CANDLE - 1
    assert replay.prices(last + 5) == replay.prices(last - 5)
    assert replay.prices(2 * last) == replay.prices(0)
    assert replay.prices(2 * last + 7) == replay.prices(7)


def test_no_step_moves_the_price_by_a_liquidation(replay: Replay) -> None:
    """Steps stay far below the price band and the maintenance margin, so quotes can follow."""
    steps = range(2 * len(replay.candles) * STEPS_PER_CANDLE + 10)
    for ticker in ("BTC-USD", "ETH-USD"):
        prices = (replay.prices(step)[ticker] for step in steps)
        assert max(abs(after - before) * 1_000 // before for before, after in pairwise(prices)) < 40


def test_eth_follows_the_documented_formula() -> None:
    start = 2_219_656
    assert noise_ppm(0) == -2_000
    assert eth_from_btc(start, start, 0) == 1_560_000 - 3_120
    # 10% up in BTC is 12% up in ETH, before the wobble
    assert eth_from_btc(start * 11 // 10, start, 0) == pytest.approx(1_560_000 * 1.12 * 0.998, rel=1e-5)
    assert all(abs(noise_ppm(step)) <= 2_000 for step in range(10_000))


def test_nothing_to_replay_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to replay"):
        Replay([])
