# SPDX-License-Identifier: AGPL-3.0-only
"""Liquidation on the book: an account below maintenance meets a resting order, at a liquidator's price or better."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.attacks.scenes import Scene
from tests.reference.exact import SCALE
from tests.reference.exchange import Executed
from tests.support.abi import Log, RevertError
from tests.support.build import storage_slot
from tests.support.system import BTC, ETH
from tests.support.wire import Fill, Signed, wallet
from tests.support.world import PRICE, USDC, World, account_key, rejections

ON_THE_BOOK = 2
NOBODY = bytes(32)
LOTS = 1_000
BUYER = wallet("buyer")


def unsigned(world: World, account: str, side: str, **fields: Any) -> Signed:
    """The words of an order that could trade now, and nobody's signature."""
    order = world.order(
        wallet("nobody"), side, **({"account": account, "limit_price": 1 if side == "SELL" else 2**40} | fields)
    )
    words = order.words(1 if order.market == "BTC-USD" else 2)
    return Signed(order, order.hash(world.domain), (*words, 0, 0), account)


@pytest.fixture
def sick() -> Scene:
    """Long 1,000 lots bought at 2.30 with 120 USDC; at 2.24 equity is 60 USDC, maintenance 67.2."""
    return scene(120, 2_240_000)


def scene(cash: int, price: int, lots: int = LOTS) -> Scene:
    scene = Scene()
    scene.fund(victim=cash, liquidator=0)
    scene.twin.deposit(BUYER, 100_000 * USDC)
    scene.trade(scene.victim, scene.maker, lots)
    scene.price(price)
    return scene


def pair(scene: Scene, price: int, *, size: int = LOTS, side: str = "SELL", **fields: Any) -> list[Signed]:
    world = scene.twin.world
    other = "BUY" if side == "SELL" else "SELL"
    return [
        unsigned(world, scene.victim.address, side, size=size),
        world.signed(BUYER, other, slot=3, size=size, limit_price=price, **fields),
    ]


def fill(scene: Scene, price: int, size: int, **fields: Any) -> Fill:
    return scene.twin.world.fill(price, size, **({"flags": ON_THE_BOOK} | fields))


def settle(scene: Scene, orders: list[Signed], *fills: Fill) -> list[Log]:
    return scene.twin.world.settle(orders, list(fills))


def named(logs: list[Log]) -> list[tuple[int, str, bytes]]:
    return [(r.fault_class, r.reason, r.order) for r in rejections(logs)]


NOT_LIQUIDATABLE = [(4, "not liquidatable", NOBODY)]


def test_by_hand(sick: Scene) -> None:
    """At h = 60 / 67.2 half a per cent is given up, 11,200 a lot: 2,800 to the fund, 8,400 to whoever buys.

    To come back to initial margin takes ceil(52 USDC / (112,000 - 11,200)) = 516 lots.
    """
    world, victim = sick.twin.world, sick.victim
    equity, initial, maintenance, _ = world.exchange.call.margin_of(victim.address, 0)
    assert (equity >> 32, initial >> 32, maintenance >> 32) == (60 * USDC, 112 * USDC, 67_200_000)
    price, size = 2_240_000 - 8_400, 516
    orders = pair(sick, price)
    logs = settle(sick, orders, fill(sick, price, size, maker_fee=0))
    assert named(logs) == []
    [changed] = [log for log in logs if log.name == "InsuranceChanged"]
    assert changed.delta == changed.balance == size * 2_800
    [filled] = [log for log in logs if log.name == "Fill"]
    assert filled.detail & 0xFFFF == 1 | 2  # the taker sold, a liquidation
    assert (filled.taker, filled.maker) == (victim.address, BUYER.address)
    assert world.position(victim).size == LOTS - size
    assert world.equity(victim) >> 32 == 60 * USDC - size * (2_240_000 - price + 2_800)
    assert world.position(BUYER).size == size


