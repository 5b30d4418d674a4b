# SPDX-License-Identifier: AGPL-3.0-only
"""`request_close` and `execute_close`: out of a position without the operator."""

from typing import Any

import pytest

from tests.support.abi import RevertError
from tests.support.chain import Receipt
from tests.support.wire import PositionWord, wallet
from tests.support.world import KEYS, PRICE, USDC, World, account_key

SECOND, KEEPER = wallet("second maker"), wallet("keeper")
WAIT, LIFE = 6 * 3_600, 3_600
FEE = PRICE[1] * 5_000 // 10**6


@pytest.fixture
def world() -> World:
    """The taker is long 1,000 lots against 600 of the maker and 400 of a second one."""
    world = World()
    world.system.fund(SECOND.address, 10_000 * USDC)
    world.trade(world.taker, world.maker, 600)
    world.trade(world.taker, SECOND, 400)
    return world


def request(world: World, size: int = 1_000, market: int = 1) -> Receipt:
    return world.exchange.send(world.taker.address).request_close(0, market, size)


def execute(world: World, sizes: tuple[int, ...] = (600, 400), names: tuple[Any, ...] | None = None) -> Receipt:
    keys = [account_key(name) for name in names or (world.maker, SECOND)]
    return world.exchange.send(KEEPER.address).execute_close(world.taker.address, 0, 1, keys, list(sizes))


def wait(world: World, seconds: int = WAIT, price: int = PRICE[1]) -> None:
    """At a price published then."""
    world.warp(seconds - 1)
    world.push({1: price, 2: PRICE[2]})


def test_by_hand(world: World) -> None:
    [asked] = request(world).named("CloseRequested")
    assert (asked.account, asked.subaccount, asked.market, asked.size) == (world.taker.address, 0, 1, 1_000)
    assert asked.ready_at == world.now + WAIT
    wait(world)
    receipt = execute(world)
    [log] = receipt.named("CloseExecuted")
    assert (log.account, log.market, log.size, log.price, log.left) == (
        world.taker.address,
        1,
        1_000,
        PRICE[1] - FEE,
        0,
    )
    assert [(entry.counterparty, entry.size, entry.price) for entry in receipt.named("HandedOver")] == [
        (world.maker.address, 600, log.price),
        (SECOND.address, 400, log.price),
    ]
    assert world.cash(world.taker) == 100_000 * USDC - 1_000 * FEE
    assert world.cash(world.maker) == 100_000 * USDC + 600 * FEE
    assert world.cash(SECOND) == 10_000 * USDC + 400 * FEE
    assert world.exchange.call.open_interest(1) == 0
    with pytest.raises(RevertError, match="no such request"):
        execute(world)


def test_a_short_closes_above_the_index_and_rounding_is_against_it() -> None:
    world = World()
    world.trade(world.taker, world.maker, -10)
    [asked] = request(world, 10).named("CloseRequested")
    assert asked.size == -10
    wait(world, price=2_300_001)
    [log] = execute(world, (10,), (world.maker,)).named("CloseExecuted")
    assert (log.size, log.price) == (-10, 2_300_001 + 11_501)


def test_in_pieces_by_whoever_comes(world: World) -> None:
    """Each piece leaves the rest of the request in force; nobody uses it up with a lot."""
    request(world, 900)
    wait(world)
    lefts = []
    for sizes, names in (((1,), (world.maker,)), ((600,), (SECOND,)), ((2**200,), (world.maker,))):
        [log] = execute(world, sizes, names).named("CloseExecuted")
        assert PositionWord.unpack(log.position) == world.position(world.taker)
        lefts.append(log.left)
    assert lefts == [899, 499, 0]
    assert world.position(world.taker).size == 100


@pytest.mark.parametrize(
    ("seconds", "reason"), [(1, "not due yet"), (WAIT - 2, "not due yet"), (WAIT + LIFE, "request lapsed")]
)
def test_only_in_its_hour(world: World, seconds: int, reason: str) -> None:
    request(world)
    world.warp(seconds - 1)
    world.push({1: PRICE[1]})
    with pytest.raises(RevertError, match=reason):
        execute(world)


def test_the_edges_of_the_hour(world: World) -> None:
    request(world)
    wait(world)
    with world.evm.undone():
        execute(world)
    world.warp(LIFE - 2)
    world.push({1: PRICE[1]})
    execute(world)


def test_only_at_a_price_that_did_not_exist(world: World) -> None:
    """A price from before the request was due is refused, however fresh it is."""
    request(world)
    world.warp(WAIT - 1)
    world.push({1: PRICE[1]}, published_at=world.now)
    with pytest.raises(RevertError, match="price from before"):
        execute(world)
    world.push({1: PRICE[1] + 100})
    execute(world)


def test_a_request_cannot_be_replaced_or_taken_back_until_it_lapses(world: World) -> None:
    request(world, 10)
    for size in (10, 1_000):
        with pytest.raises(RevertError, match="close pending"):
            request(world, size)
    world.warp(WAIT + LIFE - 1)
    with pytest.raises(RevertError, match="close pending"):
        request(world)
    world.warp(1)
    request(world)
    wait(world)
    execute(world)
    world.trade(world.taker, world.maker, 100)
    request(world, 100)  # one that is done is out of the way


