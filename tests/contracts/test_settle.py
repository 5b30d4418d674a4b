# SPDX-License-Identifier: AGPL-3.0-only
"""Batches as a whole: the head, the limits, the totals, and what a batch says in events."""

from dataclasses import replace

import pytest
from eth_utils.crypto import keccak

from tests.support.abi import RevertError
from tests.support.system import BTC
from tests.support.wire import Fill, PositionWord, Signed
from tests.support.world import PRICE, USDC, World, rejections


def heads(world: World) -> bytes:
    return bytes(world.exchange.call.heads(world.operator))


def test_an_empty_batch_moves_the_head_and_nothing_else(world: World) -> None:
    logs = world.settle([], [])
    assert [log.name for log in logs] == ["BatchSettled"]
    assert heads(world) == world.system.head


def test_heads_form_a_chain_per_operator(world: World) -> None:
    second = world.maker.address
    world.exchange.send(world.governance).set_operator(second, True)
    world.settle([], [])
    with pytest.raises(RevertError, match="journal head moved"):
        world.exchange.send(second).settle(world.system.head, (7).to_bytes(32, "big"), [], [])
    world.exchange.send(second).settle(bytes(32), (7).to_bytes(32, "big"), [], [])
    assert heads(world) == world.system.head
    world.settle([], [])


def test_limits_of_a_batch(world: World) -> None:
    orders = [world.signed(world.taker, "BUY", size=1_000), world.signed(world.maker, "SELL", size=1_000)]
    fills = [world.fill(size=1) for _ in range(33)]
    with pytest.raises(RevertError):
        world.settle(orders, fills)
    assert rejections(world.settle(orders, fills[:32])) == []
    with pytest.raises(RevertError):
        world.settle(orders * 33, fills[:1])
    assert rejections(world.settle(orders * 32, fills[:1])) == []


def test_eight_markets_in_a_batch_and_not_nine() -> None:
    listings = tuple(replace(BTC, id=number, ticker=f"M{number}-USD") for number in range(1, 10))
    world = World(listings)
    world.push(dict.fromkeys(range(1, 10), PRICE[1]))
    orders: list[Signed] = []
    fills: list[Fill] = []
    for number in range(1, 10):
        terms = {"market": f"M{number}-USD", "limit_price": PRICE[1]}
        fills.append(world.fill(taker=len(orders), maker=len(orders) + 1, size=1))
        orders += [world.signed(world.taker, "BUY", slot=number, **terms),
                   world.signed(world.maker, "SELL", slot=number + 20, **terms)]  # fmt: skip
    with pytest.raises(RevertError):
        world.settle(orders, fills)
    assert rejections(world.settle(orders, fills[:8])) == []


