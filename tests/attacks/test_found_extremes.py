# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks at the bounds that unchecked arithmetic relies on, and the dearest step where cold reads are charged."""

from dataclasses import replace
from random import Random

import pytest

from tests.attacks.scenes import Scene
from tests.reference.exchange import Executed
from tests.support.abi import RevertError
from tests.support.anvil import anvil, deploy_on
from tests.support.build import storage_slot
from tests.support.chain import deploy
from tests.support.system import BTC, Listing
from tests.support.twin import Twin
from tests.support.wire import Fill, Order, sign_order, wallet
from tests.support.world import PRICE, USDC

MOST_LOTS, MOST_PRICE, MOST_INDEX = 2**46, 2**40 - 1, 2**78 - 1
WILD = Listing(11, "WILD", 3, tick=1, imf=10_000, mmf=5_000, band=500_000, max_open_interest=MOST_LOTS)


def set_indices(twin: Twin, market: int, g_long: int, g_short: int) -> None:
    """As if funding and losses had run for centuries, in contract and model."""
    funding = replace(twin.model.markets[market].funding, g_long=g_long, g_short=g_short)
    twin.model.markets[market].funding = funding
    word = (g_long % 2**96) << 160 | (g_short % 2**96) << 64 | (funding.slope % 2**48) << 16 | funding.rate % 2**16
    slot = storage_slot("Exchange", "markets", "indices")
    twin.world.evm.set_mapping(twin.world.exchange.address, slot, market, word)


@pytest.mark.parametrize("g_long", [MOST_INDEX, -MOST_INDEX, 0], ids=["high", "low", "none"])
@pytest.mark.parametrize("g_short", [MOST_INDEX, -MOST_INDEX], ids=["high", "low"])
def test_28_the_largest_position_at_the_largest_index(g_long: int, g_short: int) -> None:
    """2^46 - 1 lots times an index of 2^78 - 1: opened, flipped on both sides, closed; not a unit is lost but dust."""
    twin = Twin((WILD,))
    one, two = wallet("one"), wallet("two")
    twin.push(WILD.id, 1)
    for key in (one, two):
        twin.deposit(key, 2**46)
    set_indices(twin, WILD.id, g_long, g_short)
    twin.check()
    world = twin.world
    most = MOST_LOTS - 1
    for lots in (most, -most, -most, most):
        sides = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
        terms = {"market": "WILD", "limit_price": 1, "size": abs(lots)}
        orders = [world.signed(one, sides[0], **terms), world.signed(two, sides[1], slot=2, **terms)]
        [outcome] = twin.settle(orders, [world.fill(1, abs(lots))])
        assert isinstance(outcome, Executed)
        twin.check()
    assert twin.model.accounts[one.address, 0].cash == twin.model.accounts[two.address, 0].cash == 2**46


@pytest.mark.parametrize("lots", [1, -1])
def test_28_a_single_lot_counts_by_the_index_of_its_side(lots: int) -> None:
    """Longs and shorts far apart: what a lot is worth, beside another position and alone, and what it leaves behind."""
    twin = Twin()
    one, two, world = wallet("one"), wallet("two"), twin.world
    for key in (one, two):
        twin.deposit(key, 10_000 * USDC)
    set_indices(twin, 1, 30_000 << 32, -20_000 << 32)
    set_indices(twin, 2, -(7_000 << 32), 5_000 << 32)

    def trade(size: int, market: str) -> None:
        sides = ("BUY", "SELL") if size > 0 else ("SELL", "BUY")
        terms = {"market": market, "size": abs(size)}
        orders = [world.signed(one, sides[0], **terms), world.signed(two, sides[1], slot=2, **terms)]
        [outcome] = twin.settle(orders, [world.fill(PRICE[1 if market == "BTC-USD" else 2], abs(size))])
        assert isinstance(outcome, Executed)
        twin.check()

    for size, market in ((lots, "BTC-USD"), (-lots, "ETH-USD"), (-2 * lots, "BTC-USD"), (lots, "BTC-USD")):
        trade(size, market)
    trade(lots, "ETH-USD")


