# SPDX-License-Identifier: AGPL-3.0-only
"""`liquidate`: what it says, what it leaves, and by numbers worked out by hand."""

from dataclasses import replace

import pytest

from tests.support.abi import Log, RevertError
from tests.support.build import storage_slot
from tests.support.wire import PositionWord, wallet
from tests.support.world import PRICE, USDC, World, account_key

VICTIM, LIQUIDATOR = wallet("victim"), wallet("liquidator")


@pytest.fixture
def world() -> World:
    """The victim is long 1,000 lots at 2.30 USDC with 120 USDC; the price falls to 2.25: E = 70, MM = 67.5 USDC."""
    world = World()
    world.system.fund(VICTIM.address, 120 * USDC)
    world.system.fund(LIQUIDATOR.address, 10_000 * USDC)
    world.trade(VICTIM, world.maker, 1_000)
    world.push({1: 2_250_000})
    return world


def liquidate(world: World, size: int = 10**9, market: int = 1, subaccount: int = 0) -> Log:
    sender = world.exchange.send(LIQUIDATOR.address)
    log: Log
    [log] = sender.liquidate(VICTIM.address, 0, market, size, subaccount).named("Liquidated")
    return log


def test_by_hand(world: World) -> None:
    """At 2.24: E = 60, MM = 67.2, h = 0.8928: 1.5 * (1 - h) * 3% is 4,821 ppm, so the floor of 5,000 holds."""
    world.push({1: 2_240_000})
    log = liquidate(world, 100)
    per_lot = 2_240_000 * 5_000 // 10**6
    fund = per_lot // 4
    assert (log.size, log.price, log.insurance_fee, log.covered) == (
        100,
        2_240_000 - (per_lot - fund),
        100 * fund,
        0,
    )
    assert world.exchange.call.insurance() == 100 * fund
    equity = world.exchange.call.margin_of(VICTIM.address, 0)[0] >> 32
    assert equity == 60 * USDC - 100 * per_lot
    gained = world.exchange.call.margin_of(LIQUIDATOR.address, 0)[0] >> 32
    assert gained == 10_000 * USDC + 100 * (per_lot - fund)


