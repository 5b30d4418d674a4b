# SPDX-License-Identifier: AGPL-3.0-only
"""Orders named more than once in a batch, one-shot orders out of order, and ether sent along."""

import pytest

from tests.support.wire import Fill, Signed, wallet
from tests.support.world import PRICE, World, rejections


def reasons(world: World, orders: list[Signed], fills: list[Fill]) -> list[str]:
    return [rejection.reason for rejection in rejections(world.settle(orders, fills))]


def test_19_a_one_shot_order_listed_twice_in_a_batch_counts_once(world: World) -> None:
    """Each copy starts with nothing filled in the batch's own memory; the position remembers the first."""
    taker = world.signed(world.taker, "BUY", time_in_force="IOC", size=10)
    maker = world.signed(world.maker, "SELL", size=100, slot=2)
    fills = [world.fill(size=6, taker=0, maker=1), world.fill(size=6, taker=2, maker=1),
             world.fill(size=4, taker=0, maker=1), world.fill(size=1, taker=0, maker=1)]  # fmt: skip
    assert reasons(world, [taker, maker, taker], fills) == ["one-shot used", "overfilled"]
    assert world.position(world.taker).size == 10
    assert reasons(world, [taker, maker, taker], [world.fill(size=1, taker=2, maker=1)]) == ["one-shot used"]


def test_19_a_resting_order_listed_twice_in_a_batch_counts_once(world: World) -> None:
    taker = world.signed(world.taker, "BUY", size=10)
    maker = world.signed(world.maker, "SELL", size=10, slot=2)
    other = world.signed(world.taker, "BUY", size=100, slot=9)
    fills = [world.fill(size=6, taker=0, maker=1), world.fill(size=6, taker=2, maker=3),
             world.fill(size=5, taker=4, maker=3), world.fill(size=4, taker=2, maker=1)]  # fmt: skip
    assert reasons(world, [taker, maker, taker, maker, other], fills) == ["overfilled", "overfilled"]
    assert world.position(world.taker).size == 10


def test_19_the_same_order_on_both_sides_trades_with_nobody_and_is_not_blamed(world: World) -> None:
    order = world.signed(world.taker, "BUY", size=10)
    [rejection] = rejections(world.settle([order, order], [world.fill(size=1)]))
    assert rejection.reason in ("same side", "self trade")
    assert (rejection.fault_class, rejection.order) == (4, bytes(32))


def test_18_interleaved_one_shot_orders_keep_their_own_count(world: World) -> None:
    """The older first, the newer between its fills: both fill to their sizes, and neither a second time."""
    older = world.signed(world.taker, "BUY", time_in_force="IOC", size=5)
    newer = world.signed(world.taker, "BUY", time_in_force="IOC", size=7)
    maker = world.signed(world.maker, "SELL", size=100, slot=2)
    orders = [older, maker, newer]
    fills = [world.fill(size=2, taker=0, maker=1), world.fill(size=7, taker=2, maker=1),
             world.fill(size=3, taker=0, maker=1), world.fill(size=1, taker=0, maker=1)]  # fmt: skip
    assert reasons(world, orders, fills) == ["overfilled"]
    assert world.position(world.taker).size == 12
    for index in (0, 2):
        assert reasons(world, orders, [world.fill(size=1, taker=index, maker=1)]) == ["one-shot used"]


def test_18_a_rejected_first_fill_does_not_count_and_does_not_use_up_the_order(world: World) -> None:
    """The taker's half of a step is undone with it when the maker's half fails."""
    taker = world.signed(world.taker, "BUY", time_in_force="IOC", size=5)
    poor = wallet("poor maker")
    broke = world.signed(poor, "SELL", size=5)
    maker = world.signed(world.maker, "SELL", size=5, slot=2)
    fills = [world.fill(size=5, taker=0, maker=1), world.fill(size=5, taker=0, maker=2)]
    logs = world.settle([taker, broke, maker], fills)
    [rejection] = rejections(logs)
    assert (rejection.reason, rejection.order) == ("margin", broke.id)
    assert world.position(world.taker).size == 5
    assert world.position(world.taker).one_shot == taker.order.generation


def test_16_a_cancel_in_force_survives_cancels_after_it(world: World) -> None:
    """Cancel, wait, cancel again and again: what the first killed stays dead at every moment, newer orders live."""
    old = world.signed(world.taker, "BUY", size=100)
    amended = world.sign(world.taker, old.order.but(revision=65_535, size=200))
    maker = world.signed(world.maker, "SELL", size=100, slot=2)
    assert reasons(world, [old, maker], [world.fill(size=1)]) == []
    for _ in range(3):
        world.exchange.send(world.taker.address).cancel_slot(1)
        world.warp(61)
        world.push({1: PRICE[1]})
        for order in (old, amended):
            [reason] = reasons(world, [order, maker], [world.fill(size=1)])
            assert reason in ("cancelled", "stale generation")
        world.exchange.send(world.taker.address).cancel_slot(1)
        for order in (old, amended):
            [reason] = reasons(world, [order, maker], [world.fill(size=1)])
            assert reason in ("stale generation", "stale revision", "slot taken", "cancelled")
        world.warp(61)
        world.push({1: PRICE[1]})
    world.warp(10)
    fresh = world.signed(world.taker, "BUY", size=1)
    assert reasons(world, [fresh, maker], [world.fill(size=1)]) == []


def test_no_ether_sticks_to_the_exchange(world: World) -> None:
    """The fallback takes calls of the desk; the desk's functions refuse value, and bare ether finds no function."""
    for data in (b"", world.exchange.data("poke", 1), b"\x12\x34\x56\x78"):
        with pytest.raises(RuntimeError):
            world.evm._evm.message_call(world.taker.address, world.exchange.address, data, value=1)