@pytest.mark.parametrize("seed", range(12))
def test_28_any_prices_and_sizes_agree_with_exact_arithmetic(seed: int) -> None:
    """Prices from 1 to the highest, cash up to 2^69, fees and margins at both their ends, jumps of the price."""
    random = Random(seed)
    mmf = random.choice([5_000, 400_000, 999_999])
    listing = replace(WILD, imf=random.choice([10_000, 1_000_000]) if mmf < 10_000 else 1_000_000, mmf=mmf)
    twin = Twin((listing,))
    world = twin.world
    price = random.choice([1, 101, 10**6, MOST_PRICE])
    twin.push(listing.id, price)
    keys = [wallet(f"extreme {number}") for number in range(3)]
    for key in keys:
        twin.deposit(key, random.randrange(9 * price, 10 * price + random.choice([10**8, 2**69])))
    for _ in range(60):
        taker, maker = random.sample(keys, 2)
        if random.random() < 0.3:
            price = max(1, min(MOST_PRICE, price * random.randrange(700_000, 1_400_000) // 1_000_000))
            twin.push(listing.id, price)
            for key in keys:
                health = twin.model.health((key.address, 0))
                if health.equity < health.maintenance:
                    other = next(other for other in keys if other != key)
                    twin.liquidate((key, 0), (other, 0), listing.id, random.choice([1, 10**5, 2**47]))
                    twin.check()
        free = min(twin.model.withdrawable((key.address, 0)) for key in (taker, maker))
        lots = free * 1_000_000 // (listing.imf * price) + abs(twin.model.accounts[taker.address, 0].position(11).size)
        lots = max(1, min(MOST_LOTS, random.choice([lots, lots // 2, lots + 1, 2 ** random.randrange(47)])))
        at = min(MOST_PRICE, max(1, price * random.randrange(500_000, 1_500_001) // 1_000_000))
        at = random.choice([price, at])
        terms = {"market": "WILD", "limit_price": at, "size": lots, "max_fee_ppm": 65_535}
        sides = random.choice([("BUY", "SELL"), ("SELL", "BUY")])
        orders = [world.signed(taker, sides[0], **terms), world.signed(maker, sides[1], slot=2, **terms)]
        fees = random.choice([(0, 0), (32_767, 32_767), (32_767, -32_767), (-5, 5), (350, -150)])
        twin.settle(orders, [world.fill(at, lots, taker_fee=fees[0], maker_fee=fees[1])])
        twin.check()
    assert twin.tally.done["fill"] > 4


def test_31_the_dearest_step_with_cold_storage() -> None:
    """Eight positions a side, in different markets but one, floors on both sides, every word read for once."""
    start = 1_800_000_000
    listings = tuple(replace(BTC, id=n, ticker=f"M{n}", max_price_age=86_400) for n in range(1, 16))
    with anvil("--timestamp", str(start), "--order", "fifo") as node:
        rpc = node.rpc
        now = start + 100
        rpc.at(now)
        system = deploy_on(rpc, listings)
        for markets in (range(1, 9), range(9, 16)):
            now += 100
            rpc.at(now)
            system.push(dict.fromkeys(markets, PRICE[1]), now)
        keys = [wallet(f"cold {number}") for number in range(4)]
        for key in keys:
            rpc.fund(key.address)
            system.fund(key.address, 100_000 * USDC)

        def trade(buyer: int, seller: int, market: int) -> int:
            nonlocal now
            now += 20
            rpc.at(now)
            orders = []
            for side, who in (("BUY", buyer), ("SELL", seller)):
                order = Order(
                    f"M{market}", side, 1, PRICE[1], keys[who].address, now * 1000, now + 9, slot=100 + market
                )
                orders.append(sign_order(keys[who], system.domain, order, market).words)
            before, system.head = system.head, now.to_bytes(32, "big")
            fill = Fill(now, PRICE[1], 1, 0, 1).word()
            sent = system.exchange.send(system.keys.operator.address)
            receipt = sent.settle(before, system.head, orders, [fill])
            assert receipt.named("BatchSettled")[0].settled == 1
            return int(receipt.gas_used)

        for market in range(1, 8):
            trade(0, 2, market)
            trade(1, 3, 16 - market)
        for _ in range(2):  # the second floor is pending: the older one is read too
            now += 200
            rpc.at(now)
            for key in keys[:2]:
                system.exchange.send(key.address).cancel_all(0)
        gas = trade(0, 1, 8)
        assert gas < 600_000  # of a transaction with this one step, for which 4,000,000 are set aside


def test_47_quotes_of_one_call_are_not_used_in_the_next_of_the_same_transaction() -> None:
    """Take over, move the price, take over again in one transaction: the second call must see the second price."""
    scene = Scene()
    scene.fund(victim=3_000)
    scene.twin.donate(scene.maker, 50_000 * USDC)
    scene.trade(scene.victim, scene.maker, 12_000)
    scene.trade(scene.victim, scene.maker, 15_000, PRICE[2], market=2)
    world, victim, maker = scene.twin.world, scene.victim.address, scene.maker.address
    relayed = deploy(world.evm, world.governance, "Relayed")
    world.usdc.send(maker).mint(maker, 600 * USDC)
    world.usdc.send(maker).approve(world.vault.address, 600 * USDC)
    world.vault.send(maker).deposit(relayed.address, 0, 600 * USDC)
    low = PRICE[1] * 92 // 100
    scene.price(low)
    world.warp(1)

    def take(market: int) -> tuple[str, bytes]:
        return world.exchange.address, world.exchange.data("liquidate", victim, 0, market, 2_000, 0)

    update = world.system.price_update(1, low * 85 // 100, world.now)
    crash = world.oracle.address, world.oracle.data("push", [update])
    with world.evm.undone():
        relayed.send(maker).run([take(1), take(2), take(2)])
    with pytest.raises(RevertError, match="liquidator lacks margin"):
        relayed.send(maker).run([take(1), take(2), crash, take(2)])
    with world.evm.undone():
        relayed.send(maker).run([take(1), take(2), crash])