def test_what_a_batch_says(world: World) -> None:
    """One event per fill in order, the hour that is opened, and the totals."""
    orders = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL")]
    fills = [world.fill(size=3, taker_fee=350), world.fill(size=0), world.fill(size=4, taker_fee=350, maker_fee=-50)]
    world.warp(3_000)
    world.push({1: PRICE[1]})
    before = world.system.head
    logs = world.settle(orders, fills)
    assert [log.name for log in logs] == ["Fill", "FillRejected", "Fill", "FundingAccrued", "BatchSettled"]
    first, rejected, second, funding, batch = logs
    assert (first.detail >> 192, rejected.fill_id, second.detail >> 192) == tuple(fill.fill_id for fill in fills)
    assert (funding.market, funding.index_price, funding.at) == (1, PRICE[1], world.now // 3_600 * 3_600)
    assert (funding.g_long, funding.g_short, funding.rate) == (0, 0, 0)
    notionals = [PRICE[1] * size for size in (3, 4)]
    taker_fees = [-(-notional * 350 // 10**6) for notional in notionals]
    rebate = notionals[1] * 50 // 10**6
    assert batch.fees == sum(taker_fees) - rebate == world.exchange.call.fees()
    assert (batch.operator, batch.prev, batch.next) == (world.operator, before, world.system.head)
    assert (batch.settled, batch.rejected) == (2, 1)
    assert PositionWord.unpack(second.taker_position).q == -(sum(notionals) + sum(taker_fees)) << 32
    assert PositionWord.unpack(second.maker_position).q == (sum(notionals) + rebate) << 32
    assert world.exchange.call.last_batch() == world.now


def test_a_batch_that_settles_nothing_is_not_the_last_one(world: World) -> None:
    world.trade(world.taker, world.maker, 1)
    last = world.now
    world.warp(10)
    world.settle([], [])
    assert world.exchange.call.last_batch() == last
    orders = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL")]
    world.settle(orders, [world.fill(size=101)])
    assert world.exchange.call.last_batch() == last


def test_the_word_that_stands_for_no_batch_yet_is_nobodys_head(world: World) -> None:
    """An operator's first batch has prev 0; `next` may be neither 0, nor `prev`, nor the word kept until then."""
    operator = world.exchange.send(world.operator)
    genesis = keccak(text="no batch yet")
    assert heads(world) == bytes(32)
    for prev, bad, reason in (
        (bytes(32), bytes(32), "journal head stands still"),
        (bytes(32), genesis, "journal head stands still"),
        ((5).to_bytes(32, "big"), (6).to_bytes(32, "big"), "journal head moved"),
    ):
        with pytest.raises(RevertError, match=reason):
            operator.settle(prev, bad, [], [])
    world.settle([], [])
    assert heads(world) == world.system.head
    with pytest.raises(RevertError, match="journal head moved"):
        operator.settle(bytes(32), (9).to_bytes(32, "big"), [], [])


def test_who_ceases_to_be_an_operator_loses_the_head(world: World) -> None:
    """And starts anew when he is one again; to be named twice changes nothing."""
    rule = world.exchange.send(world.governance)
    world.settle([], [])
    rule.set_operator(world.operator, True)
    assert heads(world) == world.system.head
    rule.set_operator(world.operator, False)
    assert not world.exchange.call.is_operator(world.operator)
    assert heads(world) == bytes(32)
    for prev in (bytes(32), world.system.head):
        with pytest.raises(RevertError, match="only operators"):
            world.exchange.send(world.operator).settle(prev, (7).to_bytes(32, "big"), [], [])
    rule.set_operator(world.operator, True)
    world.exchange.send(world.operator).settle(bytes(32), (7).to_bytes(32, "big"), [], [])
    assert int.from_bytes(heads(world), "big") == 7


def test_closing_moves_the_quote_to_cash(world: World) -> None:
    world.trade(world.taker, world.maker, 10)
    world.push({1: 2_350_000})
    logs = world.trade(world.taker, world.maker, -10, 2_350_000)
    closed = {log.account: log for log in logs if log.name == "PositionClosed"}
    assert closed[world.taker.address].realised == 10 * 50_000
    assert closed[world.maker.address].realised == -10 * 50_000
    assert closed[world.taker.address].cash == world.cash(world.taker) == 100_000 * USDC + 500_000
    assert world.position(world.taker) == PositionWord(0, 0, 0)
    assert world.exchange.call.account(world.taker.address, 0) >> 48 & (1 << 128) - 1 == 0


def test_a_flip_in_one_fill(world: World) -> None:
    world.trade(world.taker, world.maker, 10)
    world.trade(world.taker, world.maker, -25)
    assert (world.position(world.taker).size, world.position(world.maker).size) == (-15, 15)
    assert world.exchange.call.open_interest(1) == 15


def test_open_interest_counts_longs_once(world: World) -> None:
    world.trade(world.taker, world.maker, 10)
    world.system.fund(world.taker.address, 1_000 * USDC, subaccount=1)
    world.trade(world.taker, world.maker, 5, taker_subaccount=1)
    assert world.exchange.call.open_interest(1) == 15
    world.trade(world.taker, world.taker, -5, maker_subaccount=1)
    assert world.exchange.call.open_interest(1) == 15
    world.trade(world.taker, world.maker, -5)
    assert world.exchange.call.open_interest(1) == 10


def test_margin_is_checked_fill_by_fill_without_netting(world: World) -> None:
    """A fill that a later one would make good is refused all the same."""
    poor = world.order(world.taker, "BUY", subaccount=2, size=2_000, slot=9)
    world.system.fund(world.taker.address, 100 * USDC, subaccount=2)
    orders = [
        world.sign(world.taker, poor),
        world.signed(world.maker, "SELL", size=5_000, slot=8),
        world.sign(world.taker, poor.but(side="SELL", slot=10)),
        world.signed(world.maker, "BUY", size=5_000, slot=7),
    ]
    fills = [world.fill(size=1_200), world.fill(size=1_200, taker=2, maker=3)]
    assert [rejection.reason for rejection in rejections(world.settle(orders, fills))] == ["margin", "margin"]


def test_exactly_initial_margin_is_enough(world: World) -> None:
    """100 USDC carry 869 lots at 2.3 USDC and 5%, and not one more."""
    world.system.fund(world.taker.address, 100 * USDC, subaccount=2)
    needed = -(-869 * PRICE[1] * 50_000 // 10**6)
    world.withdraw(world.taker, 100 * USDC - needed, subaccount=2)
    maker = world.signed(world.maker, "SELL", size=5_000, slot=8)
    taker = world.signed(world.taker, "BUY", size=5_000, slot=9, subaccount=2)
    assert [r.reason for r in rejections(world.settle([taker, maker], [world.fill(size=870)]))] == ["margin"]
    assert rejections(world.settle([taker, maker], [world.fill(size=869)])) == []
    assert world.withdrawable(world.taker, 2) == 0


def test_one_order_may_take_and_rest_in_the_same_batch(world: World) -> None:
    orders = [
        world.signed(world.taker, "BUY", size=20),
        world.signed(world.maker, "SELL", size=15, slot=2),
        world.signed(world.maker, "SELL", size=50, slot=3),
    ]
    fills = [world.fill(size=15), world.fill(size=5, taker=2, maker=0), world.fill(size=1, taker=2, maker=0)]
    assert [r.reason for r in rejections(world.settle(orders, fills))] == ["overfilled"]
    assert world.slot(world.taker, 1).filled == 20
