# SPDX-License-Identifier: AGPL-3.0-only
"""On-chain cancels: `cancel_slot` by the signing key, `cancel_all` by the owner."""

import pytest

from tests.support.abi import RevertError
from tests.support.wire import Signed
from tests.support.world import PRICE, World, rejections


def reasons(world: World, orders: list[Signed], **fill: int) -> list[str]:
    return [rejection.reason for rejection in rejections(world.settle(orders, [world.fill(**fill)]))]


def orders(world: World, generation: int, slot: int = 2) -> list[Signed]:
    return [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL", slot=slot, generation=generation)]


@pytest.mark.parametrize("way", ["slot", "all"])
def test_the_event_says_stamp_and_when_it_bites(world: World, way: str) -> None:
    exchange = world.exchange.send(world.maker.address)
    receipt = exchange.cancel_slot(2) if way == "slot" else exchange.cancel_all(0)
    [log] = receipt.named("SlotCancelled" if way == "slot" else "AllCancelled")
    assert (log.stamp, log.effective_at) == (world.now + 10, world.now + 60)


@pytest.mark.parametrize("way", ["slot", "all"])
def test_orders_up_to_the_stamp_die_and_later_ones_live(world: World, way: str) -> None:
    exchange = world.exchange.send(world.maker.address)
    stamp = (world.now + 10) * 1000
    at_stamp, after = orders(world, stamp), orders(world, stamp + 1)
    if way == "slot":
        exchange.cancel_slot(2)
    else:
        exchange.cancel_all(0)
    world.warp(60)
    assert reasons(world, at_stamp) == ["cancelled"]
    assert reasons(world, after) == []


@pytest.mark.parametrize("way", ["slot", "all"])
def test_a_stamp_of_a_single_bit_counts(world: World, way: str) -> None:
    world.evm.warp_to(2**31 - 11)
    world.push({1: PRICE[1]})
    resting = orders(world, world.now * 1000)
    exchange = world.exchange.send(world.maker.address)
    [log] = (exchange.cancel_slot(2) if way == "slot" else exchange.cancel_all(0)).logs
    assert log.stamp == 2**31
    world.warp(60)
    assert reasons(world, resting) == ["cancelled"]


def test_a_cancelled_slot_leaves_the_other_slots_alone(world: World) -> None:
    other = orders(world, world.now * 1000, slot=3)
    world.exchange.send(world.maker.address).cancel_slot(2)
    world.warp(60)
    assert reasons(world, other) == []


def test_cancel_all_leaves_other_owners_and_subaccounts_alone(world: World) -> None:
    resting = orders(world, world.now * 1000)
    world.exchange.send(world.maker.address).cancel_all(1)
    world.exchange.send(world.operator).cancel_all(0)
    world.warp(60)
    assert reasons(world, resting) == []


def test_a_cancel_keeps_what_is_filled_and_kills_the_rest(world: World) -> None:
    resting = orders(world, world.now * 1000)
    assert reasons(world, resting, size=30) == []
    world.exchange.send(world.maker.address).cancel_slot(2)
    assert world.slot(world.maker, 2).filled == 30
    world.warp(30)
    assert reasons(world, resting, size=30) == []
    world.warp(30)
    assert reasons(world, resting, size=30) == ["cancelled"]
    assert world.slot(world.maker, 2).filled == 60


def test_a_slot_cancelled_before_its_first_use(world: World) -> None:
    """Its orders die although the contract has never seen one."""
    resting = orders(world, world.now * 1000, slot=9)
    world.exchange.send(world.maker.address).cancel_slot(9)
    world.warp(60)
    assert reasons(world, resting) == ["cancelled"]
    assert world.slot(world.maker, 9).filled == 0


def test_a_new_generation_in_a_cancelled_slot_does_not_lift_the_cancel(world: World) -> None:
    old = orders(world, world.now * 1000)
    world.exchange.send(world.maker.address).cancel_slot(2)
    world.warp(61)
    assert reasons(world, orders(world, world.now * 1000)) == []
    assert reasons(world, old) == ["stale generation"]


def test_cancels_follow_one_another_each_window(world: World) -> None:
    for _ in range(4):
        resting = orders(world, world.now * 1000)
        world.exchange.send(world.maker.address).cancel_slot(2)
        world.exchange.send(world.maker.address).cancel_all(0)
        world.warp(60)
        world.push({1: PRICE[1]})
        assert reasons(world, resting)[0] in ("cancelled", "stale revision", "stale generation")


def test_three_cancel_alls_keep_the_oldest_dead(world: World) -> None:
    first = orders(world, world.now * 1000)
    for _ in range(3):
        world.exchange.send(world.maker.address).cancel_all(0)
        world.warp(60)
        world.push({1: PRICE[1]})
        assert reasons(world, first) == ["cancelled"]
    world.exchange.send(world.maker.address).cancel_all(0)
    assert reasons(world, first) == ["cancelled"]


def test_what_is_dead_stays_dead_whatever_happens_to_the_account(world: World) -> None:
    """A deposit, a trade, a close: while a later cancel-all is pending the earlier one is remembered beside it."""
    resting = orders(world, world.now * 1000)
    world.exchange.send(world.maker.address).cancel_all(0)
    world.warp(60)
    world.push({1: PRICE[1]})
    world.exchange.send(world.maker.address).cancel_all(0)
    assert reasons(world, resting) == ["cancelled"]
    world.system.fund(world.maker.address, 1)
    assert reasons(world, resting) == ["cancelled"]
    for lots in (10, -10):
        late = {"generation": (world.now + 10) * 1000}  # after the first cancel
        sides = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
        pair = [
            world.signed(world.taker, sides[0], slot=40 + lots),
            world.signed(world.maker, sides[1], slot=70 + lots, **late),
        ]
        assert reasons(world, pair) == []
        assert reasons(world, resting) == ["cancelled"]


def test_numbers_out_of_range(world: World) -> None:
    for name in ("cancel_slot", "cancel_all"):
        with pytest.raises(RevertError, match="above 65535"):
            getattr(world.exchange.send(world.maker.address), name)(65_536)
        getattr(world.exchange.send(world.maker.address), name)(65_535)


def test_slot_zero_is_a_slot_of_resting_orders_like_any_other(world: World) -> None:
    resting = orders(world, world.now * 1000, slot=0)
    assert reasons(world, resting) == []
    assert world.slot(world.maker, 0).filled == 10
