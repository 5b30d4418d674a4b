# SPDX-License-Identifier: AGPL-3.0-only
"""Ways in which strangers, or oneself, could bend withdrawals, matches and listings."""

from dataclasses import replace

import pytest

from tests.support.abi import RevertError
from tests.support.system import BTC
from tests.support.wire import wallet
from tests.support.world import PRICE, USDC, World, rejections


def test_33_a_stranger_cannot_burn_a_withdrawal_request_with_a_dust_payment(world: World) -> None:
    """The request is for all while most is bound: a stranger may not pay a part and so end it, the owner may."""
    owner, griefer = world.taker.address, wallet("griefer").address
    world.trade(world.taker, world.maker, 1_000)
    world.vault.send(owner).request_withdrawal(0, 100_000 * USDC, owner)
    number = world.vault.call.next_id() - 1
    world.warp(world.system.withdrawal_delay)
    world.push({1: PRICE[1], 2: PRICE[2]})
    free = world.withdrawable(world.taker)
    assert 0 < free < 100_000 * USDC
    with pytest.raises(RevertError, match="less is withdrawable"):
        world.vault.send(griefer).execute_withdrawal(number)
    with world.evm.undone():
        world.vault.send(owner).execute_withdrawal(number)
        assert world.balance(owner) == free
    world.trade(world.taker, world.maker, -1_000)
    world.vault.send(griefer).execute_withdrawal(number)
    assert world.balance(owner) == 100_000 * USDC


def test_nobody_takes_back_a_match_by_giving_his_margin_away(world: World) -> None:
    """Nothing that a trader can send alone lowers free collateral before a settlement that is on its way."""
    trader = wallet("regretful")
    world.system.fund(trader.address, PRICE[1] * 1_000 * BTC.imf // 10**6)
    orders = [world.signed(trader, "BUY", size=1_000), world.signed(world.maker, "SELL", size=1_000, slot=2)]
    assert "donate_insurance" not in world.exchange.abi.functions
    world.system.donate(trader.address, 5 * USDC)
    world.vault.send(trader.address).request_withdrawal(0, 1, trader.address)
    number = world.vault.call.next_id() - 1
    for call in (
        lambda: world.vault.send(trader.address).execute_withdrawal(number),
        lambda: world.exchange.send(trader.address).debit(trader.address, 0, 1),
        lambda: world.exchange.send(trader.address).credit_insurance(1),
    ):
        with pytest.raises(RevertError, match=r"not due yet|only the vault"):
            call()
    world.exchange.send(trader.address).cancel_slot(1)
    world.exchange.send(trader.address).cancel_all(0)
    assert rejections(world.settle(orders, [world.fill(size=1_000)])) == []


def test_03_a_ticker_is_listed_once(world: World) -> None:
    """A signed order names its market by ticker alone: a second listing would be open to every order of the first."""
    again = replace(BTC, id=7, size_decimals=0)  # a lot would be 10,000 times as much
    with pytest.raises(RevertError, match="ticker is taken"):
        world.exchange.send(world.governance).list_market(*again.arguments())


def test_16_the_rest_of_a_paid_request_is_still_announced_to_who_matches(world: World) -> None:
    """Whoever takes a part may take the rest at any later moment, also while a match of his is on its way: it is known.

    A reader of events alone knows after each part what the Vault holds open.
    """
    owner = world.taker.address
    world.trade(world.taker, world.maker, 1_000)
    sent = [world.vault.send(owner).request_withdrawal(0, 100_000 * USDC, owner)]
    world.warp(world.system.withdrawal_delay)
    world.push({1: PRICE[1], 2: PRICE[2]})
    sent.append(world.vault.send(owner).execute_withdrawal(1))
    world.trade(world.taker, world.maker, -500)
    sent.append(world.vault.send(owner).execute_withdrawal(1))
    known: dict[int, int] = {}
    for log in (log for receipt in sent for log in receipt.logs):
        if log.name == "WithdrawalRequested":
            known[log.id] = log.amount
        elif log.name == "Withdrawn":
            known.pop(log.id_or_nonce, None)
    assert known == {1: world.vault.call.withdrawals(1)[2]}
    assert 0 < known[1] < 100_000 * USDC


def test_33_the_operator_cannot_starve_the_queue_with_instant_withdrawals(world: World) -> None:
    """In a run the operator co-signs for friends, first in every block: a quarter of the caps is out of their reach."""
    friend = wallet("friend of the operator")
    world.vault.send(world.governance).set_outflow_limits(25_000 * USDC, 50_000, 100_000 * USDC, 200_000)
    world.system.fund(friend.address, 500_000 * USDC)
    world.warp(86_400)  # the money is not fresh any more
    world.vault.send(world.taker.address).request_withdrawal(0, 100_000 * USDC, world.taker.address)
    world.warp(world.system.withdrawal_delay)
    for hour in range(24 * 3):
        if room := min(world.vault.call.outflow_room()[1], world.withdrawable(friend)):
            world.withdraw(friend, room, nonce=hour)
        if world.vault.call.outflow_room()[0] and world.withdrawable(world.taker):
            world.vault.send(world.taker.address).execute_withdrawal(1)
        world.warp(3_600)
    assert world.balance(world.taker.address) == 100_000 * USDC


def test_75_a_hostile_guardian_delays_an_exit_by_a_bounded_time(world: World) -> None:
    """Markets halted, caps at their lowest, the queue stretched at the worst moment and again as soon as it may be."""
    owner, guardian = world.taker.address, world.vault.send(world.exchange.call.guardian())
    world.warp(86_400)  # the money is not fresh any more
    world.push({1: PRICE[1], 2: PRICE[2]})
    world.trade(world.taker, world.maker, 50)
    for market in (1, 2):
        world.exchange.send(world.exchange.call.guardian()).tighten(market, 3)
    guardian.tighten_outflow(25_000 * USDC, 50_000, 100_000 * USDC, 200_000)
    world.vault.send(owner).request_withdrawal(0, 90_000 * USDC, owner)
    asked = world.now
    world.warp(world.system.withdrawal_delay - 1)
    guardian.stretch_queue()
    held_up = world.now + 72 * 3_600
    while world.balance(owner) < 90_000 * USDC:
        world.warp(3_600)
        world.push({1: PRICE[1], 2: PRICE[2]})
        with pytest.raises(RevertError, match="stretched within 30 days"):
            guardian.stretch_queue()
        if world.now > held_up:
            world.vault.send(owner).execute_withdrawal(1)
        assert world.now - asked < 4 * 86_400
