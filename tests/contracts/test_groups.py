# SPDX-License-Identifier: AGPL-3.0-only
"""Fills that settle together or not at all, and orders that must be filled whole."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.support.abi import RevertError
from tests.support.system import BTC
from tests.support.twin import Twin
from tests.support.wire import Fill, Signed, wallet
from tests.support.world import PRICE, USDC, World, rejections

GROUPED, ON_THE_BOOK = 1, 2
NOBODY = bytes(32)
BROKE = wallet("broke")

Named = tuple[int, int, str, bytes]


def makers(world: World, *sizes: int, **fields: Any) -> list[Signed]:
    """Resting sales, each in a slot of its own."""
    return [world.signed(world.maker, "SELL", slot=10 + n, size=size, **fields) for n, size in enumerate(sizes)]


def group(world: World, *sizes: int, taker: int = 0, first: int = 1, **fields: Any) -> list[Fill]:
    """Of one taker with the orders from `first` on; all but the last are joined to the next."""
    last = len(sizes) - 1
    return [
        world.fill(size=size, taker=taker, maker=first + n, flags=GROUPED if n < last else 0, **fields)
        for n, size in enumerate(sizes)
    ]


def named(world: World, orders: list[Signed], fills: list[Fill]) -> list[Named]:
    """Each rejection with the place of its fill in the batch."""
    places = {fill.fill_id: place for place, fill in enumerate(fills)}
    found = rejections(world.settle(orders, fills))
    return [(places[r.fill_id], r.fault_class, r.reason, r.order) for r in found]


def failed(*places: int) -> list[Named]:
    return [(place, 4, "group failed", NOBODY) for place in places]


def state(world: World) -> tuple[Any, ...]:
    """All that a fill could change."""
    call = world.exchange.call
    keys = (world.taker, world.maker, BROKE)
    return (
        [(call.account(key.address, 0), call.position(key.address, 0, 1)) for key in keys],
        [call.slot(world.maker.address, slot) for slot in range(10, 16)],
        [call.slot(world.taker.address, slot) for slot in range(3)],
        (call.open_interest(1), call.fees(), call.insurance(), call.last_batch()),
    )


def test_a_group_settles_in_order_as_single_fills_would(world: World) -> None:
    taker = world.signed(world.taker, "BUY", size=60)
    orders = [taker, *makers(world, 10, 20, 30)]
    fills = group(world, 10, 20, 30, taker_fee=350)
    logs = world.settle(orders, fills)
    assert [log.name for log in logs] == ["Fill", "Fill", "Fill", "BatchSettled"]
    assert [log.detail >> 192 for log in logs[:3]] == [fill.fill_id for fill in fills]
    assert (logs[3].settled, logs[3].rejected) == (3, 0)
    assert logs[3].fees == sum(-(-PRICE[1] * size * 350 // 10**6) for size in (10, 20, 30))
    assert world.position(world.taker).size == world.slot(world.taker).filled == 60
    assert world.exchange.call.open_interest(1) == 60


FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, str] | None]] = {
    "of the order": ({"limit_price": PRICE[1] + 1}, {}, (1, "price past limit")),
    "of its slot": ({"size": 4}, {}, (1, "overfilled")),
    "of the batch": ({"side": "BUY"}, {}, (4, "same side")),
    "of another market": ({"market": "ETH-USD", "limit_price": 1}, {}, (4, "market mismatch")),
    "of the market": ({"trigger": "AT_OR_ABOVE", "trigger_price": 2**40}, {}, (3, "not triggered")),
    "of no lots": ({}, {"size": 0}, (4, "bad fill")),
    "of fees": ({}, {"taker_fee": 1_001}, (1, "fee above cap")),
    "of an index": ({}, {"maker": 99}, (4, "bad fill")),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_nothing_of_a_failed_group_stays_and_one_of_it_says_why(world: World, name: str, place: int) -> None:
    of_order, of_fill, expected = FAULTS[name]
    assert expected is not None
    world.trade(world.taker, world.maker, 1)
    orders = [world.signed(world.taker, "BUY"), *makers(world, 100, 100, 100)]
    bad = world.order(world.maker, "SELL", slot=20).but(**of_order)
    orders[1 + place] = world.sign(world.maker, bad)
    fills = group(world, 5, 5, 5)
    fills[place] = replace(fills[place], **of_fill)
    before = state(world)
    blamed = NOBODY
    if expected[0] == 1:
        blamed = orders[0].id if "taker_fee" in of_fill else orders[1 + place].id
    assert named(world, orders, fills) == sorted(
        [*failed(*(n for n in range(3) if n != place)), (place, *expected, blamed)]
    )
    assert state(world) == before


def test_what_an_account_refuses_names_the_account_and_undoes_the_group(world: World) -> None:
    world.trade(world.taker, world.maker, 1)
    orders = [world.signed(world.taker, "BUY"), *makers(world, 100, 100), world.signed(BROKE, "SELL")]
    before = state(world)
    assert named(world, orders, group(world, 5, 5, 5)) == [*failed(0, 1), (2, 2, "margin", orders[3].id)]
    assert state(world) == before
    assert named(world, orders, group(world, 5, 5)) == []


def test_the_takers_fault_is_the_takers(world: World) -> None:
    """In its second fill the group overfills it; in a group before, it would not have."""
    taker = world.signed(world.taker, "BUY", size=8)
    orders = [taker, *makers(world, 100, 100)]
    assert named(world, orders, group(world, 5, 4)) == [*failed(0), (1, 1, "overfilled", taker.id)]
    assert named(world, orders, group(world, 5, 3)) == []


def test_the_others_of_the_batch_are_none_the_worse(world: World) -> None:
    """A single fill, a group that fails, one that does not, a single fill: of the same orders."""
    orders = [world.signed(world.taker, "BUY"), *makers(world, 40, 40), world.signed(BROKE, "SELL")]
    fills = [
        world.fill(size=1),
        *group(world, 7, 7, first=2),
        *group(world, 9, 9),
        world.fill(size=2, maker=2),
    ]
    assert named(world, orders, fills) == [*failed(1), (2, 2, "margin", orders[3].id)]
    assert world.position(world.taker).size == 21
    assert [world.slot(world.maker, slot).filled for slot in (10, 11)] == [10, 11]


def test_a_group_has_one_taker(world: World) -> None:
    """By its place: not even the same order listed twice."""
    taker = world.signed(world.taker, "BUY")
    orders = [taker, *makers(world, 40, 40), taker, world.signed(world.taker, "BUY", slot=5)]
    for other in (3, 4):
        first, second = group(world, 5, 5)
        before = state(world)
        fills = [first, replace(second, taker=other)]
        assert named(world, orders, fills) == [*failed(0), (1, 4, "bad fill", NOBODY)]
        assert state(world) == before


def test_a_maker_in_the_place_of_the_taker(world: World) -> None:
    """The taker of the first fill makes in the second one: that is another taker."""
    orders = [world.signed(world.taker, "BUY"), *makers(world, 40)]
    first, second = group(world, 5, 5)
    fills = [first, replace(second, taker=1, maker=0)]
    assert named(world, orders, fills) == [*failed(0), (1, 4, "bad fill", NOBODY)]


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_ends_with_a_group_that_is_not_finished(world: World, count: int) -> None:
    """And what comes before it settles."""
    orders = [world.signed(world.taker, "BUY"), *makers(world, 10, 10, 10)]
    open_ended = [replace(fill, flags=GROUPED) for fill in group(world, *[5] * count)]
    fills = [world.fill(size=2), *open_ended]
    assert named(world, orders, fills) == [(1, 4, "bad fill", NOBODY), *failed(*range(2, 1 + count))]
    assert world.position(world.taker).size == 2


def test_an_unfinished_group_with_a_fault_of_its_own(world: World) -> None:
    orders = [world.signed(world.taker, "BUY"), *makers(world, 10, 10)]
    fills = [replace(fill, flags=GROUPED) for fill in group(world, 5, 5)]
    fills[1] = replace(fills[1], price=PRICE[1] + 100)
    assert named(world, orders, fills) == [*failed(0), (1, 1, "price past limit", orders[0].id)]


def test_a_liquidation_is_not_grouped(world: World) -> None:
    orders = [world.signed(world.taker, "BUY"), *makers(world, 10, 10)]
    for place in (0, 1):
        fills = group(world, 5, 5)
        fills[place] = replace(fills[place], flags=fills[place].flags | ON_THE_BOOK)
        assert named(world, orders, fills) == sorted([(place, 4, "bad fill", NOBODY), *failed(1 - place)])


def test_a_group_goes_into_one_position_lot_by_lot(world: World) -> None:
    """Reduce-only and the cap on open interest hold at every fill of it."""
    world.trade(world.taker, world.maker, 10)
    reduce = world.signed(world.taker, "SELL", reduce_only=True)
    buyers = [world.signed(world.maker, "BUY", slot=30 + n) for n in range(2)]
    assert named(world, [reduce, *buyers], group(world, 6, 5)) == [*failed(0), (1, 1, "reduce-only", reduce.id)]
    world.exchange.send(world.governance).set_market(1, *replace(BTC, max_open_interest=20).parameters(), 1)
    orders = [world.signed(world.taker, "BUY", slot=2), *makers(world, 10, 10)]
    assert named(world, orders, group(world, 6, 5)) == [*failed(0), (1, 3, "open interest cap", NOBODY)]
    assert named(world, orders, group(world, 6, 4)) == []
    assert named(world, [reduce, *buyers], group(world, 15, 5)) == []
    assert world.exchange.call.open_interest(1) == 0


def test_within_a_group_a_closed_position_makes_room_under_the_cap(world: World) -> None:
    """Open interest falls by the first fill and grows by the second, never above the cap."""
    third = wallet("third trader")
    world.system.fund(third.address, 1_000 * USDC)
    world.trade(world.maker, third, 10)
    world.exchange.send(world.governance).set_market(1, *replace(BTC, max_open_interest=10).parameters(), 1)
    orders = [
        world.signed(third, "BUY"),
        world.signed(world.maker, "SELL", slot=10),
        world.signed(world.taker, "SELL", slot=11),
    ]
    assert named(world, orders, group(world, 10, 10)) == []
    assert world.exchange.call.open_interest(1) == 10


def test_margin_is_checked_fill_by_fill(world: World) -> None:
    """A later fill of the group cannot make an earlier one good."""
    poor = wallet("poor")
    world.system.fund(poor.address, 100 * USDC)
    world.trade(poor, world.maker, 800)
    orders = [world.signed(world.taker, "SELL", size=2_000), world.signed(poor, "BUY", size=500)]
    orders += [world.signed(world.maker, "BUY", slot=10)]
    fills = group(world, 100, 10)
    assert named(world, orders, fills) == [(0, 2, "margin", orders[1].id), *failed(1)]


def test_prints_and_fees_of_a_group_count_like_others(world: World) -> None:
    """0.0025% of premium is what an hour of any of them may make."""
    world.push({1: PRICE[1]})
    terms = {"limit_price": PRICE[1] + 100}
    orders = [world.signed(world.taker, "BUY", **terms), *makers(world, 10, 10), world.signed(BROKE, "SELL")]
    failing = group(world, 4, 4, 4, price=PRICE[1] + 100, taker_fee=350)
    fills = [*group(world, 3, 3, price=PRICE[1] + 20 * 5, taker_fee=350), *failing]
    logs = world.settle(orders, fills)
    assert len(rejections(logs)) == 3
    fee = -(-(PRICE[1] + 100) * 3 * 350 // 10**6)
    assert world.exchange.call.fees() == 2 * fee == logs[-1].fees
    world.warp(3_600)
    world.push({1: PRICE[1]})
    world.exchange.send(world.operator).poke(1)
    assert world.exchange.call.market_indices(1)[3] == 2_500


@pytest.mark.parametrize("place", [0, 1])
def test_a_liquidation_is_in_no_group(world: World, place: int) -> None:
    orders = [world.signed(world.taker, "BUY"), *makers(world, 10, 10)]
    fills = group(world, 5, 5)
    fills[place] = replace(fills[place], flags=fills[place].flags | ON_THE_BOOK)
    assert named(world, orders, fills) == sorted([(place, 4, "bad fill", NOBODY), *failed(1 - place)])


# Fill or kill


def whole(world: World, size: int, **fields: Any) -> Signed:
    return world.signed(world.taker, "BUY", time_in_force="FOK", size=size, **fields)


@pytest.mark.parametrize(
    ("size", "reason"), [(10, None), (9, "fill-or-kill"), (11, "fill-or-kill"), (1, "fill-or-kill")]
)
def test_a_single_fill_fills_it_whole_or_not_at_all(world: World, size: int, reason: str | None) -> None:
    orders = [whole(world, 10), *makers(world, 100)]
    expected = [] if reason is None else [(0, 4, reason, NOBODY)]
    assert named(world, orders, [world.fill(size=size)]) == expected
    assert world.position(world.taker).size == (0 if reason else 10)


@pytest.mark.parametrize(("sizes", "settles"), [((5, 3, 2), True), ((5, 3, 1), False), ((5, 3, 3), False)])
def test_a_group_fills_it_whole_or_not_at_all(world: World, sizes: tuple[int, ...], settles: bool) -> None:
    orders = [whole(world, 10), *makers(world, 100, 100, 100)]
    expected = [] if settles else [(0, 4, "fill-or-kill", NOBODY), *failed(1, 2)]
    assert named(world, orders, group(world, *sizes)) == expected
    assert world.position(world.taker).size == (10 if settles else 0)


def test_two_fills_or_two_groups_do_not_make_a_whole(world: World) -> None:
    orders = [whole(world, 10), *makers(world, 100, 100)]
    singles = [world.fill(size=5), world.fill(size=5, maker=2)]
    assert [n[2] for n in named(world, orders, singles)] == ["fill-or-kill"] * 2
    halves = [*group(world, 3, 2), *group(world, 3, 2)]
    assert [n[2] for n in named(world, orders, halves)] == ["fill-or-kill", "group failed"] * 2
    assert world.position(world.taker).size == 0


def test_it_is_filled_once(world: World) -> None:
    """In the same batch again, and in the next."""
    orders = [whole(world, 10), *makers(world, 100, 100)]
    fills = [*group(world, 6, 4), *group(world, 6, 4), world.fill(size=10)]
    assert named(world, orders, fills) == [
        (2, 1, "overfilled", orders[0].id),
        *failed(3),
        (4, 1, "overfilled", orders[0].id),
    ]
    assert named(world, orders, [world.fill(size=10)]) == [(0, 1, "one-shot used", orders[0].id)]
    assert named(world, orders, group(world, 6, 4)) == [(0, 1, "one-shot used", orders[0].id), *failed(1)]


def test_one_that_was_killed_may_be_filled_later(world: World) -> None:
    """As long as it lives: what failed has left no trace."""
    order = whole(world, 10)
    orders = [order, *makers(world, 100), world.signed(BROKE, "SELL")]
    assert len(named(world, orders, group(world, 6, 4))) == 2
    assert world.position(world.taker).one_shot == 0
    assert named(world, orders, [world.fill(size=10)]) == []
    assert world.position(world.taker).one_shot == order.order.generation


def test_an_immediate_order_may_be_filled_in_part_by_groups_and_singles(world: World) -> None:
    taker = world.signed(world.taker, "BUY", time_in_force="IOC", size=20)
    orders = [taker, *makers(world, 100, 100)]
    fills = [*group(world, 5, 4), world.fill(size=3), *group(world, 4, 3), *group(world, 1, 1)]
    assert named(world, orders, fills) == [*failed(5), (6, 1, "overfilled", taker.id)]
    assert world.position(world.taker).size == 19


# The largest


def largest(world: World) -> tuple[list[Signed], list[Fill]]:
    orders = [whole(world, 32), *makers(world, *[1] * 32)]
    return orders, group(world, *[1] * 32)


def test_a_group_of_32(world: World) -> None:
    orders, fills = largest(world)
    assert named(world, orders, fills) == []
    assert world.position(world.taker).size == 32
    [batch] = [log for log in world.settle([], []) if log.name == "BatchSettled"]
    assert batch.settled == 0


@pytest.mark.parametrize("bad", [0, 1, 15, 31])
def test_a_group_of_32_with_one_bad_fill(world: World, bad: int) -> None:
    orders, fills = largest(world)
    orders[1 + bad] = world.signed(BROKE, "SELL", size=1)
    expected = [*failed(*(n for n in range(32) if n != bad)), (bad, 2, "margin", orders[1 + bad].id)]
    assert named(world, orders, fills) == sorted(expected)
    assert world.position(world.taker).size == 0


@pytest.mark.parametrize("place", [15, 16, 31])
def test_a_reason_comes_from_whatever_place_in_a_group(world: World, place: int) -> None:
    """The cap leaves room for as many fills as stand before it."""
    world.exchange.send(world.governance).set_market(1, *replace(BTC, max_open_interest=place).parameters(), 1)
    orders, fills = largest(world)
    expected = [*failed(*(n for n in range(32) if n != place)), (place, 3, "open interest cap", NOBODY)]
    assert named(world, orders, fills) == sorted(expected)


@pytest.mark.parametrize("count", [2, 8])
def test_starving_a_group_of_gas_reverts_the_batch_and_blames_nobody(world: World, count: int) -> None:
    """With whatever gas, all of it settles or the batch reverts."""
    orders = [whole(world, count), *makers(world, *[1] * count)]
    words = [signed.words for signed in orders], [fill.word() for fill in group(world, *[1] * count)]
    outcomes = set()
    for gas in range(100_000, 8_000_000, 100_000):
        with world.evm.undone():
            try:
                sent = world.exchange.send(world.operator, gas)
                receipt = sent.settle(world.system.head, (99).to_bytes(32, "big"), *words)
            except RevertError:
                outcomes.add("reverted")
            else:
                assert receipt.named("FillRejected") == []
                outcomes.add("settled")
    assert outcomes == {"reverted", "settled"}


# Against the model


@pytest.mark.parametrize("seed", range(6))
def test_random_groups_agree_with_the_model(seed: int) -> None:
    random = Random(seed)
    twin = Twin()
    keys = [wallet(f"trader {number}") for number in range(4)]
    for key in keys[:3]:
        twin.deposit(key, 5_000 * USDC)
    twin.deposit(keys[3], 20 * USDC)
    for _ in range(12):
        world, orders, fills = twin.world, [], []
        twin.push(1, PRICE[1] + random.randrange(-20, 21) * 100)
        while len(fills) < 12:
            count = random.choice([1, 2, 3, 5])
            side, other = random.choice([("BUY", "SELL"), ("SELL", "BUY")])
            limit = {"BUY": 2**40, "SELL": 1}
            sizes = [random.randrange(1, 200) for _ in range(count)]
            taker = random.choice(keys)
            total = sum(sizes) + random.choice([0, 0, 0, -1, 50])
            kind = random.choice(["GTT", "IOC", "FOK", "FOK"])
            terms = {"market": random.choice(["BTC-USD"] * 4 + ["ETH-USD"]), "size": max(1, total)}
            price = PRICE[1 if terms["market"] == "BTC-USD" else 2]
            place = len(orders)
            orders.append(
                world.signed(
                    taker,
                    side,
                    **{"slot": len(orders)} if kind == "GTT" else {},
                    time_in_force=kind,
                    limit_price=limit[side],
                    reduce_only=random.random() < 0.1,
                    **terms,
                )
            )
            for number, size in enumerate(sizes):
                fields = terms | {"size": max(1, size - (random.random() < 0.05)), "limit_price": limit[other]}
                orders.append(world.signed(random.choice(keys), other, slot=len(orders), **fields))
                fees = random.choice([(0, 0), (350, -100), (350, 50)])
                flags = GROUPED if number < count - 1 or random.random() < 0.03 else 0
                fills.append(
                    world.fill(price, size, place, len(orders) - 1, taker_fee=fees[0], maker_fee=fees[1], flags=flags)
                )
        twin.settle(orders, fills)
        twin.check()
    assert twin.tally.done["fill"] > 10
    assert twin.tally.reasons["group failed"] > 5
    assert twin.tally.reasons["fill-or-kill"] > 2
