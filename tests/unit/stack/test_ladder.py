# SPDX-License-Identifier: AGPL-3.0-only
"""The market maker's quotes: on the tick, never crossing, leaning against the position."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ouro.markets import Market, MarketState
from ouro.orders import Side
from stack.bots.ladder import Quote, Shape, ladder
from stack.bots.maker import Live, shape_at

BTC = Market(
    id=1,
    ticker="BTC-USD",
    size_decimals=4,
    price_decimals=2,
    tick=100,
    imf_ppm=50_000,
    mmf_ppm=30_000,
    band_ppm=100_000,
    max_open_interest=10**8,
    max_price_age_s=120,
    liquidation_floor_ppm=5_000,
    state=MarketState.ACTIVE,
)
SHAPE = Shape(levels=3, first_ppm=1_000, step_ppm=1_000, lots=10, skew_ppm=2_000, max_position=1_000)


def sides(quotes: list[Quote]) -> tuple[list[Quote], list[Quote]]:
    return [q for q in quotes if q.side is Side.BUY], [q for q in quotes if q.side is Side.SELL]


def test_a_flat_maker_quotes_both_sides_around_the_index() -> None:
    bids, asks = sides(ladder(BTC, 2_000_000, 0, SHAPE))
    assert [(q.price, q.lots) for q in bids] == [(1_998_000, 10), (1_996_000, 20), (1_994_000, 30)]
    assert [(q.price, q.lots) for q in asks] == [(2_002_100, 10), (2_004_100, 20), (2_006_100, 30)]


def test_a_long_maker_quotes_lower_and_a_full_one_only_sells() -> None:
    flat, long = ladder(BTC, 2_000_000, 0, SHAPE), ladder(BTC, 2_000_000, 500, SHAPE)
    assert all(leaning.price < straight.price for leaning, straight in zip(long, flat, strict=True))
    bids, asks = sides(ladder(BTC, 2_000_000, 1_000, SHAPE))
    assert (len(bids), len(asks)) == (0, 3)
    bids, asks = sides(ladder(BTC, 2_000_000, -1_000, SHAPE))
    assert (len(bids), len(asks)) == (3, 0)


@given(index=st.integers(1_000_000, 10_000_000), position=st.integers(-(10**6), 10**6))
def test_quotes_are_on_the_tick_within_the_band_and_never_cross(index: int, position: int) -> None:
    bids, asks = sides(ladder(BTC, index, position, shape_at(index)))
    quotes = bids + asks
    assert quotes
    assert all(q.price % BTC.tick == 0 and q.lots > 0 for q in quotes)
    assert all(abs(q.price - index) * 1_000_000 <= BTC.band_ppm * index for q in quotes)
    if bids and asks:
        assert max(q.price for q in bids) < min(q.price for q in asks)


def test_a_quote_may_stay_while_it_is_close_and_deeper_ones_longer() -> None:
    best, deep = Quote(Side.BUY, 0, 1_000_000, 5), Quote(Side.BUY, 4, 1_000_000, 5)
    assert Live("", replace(best, price=1_000_120)).good_enough(best)
    assert not Live("", replace(best, price=999_879)).good_enough(best)
    assert Live("", replace(deep, price=1_000_360)).good_enough(deep)
    assert not Live("", replace(deep, price=1_000_361)).good_enough(deep)
