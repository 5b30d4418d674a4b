# SPDX-License-Identifier: AGPL-3.0-only
"""Funding by numbers worked out by hand, beside the model's word for everything else."""

import pytest

from tests.support.abi import RevertError
from tests.support.world import PRICE, World

HOUR = 3_600
FEE = 350


def next_hour(world: World, minutes: int = 0) -> None:
    """To the given minute of the next hour, with a fresh price."""
    world.warp((world.now // HOUR + 1) * HOUR + 60 * minutes - world.now - 1)
    world.push({1: PRICE[1], 2: PRICE[2]})


def touch(world: World) -> tuple[int, int, int, int]:
    world.exchange.send(world.operator).poke(1)
    g_long, g_short, last, rate = world.exchange.call.market_indices(1)
    return g_long, g_short, last, rate


def test_an_hour_of_premium_is_paid_over_the_next(world: World) -> None:
    """0.2% of premium on all that trades and is open: a print counts for 0.005% at most."""
    next_hour(world)
    touch(world)
    price = PRICE[1] * 1_002 // 1_000
    world.trade(world.taker, world.maker, 100, price, taker_fee=FEE)
    next_hour(world)
    g_long, g_short, _, rate = touch(world)
    assert (g_long, g_short, rate) == (0, 0, 5_000)
    world.warp(HOUR - 1)
    world.push({1: PRICE[1]})
    g_long, g_short, _, rate = touch(world)
    assert g_long == g_short == (5_000 * PRICE[1] * HOUR << 32) // (10**8 * HOUR)
    assert rate == 0
    paid = 100 * g_long
    equity = [world.exchange.call.margin_of(key.address, 0)[0] for key in (world.taker, world.maker)]
    premium = 100 * (price - PRICE[1]) << 32
    fee = -(-100 * price * FEE // 10**6) << 32
    start = 100_000 * 10**6 << 32
    assert equity == [start - premium - fee - paid, start + premium + paid]


@pytest.mark.parametrize(("lots", "rate"), [(100, 4_347), (1_000, 4_347), (4, 4_347)])
def test_the_rate_is_the_premium_per_lot(world: World, lots: int, rate: int) -> None:
    """One tick of 100 above 2,300,000 is 4,347.8e-8, truncated, whatever the size."""
    next_hour(world)
    touch(world)
    world.trade(world.taker, world.maker, lots, PRICE[1] + 100, taker_fee=FEE)
    next_hour(world)
    assert touch(world)[3] == rate


def test_a_discount_makes_shorts_pay(world: World) -> None:
    next_hour(world)
    touch(world)
    world.trade(world.taker, world.maker, 100, PRICE[1] - 100, taker_fee=FEE)
    next_hour(world)
    assert touch(world)[3] == -4_347
    next_hour(world)
    g_long, g_short, _, _ = touch(world)
    assert g_long == g_short == -(4_347 * PRICE[1] * HOUR * 2**32 // (10**8 * HOUR))


def test_little_volume_counts_against_half_the_open_interest(world: World) -> None:
    next_hour(world)
    touch(world)
    world.trade(world.taker, world.maker, 1_000, taker_fee=0)
    world.trade(world.taker, world.maker, 50, PRICE[1] + 100, taker_fee=FEE)
    next_hour(world)
    assert touch(world)[3] == 50 * 4_347 // (1_050 // 2)


@pytest.mark.parametrize(("taker_fee", "maker_fee", "counts"), [(199, 0, False), (200, 0, True), (350, -100, True)])
def test_what_pays_too_little_does_not_count(world: World, taker_fee: int, maker_fee: int, counts: bool) -> None:
    next_hour(world)
    touch(world)
    world.trade(world.taker, world.maker, 100, PRICE[1] + 100, taker_fee=taker_fee, maker_fee=maker_fee)
    next_hour(world)
    assert touch(world)[3] == (4_347 if counts else 0)


def test_an_hour_without_a_touch_ends_it(world: World) -> None:
    next_hour(world)
    touch(world)
    world.trade(world.taker, world.maker, 100, PRICE[1] + 100, taker_fee=FEE)
    next_hour(world)
    next_hour(world)
    next_hour(world, minutes=5)
    g_long, _, _, rate = touch(world)
    assert rate == 0
    assert g_long == (4_347 * PRICE[1] * HOUR << 32) // (10**8 * HOUR)


def test_poke_of_an_unknown_market_reverts(world: World) -> None:
    with pytest.raises(RevertError, match="unknown market"):
        world.exchange.send(world.operator).poke(9)


def test_funding_of_one_market_leaves_the_other_alone(world: World) -> None:
    next_hour(world)
    touch(world)
    world.trade(world.taker, world.maker, 100, PRICE[1] + 100, taker_fee=FEE)
    world.trade(world.taker, world.maker, 100, market="ETH-USD")
    next_hour(world)
    next_hour(world)
    touch(world)
    world.exchange.send(world.operator).poke(2)
    assert world.exchange.call.market_indices(2)[0] == 0


def test_views_show_funding_that_no_touch_has_stored(world: World) -> None:
    next_hour(world)
    touch(world)
    world.trade(world.taker, world.maker, 100, PRICE[1] + 100, taker_fee=FEE)
    next_hour(world, minutes=30)
    before = world.exchange.call.margin_of(world.taker.address, 0)[0]
    world.warp(60)
    after = world.exchange.call.margin_of(world.taker.address, 0)[0]
    assert after < before
    assert world.exchange.call.market_indices(1)[0] == 0
