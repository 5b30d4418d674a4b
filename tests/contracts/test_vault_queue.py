# SPDX-License-Identifier: AGPL-3.0-only
"""The queue of withdrawals: paid in parts, and stretched by the guardian."""

import pytest

from tests.support.abi import RevertError
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World

STRETCH, PAUSE, DELAY = 72 * 3_600, 30 * 86_400, 120
TIGHTEST = (25_000 * USDC, 50_000, 100_000 * USDC, 200_000)


def request(world: World, amount: int = 5 * USDC) -> int:
    world.vault.send(world.taker.address).request_withdrawal(0, amount, world.taker.address)
    return int(world.vault.call.next_id()) - 1


def stretch(world: World) -> None:
    world.vault.send(KEYS.guardian.address).stretch_queue()


def due_at(world: World, number: int) -> int:
    return int(world.vault.call.withdrawals(number)[4])


def assert_due_at(world: World, number: int, at: int) -> None:
    """Not a second before, and then."""
    assert due_at(world, number) == at
    anyone = world.vault.send(wallet("anyone").address)
    with world.evm.undone():
        world.evm.warp_to(at - 1)
        with pytest.raises(RevertError, match="not due yet"):
            anyone.execute_withdrawal(number)
        world.warp(1)
        anyone.execute_withdrawal(number)


def test_the_rest_of_a_part_stays_in_the_queue(world: World) -> None:
    """Announced under the same id: a relayer that follows the events goes on holding the money back."""
    owner = world.taker.address
    number = request(world, 100_000 * USDC)
    ready_at = due_at(world, number)
    world.trade(world.taker, world.maker, 1_000)
    world.warp(DELAY)
    world.push({1: PRICE[1]})
    free = world.withdrawable(world.taker)
    assert 0 < free < 100_000 * USDC
    receipt = world.vault.send(owner).execute_withdrawal(number)
    names = [log.name for log in receipt.logs if log.name.startswith("Withdraw")]
    assert names == ["Withdrawn", "WithdrawalRequested"]
    [paid], [rest] = receipt.named("Withdrawn"), receipt.named("WithdrawalRequested")
    assert (paid.amount, paid.id_or_nonce, paid.instant) == (free, number, False)
    assert rest.args == {"id": number, "account": owner, "subaccount": 0, "amount": 100_000 * USDC - free,
                         "to": owner, "ready_at": ready_at}  # fmt: skip
    assert world.vault.call.withdrawals(number) == (owner, 0, 100_000 * USDC - free, owner, ready_at)
    with pytest.raises(RevertError, match="nothing is withdrawable"):
        world.vault.send(owner).execute_withdrawal(number)
    world.trade(world.taker, world.maker, -1_000)
    receipt = world.vault.send(world.operator).execute_withdrawal(number)
    assert not receipt.named("WithdrawalRequested")
    assert world.balance(owner) == 100_000 * USDC
    with pytest.raises(RevertError, match="no such request"):
        world.vault.send(owner).execute_withdrawal(number)


def test_the_rest_of_a_part_can_be_cancelled(world: World) -> None:
    world.warp(86_400)
    world.vault.send(world.governance).set_outflow_limits(*TIGHTEST)
    number = request(world, 60_000 * USDC)
    world.warp(DELAY)
    world.vault.send(world.taker.address).execute_withdrawal(number)
    assert world.balance(world.taker.address) == 25_000 * USDC
    world.vault.send(world.taker.address).cancel_withdrawal(number)
    world.warp(3_600)
    with pytest.raises(RevertError, match="no such request"):
        world.vault.send(world.taker.address).execute_withdrawal(number)


