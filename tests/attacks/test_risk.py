# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 63 to 74: margin, liquidation, funding and who bears a loss.

Scenes of take-overs run on contracts and reference model at once and must agree to the unit; what comes after them in
the waterfall is worked out by hand.
"""

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest

from tests.attacks.scenes import Scene
from tests.reference.exact import SCALE
from tests.support.abi import RevertError
from tests.support.build import storage_slot
from tests.support.system import BTC, ETH
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World, rejections


def at_the_boundary(short: bool) -> tuple[Scene, int]:
    """A position and the last price at which it is still healthy, found by bisection on the contract's own view."""
    scene = Scene()
    scene.fund(victim=200)
    scene.trade(scene.victim, scene.maker, -1_000 if short else 1_000)
    healthy, sick = PRICE[1], PRICE[1] * (115 if short else 85) // 100
    while abs(healthy - sick) > 1:
        middle = (healthy + sick) // 2
        with scene.twin.world.evm.undone():
            scene.twin.world.push({1: middle})
            equity, _, maintenance, _ = scene.twin.world.exchange.call.margin_of(scene.victim.address, 0)
        if equity >= maintenance:
            healthy = middle
        else:
            sick = middle
    return scene, healthy


@pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
def test_63_healthy_account_liquidated_boundary(short: bool) -> None:
    """Exactly at maintenance margin nothing happens; one unit of price further it does."""
    scene, healthy = at_the_boundary(short)
    scene.price(healthy)
    with pytest.raises(RevertError, match="account is healthy"):
        scene.twin.world.exchange.send(scene.maker.address).liquidate(scene.victim.address, 0, 1, 1, 0)
    assert not scene.liquidate()
    scene.price(healthy + 1 if short else healthy - 1)
    assert scene.liquidate()


