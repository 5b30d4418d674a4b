# SPDX-License-Identifier: AGPL-3.0-only
"""Initial margin that grows with a market's open interest."""

from dataclasses import replace

import pytest

from tests.support.abi import RevertError
from tests.support.system import BTC, ETH
from tests.support.twin import Twin
from tests.support.wire import Signed, wallet
from tests.support.world import PRICE, USDC, World, rejections

UNIT = 10_000 * USDC
IMF, MMF = 50_000, 30_000
# a price at which 1,000 lots are 10,000 USDC: open interest in units of the bounds
EVEN = 10 * USDC
PRICED = {1: EVEN, 2: PRICE[2]}


@pytest.fixture
def scaled() -> World:
    """From 5% at an open interest of 20,000 USDC to 100% at 60,000."""
    world = World(funds=10**6 * USDC)
    world.push({1: EVEN})
    world.exchange.send(world.governance).set_margin_scale(1, 2, 6)
    return world


def imf(world: World, market: int = 1) -> int:
    return int(world.exchange.call.quote(market)[4])


def pair(world: World, lots: int, **fields: int) -> list[Signed]:
    sides = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
    terms = {"limit_price": EVEN, "size": abs(lots)} | fields
    return [world.signed(world.taker, sides[0], slot=5, **terms), world.signed(world.maker, sides[1], slot=6, **terms)]


def reasons(world: World, lots: int) -> list[str]:
    return [r.reason for r in rejections(world.settle(pair(world, lots), [world.fill(EVEN, abs(lots))]))]


