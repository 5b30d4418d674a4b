# SPDX-License-Identifier: AGPL-3.0-only
"""What vectors cannot show of funding and liquidation."""

import pytest

from ouro.maths import funding, liquidation
from ouro.maths.funding import MAX_INDEX, RATE_CAP, FundingState
from ouro.maths.margin import Margin
from ouro.units import SCALE

HOUR = 490_152
START = HOUR * 3_600


def state(**changes: int) -> FundingState:
    values = {
        "g_long": 0,
        "g_short": 0,
        "last_s": START,
        "rate": RATE_CAP,
        "premium_sum": 0,
        "volume_sum": 0,
        "hour": HOUR,
        "open_interest": 1_000,
    }
    return FundingState(**values | changes)


@pytest.mark.parametrize("side", ["g_long", "g_short"])
def test_an_index_at_its_bound_stands_still_while_time_goes_on(side: str) -> None:
    before = state(**{side: MAX_INDEX - 1})
    after = funding.accrue(before, START + 60, 9_500_000)
    assert (after.g_long, after.g_short, after.last_s) == (before.g_long, before.g_short, START + 60)


def test_both_indices_move_alike() -> None:
    after = funding.accrue(state(g_long=-5, g_short=8), START + 60, 9_500_000)
    assert after.g_short - after.g_long == 13
    assert after.g_long > -5


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


def test_washing_prints_costs_more_than_it_moves() -> None:
    """The cap per hour is no more than the least fee on the open interest that must be traded."""
    assert RATE_CAP * 10**6 <= funding.MIN_FEE_PPM * 10**8 // 2


def test_a_healthy_account_has_no_quote() -> None:
    healthy = Margin(60 * SCALE, 100 * SCALE, 60 * SCALE)
    assert not liquidation.is_liquidatable(healthy)
    with pytest.raises(ValueError, match="not below maintenance"):
        liquidation.quote(healthy, 1, 9_500_000, imf_ppm=50_000, mmf_ppm=30_000, floor_ppm=5_000)
