# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 36 to 48 that one pushed oracle can suffer. `test_oracle_router` plays them on several sources.

Nothing expires and nothing is priced by volatility: 45 and 46 have nothing to attack.
"""

from dataclasses import replace

import pytest

from tests.support.abi import RevertError, abi_of
from tests.support.chain import deploy
from tests.support.system import BTC
from tests.support.twin import Twin
from tests.support.wire import PRICE_TYPE, Domain, Signature, sign, wallet
from tests.support.world import KEYS, PRICE, USDC, World, rejections


def push(world: World, *updates: tuple[int, ...]) -> None:
    world.oracle.send(wallet("pusher").address).push(list(updates))


def test_36_stale(world: World) -> None:
    """The last second of a price's age counts, the next does not: no fills, no withdrawals, no liquidation in it."""
    world.trade(world.taker, world.maker, 100)
    orders = [world.signed(world.taker, "BUY", slot=5), world.signed(world.maker, "SELL", slot=6)]
    world.push({1: PRICE[1]})
    world.warp(120)
    assert rejections(world.settle(orders, [world.fill()])) == []
    assert world.withdrawable(world.taker) > 0
    world.warp(1)
    assert [r.reason for r in rejections(world.settle(orders, [world.fill()]))] == ["stale price"]
    assert world.withdrawable(world.taker) == 0
    with pytest.raises(RevertError, match="stale price"):
        world.exchange.send(world.maker.address).liquidate(world.taker.address, 0, 1, 1, 0)
    with pytest.raises(RevertError, match="stale price"):
        world.exchange.send(world.maker.address).poke(1)


def test_37_zero_or_negative(world: World) -> None:
    """There is no sign in a price; zero and beyond 2^40 are refused even when signed."""
    for price in (0, 2**40 + 1, 2**48 - 1):
        world.warp(1)
        with pytest.raises(RevertError, match="price not in"):
            push(world, world.system.price_update(1, price, world.now))
    assert world.oracle.call.price(1)[0] == PRICE[1]


def test_37_a_market_without_any_price_does_not_trade() -> None:
    listing = replace(BTC, id=9, ticker="NEW-USD")
    world = World()
    world.exchange.send(world.governance).list_market(*listing.arguments())
    orders = [world.sign(key, world.order(key, side, market="NEW-USD", limit_price=PRICE[1]), market=9)
              for key, side in ((world.taker, "BUY"), (world.maker, "SELL"))]  # fmt: skip
    assert [r.reason for r in rejections(world.settle(orders, [world.fill()]))] == ["stale price"]


def test_38_future_timestamp(world: World) -> None:
    """Ten seconds of clock skew, no more: a far stamp would block all later prices."""
    with pytest.raises(RevertError, match="published in the future"):
        push(world, world.system.price_update(1, 9_999_900, world.now + 11))
    push(world, world.system.price_update(1, 2_400_000, world.now + 10))
    assert world.oracle.call.price(1) == (2_400_000, world.now + 10)


def test_39_out_of_order_update(world: World) -> None:
    """An older or equally old signed price changes nothing, and does not hold up the newer ones beside it."""
    stored = world.oracle.call.price(1)
    old = world.system.price_update(1, 1_000_000, stored[1] - 1)
    same = world.system.price_update(1, 1_000_000, stored[1])
    world.warp(5)
    newer = world.system.price_update(2, 1_500_000, world.now)
    push(world, old, newer, same)
    assert world.oracle.call.price(1) == stored
    assert world.oracle.call.price(2) == (1_500_000, world.now)


def test_40_out_of_band(world: World) -> None:
    """Exactly at the band is in, one tick beyond is out, on both sides."""
    high, low = PRICE[1] * 110 // 100, PRICE[1] * 90 // 100
    orders = [world.signed(world.taker, "BUY", limit_price=2**40), world.signed(world.maker, "SELL", limit_price=1)]
    fills = [world.fill(price, 1) for price in (high, low, high + 100, low - 100)]
    found = rejections(world.settle(orders, fills))
    assert [(r.fill_id, r.reason) for r in found] == [(fill.fill_id, "price band") for fill in fills[2:]]


def test_43_an_outage_makes_up_funding_once_and_shields_nobody() -> None:
    """Hours without a price: nothing accrues or moves meanwhile, and the first fresh touch makes it up, bounded."""
    twin = Twin()
    long, short = wallet("long"), wallet("short")
    for key in (long, short):
        twin.deposit(key, 10_000 * USDC)
    price = PRICE[1] * 101 // 100 // 100 * 100
    orders = [twin.world.signed(long, "BUY", limit_price=price), twin.world.signed(short, "SELL", slot=2)]
    twin.settle(orders, [twin.world.fill(price, 100, taker_fee=350)])
    twin.check()
    frozen = twin.model.markets[1].funding
    for _ in range(10):
        twin.warp(3_601)
        assert not twin.poke(1)
        twin.check()
    assert twin.model.markets[1].funding == frozen
    twin.push(1, PRICE[1])
    assert twin.poke(1)
    twin.check()
    paid = twin.model.markets[1].funding.g_long - frozen.g_long
    assert 0 < paid <= (PRICE[1] << 32) * 10_000 // 10**8  # one hour at the cap