def test_beyond_a_cap_only_the_owner_takes_a_part(world: World) -> None:
    world.warp(86_400)
    world.vault.send(world.governance).set_outflow_limits(*TIGHTEST)
    number = request(world, 60_000 * USDC)
    world.warp(DELAY)
    with pytest.raises(RevertError, match="less is withdrawable"):
        world.vault.send(world.operator).execute_withdrawal(number)
    world.vault.send(world.taker.address).execute_withdrawal(number)
    with pytest.raises(RevertError, match="outflow cap"):
        world.vault.send(world.taker.address).execute_withdrawal(number)
    world.warp(3_600)
    world.vault.send(world.taker.address).execute_withdrawal(number)
    world.warp(3_600)
    world.vault.send(world.operator).execute_withdrawal(number)
    assert world.balance(world.taker.address) == 60_000 * USDC


def test_a_stretch_holds_up_what_waits_and_what_is_due(world: World) -> None:
    due = request(world)
    world.warp(DELAY + 5)
    waits, start = request(world), world.now
    world.warp(20)
    [stretched] = world.vault.send(KEYS.guardian.address).stretch_queue().named("QueueStretched")
    assert stretched.until == world.now + STRETCH
    assert_due_at(world, due, world.now + STRETCH)
    assert_due_at(world, waits, start + DELAY + STRETCH)


def test_who_asks_during_a_stretch_does_not_overtake(world: World) -> None:
    """The clock stands still: whoever asks while it does waits the whole delay after it."""
    before = request(world)
    stretch(world)
    begun = world.now
    after = request(world)
    world.warp(STRETCH - 1)
    late = request(world)
    world.warp(1)
    ended = request(world)
    assert due_at(world, before) == due_at(world, after) == due_at(world, late) == begun + STRETCH + DELAY
    assert due_at(world, ended) == begun + STRETCH + DELAY
    for number in (before, after, late):
        assert_due_at(world, number, begun + STRETCH + DELAY)


def test_the_queue_is_stretched_once_in_thirty_days(world: World) -> None:
    stretch(world)
    world.warp(PAUSE - 1)
    with pytest.raises(RevertError, match="stretched within 30 days"):
        stretch(world)
    world.warp(1)
    stretch(world)
    assert world.vault.call.stretched_at() == world.now


@pytest.mark.parametrize("made", [-50, 0, 1, STRETCH - 1, STRETCH], ids=str)
def test_no_request_waits_for_two_stretches(world: World, made: int) -> None:
    """One that is still open at the second stretch, since it could not be paid in full, is payable all through it."""
    if made < 0:
        number = request(world)
        world.warp(-made)
    stretch(world)
    begun = world.now
    if made >= 0:
        world.warp(made)
        number = request(world)
    world.evm.warp_to(begun + PAUSE)
    due = due_at(world, number)
    assert due < world.now
    fresh = request(world)
    stretch(world)
    assert due_at(world, number) == due
    assert due_at(world, fresh) == world.now + STRETCH + DELAY
    with world.evm.undone():
        world.vault.send(world.operator).execute_withdrawal(number)
    world.warp(PAUSE)
    stretch(world)
    assert due_at(world, fresh) < world.now
    for known in (number, fresh):
        world.vault.send(world.operator).execute_withdrawal(known)


def test_one_made_long_after_a_stretch_waits_for_the_next(world: World) -> None:
    stretch(world)
    world.warp(STRETCH + 1)
    number = request(world)
    world.warp(PAUSE)
    assert due_at(world, number) < world.now
    stretch(world)
    assert_due_at(world, number, world.now + STRETCH)


def test_a_stretch_does_not_reach_what_both_sides_sign(world: World) -> None:
    stretch(world)
    world.withdraw(world.taker, 5 * USDC)
    assert world.balance(world.taker.address) == 5 * USDC


def test_only_guardian_and_governance_stretch(world: World) -> None:
    for sender in (world.taker.address, world.operator):
        with pytest.raises(RevertError, match="only guardian or governance"):
            world.vault.send(sender).stretch_queue()
    world.vault.send(world.governance).stretch_queue()


def test_there_is_no_request_without_an_id(world: World) -> None:
    stretch(world)
    assert world.vault.call.withdrawals(0) == ("0x" + "00" * 20, 0, 0, "0x" + "00" * 20, 0)
    with pytest.raises(RevertError, match="no such request"):
        world.vault.send(world.operator).execute_withdrawal(0)
