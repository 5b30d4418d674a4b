# SPDX-License-Identifier: AGPL-3.0-only
"""Oracles that revert, burn gas or know nothing for one market only: a stale price there, and the others go on."""

import pytest

from tests.support.abi import RevertError
from tests.support.chain import deploy
from tests.support.wire import wallet
from tests.support.world import PRICE, USDC, World, rejections


def answers(price: int, then: bytes) -> bytes:
    """Code of an oracle: `price` now for every market, but `then` for market 2."""
    head = bytes.fromhex("600435600214") + b"\x60\x1d\x57"
    body = b"\x63" + price.to_bytes(4, "big") + bytes.fromhex("5f524260205260405ff3")
    code = head + body
    return code.ljust(0x1D, b"\0") + b"\x5b" + then


REVERT_WITH_A_CODE = bytes.fromhex("60015f5260205ffd")  # one word: 1, as if a step said "bad signature"
REVERT = bytes.fromhex("5f5ffd")
BURN = bytes.fromhex("fe")


def two_legs() -> World:
    world = World()
    world.trade(world.taker, world.maker, 100)
    world.trade(world.taker, world.maker, 100, market="ETH-USD")
    return world


@pytest.mark.parametrize("then", [REVERT_WITH_A_CODE, REVERT, BURN], ids=["code", "revert", "burn"])
def test_48_an_oracle_that_fails_for_one_market_is_one_without_a_price(then: bytes) -> None:
    world = two_legs()
    world.evm.set_code(world.oracle.address, answers(PRICE[1], then))
    orders = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL", slot=2)]
    [rejection] = rejections(world.settle(orders, [world.fill()]))
    assert rejection.reason == "stale leg"  # whatever words the oracle put into its failure
    assert world.withdrawable(world.taker) == 0


@pytest.mark.parametrize("then", [REVERT, BURN], ids=["revert", "burn"])
def test_48_a_broken_feed_does_not_block_other_markets(then: bytes) -> None:
    world = two_legs()
    one, two = wallet("one"), wallet("two")
    for key in (one, two):
        world.system.fund(key.address, 1_000 * USDC)
    world.evm.set_code(world.oracle.address, answers(PRICE[1], then))
    eth = {"market": "ETH-USD"}
    orders = [world.signed(one, "BUY"), world.signed(two, "SELL", slot=2)]
    orders += [world.signed(one, "BUY", slot=3, **eth), world.signed(two, "SELL", slot=4, **eth)]
    logs = world.settle(orders, [world.fill(), world.fill(PRICE[2], 10, 2, 3)])
    assert [log.settled for log in logs if log.name == "BatchSettled"] == [1]


def new_oracle(world: World) -> None:
    """Governance moves to another oracle, to which prices are pushed one market at a time."""
    oracle = deploy(world.evm, world.governance, "PushedOracle", world.system.keys.price_signer.address)
    world.announced("set_oracle", oracle.address)
    world.system.oracle = oracle
    world.oracle = oracle


def test_42_an_unpriced_leg_must_not_drain_the_insurance_fund() -> None:
    world = World()
    attacker, donor = wallet("attacker"), wallet("donor")
    world.system.donate(donor.address, 50_000 * USDC)
    world.system.fund(attacker.address, 5_000 * USDC)
    world.system.fund(attacker.address, 1_000 * USDC, 1)
    world.trade(attacker, world.maker, 20_000, market="ETH-USD")  # 32,000 USDC, healthy
    world.trade(attacker, world.maker, 100)  # 230 USDC in the other market
    world.warp(60)
    new_oracle(world)
    world.push({1: PRICE[1]})  # anyone may push one of the signed prices and withhold the other
    with pytest.raises(RevertError, match="account is healthy"):
        world.exchange.send(attacker.address).liquidate(attacker.address, 0, 1, 10**6, 1)
    world.push({2: PRICE[2]})
    equity = sum(world.exchange.call.margin_of(attacker.address, number)[0] for number in (0, 1)) >> 32
    assert world.exchange.call.insurance() >= 50_000 * USDC
    assert equity <= 6_000 * USDC


def test_42_an_unpriced_short_does_not_pay_for_a_bad_reduction() -> None:
    """A short at price zero looks like pure profit, and hides that a reduction off the market prints bad debt."""
    world = World(funds=0)
    friend, attacker = wallet("friend"), wallet("attacker")
    for key, amount in ((world.maker, 100_000), (friend, 100_000), (attacker, 1_750)):
        world.system.fund(key.address, amount * USDC)
    world.trade(attacker, world.maker, -10_000, market="ETH-USD")  # 16,000 USDC short
    world.trade(attacker, world.maker, 8_000)  # 18,400 USDC long
    new_oracle(world)
    world.push({1: PRICE[1]})
    low = PRICE[1] * 90 // 100
    orders = [world.signed(friend, "BUY", limit_price=low, size=8_000, slot=5),
              world.signed(attacker, "SELL", limit_price=low, size=8_000, slot=6)]  # fmt: skip
    logs = world.settle(orders, [world.fill(low, 8_000)])
    world.push({2: PRICE[2]})
    equity = world.exchange.call.margin_of(attacker.address, 0)[0]
    assert equity > 0, f"bad debt of {-equity >> 32} micro-USDC"
    assert rejections(logs)