def test_44_sandwiched_update(world: World) -> None:
    """Pushing an older signed price between two fills of one's own is ignored."""
    world.warp(30)
    lower = world.system.price_update(1, PRICE[1] * 95 // 100, world.now - 20)
    world.push({1: PRICE[1]})
    push(world, lower)
    assert world.oracle.call.price(1)[0] == PRICE[1]


def test_44_prices_signed_for_something_else_are_refused(world: World) -> None:
    message = {"market": 1, "price": 5_000_000, "publishedAt": world.now}
    oracle = world.system.oracle_domain
    wrong: list[tuple[object, Signature]] = [
        ("signer", sign(KEYS.operator, oracle, PRICE_TYPE, message)),
        ("chain", sign(KEYS.price_signer, replace(oracle, chain_id=1), PRICE_TYPE, message)),
        ("contract", sign(KEYS.price_signer, replace(oracle, contract=world.exchange.address), PRICE_TYPE, message)),
        ("name", sign(KEYS.price_signer, Domain(oracle.chain_id, oracle.contract), PRICE_TYPE, message)),
        ("market", sign(KEYS.price_signer, oracle, PRICE_TYPE, message | {"market": 2})),
        ("time", sign(KEYS.price_signer, oracle, PRICE_TYPE, message | {"publishedAt": world.now - 1})),
    ]
    world.warp(1)
    for what, signature in wrong:
        with pytest.raises(RevertError, match="bad signature"):
            push(world, (1, 5_000_000, world.now - 1, signature.r, signature.vs))
        assert world.oracle.call.price(1)[0] == PRICE[1], what


def test_47_price_and_liquidation_in_one_transaction() -> None:
    """A price pushed in the same transaction counts at once, and the liquidator gains no more by it."""
    twin = Twin()
    victim, maker, liquidator = wallet("victim"), wallet("maker"), wallet("liquidator")
    for key, amount in ((victim, 120), (maker, 10_000)):
        twin.deposit(key, amount * USDC)
    orders = [twin.world.signed(victim, "BUY", size=1_000), twin.world.signed(maker, "SELL", slot=2, size=1_000)]
    twin.settle(orders, [twin.world.fill(size=1_000)])
    world = twin.world
    relayed = deploy(world.evm, liquidator.address, "Relayed", abi=abi_of("Relayed"))
    twin.deposit(liquidator, 10_000 * USDC)
    world.usdc.send(liquidator.address).mint(liquidator.address, 10_000 * USDC)
    world.usdc.send(liquidator.address).approve(world.vault.address, 10_000 * USDC)
    world.vault.send(liquidator.address).deposit(relayed.address, 0, 10_000 * USDC)
    world.warp(1)
    crash = world.oracle.data("push", [world.system.price_update(1, 2_245_000, world.now)])
    take = world.exchange.data("liquidate", victim.address, 0, 1, 10**6, 0)
    with pytest.raises(RevertError):
        relayed.send(liquidator.address).run([(world.exchange.address, take)])  # not before the price is there
    relayed.send(liquidator.address).run([(world.oracle.address, crash), (world.exchange.address, take)])
    size = world.position(victim).size
    assert size < 1_000
    given = 1_000 - size
    price = -twin_quote(world, relayed.address) // given
    assert 2_245_000 * 97 // 100 <= price <= 2_245_000


def twin_quote(world: World, account: str) -> int:
    """What the account's position cost, micro-USDC; funding has not run."""
    from tests.support.wire import PositionWord

    return PositionWord.unpack(world.exchange.call.position(account, 0, 1)).q >> 32


def test_48_a_dead_feed_that_nobody_holds_blocks_nothing(world: World) -> None:
    """Market 2's feed is dead. Accounts without it trade, withdraw and are liquidated as ever."""
    world.trade(world.taker, world.maker, 100)
    world.warp(500)
    world.push({1: PRICE[1]})
    world.trade(world.taker, world.maker, 50)
    assert world.withdrawable(world.taker) > 0


def test_48_a_stale_leg_shields_nobody() -> None:
    """An account with a dead leg is liquidated in its live one, the dead one counting at its last price."""
    twin = Twin()
    victim, maker, liquidator = wallet("victim"), wallet("maker"), wallet("liquidator")
    for key, amount in ((victim, 200), (maker, 10_000), (liquidator, 10_000)):
        twin.deposit(key, amount * USDC)
    world = twin.world
    for market, ticker in ((1, "BTC-USD"), (2, "ETH-USD")):
        fields = {"market": ticker, "size": 700}
        orders = [world.signed(victim, "BUY", **fields), world.signed(maker, "SELL", slot=2, **fields)]
        twin.settle(orders, [world.fill(PRICE[market], 700)])
    twin.warp(200)
    twin.push(1, PRICE[1] * 90 // 100 // 100 * 100)
    assert twin.read_health(victim.address, 0).stale
    assert twin.liquidate((victim, 0), (liquidator, 0), 1, 10**6) is not None
    assert twin.liquidate((victim, 0), (liquidator, 0), 2, 10**6) is None
    twin.check()
