# SPDX-License-Identifier: AGPL-3.0-only
"""`deleverage`: who pays before it, what it costs whom, by numbers worked out by hand."""

from typing import Any

import pytest

from tests.support.abi import RevertError
from tests.support.chain import Receipt
from tests.support.wire import PositionWord, wallet
from tests.support.world import USDC, World, account_key

VICTIM, SECOND, KEEPER = wallet("victim"), wallet("second maker"), wallet("keeper")
SHORTS = (wallet("maker"), SECOND)
BOUND = 2_100_000 * 30_000 // 2_000_000  # of a loss step: half the maintenance margin of a lot


@pytest.fixture
def world() -> World:
    """The victim is long 1,000 lots at 2.30 USDC with 120 USDC, against 600 and 400; at 2.10 it is worth -80 USDC.

    The fund has 10 USDC, the backstop 20; a loss step may take 31.5 from 1,000 lots, so 18.5 USDC are left.
    """
    return insolvent()


def insolvent(insurance: int = 10, backstop: int = 20, price: int = 2_100_000) -> World:
    world = World()
    world.system.fund(VICTIM.address, 120 * USDC)
    world.system.fund(SECOND.address, 10_000 * USDC)
    if insurance:
        world.system.donate(KEEPER.address, insurance * USDC)
    if backstop:
        world.name_backstop(backstop * USDC)
    world.trade(VICTIM, world.maker, 600)
    world.trade(VICTIM, SECOND, 400)
    world.push({1: price})
    return world


def deleverage(world: World, sizes: tuple[int, ...] = (600, 400), names: tuple[Any, ...] = SHORTS) -> Receipt:
    keys = [account_key(name) for name in names]
    return world.exchange.send(KEEPER.address).deleverage(VICTIM.address, 0, 1, keys, list(sizes))


def everybody(world: World) -> list[tuple[str, int]]:
    backstop = world.exchange.call.backstop()
    return [(key.address, 0) for key in (VICTIM, SECOND, world.maker, world.taker, KEEPER)] + [(backstop, 0)]


def test_by_hand(world: World) -> None:
    before = [world.equity(key) >> 32 for key in SHORTS]
    dust = world.dust(everybody(world))
    receipt = deleverage(world)
    [log] = receipt.named("Deleveraged")
    assert (log.account, log.subaccount, log.market, log.size) == (VICTIM.address, 0, 1, 1_000)
    assert (log.price, log.covered, log.insurance_fee) == (2_118_500, 61_500_000, 0)
    [spread] = receipt.named("LossSpread")
    assert (spread.longs, spread.per_lot_scaled) == (False, BOUND << 32)
    assert [entry.delta for entry in receipt.named("InsuranceChanged")] == [-10 * USDC]
    assert receipt.named("FundingAccrued") == []  # a loss step is not funding
    [paid] = receipt.named("BackstopChanged")
    assert (paid.delta, paid.cash) == (-20 * USDC, 0)
    # the short ones close at 2.1185 after a step of 0.0315: at 2.15 in effect
    assert [world.equity(key) >> 32 for key in SHORTS] == [
        before[0] - 600 * 50_000,
        before[1] - 400 * 50_000,
    ]
    assert (world.equity(VICTIM), world.cash(VICTIM)) == (0, 0)
    assert [world.position(key).size for key in (VICTIM, *SHORTS)] == [0, 0, 0]
    assert world.exchange.call.open_interest(1) == 0
    assert world.dust(everybody(world)) >= dust >= 0


def test_events_name_each_counterparty_with_the_position_it_keeps(world: World) -> None:
    receipt = deleverage(world, (590, 400))
    [log] = receipt.named("Deleveraged")
    assert PositionWord.unpack(log.position) == world.position(VICTIM)
    first, second = receipt.named("HandedOver")
    assert (first.counterparty, first.size, first.price) == (world.maker.address, 590, log.price)
    assert (second.counterparty, second.size, second.market) == (SECOND.address, 400, 1)
    assert PositionWord.unpack(first.position) == world.position(world.maker)
    assert world.position(world.maker).size == -10
    assert world.exchange.call.open_interest(1) == 10
    assert [entry.market for entry in receipt.named("PositionClosed")] == [1]  # the second maker's