def test_63_one_micro_of_equity_decides() -> None:
    scene, healthy = at_the_boundary(short=False)
    scene.price(healthy)
    health = scene.twin.model.health((scene.victim.address, 0))
    spare = int(health.equity - health.maintenance)
    assert scene.twin.withdraw(scene.victim, 1) is False  # nothing is free below initial margin
    scene.price(healthy - 1)
    below = scene.twin.model.health((scene.victim.address, 0))
    missing = -int((below.equity - below.maintenance) // 1)
    assert spare >= 0
    scene.twin.deposit(scene.victim, missing)
    assert not scene.liquidate()


def test_64_self_liquidation_for_profit() -> None:
    """Through another subaccount of one's own, at whatever depth: both together never gain."""
    for drop in range(20, 80, 3):
        scene = Scene()
        scene.fund(victim=200, liquidator=0)
        scene.twin.deposit(scene.victim, 5_000 * USDC, subaccount=1)
        scene.trade(scene.victim, scene.maker, 1_500)
        scene.price(PRICE[1] * (1_000 - drop) // 1_000)
        before = sum(scene.twin.model.health((scene.victim.address, number)).equity for number in (0, 1))
        taken = scene.twin.liquidate((scene.victim, 0), (scene.victim, 1), 1, 10**6)
        scene.twin.check()
        after = sum(scene.twin.model.health((scene.victim.address, number)).equity for number in (0, 1))
        covered = taken.covered if taken else 0
        assert after <= before + covered
        if before > 0 and scene.twin.model.health((scene.victim.address, 0)).equity > 0:
            assert after <= before


def test_64_an_account_cannot_liquidate_itself() -> None:
    scene = Scene()
    scene.fund(victim=200)
    scene.trade(scene.victim, scene.maker, 1_500)
    scene.price(PRICE[1] * 96 // 100)
    with pytest.raises(RevertError, match="own account"):
        scene.twin.world.exchange.send(scene.victim.address).liquidate(scene.victim.address, 0, 1, 1, 0)


def test_65_a_one_unit_deposit_or_cancel_front_runs_a_liquidation() -> None:
    """A deposit that does not heal changes nothing; no cancel, withdrawal request or fill of one's own holds it up."""
    scene = Scene()
    scene.fund(victim=200)
    scene.trade(scene.victim, scene.maker, 1_500)
    scene.price(PRICE[1] * 96 // 100)
    scene.twin.deposit(scene.victim, 1)
    scene.twin.cancel_all(scene.victim)
    scene.twin.cancel_slot(scene.victim, 1)
    scene.twin.world.vault.send(scene.victim.address).request_withdrawal(0, 1, scene.victim.address)
    assert scene.liquidate()


def test_66_partial_liquidation_worsens_health() -> None:
    """Lot by lot or in any pieces, E / MM never falls, and no piece passes bankruptcy."""
    random = Random(3)
    for _ in range(15):
        scene = Scene()
        scene.fund(victim=400)
        scene.trade(scene.victim, scene.maker, 1_200)
        scene.trade(scene.victim, scene.maker, -1_000, PRICE[2], market=2)
        scene.price(PRICE[1] * random.randrange(930, 975) // 1_000)
        scene.price(PRICE[2] * random.randrange(990, 1_040) // 1_000, market=2)
        for _ in range(6):
            market = random.choice([1, 2])
            before = scene.twin.model.health((scene.victim.address, 0))
            if not scene.liquidate(random.choice([1, 7, 100, 10**6]), market):
                continue
            after = scene.twin.model.health((scene.victim.address, 0))
            assert after.equity >= min(before.equity, Fraction(0))
            assert after.equity * before.maintenance >= before.equity * after.maintenance


def test_66_rounding_never_lowers_health() -> None:
    """Small lots, small pieces: maintenance margins round up, the concession must not take what that leaves out."""
    random = Random(11)
    fine = replace(BTC, tick=1, liquidation_floor=0)
    taken = 0
    for _ in range(150):
        scene = Scene((fine,))
        scene.twin.push(1, 4_000)
        scene.fund(victim=0, maker=1_000, liquidator=1_000)
        lots = random.randrange(300, 600)
        scene.twin.deposit(scene.victim, 4_000 * lots * 5 // 100 + random.randrange(1_000))
        scene.trade(scene.victim, scene.maker, lots, 4_000)
        scene.price(random.randrange(3_805, 3_850))
        before = scene.twin.model.health((scene.victim.address, 0))
        if before.equity <= 0 or not scene.liquidate(random.randrange(1, 5)):
            continue
        after = scene.twin.model.health((scene.victim.address, 0))
        taken += 1
        assert after.equity * before.maintenance >= before.equity * after.maintenance
    assert taken > 50


def test_66_a_partial_liquidation_stops_at_initial_margin() -> None:
    scene = Scene()
    scene.fund(victim=5_000)
    scene.trade(scene.victim, scene.maker, 40_000)
    scene.price(PRICE[1] * 965 // 1_000)
    assert scene.liquidate()
    health = scene.twin.model.health((scene.victim.address, 0))
    assert 0 < scene.size(scene.victim) < 40_000
    assert health.initial <= health.equity <= health.initial * Fraction(101, 100)
    assert not scene.liquidate()


def test_66_dust_is_not_left_behind() -> None:
    """When less than 10 USDC of notional would stay, all goes."""
    scene = Scene()
    scene.fund(victim=2)
    scene.trade(scene.victim, scene.maker, 5)
    scene.price(PRICE[1] * 84 // 100)
    assert scene.liquidate()
    assert scene.size(scene.victim) == 0


def test_67_one_liquidation_of_a_markets_whole_open_interest() -> None:
    """One account is the whole long side, bankrupt, and goes in one transaction; the market trades on."""
    scene = Scene()
    scene.fund(victim=5_000)
    scene.twin.donate(scene.maker, 50_000 * USDC)
    scene.trade(scene.victim, scene.maker, 40_000)
    scene.price(PRICE[1] * 90 // 100)
    assert scene.liquidate()
    assert scene.size(scene.victim) == 0
    assert scene.size(scene.liquidator) == 40_000
    assert scene.twin.takeovers[-1].covered > 0
    scene.trade(scene.liquidator, scene.maker, -40_000, PRICE[1] * 90 // 100)
    assert scene.twin.model.markets[1].open_interest == 0


def test_67_the_counterparty_itself_may_take_it_over() -> None:
    scene = Scene()
    scene.fund(victim=5_000)
    scene.trade(scene.victim, scene.maker, 40_000)
    scene.price(PRICE[1] * 96 // 100)
    assert scene.liquidate(by=scene.maker)
    assert scene.twin.model.markets[1].open_interest < 40_000


def test_68_waterfall_order() -> None:
    """Insurance first, to its last unit; then the opposite side; nobody else, and no liquidator gains."""
    scene = Scene()
    scene.fund(victim=1_000)
    bystander = wallet("bystander")
    scene.twin.deposit(bystander, 777 * USDC)
    scene.twin.donate(scene.maker, 30 * USDC)
    scene.trade(scene.victim, scene.maker, 8_000)
    scene.price(PRICE[1] * 944 // 1_000)
    before = scene.twin.model.health((scene.victim.address, 0))
    assert before.equity < 0
    short_before = scene.twin.model.health((scene.maker.address, 0)).equity
    assert scene.liquidate(100)  # a small part: the fund covers it alone
    first = scene.twin.takeovers[-1]
    assert first.covered > 0
    assert first.spread == 0
    assert scene.liquidate()
    second = scene.twin.takeovers[-1]
    assert second.spread > 0
    assert scene.twin.model.insurance == 0
    assert first.insurance == second.insurance == 0
    lost = short_before - scene.twin.model.health((scene.maker.address, 0)).equity
    spread = second.covered + first.covered - 30 * USDC
    assert spread <= lost <= spread + 1
    assert scene.twin.model.accounts[bystander.address, 0].cash == 777 * USDC
    assert scene.twin.model.health((scene.victim.address, 0)).equity == 0


def test_68_the_loss_step_is_bounded_by_half_the_maintenance_margin_per_hour() -> None:
    """A deeper hole waits: nothing is spread beyond the bound, and an hour later the next step is open."""
    scene = Scene()
    scene.fund(victim=1_000)
    scene.trade(scene.victim, scene.maker, 8_000)
    scene.price(PRICE[1] * 920 // 1_000)
    with pytest.raises(RevertError, match="loss step exhausted"):
        scene.twin.world.exchange.send(scene.liquidator.address).liquidate(scene.victim.address, 0, 1, 10**6, 0)
    assert not scene.liquidate()
    pieces = 0
    while scene.liquidate(500):
        pieces += 1
    assert 0 < pieces < 16
    bound = scene.twin.model.markets[1].price * BTC.mmf * SCALE // 2_000_000
    assert scene.twin.model.markets[1].loss_in_hour <= bound
    scene.twin.warp(3_600)
    scene.price(PRICE[1] * 920 // 1_000)
    assert scene.liquidate(500)


def test_71_operator_and_fund_hold_no_position_that_could_be_liquidated() -> None:
    """The insurance fund is a number, not an account: there is nothing to liquidate."""
    scene = Scene()
    scene.fund(victim=100)
    scene.twin.donate(scene.maker, 10 * USDC)
    world = scene.twin.world
    for address in (world.exchange.address, world.vault.address, "0x" + "00" * 20):
        with pytest.raises(RevertError, match="account is healthy"):
            world.exchange.send(scene.liquidator.address).liquidate(address, 0, 1, 1, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_72_funding_index_overflow(sign: int) -> None:
    """An index at its bound stands still: nothing wraps, positions stay exact, and exits stay possible."""
    per_hour = (2**40 * 10_000 * SCALE) // 10**8
    assert 2**78 // per_hour > 500  # hours at the cap, at the highest price there can be
    world = World()
    bound, rate, last = sign * (2**78 - 5), sign * 10_000, world.now
    word = bound << 160 | (bound & (1 << 96) - 1) << 64 | last << 24 | rate & (1 << 24) - 1
    world.evm.set_mapping(world.exchange.address, storage_slot("Exchange", "markets", "indices"), 1, word)
    assert world.exchange.call.market_indices(1) == (bound, bound, last, rate)
    world.trade(world.taker, world.maker, 1_000)
    equity = world.exchange.call.margin_of(world.taker.address, 0)[0]
    world.warp(60)
    world.exchange.send(world.operator).poke(1)
    g_long, g_short, _, _ = world.exchange.call.market_indices(1)
    assert (g_long, g_short) == (bound, bound)
    assert world.exchange.call.margin_of(world.taker.address, 0)[0] == equity
    world.trade(world.taker, world.maker, -1_000)
    assert world.cash(world.taker) == world.cash(world.maker) == 100_000 * USDC


@pytest.mark.parametrize("open_interest", [0, 500])
def test_72_a_ten_year_gap(open_interest: int) -> None:
    """One hour of funding at the most, and the next hour starts with nothing."""
    scene = Scene()
    scene.fund(victim=50_000)
    if open_interest:
        price = PRICE[1] * 102 // 100
        ask = {"limit_price": price, "size": open_interest}
        orders = [scene.twin.world.signed(scene.victim, "BUY", **ask),
                  scene.twin.world.signed(scene.maker, "SELL", slot=2, **ask)]  # fmt: skip
        scene.twin.settle(orders, [scene.twin.world.fill(price, open_interest, taker_fee=350)])
    scene.twin.warp(10 * 365 * 86_400)
    scene.price(PRICE[1])
    scene.twin.poke(1)
    scene.twin.check()
    index = scene.twin.model.markets[1].funding.g_long
    assert index == ((PRICE[1] * 5_000 * SCALE) // 10**8 if open_interest else 0)
    assert scene.twin.model.markets[1].funding.rate == 0


def test_72_a_flip_between_two_fundings() -> None:
    """From long to short in one fill while the index moves: each side's funding until and from then on."""
    scene = Scene()
    scene.fund(victim=50_000)
    price = PRICE[1] * 102 // 100
    for lots, at in ((500, price), (-900, PRICE[1])):
        side, other = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
        terms = {"limit_price": at, "size": abs(lots)}
        orders = [scene.twin.world.signed(scene.victim, side, **terms),
                  scene.twin.world.signed(scene.maker, other, slot=2, **terms)]  # fmt: skip
        scene.twin.settle(orders, [scene.twin.world.fill(at, abs(lots), taker_fee=350)])
        scene.twin.check()
        scene.twin.warp(5_400)
        scene.price(PRICE[1])
        scene.twin.poke(1)
        scene.twin.check()
    assert scene.size(scene.victim) == -400
    flat = sum(scene.twin.model.health((key.address, 0)).equity for key in (scene.victim, scene.maker))
    assert flat == 1_050_000 * USDC - scene.twin.model.fees  # I4: what one paid the other received


def test_72_washing_prints_never_pays() -> None:
    """Two colluders print the highest premium the band allows, all hour, against an honest other side."""
    scene = Scene()
    honest, one, two = scene.victim, wallet("colluder one"), wallet("colluder two")
    scene.fund(victim=20_000)
    for key in (one, two):
        scene.twin.deposit(key, 20_000 * USDC)
    scene.trade(honest, one, 2_000)  # colluder one is short: it would earn what honest longs pay
    start = [scene.twin.model.health((key.address, 0)).equity for key in (honest, one, two)]
    high = PRICE[1] * 1005 // 1000 // 100 * 100
    for side, other in (("BUY", "SELL"), ("SELL", "BUY")):
        for _ in range(2):
            terms = {"limit_price": high, "size": 500}
            orders = [scene.twin.world.signed(two, side, **terms),
                      scene.twin.world.signed(one, other, slot=2, **terms)]  # fmt: skip
            scene.twin.settle(orders, [scene.twin.world.fill(high, 500, taker_fee=200)])
    for _ in range(2):
        scene.twin.warp(3_600)
        scene.price(PRICE[1])
        scene.twin.poke(1)
    end = [scene.twin.model.health((key.address, 0)).equity for key in (honest, one, two)]
    assert end[1] + end[2] <= start[1] + start[2]
    scene.twin.check()


def test_73_a_parameter_change_that_liquidates_at_once() -> None:
    """What could liquidate somebody is announced word for word, two weeks before; who leaves meanwhile is safe."""
    scene = Scene()
    scene.fund(victim=300)
    scene.trade(scene.victim, scene.maker, 1_000)
    world = scene.twin.world
    exchange, rule = world.exchange, world.exchange.send(world.governance)
    harsh = (1, *replace(BTC, imf=200_000, mmf=150_000).parameters(), 1)
    for who in (scene.maker.address, world.operator, KEYS.guardian.address):
        with pytest.raises(RevertError, match="only governance"):
            exchange.send(who).set_market(*harsh)
    for worse in (replace(BTC, mmf=BTC.mmf + 1), replace(BTC, liquidation_floor=BTC.liquidation_floor + 1),
                  replace(BTC, max_price_age=BTC.max_price_age - 1)):  # fmt: skip
        with pytest.raises(RevertError, match="no notice"):
            rule.set_market(1, *worse.parameters(), 1)
    rule.announce(exchange.data("set_market", *harsh))
    world.warp(14 * 86_400 - 1)
    with pytest.raises(RevertError, match="notice too young"):
        rule.set_market(*harsh)
    world.warp(1)
    with pytest.raises(RevertError, match="no notice"):  # not the call that was announced
        rule.set_market(1, *replace(BTC, imf=200_000, mmf=150_001).parameters(), 1)
    world.push({1: PRICE[1]})
    with pytest.raises(RevertError, match="account is healthy"):
        exchange.send(scene.liquidator.address).liquidate(scene.victim.address, 0, 1, 1, 0)
    rule.set_market(*harsh)
    exchange.send(scene.liquidator.address).liquidate(scene.victim.address, 0, 1, 1, 0)
    with pytest.raises(RevertError, match="no notice"):  # spent
        rule.set_market(*(1, *replace(BTC, imf=200_000, mmf=160_000).parameters(), 1))


def test_73_the_bounds_hold_even_with_notice() -> None:
    world = World()
    for listing, reason in (
        (replace(BTC, imf=1_000_001, mmf=500_000), "initial margin not in"),
        (replace(BTC, mmf=BTC.imf), "maintenance margin not in"),
        (replace(BTC, liquidation_floor=BTC.mmf + 1), "liquidation floor above"),
    ):
        with pytest.raises(RevertError, match=reason):
            world.announced("set_market", 1, *listing.parameters(), 1)


def test_74_margin_evasion_by_subaccounts() -> None:
    """What one subaccount owes another cannot hide: each stands alone, and a long and a short need margin twice."""
    scene = Scene()
    scene.fund(victim=120)
    scene.twin.deposit(scene.victim, 120 * USDC, subaccount=1)
    world = scene.twin.world
    between = [world.signed(scene.victim, "BUY", size=1_100),
               world.signed(scene.victim, "SELL", slot=2, subaccount=1, size=1_100)]  # fmt: skip
    outcomes = scene.twin.settle(between, [world.fill(size=1_100)])
    assert {fault.reason for fault in outcomes[0]} == {"margin"}  # type: ignore[union-attr]
    scene.twin.settle(between, [world.fill(size=1_000)])
    scene.twin.check()
    scene.price(PRICE[1] * 106 // 100)
    losing = scene.twin.model.health((scene.victim.address, 1))
    assert losing.equity < losing.maintenance
    assert not scene.twin.withdraw(scene.victim, 121 * USDC)  # the winning half pays out no unrealised profit
    assert scene.twin.liquidate((scene.victim, 1), (scene.liquidator, 0), 1, 10**6) is not None
    scene.twin.check()


def test_74_off_market_trades_between_friends_cannot_print_bad_debt() -> None:
    """A reduction at the edge of the band that lowers E / MM is refused, however much it reduces."""
    scene = Scene()
    scene.fund(victim=200)
    scene.trade(scene.victim, scene.maker, 1_500)
    scene.price(PRICE[1] * 97 // 100 // 100 * 100)
    gift = PRICE[1] * 89 // 100 // 100 * 100
    world = scene.twin.world
    orders = [world.signed(scene.maker, "BUY", limit_price=gift, slot=7, size=1_500),
              world.signed(scene.victim, "SELL", limit_price=gift, slot=8, size=1_500, reduce_only=True)]  # fmt: skip
    for lots in (1, 700, 1_500):
        [rejection] = rejections(world.settle(orders, [world.fill(gift, lots)]))
        assert (rejection.fault_class, rejection.reason, rejection.order) == (2, "margin", orders[1].id)
    fair = PRICE[1] * 97 // 100 // 100 * 100
    scene.trade(scene.victim, scene.maker, -700, fair)
    scene.twin.check()


def test_a_reduction_that_improves_passes_below_initial_margin() -> None:
    scene = Scene()
    scene.fund(victim=200)
    scene.trade(scene.victim, scene.maker, 1_500)
    low = PRICE[1] * 965 // 1_000 // 100 * 100
    scene.price(low)
    health = scene.twin.model.health((scene.victim.address, 0))
    assert health.equity < health.initial
    scene.trade(scene.victim, scene.maker, -100, low)
    with pytest.raises(AssertionError):
        scene.trade(scene.victim, scene.maker, 1, low)
    scene.twin.check()


def test_other_markets_feel_nothing_of_a_loss_step() -> None:
    """I12: the step lowers the short side of its own market only."""
    scene = Scene((BTC, ETH))
    scene.fund(victim=1_000)
    scene.trade(scene.victim, scene.maker, 8_000)
    scene.trade(scene.maker, scene.liquidator, 100, PRICE[2], market=2)
    scene.price(PRICE[1] * 944 // 1_000)
    eth = scene.twin.model.markets[2].funding
    assert scene.liquidate()
    assert scene.twin.takeovers[-1].spread > 0
    assert scene.twin.model.markets[2].funding == eth
