# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 63 to 74: margin, liquidation, funding and who bears a loss.

Scenes of take-overs run on contracts and reference model at once and must agree to the unit; what comes after them in
the waterfall is worked out by hand.
"""

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from eth_account.signers.local import LocalAccount

from tests.attacks.scenes import Scene
from tests.reference.exact import SCALE
from tests.support.abi import RevertError
from tests.support.build import storage_slot
from tests.support.chain import Receipt
from tests.support.system import BTC, ETH
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World, account_key, rejections


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


def insolvent(lots: int = 1_000, insurance: int = 0, backstop: int = 0, price: int = 2_100_000) -> World:
    """The taker is the whole long side at 2.30 USDC with 120 USDC for 1,000 lots; at 2.10 it is worth -80 USDC."""
    world = World(funds=0)
    world.system.fund(world.taker.address, 120 * USDC * lots // 1_000)
    world.system.fund(world.maker.address, 100_000 * USDC)
    if insurance:
        world.system.donate(world.operator, insurance * USDC)
    if backstop:
        world.name_backstop(backstop * USDC)
    world.trade(world.taker, world.maker, lots)
    world.push({1: price})
    return world


def deleverage(world: World, lots: int, sender: str = KEYS.operator.address, *names: LocalAccount) -> Receipt:
    keys = [account_key(name) for name in names or (world.maker,)]
    return world.exchange.send(sender).deleverage(world.taker.address, 0, 1, keys, [lots] * len(keys))


def test_67_deleveraging_a_markets_whole_open_interest() -> None:
    """Every lot of the market goes in one transaction; what is left trades on at once."""
    world = insolvent(10_000)
    deleverage(world, 10_000)
    assert world.exchange.call.open_interest(1) == 0
    assert world.equity(world.taker) == 0
    world.system.fund(world.taker.address, 100_000 * USDC)
    world.trade(world.taker, world.maker, 10, 2_100_000)
    assert world.exchange.call.open_interest(1) == 10


def test_68_no_step_is_skipped_by_size_order_or_whose_account_it_is() -> None:
    """Whatever a keeper tries first, with its own account as counterparty: fund, backstop and step pay before it."""
    world = insolvent(insurance=10, backstop=20)
    keeper = wallet("keeper")
    world.system.fund(keeper.address, 10_000 * USDC)
    world.trade(world.maker, keeper, 500, 2_100_000)  # the keeper is half of the short side
    backstop = world.exchange.call.backstop()
    for lots in (1, 10, 100, 500):
        with pytest.raises(RevertError, match="nothing is left unpaid"):
            deleverage(world, lots, keeper.address, keeper)
    liquidator = world.exchange.send(keeper.address)
    liquidator.liquidate(world.taker.address, 0, 1, 100, 0)  # 8 USDC
    assert (world.exchange.call.insurance(), world.exchange.call.cash(backstop, 0)) == (2 * USDC, 20 * USDC)
    for lots in (1, 400):
        with pytest.raises(RevertError, match="nothing is left unpaid"):
            deleverage(world, lots, keeper.address, keeper)
    liquidator.liquidate(world.taker.address, 0, 1, 200, 0)  # 16 USDC
    assert (world.exchange.call.insurance(), world.exchange.call.cash(backstop, 0)) == (0, 6 * USDC)
    receipt = liquidator.liquidate(world.taker.address, 0, 1, 300, 0)  # 24 USDC: 18 by the step
    assert [log.per_lot_scaled > 0 for log in receipt.named("LossSpread")] == [True]
    with pytest.raises(RevertError, match="nothing is left unpaid"):
        deleverage(world, 1, keeper.address, world.maker)
    assert world.exchange.call.cash(backstop, 0) == 0
    receipt = deleverage(world, 400, keeper.address, world.maker)
    [log] = receipt.named("Deleveraged")
    assert receipt.named("LossSpread")[0].per_lot_scaled > 0
    assert log.price > 2_100_000
    assert world.equity(world.taker) >= 0


def test_68_starving_a_step_of_gas_skips_none() -> None:
    """With whatever gas: the whole happens, or nothing does."""
    outcomes = set()
    world = insolvent(insurance=10, backstop=20)
    backstop = world.exchange.call.backstop()
    keys = [account_key(world.maker)]
    for gas in range(60_000, 600_000, 6_000):
        with world.evm.undone():
            try:
                send = world.exchange.send(world.operator, gas)
                [log] = send.deleverage(world.taker.address, 0, 1, keys, [1_000]).named("Deleveraged")
            except RevertError:
                assert world.exchange.call.insurance() == 10 * USDC
                continue
            outcomes.add(
                (log.price, log.covered, world.exchange.call.insurance(), world.exchange.call.cash(backstop, 0))
            )
    assert outcomes == {(2_118_500, 61_500_000, 0, 0)}


def test_68_tiny_closes_cost_the_fund_no_more_than_a_unit_each() -> None:
    """The hole of each is rounded up: lot by lot, that is at most a micro-USDC a transaction."""
    world = insolvent(insurance=1_000, price=2_123_457)
    hole = -world.equity(world.taker) / 2**32
    pieces = 150
    for _ in range(pieces):
        world.exchange.send(world.maker.address).liquidate(world.taker.address, 0, 1, 3, 0)
    world.exchange.send(world.maker.address).liquidate(world.taker.address, 0, 1, 10**6, 0)
    paid = 1_000 * USDC - world.exchange.call.insurance()
    assert hole <= paid <= hole + pieces + 2
    assert 0 <= world.cash(world.taker) <= pieces + 1
    everybody = [(key.address, 0) for key in (world.taker, world.maker)]
    assert world.dust(everybody) >= 0


def test_68_the_backstop_earns_half_of_what_liquidations_pay() -> None:
    """At 2.24 a lot pays 2,800 micro-USDC for safety: the odd one stays with the fund."""
    world = insolvent(backstop=5, price=2_240_000)
    backstop = world.exchange.call.backstop()
    receipt = world.exchange.send(world.maker.address).liquidate(world.taker.address, 0, 1, 101, 0)
    [log] = receipt.named("Liquidated")
    assert log.insurance_fee == 101 * 2_800
    assert world.exchange.call.cash(backstop, 0) == 5 * USDC + 141_400
    assert world.exchange.call.insurance() == 141_400
    assert [entry.delta for entry in receipt.named("BackstopChanged")] == [141_400]


def test_69_deleveraging_a_flat_or_a_healthy_account() -> None:
    world = insolvent()
    world.system.fund(wallet("flat").address, 1)
    send = world.exchange.send(world.operator)
    for owner in (wallet("flat").address, wallet("nobody").address, world.maker.address):
        with pytest.raises(RevertError, match="account is solvent"):
            send.deleverage(owner, 0, 1, [account_key(world.maker)], [1])
    world.push({1: 2_180_000})  # worth nothing, but owes nothing
    assert world.equity(world.taker) == 0
    with pytest.raises(RevertError, match="account is solvent"):
        deleverage(world, 1_000)
    world.push({1: 2_230_000})  # liquidatable
    with pytest.raises(RevertError, match="account is solvent"):
        deleverage(world, 1_000)


def test_70_deleveraging_retried() -> None:
    """The same call again finds nothing to do, and nobody pays twice."""
    world = insolvent()
    deleverage(world, 1_000)
    after = world.equity(world.maker)
    with pytest.raises(RevertError, match="account is solvent"):
        deleverage(world, 1_000)
    assert world.equity(world.maker) == after
    world = insolvent()
    deleverage(world, 700)
    half = world.equity(world.maker)
    with pytest.raises(RevertError, match="no counterparty"):
        deleverage(world, 1_000, KEYS.operator.address, world.taker)
    deleverage(world, 700)
    assert world.position(world.maker).size == 0
    assert half > world.equity(world.maker)
    assert world.dust([(key.address, 0) for key in (world.taker, world.maker)]) >= 0


def test_60_the_dearest_deleveraging_fits_a_block() -> None:
    """The account and sixteen counterparties with eight legs each."""
    listings = tuple(replace(BTC, id=number, ticker=f"M{number}-USD") for number in range(1, 9))
    world = World(listings, funds=10_000_000 * USDC)
    victim, shorts = wallet("victim"), [wallet(f"short {number}") for number in range(16)]
    world.system.fund(victim.address, 1_000 * USDC)
    for short in shorts:
        world.system.fund(short.address, 10_000 * USDC)
    for listing in listings:
        for short in shorts:
            lots = 60 if listing.id == 1 else 10
            world.trade(victim, short, lots, PRICE.get(listing.id, 1_000_000), listing.ticker)
    world.push({number: PRICE.get(number, 1_000_000) * 68 // 100 for number in range(1, 9)})
    assert world.equity(victim) < 0
    keys = [account_key(short) for short in shorts]
    receipt = world.exchange.send(world.operator).deleverage(victim.address, 0, 1, keys, [60] * 16)
    assert len(receipt.named("HandedOver")) == 16
    assert receipt.gas_used < 5_000_000


def test_63_an_account_that_asked_to_close_is_liquidated_like_any_other() -> None:
    """A pending request is no shield, and what is liquidated meanwhile is not closed again."""
    world = insolvent(price=2_240_000)
    world.exchange.send(world.taker.address).request_close(0, 1, 1_000)
    [log] = world.exchange.send(world.maker.address).liquidate(world.taker.address, 0, 1, 10**6, 0).named("Liquidated")
    left = 1_000 - log.size
    world.warp(6 * 3_600)
    world.push({1: 2_240_000})
    keys = [account_key(world.maker)]
    [log] = world.exchange.send(world.operator).execute_close(
        world.taker.address, 0, 1, keys, [1_000]
    ).named("CloseExecuted")  # fmt: skip
    assert log.size == left


def test_64_closing_by_request_between_ones_own_accounts_gains_nothing() -> None:
    """The fee of one is the gain of the other; together they end where they began, and the vault holds all."""
    world = World(funds=0)
    one, two = wallet("one"), wallet("two")
    for key in (one, two):
        world.system.fund(key.address, 1_000 * USDC)
    world.trade(one, two, 1_000)
    world.exchange.send(one.address).request_close(0, 1, 1_000)
    world.warp(6 * 3_600)
    world.push({1: 2_345_678})
    world.exchange.send(one.address).execute_close(one.address, 0, 1, [account_key(two)], [1_000])
    assert world.cash(one) + world.cash(two) <= 2_000 * USDC
    assert world.balance(world.vault.address) == 2_000 * USDC


def test_33_out_without_the_operator() -> None:
    """The operator is gone: closed by request, withdrawn by request, nothing lost but the fee; then the market ends."""
    world = World()
    world.trade(world.taker, world.maker, 1_000)
    world.exchange.send(world.taker.address).request_close(0, 1, 600)
    world.warp(6 * 3_600)
    world.push({1: PRICE[1]})
    anyone = world.exchange.send(wallet("anyone").address)
    anyone.execute_close(world.taker.address, 0, 1, [account_key(world.maker)], [600])
    for _ in range(3):
        world.warp(86_400)
        world.push({1: PRICE[1]})
    anyone.begin_settling(1)
    world.warp(3_600)
    world.push({1: PRICE[1]})
    anyone.fix_settlement(1)
    world.warp(86_400)
    anyone.settle_positions(1, [account_key(world.taker), account_key(world.maker)])
    fee = 600 * PRICE[1] * 5_000 // 10**6
    assert world.cash(world.taker) == 100_000 * USDC - fee
    for key in (world.taker, world.maker):
        vault = world.vault.send(key.address)
        vault.request_withdrawal(0, world.cash(key), key.address)
    number = world.vault.call.next_id()
    world.warp(world.system.withdrawal_delay)
    for id_ in (number - 2, number - 1):
        world.vault.send(wallet("anyone").address).execute_withdrawal(id_)
    assert world.balance(world.vault.address) == world.exchange.call.insurance() + world.exchange.call.fees() == 0


def test_75_exits_in_every_state_of_a_market() -> None:
    """Reduce-only, halted, settling: a close on request works; settled: everybody is closed."""
    for state in (1, 2, 3):
        world = World()
        world.trade(world.taker, world.maker, 100)
        if state > 1:
            world.exchange.send(KEYS.guardian.address).tighten(1, state)
        world.exchange.send(world.taker.address).request_close(0, 1, 100)
        world.warp(6 * 3_600)
        world.push({1: PRICE[1]})
        world.exchange.send(world.operator).execute_close(
            world.taker.address, 0, 1, [account_key(world.maker)], [100]
        )  # fmt: skip
        assert world.position(world.taker).size == 0


def test_58_dust_left_behind_is_closed_by_request() -> None:
    world = World()
    world.trade(world.taker, world.maker, 1)
    world.exchange.send(world.maker.address).request_close(0, 1, 1)
    world.warp(6 * 3_600)
    world.push({1: 1})
    keys = [account_key(world.taker)]
    [log] = world.exchange.send(world.operator).execute_close(
        world.maker.address, 0, 1, keys, [1]
    ).named("CloseExecuted")  # fmt: skip
    assert log.price == 2  # a fee of one micro-USDC at least
    assert world.dust([(key.address, 0) for key in (world.taker, world.maker)]) >= 0


def test_71_the_backstops_account_cannot_be_liquidated_or_deleveraged() -> None:
    world = insolvent(backstop=20)
    backstop = world.exchange.call.backstop()
    send = world.exchange.send(world.operator)
    with pytest.raises(RevertError, match="account is healthy"):
        send.liquidate(backstop, 0, 1, 1, 0)
    with pytest.raises(RevertError, match="account is solvent"):
        send.deleverage(backstop, 0, 1, [account_key(world.maker)], [1])
    with pytest.raises(RevertError, match="no counterparty"):
        send.deleverage(world.taker.address, 0, 1, [int(backstop, 16) << 16], [1_000])
    deleverage(world, 1_000)
    assert world.exchange.call.cash(backstop, 0) == 0
    with pytest.raises(RevertError, match="account is healthy"):
        send.liquidate(backstop, 0, 1, 1, 0)


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
    per_hour = 2**40 * 5_000 * SCALE // 10**8
    assert 2**78 // per_hour > 1_000  # hours at the highest rate, at the highest price there can be
    world = World()
    bound = sign * (2**78 - 5)
    word = bound << 160 | (bound & (1 << 96) - 1) << 64
    world.evm.set_mapping(world.exchange.address, storage_slot("Exchange", "markets", "indices"), 1, word)
    assert world.exchange.call.market_indices(1)[:2] == (bound, bound)
    price = PRICE[1] + sign * 100_000
    world.trade(world.taker, world.maker, 1_000, price, taker_fee=350)
    equity = world.equity(world.taker)
    for _ in range(3):
        world.warp(3_600)
        world.push({1: PRICE[1]})
        world.exchange.send(world.operator).poke(1)
        assert world.exchange.call.market_indices(1)[:2] == (bound, bound)
        assert world.equity(world.taker) == equity
    world.trade(world.taker, world.maker, -1_000, price)
    assert world.cash(world.maker) == 100_000 * USDC


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
    assert index == (PRICE[1] * 2_500 * SCALE // (10**8 * 3_600) * 3_600 if open_interest else 0)
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
