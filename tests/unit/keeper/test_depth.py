# SPDX-License-Identifier: AGPL-3.0-only
"""What it costs to sell what was taken over, by the book."""

import pytest

from keeper.depth import Depth
from keeper.opportunity import Funds, appraise, ranked
from keeper.survey import MarketView
from ouro.maths.margin import Margin
from ouro.units import SCALE

MARKET = MarketView(1, "BTC-USD", 1_000_000, 50_000, 30_000, 5_000, 50_000)
OTHER = MarketView(2, "ETH-USD", 1_000_000, 50_000, 30_000, 5_000, 50_000)
LEVELS = {(1, True): [(999_000, 10), (990_000, 20)], (1, False): [(1_002_000, 10)], (2, True): []}


def scaled(*micro: int) -> Margin:
    return Margin(*(each * SCALE for each in micro))


@pytest.mark.parametrize(
    ("is_long", "lots", "cost"),
    [
        (True, 5, 5 * 1_000),
        (True, 10, 10 * 1_000),
        (True, 30, 10 * 1_000 + 20 * 10_000),
        # What nobody bids for is at least as dear as the last bid.
        (True, 32, 10 * 1_000 + 22 * 10_000),
        (False, 10, 10 * 2_000),
        (True, 0, 0),
    ],
)
def test_the_book_is_walked(is_long: bool, lots: int, cost: int) -> None:
    assert Depth(LEVELS, cost_ppm=1_000).cost(MARKET, is_long, lots) == cost


def test_where_no_order_stands_the_setting_counts() -> None:
    assert Depth(LEVELS, cost_ppm=20_000).cost(MARKET, True, 32) == 10 * 1_000 + 20 * 10_000 + 2 * 20_000
    assert Depth(LEVELS, cost_ppm=1_000).cost(OTHER, True, 7) == 7 * 1_000
    assert Depth({}, cost_ppm=1_000, fee_ppm=500).cost(MARKET, True, 7) == 7 * 1_000, "the fee is part of the setting"


def test_the_takers_fee_is_added_and_rounded_up() -> None:
    assert Depth(LEVELS, fee_ppm=500).cost(MARKET, True, 3) == 3 * 1_000 + 3 * 500
    assert Depth(LEVELS, fee_ppm=1).cost(MARKET, True, 1) == 1_000 + 1


def test_a_book_beyond_the_index_promises_nothing() -> None:
    assert Depth({(1, True): [(1_100_000, 10)]}).cost(MARKET, True, 5) == 0


def test_what_was_sold_is_gone() -> None:
    depth = Depth(LEVELS).after(1, True, 8)
    assert depth.cost(MARKET, True, 4) == 2 * 1_000 + 2 * 10_000
    assert depth.after(1, True, 2).cost(MARKET, True, 1) == 10_000
    assert depth.cost(MARKET, False, 1) == 2_000


def test_a_thin_book_puts_an_opportunity_behind_one_with_a_deep_book() -> None:
    funds = Funds(scaled(10**12, 0, 0), {}, depth=Depth({(1, True): [(900_000, 10**6)], (2, True): [(999_999, 10**6)]}))
    thin = scaled(50_000_000, 100_000_000, 60_000_000)
    found = [appraise((name, 0), thin, market, 2_000, funds) for name, market in (("0xa", MARKET), ("0xb", OTHER))]
    best, worst = ranked(each for each in found if each is not None)
    assert (best.market.id, worst.market.id) == (2, 1)
    assert best.gain == worst.gain
    assert worst.unwind_cost == worst.added * 100_000
    assert worst.profit < 0 < best.profit
    assert funds.after(worst).depth.taken == {(1, True): worst.added}