@pytest.mark.parametrize(("offset", "settles"), [(0, True), (-1, False), (500, True)])
def test_the_price_to_the_unit(offset: int, settles: bool) -> None:
    """As a liquidator would pay, or better; what is better is the account's."""
    listings = (replace(BTC, tick=1), ETH)
    scene = Scene(listings)
    scene.fund(victim=120, liquidator=0)
    scene.twin.deposit(BUYER, 100_000 * USDC)
    scene.trade(scene.victim, scene.maker, LOTS)
    scene.price(2_240_000)
    price = 2_240_000 - 8_400 + offset
    [outcome] = scene.twin.settle(pair(scene, price), [fill(scene, price, 10)])
    assert isinstance(outcome, Executed) == settles
    scene.twin.check()


@pytest.mark.parametrize(("size", "settles"), [(516, True), (517, False), (1, True)])
def test_the_size_to_the_lot(sick: Scene, size: int, settles: bool) -> None:
    [outcome] = sick.twin.settle(pair(sick, 2_231_600), [fill(sick, 2_231_600, size)])
    assert isinstance(outcome, Executed) == settles
    sick.twin.check()


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("gap", [1, 0, -1])
def test_the_boundary_of_maintenance(short: bool, gap: int) -> None:
    """Equity of exactly maintenance is healthy; a unit less is not."""
    scene = Scene((replace(BTC, tick=1), ETH))
    lots = -LOTS if short else LOTS
    maintenance = 69 * USDC
    scene.twin.deposit(scene.victim, 200 * USDC)
    scene.twin.deposit(scene.maker, 100_000 * USDC)
    scene.twin.deposit(BUYER, 100_000 * USDC)
    scene.trade(scene.victim, scene.maker, lots)
    scene.twin.withdraw(scene.victim, 200 * USDC - 115 * USDC)
    # no price gives this equity to the unit; another position does, in which nothing is held back but the loss
    scene.trade(scene.victim, scene.maker, -lots)
    scene.trade(scene.victim, scene.maker, lots)
    world = scene.twin.world
    key, slot = (int(scene.victim.address, 16) << 16), "words"
    cash = maintenance + gap
    word = world.exchange.call.account(scene.victim.address, 0) & ((1 << 176) - 1) | cash << 176
    world.evm.set_mapping(world.exchange.address, storage_slot("Exchange", "accounts", slot), key, word)
    assert world.equity(scene.victim) >> 32 == cash
    side, price = ("BUY", PRICE[1]) if short else ("SELL", PRICE[1])
    logs = settle(scene, pair(scene, price, side=side), fill(scene, price, 1))
    assert named(logs) == (NOT_LIQUIDATABLE if gap >= 0 else [])


@pytest.mark.parametrize("short", [False, True])
def test_a_bankrupt_account_is_not_for_the_book(short: bool) -> None:
    scene_ = scene(120, 2_150_000 if not short else 2_450_000, -LOTS if short else LOTS)
    price = 2_150_000 if not short else 2_450_000
    assert scene_.twin.world.equity(scene_.victim) < 0
    [outcome] = scene_.twin.settle(pair(scene_, price, side="BUY" if short else "SELL"), [fill(scene_, price, 1)])
    assert not isinstance(outcome, Executed)
    scene_.twin.check()


def test_shorts_too() -> None:
    scene_ = scene(120, 2_360_000, -LOTS)
    price = 2_368_000
    before = scene_.twin.model.health((scene_.victim.address, 0))
    [outcome] = scene_.twin.settle(pair(scene_, price, side="BUY"), [fill(scene_, price, 300)])
    assert isinstance(outcome, Executed)
    assert outcome.insurance > 0
    scene_.twin.check()
    after = scene_.twin.model.health((scene_.victim.address, 0))
    assert after.equity / after.maintenance >= before.equity / before.maintenance


def test_it_is_of_the_other_side_and_of_a_position_there_is(sick: Scene) -> None:
    world = sick.twin.world
    orders = pair(sick, 2_240_000, side="BUY")
    assert named(settle(sick, orders, fill(sick, 2_240_000, 1))) == NOT_LIQUIDATABLE
    stranger = unsigned(world, wallet("stranger").address, "SELL")
    assert named(settle(sick, [stranger, pair(sick, 2_240_000)[1]], fill(sick, 2_240_000, 1))) == NOT_LIQUIDATABLE
    eth = [
        unsigned(world, sick.victim.address, "SELL", market="ETH-USD"),
        world.signed(BUYER, "BUY", market="ETH-USD", slot=4),
    ]
    assert named(settle(sick, eth, fill(sick, PRICE[2], 1))) == NOT_LIQUIDATABLE


