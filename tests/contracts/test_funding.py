# SPDX-License-Identifier: AGPL-3.0-only
"""Funding by numbers worked out by hand, beside the model's word for everything else."""

import pytest

from tests.support.abi import RevertError
from tests.support.build import storage_slot
from tests.support.twin import mapping_slot
from tests.support.world import PRICE, World, rejections

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


def prints(world: World, lots: int, price: int, **fees: int) -> None:
    world.trade(world.taker, world.maker, lots, price, **({"taker_fee": FEE} | fees))


def per_hour(rate: int) -> int:
    """By how much an index grows in an hour: the slope is whole per second, truncated towards zero."""
    slope = abs(rate) * PRICE[1] * 2**32 // (10**8 * HOUR)
    return (slope if rate > 0 else -slope) * HOUR


def test_an_hour_of_premium_is_paid_over_the_next(world: World) -> None:
    """0.2% of premium on all that trades: a print counts for 0.005%, and the rate grows by 0.0025% an hour."""
    next_hour(world)
    touch(world)
    price = PRICE[1] * 1_002 // 1_000
    prints(world, 100, price)
    next_hour(world)
    assert touch(world) == (0, 0, world.now // HOUR * HOUR, 2_500)
    next_hour(world)
    g_long, g_short, _, rate = touch(world)
    # 2,500e-8 of 2.3 USDC is 57.5 micro-USDC; 57.5 * 2^32 / 3,600 is 68,600,172.08 a second
    assert g_long == g_short == 68_600_172 * HOUR == per_hour(2_500)
    assert rate == 0
    paid = 100 * g_long
    equity = [world.exchange.call.margin_of(key.address, 0)[0] for key in (world.taker, world.maker)]
    premium = 100 * (price - PRICE[1]) << 32
    fee = -(-100 * price * FEE // 10**6) << 32
    start = 100_000 * 10**6 << 32
    assert equity == [start - premium - fee - paid, start + premium + paid]


@pytest.mark.parametrize("lots", [100, 1_000, 4])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_rate_moves_away_from_zero_by_a_quarter_of_a_basis_point_an_hour(world: World, lots: int, sign: int) -> None:
    """One tick of 100 off 2,300,000 is 4,347.8e-8, truncated, whatever the size: reached in two steps."""
    next_hour(world)
    touch(world)
    rates = []
    for turn in range(3):
        prints(world, lots if turn % 2 == 0 else -lots, PRICE[1] + sign * 100)
        next_hour(world)
        rates.append(touch(world)[3])
    assert rates == [sign * 2_500, sign * 4_347, sign * 4_347]


def test_a_rate_goes_back_to_zero_at_once_and_beyond_it_slowly(world: World) -> None:
    next_hour(world)
    touch(world)
    for _ in range(2):
        prints(world, 100, PRICE[1] + 100)
        next_hour(world)
        touch(world)
    prints(world, 400, PRICE[1] - 200)
    next_hour(world)
    assert touch(world)[3] == -2_500  # from 4,347: all the way to zero, and a step beyond
    prints(world, -400, PRICE[1] - 200)
    next_hour(world)
    assert touch(world)[3] == -5_000
    next_hour(world)
    assert touch(world)[3] == 0  # an hour without prints


def test_a_discount_makes_shorts_pay(world: World) -> None:
    next_hour(world)
    touch(world)
    prints(world, 100, PRICE[1] - 100)
    next_hour(world)
    assert touch(world)[3] == -2_500
    next_hour(world)
    g_long, g_short, _, _ = touch(world)
    assert g_long == g_short == per_hour(-2_500) == -68_600_172 * HOUR


def test_a_rate_below_a_step_is_the_premium_itself(world: World) -> None:
    """Half of the lots at a premium of one tick, half at none."""
    next_hour(world)
    touch(world)
    prints(world, 100, PRICE[1] + 100)
    prints(world, -100, PRICE[1])
    next_hour(world)
    assert touch(world)[3] == 4_347 * 100 // 200


def test_little_volume_counts_against_half_the_open_interest(world: World) -> None:
    next_hour(world)
    touch(world)
    prints(world, 1_000, PRICE[1], taker_fee=0)
    prints(world, 50, PRICE[1] + 100)
    next_hour(world)
    assert touch(world)[3] == 50 * 4_347 // (1_050 // 2)


@pytest.mark.parametrize(("taker_fee", "maker_fee", "counts"), [(199, 0, False), (200, 0, True), (350, -100, True)])
def test_what_pays_too_little_does_not_count(world: World, taker_fee: int, maker_fee: int, counts: bool) -> None:
    next_hour(world)
    touch(world)
    prints(world, 100, PRICE[1] + 100, taker_fee=taker_fee, maker_fee=maker_fee)
    next_hour(world)
    assert touch(world)[3] == (2_500 if counts else 0)


@pytest.mark.parametrize("referrer", [0, 1])
def test_an_hours_prints_end_with_the_word_that_holds_them(world: World, referrer: int) -> None:
    """2^62 lots, as after centuries of trading in an hour; the sums stay, whoever is referred."""
    next_hour(world)
    touch(world)
    world.exchange.send(world.operator).register_referrer(0)
    slot = storage_slot("Exchange", "markets", "activity")
    place = mapping_slot(slot, 1)

    def volume() -> int:
        return world.evm.storage(world.exchange.address, place) >> 64 & 2**64 - 1

    for start, counted in ((2**62 - 1, 10), (2**62, 0)):
        word = world.evm.storage(world.exchange.address, place)
        world.evm.set_storage(world.exchange.address, place, word & ~((2**64 - 1) << 64) | start << 64)
        terms = {"limit_price": PRICE[1], "referrer": referrer}
        orders = [world.signed(world.taker, "BUY", **terms), world.signed(world.maker, "SELL", slot=2, **terms)]
        assert rejections(world.settle(orders, [world.fill(taker_fee=FEE)])) == []
        assert volume() == start + counted


def test_an_hour_without_a_touch_ends_it(world: World) -> None:
    """What was printed in an hour is paid for one hour, however late it is opened; those after it have no rate."""
    next_hour(world)
    touch(world)
    prints(world, 100, PRICE[1] + 100)
    for minutes in (0, 0, 5):
        next_hour(world, minutes)
    g_long, g_short, last, rate = touch(world)
    assert (rate, last) == (0, world.now // HOUR * HOUR)
    assert g_long == g_short == per_hour(2_500)
    world.warp(HOUR // 2)
    assert world.exchange.call.quote(1)[2] == g_long


def test_an_index_grows_by_the_second_and_stops_when_its_hour_ends(world: World) -> None:
    """Whether the price is fresh or not; nobody writes anything meanwhile."""
    next_hour(world)
    touch(world)
    prints(world, 100, PRICE[1] + 100)
    next_hour(world)
    start = touch(world)[2]
    for at in (1, 59, 1_800, HOUR - 1, HOUR, HOUR + 1, 3 * HOUR):
        world.evm.warp_to(start + at)
        market, _, g_long, g_short, *_ = world.exchange.call.quote(1)
        assert (market, g_long, g_short) == (1, *[68_600_172 * min(at, HOUR)] * 2)
    assert world.exchange.call.market_indices(1) == (0, 0, start, 2_500)


def test_only_the_opening_of_an_hour_says_so(world: World) -> None:
    next_hour(world)
    logs = world.trade(world.taker, world.maker, 100, PRICE[1] + 100, taker_fee=FEE)
    [opened] = [log for log in logs if log.name == "FundingAccrued"]
    assert (opened.market, opened.g_long, opened.g_short, opened.rate) == (1, 0, 0, 0)
    assert (opened.index_price, opened.at) == (PRICE[1], world.now // HOUR * HOUR)
    world.warp(30)
    assert "FundingAccrued" not in [log.name for log in world.trade(world.taker, world.maker, -10)]
    assert world.exchange.send(world.operator).poke(1).logs == []
    next_hour(world, minutes=10)
    [opened] = world.exchange.send(world.operator).poke(1).logs
    assert (opened.rate, opened.g_long, opened.at) == (2_500, 0, world.now // HOUR * HOUR)


def test_a_stale_market_stands_still_until_it_is_opened_at_a_price(world: World) -> None:
    next_hour(world)
    touch(world)
    prints(world, 100, PRICE[1] + 100)
    world.warp(5 * HOUR)
    with pytest.raises(RevertError, match="stale price"):
        world.exchange.send(world.operator).poke(1)
    assert world.exchange.call.quote(1)[2] == 0
    world.push({1: PRICE[1]})
    assert world.exchange.call.quote(1)[2] == per_hour(2_500)
    assert touch(world)[:2] == (per_hour(2_500), per_hour(2_500))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("room", "slope"), [(0, 68_600_172), (-1, 0)])
def test_an_index_at_its_bound_takes_no_more(world: World, sign: int, room: int, slope: int) -> None:
    """Neither side's index reaches 2^78: an hour whose growth would is one without."""
    next_hour(world)
    touch(world)
    index = sign * (2**78 - 1 - per_hour(2_500) - room)
    places = storage_slot("Exchange", "markets", "indices")
    world.evm.set_mapping(world.exchange.address, places, 1, (index % 2**96) << 160)
    prints(world, 100, PRICE[1] + sign * 100)
    next_hour(world)
    start = touch(world)[2]
    assert world.exchange.call.market_indices(1)[3] == sign * 2_500
    world.evm.warp_to(start + 100)
    assert world.exchange.call.quote(1)[2:4] == (index + sign * 100 * slope, sign * 100 * slope)


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