def test_rounding_is_the_funds(world: World) -> None:
    """900 lots: 72 - 30 - 31.5 = 10.5 USDC over 900 lots are 11,666.67 a lot; what is rounded up goes to the fund."""
    receipt = deleverage(world, (600, 300))
    [log] = receipt.named("Deleveraged")
    assert (log.price, log.insurance_fee) == (2_100_000 + 11_667, 900 * 11_667 - 10_500_000)
    assert world.exchange.call.insurance() == log.insurance_fee == 300
    assert world.dust(everybody(world)) >= 0


def test_a_short_is_deleveraged_below_the_index() -> None:
    """Short 1,000 at 2.30 with 120 USDC, index 2.50: E = -80, a step of 0.0375 a lot pays 37.5, 42.5 are left."""
    world = World()
    world.system.fund(VICTIM.address, 120 * USDC)
    world.trade(VICTIM, world.maker, -1_000)
    world.push({1: 2_500_000})
    receipt = deleverage(world, (1_000,), (world.maker,))
    [log] = receipt.named("Deleveraged")
    assert (log.size, log.price, log.covered) == (-1_000, 2_457_500, 37_500_000)
    assert world.cash(world.maker) == 100_120 * USDC  # all that the victim had
    assert world.cash(VICTIM) == 0


def test_each_step_pays_before_the_next() -> None:
    """Nothing is handed over while fund, backstop and loss step can pay; then each is at its end."""
    for insurance, backstop in ((49, 0), (0, 49), (30, 19), (80, 0), (0, 80)):
        world = insolvent(insurance, backstop)
        with pytest.raises(RevertError, match="nothing is left unpaid"):
            deleverage(world)
    for insurance, backstop in ((48, 0), (0, 48), (30, 18), (0, 0)):
        world = insolvent(insurance, backstop)
        [log] = deleverage(world).named("Deleveraged")
        assert log.covered == (insurance + backstop) * USDC + 1_000 * BOUND
        assert world.exchange.call.insurance() == 0
        if backstop:
            assert world.exchange.call.cash(world.exchange.call.backstop(), 0) == 0


