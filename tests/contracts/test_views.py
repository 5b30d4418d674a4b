# SPDX-License-Identifier: AGPL-3.0-only
"""What can be read, the oracle's own entry points, and the deployment record of the test helpers."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.abi import RevertError
from tests.support.anvil import ACCOUNTS, OPERATOR, anvil, deploy_local, deploy_on
from tests.support.system import BTC, ETH
from tests.support.wire import Fill, Order, sign_order, wallet
from tests.support.world import KEYS, PRICE, USDC, World, rejections


def test_a_market_reads_as_it_was_listed(world: World) -> None:
    for listing in (BTC, ETH):
        ticker, size_decimals, price_decimals, *parameters, state = world.exchange.call.market(listing.id)
        assert (ticker, size_decimals, price_decimals) == (
            listing.ticker,
            listing.size_decimals,
            6 - listing.size_decimals,
        )
        assert tuple(parameters) == listing.parameters()
        assert state == 1
    with pytest.raises(RevertError, match="unknown market"):
        world.exchange.call.market(3)


def test_margin_by_hand(world: World) -> None:
    """1,000 lots at 2.30 against 100,000 USDC: IM 5%, MM 3%, nothing made or lost."""
    world.trade(world.taker, world.maker, 1_000)
    equity, initial, maintenance, stale = world.exchange.call.margin_of(world.taker.address, 0)
    assert (equity >> 32, initial >> 32, maintenance >> 32, stale) == (
        100_000 * USDC,
        115 * USDC,
        69 * USDC,
        False,
    )
    assert world.withdrawable(world.taker) == 100_000 * USDC - 115 * USDC
    world.push({1: 2_400_000})
    equity, initial, _, _ = world.exchange.call.margin_of(world.taker.address, 0)
    assert (equity >> 32, initial >> 32) == (100_100 * USDC, 120 * USDC)
    assert world.withdrawable(world.taker) == 99_980 * USDC


def test_a_margin_of_a_fraction_rounds_up(world: World) -> None:
    world.push({1: 2_300_001})
    world.trade(world.taker, world.maker, 1)
    _, initial, maintenance, _ = world.exchange.call.margin_of(world.taker.address, 0)
    assert (initial >> 32, maintenance >> 32) == (115_001, 69_001)


@pytest.mark.parametrize(("price", "initial"), [(990_001, 9_902), (990_000, 9_901), (1_000_000, 10_001)])
def test_a_margin_rounds_up_whatever_is_beyond_a_unit(price: int, initial: int) -> None:
    """10,001 ppm of 990,001 is a millionth of a micro-USDC more than 9,901."""
    world = World((replace(BTC, imf=10_001, mmf=9_999, tick=1),))
    world.push({1: price})
    world.trade(world.taker, world.maker, 1, price)
    assert world.exchange.call.margin_of(world.taker.address, 0)[1] >> 32 == initial


def test_an_account_nobody_used_is_empty(world: World) -> None:
    nobody = wallet("nobody").address
    assert world.exchange.call.cash(nobody, 9) == 0
    assert world.exchange.call.account(nobody, 9) == 0
    assert world.exchange.call.position(nobody, 9, 1) == 0
    assert world.exchange.call.slot(nobody, 9) == 0
    assert world.exchange.call.margin_of(nobody, 9) == (0, 0, 0, False)
    assert world.exchange.call.withdrawable(nobody, 9) == 0


@pytest.mark.parametrize(("name", "arguments"), [("position", (0, 65_536)), ("slot", (65_536,)), ("cash", (65_536,))])
def test_numbers_that_no_account_has(world: World, name: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(RevertError, match="above 65535"):
        getattr(world.exchange.call, name)(world.taker.address, *arguments)
    *others, last = arguments
    assert getattr(world.exchange.call, name)(world.taker.address, *others, last - 1) == 0


def test_calls_nobody_knows_and_ether_are_refused(world: World) -> None:
    for data in (b"", b"\x12\x34\x56\x78", bytes(4)):
        with pytest.raises(RevertError):
            world.evm.transact(world.taker.address, world.exchange.address, data)


def test_pushing_is_for_anyone_who_has_the_signatures(world: World) -> None:
    world.warp(5)
    updates = [world.system.price_update(1, 2_400_000, world.now), world.system.price_update(2, 1_700_000, world.now)]
    receipt = world.oracle.send(wallet("pusher").address).push(updates)
    assert [(log.market, log.price, log.published_at) for log in receipt.named("PricePushed")] == [
        (1, 2_400_000, world.now),
        (2, 1_700_000, world.now),
    ]
    with pytest.raises(RevertError):
        world.oracle.send(world.operator).push([updates[0]] * 17)
    assert world.oracle.call.price(7) == (0, 0)


def test_a_new_price_signer_replaces_the_old_one(world: World) -> None:
    rule = world.oracle.send(world.governance)
    rule.announce(world.oracle.data("set_signer", KEYS.operator.address))
    world.warp(14 * 86_400)
    rule.set_signer(KEYS.operator.address)
    with pytest.raises(RevertError, match="bad signature"):
        world.oracle.send(world.operator).push([world.system.price_update(1, 2_400_000, world.now)])


def test_a_donation_comes_from_a_wallet_and_touches_no_account(world: World) -> None:
    world.trade(world.taker, world.maker, 10_000)
    free = world.withdrawable(world.taker)
    sender = world.vault.send(world.taker.address)
    with pytest.raises(RevertError):
        sender.donate(5 * USDC)
    world.system.donate(world.taker.address, 5 * USDC)
    assert world.exchange.call.insurance() == 5 * USDC
    assert world.withdrawable(world.taker) == free
    with pytest.raises(RevertError, match="only the vault"):
        world.exchange.send(world.taker.address).credit_insurance(1)


def test_the_same_contracts_settle_on_a_real_node(tmp_path: Path) -> None:
    """The helpers that other suites build on: a record that `ouro` reads, and a fill on that chain."""
    path = tmp_path / "deployment.json"
    with anvil() as node:
        deployment = deploy_local(node.rpc_url, path)
        assert deployment.operator == OPERATOR.address
        assert type(deployment).load(path) == deployment
        assert deployment.market("BTC-USD").id == 1
        system = deploy_on(node.rpc)
        taker, maker = ACCOUNTS[7], ACCOUNTS[8]
        system.push({1: PRICE[1]})
        now = node.rpc.now
        orders = []
        for key, side in ((taker, "BUY"), (maker, "SELL")):
            system.fund(key.address, 1_000 * USDC)
            order = Order("BTC-USD", side, 10, PRICE[1], key.address, now * 1000, now + 600)
            orders.append(sign_order(key, system.domain, order, 1))
        assert rejections(system.settle(orders, [Fill(1, PRICE[1], 10, 0, 1)])) == []
        assert system.exchange.call.open_interest(1) == 10
