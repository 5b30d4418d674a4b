# SPDX-License-Identifier: AGPL-3.0-only
"""Orders that trade only while the index price is beyond their trigger."""

from typing import Any

import pytest

from tests.support.twin import Twin
from tests.support.wire import Signed, wallet
from tests.support.world import PRICE, USDC, World, rejections

BOUNDARY = [
    ("AT_OR_ABOVE", 0, True),
    ("AT_OR_ABOVE", -1, False),
    ("AT_OR_ABOVE", 1, True),
    ("AT_OR_BELOW", 0, True),
    ("AT_OR_BELOW", 1, False),
    ("AT_OR_BELOW", -1, True),
]


def pair(world: World, *, side: str = "BUY", **taker: Any) -> list[Signed]:
    """At limits that any price in the band is within."""
    limits = {"BUY": 2**40, "SELL": 1}
    other = "SELL" if side == "BUY" else "BUY"
    return [
        world.signed(world.taker, side, **({"limit_price": limits[side]} | taker)),
        world.signed(world.maker, other, slot=2, limit_price=limits[other]),
    ]


def found(world: World, orders: list[Signed], *fills: Any) -> list[tuple[int, str, bytes]]:
    logs = world.settle(orders, list(fills) or [world.fill()])
    return [(rejection.fault_class, rejection.reason, rejection.order) for rejection in rejections(logs)]


NOT_TRIGGERED = [(3, "not triggered", bytes(32))]


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize(("kind", "distance", "met"), BOUNDARY)
def test_the_index_price_decides_to_the_unit(world: World, side: str, kind: str, distance: int, met: bool) -> None:
    """Stops and take-profits are the same thing: the side of the order has no part in it, nor has the fill's price."""
    world.push({1: PRICE[1] + distance})
    orders = pair(world, side=side, trigger=kind, trigger_price=PRICE[1])
    assert found(world, orders, world.fill(PRICE[1] + 1_000)) == ([] if met else NOT_TRIGGERED)


@pytest.mark.parametrize(("kind", "distance", "met"), BOUNDARY)
def test_a_resting_order_may_have_one_too(world: World, kind: str, distance: int, met: bool) -> None:
    world.push({1: PRICE[1] + distance})
    orders = pair(world, trigger=kind, trigger_price=PRICE[1])[::-1]
    assert found(world, orders) == ([] if met else NOT_TRIGGERED)


def test_it_must_be_met_again_at_every_fill(world: World) -> None:
    """And is looked at once a batch, at the price that the batch starts with."""
    orders = pair(world, trigger="AT_OR_ABOVE", trigger_price=PRICE[1] + 1_000)
    assert found(world, orders) == NOT_TRIGGERED
    world.push({1: PRICE[1] + 1_000})
    assert found(world, orders, world.fill(), world.fill()) == []
    world.push({1: PRICE[1] + 999})
    assert found(world, orders) == NOT_TRIGGERED
    assert world.position(world.taker).size == 20
    assert world.slot(world.taker).filled == 20


def test_nobody_is_to_blame_and_the_others_settle(world: World) -> None:
    waiting = world.signed(world.taker, "BUY", trigger="AT_OR_BELOW", trigger_price=1, slot=5)
    orders = [*pair(world), waiting]
    fills = [world.fill(taker=2), world.fill(), world.fill(taker=2)]
    assert found(world, orders, *fills) == NOT_TRIGGERED * 2
    assert world.position(world.taker).size == 10


def test_the_price_of_its_own_market_counts(world: World) -> None:
    orders = [
        world.signed(world.taker, "BUY", market="ETH-USD", trigger="AT_OR_ABOVE", trigger_price=PRICE[2]),
        world.signed(world.maker, "SELL", market="ETH-USD"),
    ]
    assert found(world, orders, world.fill(PRICE[2])) == []
    higher = world.signed(world.taker, "BUY", market="ETH-USD", trigger="AT_OR_ABOVE", trigger_price=PRICE[1])
    assert found(world, [higher, orders[1]], world.fill(PRICE[2])) == NOT_TRIGGERED


def test_a_stale_price_meets_nothing(world: World) -> None:
    orders = pair(world, trigger="AT_OR_ABOVE", trigger_price=1)
    world.warp(121)
    assert found(world, orders) == [(3, "stale price", bytes(32))]


@pytest.mark.parametrize("price", [1, 2**40])
@pytest.mark.parametrize("kind", ["AT_OR_ABOVE", "AT_OR_BELOW"])
def test_the_bounds_of_a_trigger_price(world: World, kind: str, price: int) -> None:
    met = (kind == "AT_OR_ABOVE") == (price == 1)
    assert found(world, pair(world, trigger=kind, trigger_price=price)) == ([] if met else NOT_TRIGGERED)


@pytest.mark.parametrize("time_in_force", ["IOC", "FOK"])
def test_a_stop_order_that_takes_at_once(world: World, time_in_force: str) -> None:
    stop = {"trigger": "AT_OR_BELOW", "trigger_price": PRICE[1] - 500, "reduce_only": True, "size": 10}
    world.trade(world.taker, world.maker, 10)
    orders = pair(world, side="SELL", time_in_force=time_in_force, **stop)
    assert found(world, orders) == NOT_TRIGGERED
    world.push({1: PRICE[1] - 500})
    assert found(world, orders) == []
    assert world.position(world.taker).size == 0


def test_signed_with_a_trigger_is_not_signed_without_one(world: World) -> None:
    """Kind and price are part of what is signed."""
    signed = world.signed(world.taker, "BUY", trigger="AT_OR_ABOVE", trigger_price=PRICE[1])
    maker = world.signed(world.maker, "SELL", slot=2)
    terms, amounts, *signature = signed.words
    plain = amounts & ~(3 << 5) & ~(2**48 - 1 << 112)
    for changed in (plain, amounts ^ 3 << 5, amounts ^ 1 << 112):
        forged = Signed(signed.order, signed.id, (terms, changed, *signature), signed.signer)
        [(fault_class, reason, _)] = found(world, [forged, maker])
        assert (fault_class, reason) in {(1, "bad signature"), (3, "not triggered")}
        assert world.position(world.taker).size == 0
    assert found(world, [signed, maker]) == []


@pytest.mark.parametrize("seed", range(3))
def test_triggers_agree_with_the_model(seed: int) -> None:
    """Prices walk through the triggers of both sides of many pairs."""
    twin = Twin()
    one, two = wallet("one"), wallet("two")
    for key in (one, two):
        twin.deposit(key, 100_000 * USDC)
    kinds = ("AT_OR_ABOVE", "AT_OR_BELOW", "NONE")
    for turn in range(9):
        twin.push(1, PRICE[1] + (turn * (7 + seed) % 5 - 2) * 100)
        orders, fills = [], []
        for number in range(6):
            terms = {"limit_price": PRICE[1], "size": 5}
            for place, (key, side) in enumerate(((one, "BUY"), (two, "SELL"))):
                kind = kinds[(turn + number * (place + 1) + seed) % 3]
                trigger_price = 0 if kind == "NONE" else PRICE[1] + (number - 2) * 100
                orders.append(
                    twin.world.signed(
                        key, side, slot=20 * place + number, trigger=kind, trigger_price=trigger_price, **terms
                    )
                )
            fills.append(twin.world.fill(size=1, taker=2 * number, maker=2 * number + 1))
        twin.settle(orders, fills)
        twin.check()
    assert twin.tally.reasons["not triggered"] > 5
    assert twin.tally.done["fill"] > 5
