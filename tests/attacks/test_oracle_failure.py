# SPDX-License-Identifier: AGPL-3.0-only
"""Attack 48 to its end: an oracle that reverts, burns gas or answers nonsense for one market stops that market only."""

import pytest

from tests.support.abi import RevertError
from tests.support.chain import Contract, deploy
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World, rejections

MODES = {"reverts": 1, "burns gas": 2, "answers too little": 3, "answers nothing but zero": 5, "is too far ahead": 6}
GAS = 7_000_000


def fresh(world: World, oracle: Contract, prices: dict[int, int]) -> None:
    for market, price in prices.items():
        oracle.send(world.operator).set_price(market, price, world.now)


def broken_world() -> tuple[World, Contract]:
    """The taker is long 1,000 lots of each market; both feeds work so far."""
    world = World()
    oracle = deploy(world.evm, world.operator, "OracleDouble")
    world.announced("set_oracle", oracle.address)
    fresh(world, oracle, PRICE)
    world.trade(world.taker, world.maker, 1_000)
    world.trade(world.taker, world.maker, 1_000, market="ETH-USD")
    return world, oracle


def fail(world: World, oracle: Contract, market: int, mode: int) -> None:
    if mode == 5:
        oracle.send(world.operator).set_price(market, 0, world.now)
    elif mode == 6:
        oracle.send(world.operator).set_price(market, 2**40 - 1, world.now + 11)
    else:
        oracle.send(world.operator).set_mode(market, mode)


@pytest.fixture(params=list(MODES.values()), ids=list(MODES))
def failed(request: pytest.FixtureRequest) -> World:
    """Market 2 has lost its feed."""
    world, oracle = broken_world()
    world.warp(30)
    fresh(world, oracle, PRICE)
    fail(world, oracle, 2, request.param)
    return world


def test_48_the_lost_market_counts_at_its_last_price_and_as_stale(failed: World) -> None:
    equity, initial, maintenance, stale = failed.exchange.call.margin_of(failed.taker.address, 0)
    lots = 1_000
    assert stale
    assert equity >> 32 == 100_000 * USDC
    assert initial >> 32 == lots * (PRICE[1] + PRICE[2]) * 5 // 100
    assert maintenance >> 32 == lots * (PRICE[1] + PRICE[2]) * 3 // 100
    assert failed.withdrawable(failed.taker) == 0


def test_48_nobody_trades_in_it(failed: World) -> None:
    orders = [failed.signed(failed.taker, "SELL", market="ETH-USD", slot=5),
              failed.signed(failed.maker, "BUY", market="ETH-USD", slot=6)]  # fmt: skip
    assert [r.reason for r in rejections(failed.settle(orders, [failed.fill(PRICE[2])]))] == ["stale price"]


def test_48_the_other_market_trades_beside_it_in_one_batch(failed: World) -> None:
    """Reductions of those who hold the lost market, and anything of those who do not."""
    one, two = wallet("newcomer"), wallet("second newcomer")
    for key in (one, two):
        failed.system.fund(key.address, 1_000 * USDC)
    orders = [
        failed.signed(failed.taker, "SELL", slot=5),
        failed.signed(failed.maker, "BUY", slot=6),
        failed.signed(one, "BUY"),
        failed.signed(two, "SELL"),
        failed.signed(failed.taker, "SELL", market="ETH-USD", slot=7),
        failed.signed(failed.maker, "BUY", market="ETH-USD", slot=8),
    ]
    fills = [failed.fill(PRICE[2], 1, 4, 5), failed.fill(taker=0, maker=1), failed.fill(taker=2, maker=3)]
    logs = failed.system.settle(orders, fills, gas=GAS)
    assert [rejection.fill_id for rejection in rejections(logs)] == [fills[0].fill_id]
    assert failed.position(failed.taker).size == 990
    assert failed.position(one).size == 10


def test_48_those_without_a_position_in_it_leave_as_ever(failed: World) -> None:
    bystander = wallet("bystander")
    failed.system.fund(bystander.address, 70 * USDC)
    failed.withdraw(bystander, 70 * USDC)
    assert failed.balance(bystander.address) == 70 * USDC


@pytest.mark.parametrize("mode", list(MODES.values()), ids=list(MODES))
def test_48_a_lost_feed_shields_nobody_from_liquidation_elsewhere(mode: int) -> None:
    world, oracle = broken_world()
    victim, liquidator = wallet("victim"), wallet("liquidator")
    world.system.fund(victim.address, 300 * USDC)
    world.system.fund(liquidator.address, 10_000 * USDC)
    world.trade(victim, world.maker, 1_000)
    world.trade(victim, world.maker, 1_000, market="ETH-USD")
    world.warp(30)
    fresh(world, oracle, {1: PRICE[1] * 90 // 100, 2: PRICE[2]})
    fail(world, oracle, 2, mode)
    sent = world.exchange.send(liquidator.address, gas=GAS)
    [log] = sent.liquidate(victim.address, 0, 1, 10**6, 0).named("Liquidated")
    assert log.size > 0
    assert world.position(liquidator).size == log.size


def test_48_a_feed_that_comes_back_makes_up_for_lost_time() -> None:
    world, oracle = broken_world()
    fail(world, oracle, 2, 1)
    world.warp(4_000)
    oracle.send(world.operator).set_mode(2, 0)
    fresh(world, oracle, PRICE)
    assert world.withdrawable(world.taker) > 0
    world.exchange.send(world.operator).poke(2)
    assert world.exchange.call.market_indices(2)[2] == world.now // 3_600 * 3_600


def test_48_an_operator_cannot_make_a_feed_fail_by_giving_it_little_gas() -> None:
    """With whatever gas, a batch settles at the true price or reverts whole: no fill is rejected as stale."""
    world, _ = broken_world()
    orders = [world.signed(world.taker, "SELL", slot=5), world.signed(world.maker, "BUY", slot=6)]
    words = [signed.words for signed in orders], [world.fill().word()]
    answers = set()
    for gas in range(60_000, 6_000_000, 40_000):
        with world.evm.undone():
            try:
                sent = world.exchange.send(world.operator, gas=gas)
                receipt = sent.settle(world.system.head, (77).to_bytes(32, "big"), *words)
            except RevertError:
                answers.add("reverted")
            else:
                assert [log.reason for log in receipt.named("FillRejected")] == []
                answers.add("settled")
    assert answers == {"reverted", "settled"}


def test_48_a_withdrawal_cannot_profit_from_a_starved_feed() -> None:
    """Nor does a caller's little gas turn a price into none where that would help him."""
    world, _ = broken_world()
    free = world.withdrawable(world.taker)
    message = world.withdrawal(world.taker, free + 1)
    signatures = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
    for gas in range(60_000, 1_200_000, 10_000):
        with pytest.raises(RevertError):
            world.vault.send(world.operator, gas=gas).withdraw_signed(message, *signatures)
    assert world.cash(world.taker) == 100_000 * USDC