def test_deeper_pays_more_and_never_past_bankruptcy(world: World) -> None:
    """At 2.21: E = 30, MM = 66.3, h = 0.4524: a lot's share 0.03 of the equity is below 1.5 * (1 - h) * mmf."""
    world.push({1: 2_210_000})
    log = liquidate(world, 500)
    per_lot = 30 * USDC * (2_210_000 * 30_000 // 10**6) // 66_300_000
    assert per_lot == 30_000
    assert log.price == 2_210_000 - (per_lot - per_lot // 4)
    equity, _, maintenance, _ = world.exchange.call.margin_of(VICTIM.address, 0)
    assert equity * 66_300_000 >= (30 * USDC) * maintenance


def test_the_size_restores_initial_margin(world: World) -> None:
    """At 2.24 with IM = 112: (112 - 60) / (0.112 - 0.0112) = 515.9, rounded up."""
    world.push({1: 2_240_000})
    log = liquidate(world)
    assert log.size == 516
    equity, initial, _, _ = world.exchange.call.margin_of(VICTIM.address, 0)
    assert equity >= initial


def test_a_bankrupt_position_goes_at_index_price_for_nobodys_gain(world: World) -> None:
    """At 2.15: E = -30. The fund pays the hole."""
    world.system.donate(LIQUIDATOR.address, 100 * USDC)
    world.push({1: 2_150_000})
    before = world.exchange.call.margin_of(LIQUIDATOR.address, 0)[0]
    log = liquidate(world)
    assert (log.size, log.price, log.insurance_fee, log.covered) == (1_000, 2_150_000, 0, 30 * USDC)
    assert world.exchange.call.insurance() == 70 * USDC
    assert world.exchange.call.margin_of(LIQUIDATOR.address, 0)[0] == before
    assert world.exchange.call.cash(VICTIM.address, 0) == 0


def test_what_the_fund_lacks_falls_on_the_other_side(world: World) -> None:
    """30 USDC over 1,000 short lots: 0.03 USDC a lot."""
    world.push({1: 2_150_000})
    short = world.exchange.call.margin_of(world.maker.address, 0)[0]
    receipt = world.exchange.send(LIQUIDATOR.address).liquidate(VICTIM.address, 0, 1, 10**9, 0)
    [spread] = receipt.named("LossSpread")
    assert (spread.market, spread.longs, spread.per_lot_scaled) == (1, False, 30_000 << 32)
    assert receipt.named("InsuranceChanged") == []
    assert short - world.exchange.call.margin_of(world.maker.address, 0)[0] == 30 * USDC << 32
    assert world.exchange.call.market_indices(1)[1] == spread.g == -30_000 << 32
    assert world.exchange.call.market_indices(1)[0] == 0


def test_positions_in_the_event_are_those_after(world: World) -> None:
    world.push({1: 2_240_000})
    world.trade(LIQUIDATOR, world.maker, -50, 2_240_000)
    log = liquidate(world, 200, subaccount=0)
    assert PositionWord.unpack(log.position) == world.position(VICTIM)
    assert PositionWord.unpack(log.liquidator_position) == world.position(LIQUIDATOR)
    assert (world.position(VICTIM).size, world.position(LIQUIDATOR).size) == (800, 150)
    assert world.exchange.call.open_interest(1) == 950


def test_into_a_subaccount_of_ones_own(world: World) -> None:
    world.push({1: 2_240_000})
    world.system.fund(LIQUIDATOR.address, 1_000 * USDC, subaccount=7)
    liquidate(world, 200, subaccount=7)
    assert world.position(LIQUIDATOR, subaccount=7).size == 200
    assert world.position(LIQUIDATOR).size == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((1, 0, 0), "zero size"),
        ((2, 1, 0), "no such position"),
        ((9, 1, 0), "unknown market"),
        ((1, 1, 65_536), "subaccount above 65535"),
        ((1, 1_000, 3), "liquidator lacks margin"),
    ],
)
def test_refusals(world: World, arguments: tuple[int, int, int], reason: str) -> None:
    world.push({1: 2_240_000, 2: PRICE[2]})
    with pytest.raises(RevertError, match=reason):
        world.exchange.send(LIQUIDATOR.address).liquidate(VICTIM.address, 0, *arguments)


@pytest.mark.parametrize("deficit", [0, 1])
def test_the_least_deficit(world: World, deficit: int) -> None:
    """A 2^32nd of a micro-USDC below maintenance margin: such fractions are funding's."""
    equity, _, maintenance, _ = world.exchange.call.margin_of(VICTIM.address, 0)
    held = world.position(VICTIM)
    held = replace(held, q=held.q + maintenance - equity - deficit)
    key, slot = account_key(VICTIM) << 16 | 1, storage_slot("Exchange", "accounts", "positions")
    world.evm.set_mapping(world.exchange.address, slot, key, held.pack())
    if deficit:
        assert liquidate(world, 1).size == 1
    else:
        with pytest.raises(RevertError, match="account is healthy"):
            liquidate(world, 1)


def test_a_short_is_taken_over_above_the_index() -> None:
    """At 2.36: E = 60, MM = 70.8, h = 0.8475: 1.5 * (1 - h) * 3% is 6,864 ppm."""
    world = World()
    world.system.fund(VICTIM.address, 120 * USDC)
    world.system.fund(LIQUIDATOR.address, 10_000 * USDC)
    world.trade(VICTIM, world.maker, -1_000)
    world.push({1: 2_360_000})
    log = liquidate(world, 100)
    per_lot = 2_360_000 * 6_864 // 10**6
    assert (log.size, log.price) == (-100, 2_360_000 + per_lot - per_lot // 4)
    assert world.position(LIQUIDATOR).size == -100


def test_a_liquidation_in_a_halted_market_still_works(world: World) -> None:
    """A halt stops trading, not the protection of the others' money."""
    from tests.support.world import KEYS

    world.push({1: 2_240_000})
    world.exchange.send(KEYS.guardian.address).tighten(1, 3)
    assert liquidate(world, 100).size == 100