def test_a_loss_step_at_its_end_pays_nothing_more_in_its_hour() -> None:
    """What rounding left of it is less than a micro-USDC for all lots: the price pays the second hole."""
    world = insolvent(0, 0, 2_100_001)
    with world.evm.undone():
        [first] = deleverage(world, (600,), (world.maker,)).named("Deleveraged")
        owed = (-world.equity(VICTIM) >> 32) - first.insurance_fee
        world.warp(1)
        receipt = deleverage(world, (400,), (SECOND,))
        [log] = receipt.named("Deleveraged")
        assert receipt.named("LossSpread") == []
        assert (log.covered, log.price) == (first.insurance_fee, 2_100_001 + -(-owed // 400))
        assert world.dust(everybody(world)) >= 0
    deleverage(world, (600,), (world.maker,))
    world.warp(3_600)
    world.push({1: 2_100_001})
    assert deleverage(world, (400,), (SECOND,)).named("LossSpread") != []


def test_a_loss_step_while_funding_runs_is_no_funding() -> None:
    """Its event is its own; the hour has said what its rate is."""
    world = insolvent(0, 0, 2_300_000)
    world.trade(world.taker, world.maker, 1, 2_300_100, taker_fee=350)
    world.warp(3_600)
    world.push({1: 2_100_000})
    assert world.exchange.send(KEEPER.address).poke(1).named("FundingAccrued")[0].rate != 0
    receipt = deleverage(world)
    assert len(receipt.named("LossSpread")) == 1
    assert receipt.named("FundingAccrued") == []


def test_a_take_over_comes_first_and_says_when_it_cannot(world: World) -> None:
    """The same close by `liquidate` is refused as long as a step of the waterfall is left unpaid."""
    with pytest.raises(RevertError, match="loss step exhausted"):
        world.exchange.send(SECOND.address).liquidate(VICTIM.address, 0, 1, 1_000, 0)
    deleverage(world)


def test_who_moved_away_counts_with_what_is_left(world: World) -> None:
    """A counterparty that closes a lot in front of the call stops nothing."""
    world.trade(SECOND, world.taker, 50, 2_100_000)
    receipt = deleverage(world, (600, 400, 50), (*SHORTS, world.taker))
    assert [log.size for log in receipt.named("HandedOver")] == [600, 350, 50]
    assert world.exchange.call.open_interest(1) == 0


def test_a_counterparty_with_legs_elsewhere_is_judged_whole(world: World) -> None:
    world.trade(SECOND, world.taker, 100, 1_600_000, "ETH-USD")
    deleverage(world)
    assert world.position(SECOND).size == 0
    assert world.position(SECOND, 2).size == 100


def test_nobody_is_flipped(world: World) -> None:
    receipt = deleverage(world, (2**64, 2**64))
    assert [log.size for log in receipt.named("HandedOver")] == [600, 400]


@pytest.mark.parametrize(
    ("names", "sizes", "reason"),
    [
        ((), (), "no counterparty"),
        ((SHORTS[0],), (0,), "no counterparty"),
        ((SHORTS[0],), (1, 1), "one size for each"),
        ((VICTIM,), (1,), "no counterparty"),
        ((wallet("taker"),), (1_000,), "no counterparty"),
        ((SECOND, SHORTS[0], SECOND), (1, 1, 1), "counterparty named twice"),
    ],
)
def test_refused_counterparties(world: World, names: tuple[Any, ...], sizes: tuple[int, ...], reason: str) -> None:
    with pytest.raises(RevertError, match=reason):
        deleverage(world, sizes, names)


def test_a_key_of_too_many_bits_is_no_account(world: World) -> None:
    """It would meet another account's position with nobody's margin."""
    for bit in (176, 192, 240, 255):
        keys = [account_key(SHORTS[0]) | 1 << bit, account_key(SECOND)]
        with pytest.raises(RevertError, match="no such account"):
            world.exchange.send(KEEPER.address).deleverage(VICTIM.address, 0, 1, keys, [600, 400])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [((VICTIM.address, 0, 2), "no such position"), ((VICTIM.address, 0, 9), "unknown market")],
)
def test_refusals(world: World, arguments: tuple[Any, ...], reason: str) -> None:
    world.push({2: 1_600_000})
    with pytest.raises(RevertError, match=reason):
        world.exchange.send(KEEPER.address).deleverage(*arguments, [account_key(SECOND)], [1])


def test_a_stale_price_deleverages_nobody(world: World) -> None:
    world.warp(121)
    with pytest.raises(RevertError, match="stale price"):
        deleverage(world)


def test_in_a_halted_market_it_still_works(world: World) -> None:
    world.exchange.send(world.governance).tighten(1, 3)
    deleverage(world)


def test_a_counterparty_that_the_price_would_ruin_is_refused_not_ruined() -> None:
    """A loss in one market falls by margin on the other, where a lot then closes far from the index."""
    world = World()
    poor = wallet("poor")
    world.system.fund(VICTIM.address, 2_000 * USDC)
    world.system.fund(poor.address, 13 * USDC)
    world.trade(VICTIM, world.maker, 900)
    world.trade(VICTIM, poor, 100)
    world.trade(VICTIM, world.maker, 20_000, market="ETH-USD")
    world.push({1: 2_300_000, 2: 1_120_000})
    with pytest.raises(RevertError, match="counterparty lacks margin"):
        deleverage(world, (900, 100), (world.maker, poor))
    assert world.position(poor).size == -100
    receipt = deleverage(world, (900,), (world.maker,))
    [log] = receipt.named("Deleveraged")
    assert log.price > 2_300_000 * 120 // 100
    assert world.position(VICTIM).size == 100


def test_a_hole_deeper_than_the_position_is_worth_waits() -> None:
    """No price below zero or above twice the index: the loss step takes its part hour by hour instead."""
    world = World()
    world.system.fund(VICTIM.address, 2_000 * USDC)
    world.trade(VICTIM, world.maker, 1_000)
    world.trade(VICTIM, world.maker, 20_000, market="ETH-USD")
    world.push({1: 2_300_000, 2: 200_000})
    with pytest.raises(RevertError, match="hole too deep"):
        deleverage(world, (1_000,), (world.maker,))