@pytest.mark.parametrize(
    ("lots", "expected"),
    [
        (0, IMF),
        (1, IMF),
        (2_000, IMF),
        (2_001, IMF + 237),  # 10 of 40,000 USDC: 950,000 / 4,000 = 237.5
        (2_002, IMF + 475),
        (4_000, 525_000),  # half way
        (5_999, 999_762),
        (6_000, 1_000_000),
        (6_001, 1_000_000),
        (60_000, 1_000_000),
    ],
)
def test_it_grows_in_a_line_between_two_bounds(scaled: World, lots: int, expected: int) -> None:
    if lots:
        assert reasons(scaled, lots) == []
    assert imf(scaled) == expected
    initial = scaled.exchange.call.margin_of(scaled.taker.address, 0)[1]
    assert initial >> 32 == -(-lots * EVEN * expected // 10**6)


def test_it_goes_with_the_price(scaled: World) -> None:
    assert reasons(scaled, 4_000) == []
    for price, expected in ((EVEN, 525_000), (EVEN * 3 // 4, 287_500), (EVEN // 2, IMF), (EVEN * 3 // 2, 10**6)):
        scaled.push({1: price})
        assert imf(scaled) == expected


def test_it_never_falls_while_open_interest_grows(scaled: World) -> None:
    found = []
    for _ in range(60):
        assert reasons(scaled, 113) == []
        found.append(imf(scaled))
    assert found == sorted(found)
    assert found[0] == IMF
    assert found[-1] == 10**6


@pytest.mark.parametrize(("cash", "expected"), [(30_000 * USDC - 1, ["margin"]), (30_000 * USDC, [])])
def test_a_fill_counts_with_the_open_interest_that_it_could_make(cash: int, expected: list[str], scaled: World) -> None:
    """After the fills before it in its batch: nobody opens a market to its cap at the margin of an empty one."""
    holder = wallet("holder")
    scaled.system.fund(holder.address, cash)
    orders = [
        *pair(scaled, 3_000),
        scaled.signed(holder, "BUY", limit_price=EVEN, size=3_000),
        scaled.signed(scaled.maker, "SELL", slot=7, limit_price=EVEN, size=3_000),
    ]
    fills = [scaled.fill(EVEN, 3_000), scaled.fill(EVEN, 3_000, 2, 3)]
    assert [r.reason for r in rejections(scaled.settle(orders, fills))] == expected


@pytest.mark.parametrize(("cash", "expected"), [(30_000 * USDC - 1, ["margin", "group failed"]), (30_000 * USDC, [])])
def test_a_group_counts_with_all_that_it_could_make(cash: int, expected: list[str], scaled: World) -> None:
    """Its first fill, too: 100% of it is asked for, though it stops half way through the bounds."""
    holder = wallet("holder")
    scaled.system.fund(holder.address, cash)
    orders = [
        scaled.signed(scaled.taker, "SELL", limit_price=EVEN, size=6_000, slot=9),
        scaled.signed(holder, "BUY", limit_price=EVEN, size=3_000),
        scaled.signed(scaled.maker, "BUY", slot=7, limit_price=EVEN, size=3_000, subaccount=1),
    ]
    scaled.system.fund(scaled.maker.address, 10**5 * USDC, subaccount=1)
    scaled.system.fund(scaled.taker.address, 10**5 * USDC)
    fills = [scaled.fill(EVEN, 3_000, 0, 1, flags=1), scaled.fill(EVEN, 3_000, 0, 2)]
    assert sorted(r.reason for r in rejections(scaled.settle(orders, fills))) == sorted(expected)


@pytest.mark.parametrize(("lots", "expected"), [(999, []), (1_000, ["margin"])])
def test_the_narrowest_bounds(scaled: World, lots: int, expected: list[str]) -> None:
    """From nothing to 10,000 USDC: 9,980 are enough for 999 lots at 99.905%, which make 9,990."""
    scaled.exchange.send(scaled.governance).set_margin_scale(1, 0, 1)
    holder = wallet("holder")
    scaled.system.fund(holder.address, 9_981 * USDC)
    terms = {"limit_price": EVEN, "size": lots}
    orders = [scaled.signed(holder, "BUY", **terms), scaled.signed(scaled.maker, "SELL", slot=7, **terms)]
    assert [r.reason for r in rejections(scaled.settle(orders, [scaled.fill(EVEN, lots)]))] == expected


def test_openings_are_blocked_and_reductions_are_not(scaled: World) -> None:
    """Nor is anybody liquidated for it: maintenance margin is the market's own."""
    poor = wallet("poor")
    scaled.system.fund(poor.address, 1_000 * USDC)
    terms = {"limit_price": EVEN, "size": 1_000}

    def trade(side: str, lots: int) -> list[str]:
        other = "SELL" if side == "BUY" else "BUY"
        orders = [scaled.signed(poor, side, **terms), scaled.signed(scaled.maker, other, slot=8, **terms)]
        return [r.reason for r in rejections(scaled.settle(orders, [scaled.fill(EVEN, lots)]))]

    assert trade("BUY", 1_000) == []  # 10,000 USDC at 5%
    assert reasons(scaled, 5_000) == []
    assert imf(scaled) == 10**6
    equity, initial, maintenance, _ = scaled.exchange.call.margin_of(poor.address, 0)
    assert (equity >> 32, initial >> 32, maintenance >> 32) == (1_000 * USDC, 10_000 * USDC, 300 * USDC)
    with pytest.raises(RevertError, match="account is healthy"):
        scaled.exchange.send(scaled.taker.address).liquidate(poor.address, 0, 1, 1, 0)
    assert scaled.withdrawable(poor) == 0
    assert trade("BUY", 1) == ["margin"]
    assert trade("SELL", 400) == []
    assert reasons(scaled, -3_600) == []
    assert imf(scaled) == IMF
    assert trade("BUY", 100) == []
    # 2,100 lots are 1,000 USDC above the lower bound: 73,750 ppm of 7,000 USDC
    assert scaled.withdrawable(poor) == 1_000 * USDC - 516_250_000


def test_it_is_each_markets_own(scaled: World) -> None:
    assert reasons(scaled, 6_000) == []
    scaled.trade(scaled.taker, scaled.maker, 100_000, market="ETH-USD")
    assert (imf(scaled, 1), imf(scaled, 2)) == (10**6, IMF)
    assert scaled.exchange.call.margin_scale(1) == (2, 6)
    assert scaled.exchange.call.margin_scale(2) == (0, 0)


def test_a_leg_counts_as_scaled_wherever_the_account_trades(scaled: World) -> None:
    """160,000 USDC of ETH need 8,000; the leg in BTC 60,000 instead of 3,000."""
    poor = wallet("poor")
    scaled.system.fund(poor.address, 61_000 * USDC)
    scaled.trade(poor, scaled.maker, 6_000, EVEN)
    orders = [
        scaled.signed(poor, "BUY", market="ETH-USD", size=100_000),
        scaled.signed(scaled.maker, "SELL", market="ETH-USD", slot=9, size=100_000),
    ]
    found = rejections(scaled.settle(orders, [scaled.fill(PRICE[2], 100_000), scaled.fill(PRICE[2], 12_500)]))
    assert [r.reason for r in found] == ["margin"]
    assert scaled.position(poor, 2).size == 12_500


# Setting it


def test_governance_sets_it_and_everything_else_stays(scaled: World) -> None:
    rule = scaled.exchange.send(scaled.governance)
    before = scaled.exchange.call.market(1)
    for bounds in ((0, 1), (2**20 - 2, 2**20 - 1), (0, 2**20 - 1), (5, 7), (0, 0)):
        [log] = rule.set_margin_scale(1, *bounds).named("MarginScaleSet")
        assert (log.market, log.scale_from, log.scale_to) == (1, *bounds)
        assert scaled.exchange.call.margin_scale(1) == bounds
        assert scaled.exchange.call.market(1) == before


def test_other_changes_of_the_market_leave_it_alone(scaled: World) -> None:
    rule = scaled.exchange.send(scaled.governance)
    rule.set_market(1, *replace(BTC, imf=60_000).parameters(), 1)
    rule.lower_cap(1, 10**6)
    scaled.exchange.send(scaled.system.keys.guardian.address).tighten(1, 2)
    assert scaled.exchange.call.margin_scale(1) == (2, 6)
    assert imf(scaled) == 60_000


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ((0, 2**20), "bound above"),
        ((2**20, 2**20), "bound above"),
        ((3, 3), "bounds not in order"),
        ((4, 3), "bounds not in order"),
        ((3, 0), "bounds not in order"),
        ((2**255, 5), "bounds not in order"),
    ],
)
def test_bounds_that_are_none(scaled: World, bounds: tuple[int, int], reason: str) -> None:
    rule = scaled.exchange.send(scaled.governance)
    with pytest.raises(RevertError, match=reason):
        rule.set_margin_scale(1, *bounds)
    with pytest.raises(RevertError, match="unknown market"):
        rule.set_margin_scale(9, 1, 2)
    assert scaled.exchange.call.margin_scale(1) == (2, 6)


def test_scaling_from_nothing(scaled: World) -> None:
    """From the first lot on: 10 of 10,000 USDC are 950 ppm."""
    scaled.exchange.send(scaled.governance).set_margin_scale(1, 0, 1)
    assert reasons(scaled, 1) == []
    assert imf(scaled) == IMF + 950
    assert reasons(scaled, 999) == []
    assert imf(scaled) == 10**6


def test_a_market_at_full_margin_already(scaled: World) -> None:
    scaled.exchange.send(scaled.governance).set_market(1, *replace(BTC, imf=10**6).parameters(), 1)
    assert reasons(scaled, 4_000) == []
    assert imf(scaled) == 10**6


def test_73_no_bounds_liquidate_anybody(scaled: World) -> None:
    """Attack 73: set at once, as tight as can be, it makes nobody liquidatable, and who is in gets out."""
    assert reasons(scaled, 5_000) == []
    victims = [wallet(f"victim {number}") for number in range(3)]
    for number, victim in enumerate(victims):
        scaled.system.fund(victim.address, (500 + 100 * number) * USDC)
        scaled.exchange.send(scaled.governance).set_margin_scale(1, 0, 0)
        scaled.trade(victim, scaled.maker, 1_000, EVEN)
    maintenance = [scaled.exchange.call.margin_of(victim.address, 0)[2] for victim in victims]
    scaled.exchange.send(scaled.governance).set_margin_scale(1, 0, 1)
    assert imf(scaled) == 10**6
    assert [scaled.exchange.call.margin_of(victim.address, 0)[2] for victim in victims] == maintenance
    for victim in victims:
        with pytest.raises(RevertError, match="account is healthy"):
            scaled.exchange.send(scaled.taker.address).liquidate(victim.address, 0, 1, 1, 0)
        scaled.trade(victim, scaled.maker, -1_000, EVEN)
        assert scaled.position(victim).size == 0


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_the_model(seed: int) -> None:
    """Openings, reductions and take-overs around the bounds, at prices that move across them."""
    twin = Twin((BTC, ETH))
    world = twin.world
    keys = [wallet(f"trader {number}") for number in range(3)]
    for key in keys:
        twin.deposit(key, 8_000 * USDC)
    bounds = [(1, 5), (0, 3), (2, 3)][seed]
    world.exchange.send(world.governance).set_margin_scale(1, *bounds)
    terms = twin.model.markets[1].terms
    twin.model.markets[1].terms = replace(terms, scale_from=bounds[0], scale_to=bounds[1])
    for turn in range(16):
        price = PRICE[1] * (100 + (turn * (3 + seed)) % 9 - 4) // 100 // 100 * 100
        twin.push(1, price)
        orders, fills = [], []
        for number in range(4):
            taker, maker = keys[(turn + number) % 3], keys[(turn + number + 1) % 3]
            lots = (turn * 7 + number * 11 + seed) % 13 * 600 + 1
            side, other = ("BUY", "SELL") if turn % 5 else ("SELL", "BUY")
            fields = {"limit_price": price, "size": lots}
            orders += [
                world.signed(taker, side, slot=10 + number, **fields),
                world.signed(maker, other, slot=20 + number, **fields),
            ]
            fills.append(world.fill(price, lots, 2 * number, 2 * number + 1))
        twin.settle(orders, fills)
        twin.check()
        for key, other_key in zip(keys, keys[1:] + keys[:1], strict=True):
            health = twin.model.health((key.address, 0))
            if health.equity < health.maintenance:
                twin.liquidate((key, 0), (other_key, 0), 1, 10**9)
                twin.check()
    assert twin.tally.done["fill"] > 8
    assert twin.tally.reasons["margin"] > 5
