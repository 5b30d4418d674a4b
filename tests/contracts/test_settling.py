# SPDX-License-Identifier: AGPL-3.0-only
"""The end of a market: `begin_settling`, `fix_settlement`, `settle_positions`, `cover_debt`."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.abi import RevertError
from tests.support.build import storage_slot
from tests.support.chain import Receipt
from tests.support.system import BTC
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World, account_key, rejections

VICTIM, SECOND, ANYONE = wallet("victim"), wallet("second maker"), wallet("anyone")
HOUR, DAY, SILENCE = 3_600, 86_400, 72 * 3_600
SETTLING, SETTLED = 4, 5


@pytest.fixture
def world() -> World:
    """The victim is long 1,000 lots at 2.30 with 120 USDC, against 600 of the maker and 400 of a second one."""
    world = World()
    world.system.fund(VICTIM.address, 120 * USDC)
    world.system.fund(SECOND.address, 10_000 * USDC)
    world.trade(VICTIM, world.maker, 600)
    world.trade(VICTIM, SECOND, 400)
    return world


def everybody(world: World) -> list[tuple[str, int]]:
    named = [(key.address, 0) for key in (VICTIM, SECOND, world.maker, world.taker, ANYONE)]
    return [*named, (world.exchange.call.backstop(), 0)]


def begin(world: World, market: int = 1) -> Receipt:
    return world.exchange.send(world.governance).begin_settling(market)


def fix(world: World, price: int, market: int = 1) -> Receipt:
    """From trading to a fixed price."""
    begin(world, market)
    world.warp(HOUR)
    world.push({market: price})
    return world.exchange.send(ANYONE.address).fix_settlement(market)


def settle(world: World, *keys: Any, market: int = 1) -> list[str]:
    """Whose positions closed."""
    receipt = world.exchange.send(ANYONE.address).settle_positions(market, [account_key(key) for key in keys])
    return [log.account for log in receipt.named("PositionSettled")]


def state(world: World, market: int = 1) -> int:
    return int(world.exchange.call.market(market)[-1])


def test_from_the_last_batch_to_the_last_position(world: World) -> None:
    [begun] = begin(world).named("SettlingBegun")
    assert (begun.market, begun.settle_at, state(world)) == (1, world.now + HOUR, SETTLING)
    world.warp(HOUR)
    world.push({1: 2_250_000, 2: PRICE[2]})
    [fixed] = world.exchange.send(ANYONE.address).fix_settlement(1).named("SettlementFixed")
    assert (fixed.price, fixed.everyone_from, state(world)) == (2_250_000, world.now + DAY, SETTLED)
    world.push({1: 9_999_999})  # means nothing any more
    assert settle(world, VICTIM, world.maker, SECOND) == []
    world.warp(DAY)
    assert settle(world, world.taker, SECOND, VICTIM, world.maker) == [
        SECOND.address,
        VICTIM.address,
        world.maker.address,
    ]
    assert world.cash(VICTIM) == 70 * USDC
    assert world.cash(world.maker) == 100_030 * USDC
    assert world.cash(SECOND) == 10_020 * USDC
    assert world.exchange.call.open_interest(1) == 0
    assert world.dust(everybody(world)) == 0
    assert settle(world, VICTIM, world.maker) == []  # once


def test_anyone_may_begin_after_three_days_without_a_batch(world: World) -> None:
    anyone = world.exchange.send(ANYONE.address)
    last = world.exchange.call.last_batch()
    assert last == world.now
    world.warp(SILENCE - 1)
    with pytest.raises(RevertError, match="batches are settled"):
        anyone.begin_settling(1)
    with world.evm.undone():
        world.warp(1)
        anyone.begin_settling(1)
        anyone.begin_settling(2)
    world.push({1: PRICE[1]})
    world.trade(world.taker, world.maker, 1)  # the operator is back
    with pytest.raises(RevertError, match="batches are settled"):
        anyone.begin_settling(1)


def test_a_batch_that_settles_nothing_is_no_sign_of_life(world: World) -> None:
    last = world.exchange.call.last_batch()
    world.warp(SILENCE)
    order = world.signed(world.taker, "BUY")
    assert rejections(world.settle([order, order], [world.fill()]))
    world.settle([], [])
    assert world.exchange.call.last_batch() == last
    world.exchange.send(ANYONE.address).begin_settling(1)


def test_a_new_exchange_is_not_a_silent_one() -> None:
    world = World()
    world.warp(SILENCE * 10)
    with pytest.raises(RevertError, match="batches are settled"):
        world.exchange.send(ANYONE.address).begin_settling(1)


def test_there_is_no_way_back(world: World) -> None:
    fix(world, PRICE[1], market=2)
    begin(world)
    for market in (1, 2):
        for sender in (world.governance, KEYS.guardian.address):
            send = world.exchange.send(sender)
            for to in (1, 2, 3, 4, 5):
                with pytest.raises(RevertError, match="only towards halted"):
                    send.tighten(market, to)
        with pytest.raises(RevertError, match="market is settling"):
            world.exchange.send(world.governance).set_market(market, *BTC.parameters(), 1)
        with pytest.raises(RevertError, match="market is settling"):
            begin(world, market)
    with pytest.raises(RevertError, match="unknown market"):
        begin(world, 9)


def test_nothing_trades_from_the_beginning_of_the_end(world: World) -> None:
    def tried() -> list[str]:
        slot = world.now % 60_000
        orders = [
            world.signed(world.maker, "BUY", slot=slot, reduce_only=True),
            world.signed(world.taker, "SELL", slot=slot + 1),
        ]
        return [rejection.reason for rejection in rejections(world.settle(orders, [world.fill()]))]

    begin(world)
    assert tried() == ["market halted"]
    world.warp(HOUR)
    world.push({1: PRICE[1]})
    world.exchange.send(ANYONE.address).fix_settlement(1)
    assert tried() == ["market halted"]


def test_the_price_is_one_published_after_the_hour(world: World) -> None:
    begin(world)
    anyone = world.exchange.send(ANYONE.address)
    with pytest.raises(RevertError, match="not due yet"):
        anyone.fix_settlement(1)
    world.warp(HOUR - 1)
    world.push({1: 2_000_000}, published_at=world.now)
    with pytest.raises(RevertError, match="no price yet"):
        anyone.fix_settlement(1)
    world.push({1: 2_200_000})
    world.warp(DAY - 10)  # the first one after it, however long it waits for somebody to fix it
    [fixed] = anyone.fix_settlement(1).named("SettlementFixed")
    assert fixed.price == 2_200_000
    with pytest.raises(RevertError, match="market is not settling"):
        anyone.fix_settlement(1)


def test_an_oracle_that_stays_silent_for_a_day_leaves_its_last_price(world: World) -> None:
    world.push({1: 2_260_000})
    begin(world)
    world.warp(HOUR + DAY - 1)
    anyone = world.exchange.send(ANYONE.address)
    with pytest.raises(RevertError, match="no price yet"):
        anyone.fix_settlement(1)
    world.warp(1)
    [fixed] = anyone.fix_settlement(1).named("SettlementFixed")
    assert fixed.price == 2_260_000


def test_an_oracle_that_has_nothing_leaves_the_price_last_touched_at(world: World) -> None:
    world.push({1: 2_280_000})
    world.exchange.send(ANYONE.address).poke(1)
    world.evm.set_code(world.oracle.address, bytes.fromhex("60006000fd"))
    begin(world)
    world.warp(HOUR + DAY)
    [fixed] = world.exchange.send(ANYONE.address).fix_settlement(1).named("SettlementFixed")
    assert fixed.price == 2_280_000
    world.warp(DAY)
    assert settle(world, world.maker, SECOND, VICTIM) != []
    assert world.dust(everybody(world)) == 0


def test_a_starved_oracle_fixes_no_price(world: World) -> None:
    """Whoever gives too little gas for the oracle has none left to fix another price with."""
    world.push({1: 2_100_000})
    begin(world)
    world.warp(HOUR + DAY)
    world.push({1: 2_280_000})
    anyone = ANYONE.address
    fixed = 0
    for gas in range(40_000, 260_000, 1_000):
        with world.evm.undone():
            try:
                world.exchange.send(anyone, gas).fix_settlement(1)
            except RevertError:
                continue
            fixed += 1
            assert world.exchange.call.margin_of(VICTIM.address, 0)[0] >> 32 == 100 * USDC
    assert 0 < fixed < 220


def test_funding_ends_with_the_price(world: World) -> None:
    fix(world, PRICE[1])
    indices = world.exchange.call.market_indices(1)
    assert indices[3] == 0
    world.warp(5 * HOUR)
    world.exchange.send(ANYONE.address).poke(1)
    assert world.exchange.call.market_indices(1)[:2] == indices[:2]


def test_a_settled_leg_is_never_stale_and_counts_at_its_price(world: World) -> None:
    fix(world, 2_400_000)
    world.warp(100 * DAY)
    equity, initial, maintenance, stale = world.exchange.call.margin_of(VICTIM.address, 0)
    assert (equity >> 32, initial >> 32, maintenance >> 32, stale) == (
        220 * USDC,
        120 * USDC,
        72 * USDC,
        False,
    )
    assert world.withdrawable(VICTIM) == 100 * USDC
    world.push({2: PRICE[2]})
    world.trade(VICTIM, world.maker, 10, market="ETH-USD")
    settle(world, VICTIM)
    assert world.cash(VICTIM) == 220 * USDC


def test_insolvent_accounts_are_closed_first_at_the_expense_of_the_opposite_side(world: World) -> None:
    """At 2.00 the victim is worth -180: 10 of the fund, 20 of the backstop, 150 from 1,000 short lots, at once."""
    world.system.donate(ANYONE.address, 10 * USDC)
    world.name_backstop(20 * USDC)
    fix(world, 2_000_000)
    with pytest.raises(RevertError, match="market settled"):
        world.exchange.send(world.maker.address).liquidate(VICTIM.address, 0, 1, 1, 0)
    with pytest.raises(RevertError, match="market settled"):
        world.exchange.send(ANYONE.address).deleverage(VICTIM.address, 0, 1, [account_key(SECOND)], [1])
    assert settle(world, world.maker, SECOND, VICTIM) == [VICTIM.address]
    assert world.cash(VICTIM) == 0
    assert world.exchange.call.insurance() == 0
    assert world.equity(world.maker) >> 32 == 100_000 * USDC + 600 * (300_000 - 150_000)
    # nobody of the short side has been paid out, and nobody can be before the day is over
    assert world.withdrawable(SECOND) <= 10_000 * USDC
    world.warp(DAY)
    settle(world, SECOND)
    settle(world, world.maker)
    assert world.cash(SECOND) == 10_000 * USDC + 400 * 150_000
    assert world.cash(world.maker) == 100_000 * USDC + 600 * 150_000
    assert world.dust(everybody(world)) >= 0


def test_who_is_worth_exactly_nothing_is_not_insolvent(world: World) -> None:
    """120 USDC are gone at 2.18, to the unit."""
    fix(world, 2_180_000)
    assert world.equity(VICTIM) == 0
    assert settle(world, VICTIM) == []
    world.warp(DAY)
    assert settle(world, VICTIM) == [VICTIM.address]
    assert world.cash(VICTIM) == 0


def test_an_insolvent_short_is_paid_for_by_longs() -> None:
    world = World()
    world.system.fund(VICTIM.address, 120 * USDC)
    world.trade(VICTIM, world.maker, -1_000)
    fix(world, 2_600_000)
    assert settle(world, VICTIM) == [VICTIM.address]
    assert world.cash(VICTIM) == 0
    world.warp(DAY)
    settle(world, world.maker)
    assert world.cash(world.maker) == 100_120 * USDC
    assert world.dust(everybody(world)) == 0


def test_insolvent_on_both_sides(world: World) -> None:
    """A step that ruins somebody of the other side is passed on when that one is closed; the vault never lacks."""
    poor = wallet("poor")
    world.system.fund(poor.address, 1_800 * USDC)
    world.trade(poor, world.taker, -1_000)
    world.trade(poor, world.taker, 20_000, market="ETH-USD")  # which will cost it 2,200
    world.push({2: 1_490_000})
    fix(world, 2_000_000)
    accounts = [*everybody(world), (poor.address, 0)]
    assert world.equity(poor) < 0
    for keys in ((VICTIM,), (poor, VICTIM), (poor,), (world.maker, SECOND)):
        settle(world, *keys)
        assert world.dust(accounts) >= 0
    world.warp(DAY)
    settle(world, SECOND, world.maker, world.taker)
    assert world.exchange.call.open_interest(1) == 0
    assert world.position(SECOND).size == world.position(world.taker).size == 0
    assert world.dust(accounts) >= 0


@pytest.mark.parametrize("at_once", [True, False])
def test_a_hole_is_spread_over_the_lots_that_are_left(world: World, at_once: bool) -> None:
    """Not over those of an insolvent account of the same side that was closed before, in the same call or another."""
    poor = wallet("poor")
    world.system.fund(poor.address, 1_800 * USDC)
    world.trade(poor, world.taker, -1_000)
    world.trade(poor, world.taker, 20_000, market="ETH-USD")
    world.push({2: 1_490_000})
    fix(world, 2_000_000)
    anyone, keys = world.exchange.send(ANYONE.address), [account_key(poor), account_key(VICTIM)]
    if not at_once:
        anyone.settle_positions(1, keys[:1])
    [spread] = anyone.settle_positions(1, keys if at_once else keys[1:]).named("LossSpread")
    assert (spread.longs, spread.per_lot_scaled) == (False, 180_000 << 32)  # 180 USDC of 1,000 lots


def test_after_the_day_everybody_gets_the_price_in_whatever_order() -> None:
    """First out, last out: the same money, whoever is insolvent by then."""
    ends = set()
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        world = World()
        world.system.fund(VICTIM.address, 120 * USDC)
        world.system.fund(SECOND.address, 10_000 * USDC)
        world.trade(VICTIM, world.maker, 600)
        world.trade(VICTIM, SECOND, 400)
        fix(world, 2_000_000)
        world.warp(DAY)  # nobody closed the victim in time
        keys = (VICTIM, world.maker, SECOND)
        for index in order:
            settle(world, keys[index])
        ends.add(tuple(world.cash(key) for key in keys))
    assert ends == {(-180 * USDC, 100_180 * USDC, 10_120 * USDC)}


def test_a_debt_left_behind_is_paid_when_there_is_something_to_pay_with(world: World) -> None:
    fix(world, 2_000_000)
    world.warp(DAY)
    settle(world, VICTIM)
    anyone = world.exchange.send(ANYONE.address)
    with pytest.raises(RevertError, match="nothing to pay with"):
        anyone.cover_debt(VICTIM.address, 0)
    world.system.donate(ANYONE.address, 100 * USDC)
    world.name_backstop(50 * USDC)
    [log] = anyone.cover_debt(VICTIM.address, 0).named("DebtCovered")
    assert (log.amount, log.cash) == (150 * USDC, -30 * USDC)
    world.system.donate(ANYONE.address, 100 * USDC)
    anyone.cover_debt(VICTIM.address, 0)
    assert world.exchange.call.insurance() == 70 * USDC
    for key in (VICTIM, world.maker, ANYONE):
        with pytest.raises(RevertError, match="no debt"):
            anyone.cover_debt(key.address, 0)


def crossed(world: World, btc: int) -> tuple[int, int]:
    """The victim's other market ruins it; equity, and what the settled leg would carry by its margin alone."""
    world.system.fund(VICTIM.address, 2_000 * USDC)
    world.trade(VICTIM, world.taker, 20_000, market="ETH-USD")
    fix(world, btc)
    world.push({2: 1_300_000})
    equity, _, maintenance, _ = world.exchange.call.margin_of(VICTIM.address, 0)
    assert equity < 0
    return equity, -(equity * btc * 1_000 * 30_000 // 10**6 // (maintenance >> 32) >> 32)


def test_the_hole_of_another_market_stays_there(world: World) -> None:
    """A leg that lost nothing closes free: neither the fund nor the opposite side pays for what another lost."""
    world.system.donate(ANYONE.address, 100 * USDC)
    equity, share = crossed(world, PRICE[1])
    assert share > 0
    receipt = world.exchange.send(ANYONE.address).settle_positions(1, [account_key(VICTIM)])
    assert [log.covered for log in receipt.named("PositionSettled")] == [0]
    assert receipt.named("LossSpread") == receipt.named("InsuranceChanged") == []
    assert world.position(VICTIM, 2).size == 20_000
    assert world.equity(VICTIM) == equity


def test_a_leg_that_lost_carries_its_share_by_margin(world: World) -> None:
    equity, share = crossed(world, 1_700_000)  # lost 600 USDC
    receipt = world.exchange.send(ANYONE.address).settle_positions(1, [account_key(VICTIM)])
    [log] = receipt.named("PositionSettled")
    assert 0 < share < 600 * USDC
    assert log.covered in (share, share + 1)
    assert world.equity(VICTIM) == equity + (log.covered << 32)


def test_the_index_of_a_side_stays_in_its_bounds(world: World) -> None:
    """However deep the hole and however few the lots, the step cannot leave the word that it is kept in."""
    bound = 2**78 - 1_000
    last = world.now
    word = (bound << 160) | ((-bound & (1 << 96) - 1) << 64) | last << 24
    fix(world, 2_000_000)
    world.evm.set_mapping(world.exchange.address, storage_slot("Exchange", "markets", "indices"), 1, word)
    settle(world, VICTIM)
    g_long, g_short, _, _ = world.exchange.call.market_indices(1)
    assert g_long == bound
    assert -(2**78) <= g_short <= -bound


def test_refusals(world: World) -> None:
    anyone = world.exchange.send(ANYONE.address)
    with pytest.raises(RevertError, match="market is not settling"):
        anyone.fix_settlement(9)
    with pytest.raises(RevertError, match="market is not settled"):
        anyone.settle_positions(1, [account_key(VICTIM)])
    with pytest.raises(RevertError, match="market is not settling"):
        anyone.fix_settlement(1)
    fix(world, PRICE[1])
    world.warp(DAY)
    for bit in (176, 192, 240):
        with pytest.raises(RevertError, match="no such account"):
            anyone.settle_positions(1, [account_key(VICTIM) | 1 << bit])
    assert settle(world, VICTIM, VICTIM) == [VICTIM.address]


def test_a_market_settles_though_others_have_no_price(world: World) -> None:
    world.trade(VICTIM, world.maker, 10, market="ETH-USD")
    fix(world, PRICE[1])
    world.warp(DAY)
    assert settle(world, VICTIM, world.maker, SECOND) != []
    assert world.withdrawable(SECOND) == 10_000 * USDC
    assert world.withdrawable(VICTIM) == 0  # its other leg is stale, as ever


def test_the_parameters_of_the_last_day_still_count() -> None:
    """A settled market keeps its margin fractions: nothing is freed or seized by the change of state."""
    world = World((replace(BTC, imf=100_000),))
    world.trade(world.taker, world.maker, 1_000)
    before = world.exchange.call.margin_of(world.taker.address, 0)
    fix(world, PRICE[1])
    assert world.exchange.call.margin_of(world.taker.address, 0) == before
