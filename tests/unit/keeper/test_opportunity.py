# SPDX-License-Identifier: AGPL-3.0-only
"""What a take-over is worth, how much of it one can carry, and which comes first."""

from dataclasses import replace

import pytest

from keeper.opportunity import Funds, Opportunity, affordable, appraise, ranked, unscaled
from keeper.survey import MarketView
from ouro.maths.margin import Margin
from ouro.units import SCALE

MARKET = MarketView(1, "BTC-USD", 2_000_000, 50_000, 30_000, 5_000, 50_000)
ACCOUNT = ("0x00000000000000000000000000000000000000AA", 0)
HELD = 1_000


def scaled(equity: int, initial: int, maintenance: int) -> Margin:
    return Margin(equity * SCALE, initial * SCALE, maintenance * SCALE)


RICH = Funds(scaled(10**12, 0, 0), {})
THIN = scaled(50_000_000, 100_000_000, 60_000_000)
BROKEN = scaled(-1, 100_000_000, 60_000_000)


def test_a_healthy_account_is_no_opportunity() -> None:
    assert appraise(ACCOUNT, scaled(60_000_000, 100_000_000, 60_000_000), MARKET, HELD, RICH) is None
    assert appraise(ACCOUNT, THIN, MARKET, 0, RICH) is None


def test_a_thin_account_gives_three_quarters_of_its_concession() -> None:
    found = appraise(ACCOUNT, THIN, MARKET, HELD, RICH)
    assert found is not None
    # h = 5/6: 1.5 * (1/6) * 3% = 0.75% of 2 USDC is 15,000, of which the fund takes 3,750
    assert found.gain_per_lot == 11_250
    assert found.price == MARKET.price - 11_250
    assert found.lots == -(-50_000_000 // (100_000 - 15_000))


def test_a_short_is_taken_over_above_the_index() -> None:
    found = appraise(ACCOUNT, THIN, MARKET, -HELD, RICH)
    assert found is not None
    assert found.price == MARKET.price + 11_250


def test_beyond_bankruptcy_nobody_gains() -> None:
    found = appraise(ACCOUNT, BROKEN, MARKET, HELD, RICH)
    assert found is not None
    assert found.is_rescue
    assert (found.gain, found.lots, found.price) == (0, HELD, MARKET.price)


@pytest.mark.parametrize(
    ("free", "own", "lots"),
    [
        (1_000_000, 0, 10),
        (999_999, 0, 9),
        (0, 0, 0),
        (-5_000_000, 0, 0),
        (1_000_000, 30, 10),
        (1_000_000, -30, 70),
    ],
)
def test_funds_carry_what_initial_margin_allows(free: int, own: int, lots: int) -> None:
    funds = Funds(scaled(free, 0, 0), {1: own})
    assert affordable(funds, MARKET, HELD, 0) == lots


def test_what_one_cannot_carry_is_no_opportunity() -> None:
    assert appraise(ACCOUNT, THIN, MARKET, HELD, Funds(scaled(0, 0, 0), {})) is None


def test_the_largest_gain_comes_first() -> None:
    small = Opportunity(ACCOUNT, MARKET, HELD, 10, 5, 0)
    large = replace(small, lots=100)
    rescue = replace(small, gain_per_lot=0, lots=50)
    larger_rescue = replace(rescue, lots=60)
    assert ranked([rescue, small, larger_rescue, large]) == [large, small, larger_rescue, rescue]


def test_what_open_interest_adds_to_margin_is_taken_off_again() -> None:
    pumped = replace(MARKET, imf_ppm=1_000_000)
    found = unscaled(scaled(5, 2_000_000 * HELD, 3), {1: -HELD, 2: 7}, {1: pumped})
    assert found == scaled(5, 100_000 * HELD, 3)
