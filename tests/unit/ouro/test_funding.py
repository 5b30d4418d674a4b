# SPDX-License-Identifier: AGPL-3.0-only
"""What vectors cannot show of funding and liquidation."""

from dataclasses import replace

import pytest

from ouro.maths import funding, liquidation
from ouro.maths.funding import MAX_INDEX, FundingState
from ouro.maths.margin import Margin
from ouro.units import SCALE

HOUR = 490_152
START = HOUR * 3_600
PRICE = 9_500_000


def state(**changes: int) -> FundingState:
    values = {
        "g_long": 0,
        "g_short": 0,
        "slope": 0,
        "rate": 0,
        "hour": HOUR,
        "premium_sum": 10**9,
        "volume_sum": 0,
        "open_interest": 1_000,
    }
    return FundingState(**values | changes)


@pytest.mark.parametrize("side", ["g_long", "g_short"])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_index_at_its_bound_stands_still_while_time_goes_on(side: str, sign: int) -> None:
    before = state(**{side: sign * (MAX_INDEX - 1)})
    after = funding.touch(before, START + 3_600, PRICE)
    assert (after.rate, after.slope, after.hour) == (2_500, 0, HOUR + 1)
    assert funding.indices(after, START + 5_000) == (before.g_long, before.g_short)


def test_both_indices_move_alike() -> None:
    opened = funding.touch(state(g_long=-5, g_short=8), START + 3_600, PRICE)
    g_long, g_short = funding.indices(opened, START + 3_660)
    assert g_short - g_long == 13
    assert g_long == -5 + 60 * opened.slope > -5


def test_an_hour_ends_with_the_hour() -> None:
    opened = funding.touch(state(), START + 5_000, PRICE)
    whole = 3_600 * opened.slope
    assert funding.indices(opened, START + 7_200)[0] == whole
    assert funding.indices(opened, START + 70_000)[0] == whole


def test_touches_within_an_hour_change_nothing() -> None:
    opened = funding.touch(state(), START + 3_600, PRICE)
    assert funding.touch(opened, START + 7_199, 2 * PRICE) == opened
    assert funding.touch(opened, START + 10, 2 * PRICE) == opened


def test_a_rate_leaves_zero_slowly_and_comes_back_at_once() -> None:
    rates = []
    now = state()
    for hour in range(1, 4):
        now = replace(funding.touch(now, START + 3_600 * hour, PRICE), premium_sum=10**9)
        rates.append(now.rate)
    assert rates == [2_500, 5_000, 7_500]
    assert funding.next_rate(5_000, 0, 0, 1_000) == 0
    assert funding.next_rate(5_000, -(10**9), 0, 1_000) == -2_500


@pytest.mark.parametrize(
    ("taker", "maker", "fees_ppm", "is_counted"),
    [
        ("0xA", "0xB", (350, 0), True),
        ("0xA", "0xB", (300, -100), True),
        ("0xA", "0xB", (299, -100), False),
        ("0xA", "0xA", (350, 0), False),
    ],
)
def test_which_fills_count(taker: str, maker: str, fees_ppm: tuple[int, int], is_counted: bool) -> None:
    assert funding.counts(*fees_ppm, taker, maker) is is_counted


def test_a_referrer_is_not_a_way_to_wash_for_less() -> None:
    assert funding.counts(350, 0, "0xA", "0xB", 0)
    assert not funding.counts(350, 0, "0xA", "0xB", 500_000)


def test_washing_prints_costs_more_than_it_moves() -> None:
    """What a lot can move, on twice as many lots of open interest, is no more than half the least fee that it pays."""
    assert 2 * funding.PREMIUM_CLAMP * 10**6 <= funding.MIN_FEE_PPM * 10**8 // 2


def test_a_healthy_account_has_no_quote() -> None:
    healthy = Margin(60 * SCALE, 100 * SCALE, 60 * SCALE)
    assert not liquidation.is_liquidatable(healthy)
    with pytest.raises(ValueError, match="not below maintenance"):
        liquidation.quote(healthy, 1, 9_500_000, imf_ppm=50_000, mmf_ppm=30_000, floor_ppm=5_000)