def test_one_request_for_each_account_and_market(world: World) -> None:
    world.trade(world.taker, world.maker, 100, market="ETH-USD")
    request(world, 10)
    request(world, 10, market=2)
    world.exchange.send(SECOND.address).request_close(0, 1, 10)


@pytest.mark.parametrize(
    ("size", "market", "reason"),
    [
        (0, 1, "size not in"),
        (1_001, 1, "size not in"),
        (2**255, 1, "size not in"),
        (1, 2, "no such position"),
        (1, 9, "unknown market"),
    ],
)
def test_refused_requests(world: World, size: int, market: int, reason: str) -> None:
    with pytest.raises(RevertError, match=reason):
        request(world, size, market)


def test_no_more_than_is_still_there_on_that_side(world: World) -> None:
    request(world)
    wait(world)
    world.trade(world.taker, world.maker, -600)
    with world.evm.undone():
        [log] = execute(world, (600, 400)).named("CloseExecuted")
        assert (log.size, log.left) == (400, 600)
        with pytest.raises(RevertError, match="no such position"):
            execute(world)
    world.system.fund(SECOND.address, 100_000 * USDC)
    world.trade(world.taker, SECOND, -900)  # now short
    with pytest.raises(RevertError, match="no such position"):
        execute(world)


@pytest.mark.parametrize("lots", [1, -1])
def test_a_position_of_one_lot_leaves_and_one_that_is_gone_does_not(lots: int) -> None:
    world = World()
    world.trade(world.taker, world.maker, lots)
    request(world, 1)
    wait(world)
    with world.evm.undone():
        execute(world, (1,), (world.maker,))
        assert world.position(world.taker).size == 0
    world.trade(world.taker, world.maker, -lots)
    with pytest.raises(RevertError, match="no such position"):
        execute(world, (1,), (world.maker,))


@pytest.mark.parametrize("state", [2, 3])
def test_an_exit_in_any_state_of_the_market(world: World, state: int) -> None:
    world.exchange.send(KEYS.guardian.address).tighten(1, state)
    request(world)
    wait(world)
    execute(world)


def test_and_while_it_is_settling(world: World) -> None:
    request(world)
    world.warp(WAIT - 100)
    world.exchange.send(world.governance).begin_settling(1)
    with pytest.raises(RevertError, match="market is settling"):
        world.exchange.send(SECOND.address).request_close(0, 1, 1)
    wait(world, 100)
    execute(world, (600,), (world.maker,))
    world.warp(3_600 - 100)
    world.push({1: PRICE[1]})
    world.exchange.send(KEEPER.address).fix_settlement(1)
    with pytest.raises(RevertError, match="market settled"):
        execute(world, (400,), (SECOND,))


def test_a_stale_price_closes_nothing(world: World) -> None:
    request(world)
    wait(world)
    world.warp(121)
    with pytest.raises(RevertError, match="stale price"):
        execute(world)


def test_an_insolvent_account_is_deleveraged_not_let_out() -> None:
    """Who owes more than he has cannot leave at index price and hand the debt to nobody."""
    world = World()
    poor = wallet("poor")
    world.system.fund(poor.address, 120 * USDC)
    world.trade(poor, world.maker, 1_000)
    world.exchange.send(poor.address).request_close(0, 1, 1_000)
    wait(world, price=2_180_000)  # E = 0 before the fee
    keys, sizes = [account_key(world.maker)], [1_000]
    with pytest.raises(RevertError, match="account lacks margin"):
        world.exchange.send(KEEPER.address).execute_close(poor.address, 0, 1, keys, sizes)
    world.push({1: 2_190_955})  # the fee is worth 10.955 USDC
    world.exchange.send(KEEPER.address).execute_close(poor.address, 0, 1, keys, sizes)
    assert 0 <= world.cash(poor) < USDC // 100


def test_an_insolvent_counterparty_is_refused() -> None:
    """It would leave its hole behind with less to carry it."""
    world = World()
    poor = wallet("poor")
    world.system.fund(poor.address, 120 * USDC)
    world.trade(world.taker, poor, 1_000)
    world.exchange.send(world.taker.address).request_close(0, 1, 500)
    wait(world, price=2_450_000)
    assert world.equity(poor) < 0
    with pytest.raises(RevertError, match="counterparty lacks margin"):
        execute(world, (500,), (poor,))


def test_keys_of_too_many_bits_and_doubled_ones_are_refused(world: World) -> None:
    request(world)
    wait(world)
    send = world.exchange.send(KEEPER.address)
    for keys, reason in (
        ([account_key(SECOND) | 1 << 240], "no such account"),
        ([account_key(SECOND)] * 2, "counterparty named twice"),
        ([account_key(world.taker)], "no counterparty"),
    ):
        with pytest.raises(RevertError, match=reason):
            send.execute_close(world.taker.address, 0, 1, keys, [1] * len(keys))