def test_a_healthy_account_is_safe_from_the_operator() -> None:
    scene_ = scene(1_000, 2_240_000)
    orders = pair(scene_, 2_240_000)
    assert named(settle(scene_, orders, fill(scene_, 2_240_000, 1))) == NOT_LIQUIDATABLE
    # and without the flag nobody signed it
    assert named(settle(scene_, orders, fill(scene_, 2_240_000, 1, flags=0))) == [(1, "bad signature", orders[0].id)]


def test_the_account_pays_no_fee_and_gets_none(sick: Scene) -> None:
    orders = pair(sick, 2_240_000)
    for taker_fee, maker_fee in ((1, 0), (350, -100), (-1, 5)):
        logs = settle(sick, orders, fill(sick, 2_240_000, 1, taker_fee=taker_fee, maker_fee=maker_fee))
        assert named(logs) == NOT_LIQUIDATABLE
    assert named(settle(sick, orders, fill(sick, 2_240_000, 1, maker_fee=350))) == []
    assert sick.twin.world.exchange.call.fees() == -(-2_240_000 * 350 // 10**6)


def test_the_maker_is_an_ordinary_maker(sick: Scene) -> None:
    """With its limit, slot, fee cap, margin, session key and referrer."""
    world = sick.twin.world
    size, price = 10, 2_231_600
    poor = wallet("poor")
    taker = pair(sick, price)[0]
    makers = {
        "price past limit": world.signed(BUYER, "BUY", slot=5, limit_price=price - 1),
        "overfilled": world.signed(BUYER, "BUY", slot=6, limit_price=price, size=9),
        "fee above cap": world.signed(BUYER, "BUY", slot=7, limit_price=price, max_fee_ppm=349),
        "margin": world.signed(poor, "BUY", limit_price=price),
        "bad signature": replace(
            world.signed(poor, "BUY", limit_price=price), words=(*pair(sick, price)[1].words[:2], 1, 1)
        ),
        "same side": world.signed(BUYER, "SELL", slot=8, limit_price=1),
        "one-shot maker": world.signed(BUYER, "BUY", limit_price=price, time_in_force="IOC"),
        "self trade": world.signed(sick.victim, "BUY", limit_price=price),
    }
    for reason, maker in makers.items():
        logs = settle(sick, [taker, maker], fill(sick, price, size, maker_fee=350))
        [(fault_class, said, blamed)] = named(logs)
        assert said == reason
        assert blamed == NOBODY if fault_class == 4 else blamed == maker.id or reason == "bad signature"
    assert world.exchange.call.insurance() == 0
    key = wallet("key")
    world.register_key(BUYER, key, budget=size * price)
    by_key = world.signed(key, "BUY", account=BUYER.address, limit_price=price)
    assert named(settle(sick, [taker, by_key], fill(sick, price, size))) == []
    assert named(settle(sick, [taker, by_key], fill(sick, price, 1))) == [(1, "key budget", by_key.id)]


def test_the_market_must_trade(sick: Scene) -> None:
    world, orders = sick.twin.world, pair(sick, 2_240_000)
    world.warp(121)
    assert named(settle(sick, orders, fill(sick, 2_240_000, 1))) == [(3, "stale price", NOBODY)]
    world.push({1: 2_240_000})
    world.exchange.send(world.governance).tighten(1, 3)
    assert named(settle(sick, orders, fill(sick, 2_240_000, 1))) == [(3, "market halted", NOBODY)]


def test_nothing_stands_against_it_and_nothing_is_remembered(sick: Scene) -> None:
    """No cancel of the account's, no slot, no one-shot time; and none of them is touched."""
    world, victim = sick.twin.world, sick.victim
    slot = world.slot(victim)
    world.exchange.send(victim.address).cancel_all(0)
    world.warp(61)
    world.push({1: 2_240_000})
    price = 2_240_000
    for kind in ("GTT", "IOC"):
        taker = unsigned(
            world, victim.address, "SELL", size=20, time_in_force=kind, generation=(world.now - 100) * 1_000
        )
        maker = world.signed(BUYER, "BUY", slot=3, limit_price=price)
        fills = [fill(sick, price, 15), fill(sick, price, 15)]
        assert named(settle(sick, [taker, maker], *fills)) == []
    assert world.position(victim).size == LOTS - 60
    assert world.position(victim).one_shot == 0
    assert world.slot(victim) == slot


def test_it_does_not_bring_a_used_order_back(sick: Scene) -> None:
    """A one-shot order that is used up stands for the liquidation; after that, in the same batch, it still is."""
    world, victim = sick.twin.world, sick.victim
    world.push({1: PRICE[1]})
    used = world.signed(victim, "SELL", time_in_force="IOC", size=100, limit_price=1)
    maker = world.signed(BUYER, "BUY", slot=3, size=500, limit_price=PRICE[1])
    assert named(settle(sick, [used, maker], world.fill(size=1))) == []
    assert named(settle(sick, [used, maker], world.fill(size=1))) == [(1, "one-shot used", used.id)]
    world.push({1: 2_240_000})
    price = 2_240_000
    fills = [fill(sick, price, 1), fill(sick, price, 50, flags=0)]
    assert named(settle(sick, [used, maker], *fills)) == [(1, "one-shot used", used.id)]
    assert world.position(victim).size == LOTS - 2


@pytest.mark.parametrize(("maker_fee", "rate"), [(199, 0), (200, -2_500)])
def test_its_print_counts_for_funding_when_the_maker_pays_enough(sick: Scene, maker_fee: int, rate: int) -> None:
    twin = sick.twin
    outcomes = twin.settle(pair(sick, 2_231_600), [fill(sick, 2_231_600, 500, maker_fee=maker_fee)])
    assert isinstance(outcomes[0], Executed)
    twin.warp(3_600)
    twin.push(1, 2_240_000)
    twin.poke(1)
    twin.check()
    assert twin.world.exchange.call.market_indices(1)[3] == rate


def test_the_makers_referrer_has_a_share(sick: Scene) -> None:
    """40% of what the maker pays; the insurance fund's part is no fee."""
    world, price = sick.twin.world, 2_240_000
    world.exchange.send(world.governance).set_referrer_share(400_000)
    world.exchange.send(wallet("referrer").address).register_referrer(0)
    logs = settle(sick, pair(sick, price, referrer=1), fill(sick, price, 100, maker_fee=350))
    paid = 100 * price * 350 // 10**6
    names = [log.name for log in logs]
    assert names.index("ReferralAccrued") == names.index("Fill") - 1
    assert world.exchange.call.referrer(1)[2] == paid * 2 // 5
    assert world.exchange.call.fees() == paid - paid * 2 // 5


def test_half_of_the_fee_is_the_backstops(sick: Scene) -> None:
    world = sick.twin.world
    backstop = world.name_backstop(5 * USDC)
    assert named(settle(sick, pair(sick, 2_240_000), fill(sick, 2_240_000, 11))) == []
    fee = 11 * 2_800
    assert world.exchange.call.insurance() == fee - fee // 2
    assert world.exchange.call.cash(backstop, 0) == 5 * USDC + fee // 2


def test_what_rests_is_taken_over_price_by_price(sick: Scene) -> None:
    """Several fills of one batch, each at the health that the one before it left: after two of them it is healthy."""
    twin, world = sick.twin, sick.twin.world
    prices = [2_240_000, 2_236_000, 2_232_000]
    orders = [unsigned(world, sick.victim.address, "SELL", size=2**40)]
    orders += [world.signed(BUYER, "BUY", slot=10 + n, size=500, limit_price=price) for n, price in enumerate(prices)]
    fills = [fill(sick, price, 100, maker=1 + n) for n, price in enumerate(prices)]
    fills += [fill(sick, prices[0], 300, maker=1)]
    outcomes = twin.settle(orders, fills)
    twin.check()
    assert [isinstance(outcome, Executed) for outcome in outcomes] == [True, True, False, False]
    ratio = [twin.model.health((sick.victim.address, 0))]
    assert ratio[0].equity / ratio[0].maintenance > 60 * USDC / 67_200_000


def test_other_legs_count(sick: Scene) -> None:
    """Of an account with two positions each may go, and a stale one counts at its last price."""
    world, other = sick.twin.world, wallet("second victim")
    sick.twin.deposit(other, 160 * USDC)
    sick.trade(other, sick.maker, 500, 2_240_000)
    sick.trade(other, sick.maker, 1_000, PRICE[2], market=2)
    sick.price(PRICE[2] * 94 // 100, market=2)
    orders = [
        unsigned(world, other.address, "SELL", size=400),
        world.signed(BUYER, "BUY", slot=3, limit_price=2_240_000),
    ]
    equity, _, maintenance, _ = world.exchange.call.margin_of(other.address, 0)
    assert 0 < equity >> 32 < maintenance >> 32
    [outcome] = sick.twin.settle(orders, [fill(sick, 2_240_000, 20)])
    assert isinstance(outcome, Executed)
    sick.twin.check()


@pytest.mark.parametrize("key", [BUYER, wallet("stranger")], ids=["maker", "stranger"])
def test_only_a_batch_of_an_operator_does_it(sick: Scene, key: LocalAccount) -> None:
    world = sick.twin.world
    orders = [signed.words for signed in pair(sick, 2_240_000)]
    words = [fill(sick, 2_240_000, 1).word()]
    with pytest.raises(RevertError, match="only operators"):
        world.exchange.send(key.address).settle(bytes(32), (1).to_bytes(32, "big"), orders, words)


def test_equity_is_conserved(sick: Scene) -> None:
    """What the account gives up is the buyer's and the fund's, to the unit."""
    world = sick.twin.world
    keys = [(key.address, 0) for key in (sick.victim, sick.maker, BUYER)]
    before = sum(world.exchange.call.margin_of(*key)[0] for key in keys)
    assert named(settle(sick, pair(sick, 2_232_000), fill(sick, 2_232_000, 333))) == []
    after = sum(world.exchange.call.margin_of(*key)[0] for key in keys)
    assert before - after == world.exchange.call.insurance() * SCALE


@pytest.mark.parametrize(("beyond", "settles"), [(0, True), (1, False)])
def test_a_quote_is_not_liquidated_beyond_its_bound(beyond: int, settles: bool) -> None:
    """2^126 scaled units, which no real money comes near: one leg has nearly that, another lacks it."""
    scene_ = Scene()
    scene_.fund(victim=120, liquidator=0)
    scene_.twin.deposit(BUYER, 100_000 * USDC)
    scene_.trade(scene_.victim, scene_.maker, LOTS)
    scene_.trade(scene_.victim, scene_.maker, 1, PRICE[2], market=2)
    scene_.price(2_240_000)
    world, victim, price = scene_.twin.world, scene_.victim, 2_240_000
    head = world.system.head
    with world.evm.undone():
        [taken] = [
            log for log in settle(scene_, pair(scene_, price), fill(scene_, price, 1)) if log.name == "InsuranceChanged"
        ]
    world.system.head = head
    legs = {market: world.position(victim, market) for market in (1, 2)}
    surplus = 2**126 - 1 + beyond - ((price - taken.delta) << 32) - legs[1].q
    for market, change in ((1, surplus), (2, -surplus)):
        held = replace(legs[market], q=legs[market].q + change)
        key, slot = account_key(victim) << 16 | market, storage_slot("Exchange", "accounts", "positions")
        world.evm.set_mapping(world.exchange.address, slot, key, held.pack())
    assert named(settle(scene_, pair(scene_, price), fill(scene_, price, 1))) == ([] if settles else NOT_LIQUIDATABLE)
    assert world.position(victim).q == (2**126 - 1 if settles else legs[1].q + surplus)
