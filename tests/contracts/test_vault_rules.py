# SPDX-License-Identifier: AGPL-3.0-only
"""What an owner asks of withdrawals: one destination, and the consent of a second approver."""

import pytest
from eth_account.signers.local import LocalAccount

from tests.support.abi import RevertError
from tests.support.chain import Contract, deploy
from tests.support.wire import sign, wallet
from tests.support.world import KEYS, USDC, World

NOBODY = "0x" + "00" * 20
CHANGE_DELAY = 11 * 86_400
APPROVAL_TYPE = "WithdrawalApproval(uint256 id,address account,uint64 amount,address to)"
HOME, THIEF, APPROVER = wallet("cold wallet").address, wallet("thief").address, wallet("approver")


def set_rules(world: World, destination: str = NOBODY, approver: str = NOBODY) -> None:
    world.vault.send(world.taker.address).set_rules(destination, approver)


def due_request(world: World, to: str, amount: int = 5 * USDC) -> int:
    world.vault.send(world.taker.address).request_withdrawal(0, amount, to)
    world.warp(world.system.withdrawal_delay)
    return int(world.vault.call.next_id()) - 1


def approval(world: World, key: LocalAccount, number: int, amount: int, to: str) -> bytes:
    message = {"id": number, "account": world.taker.address, "amount": amount, "to": to}
    return sign(key, world.system.vault_domain, APPROVAL_TYPE, message).bytes65


def withdraw_approved(world: World, approver_signature: bytes | None = None, to: str | None = None) -> None:
    message = world.withdrawal(world.taker, 5 * USDC, to=to or world.taker.address)
    signatures = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
    if approver_signature is None:
        approver_signature = world.sign_withdrawal(APPROVER, message)
    world.vault.send(world.operator).withdraw_approved(message, *signatures, approver_signature)


def test_money_goes_home_and_nowhere_else(world: World) -> None:
    [event] = world.vault.send(world.taker.address).set_rules(HOME, NOBODY).named("RulesSet")
    assert event.args == {"account": world.taker.address, "destination": HOME, "approver": NOBODY,
                          "effective_at": world.now}  # fmt: skip
    assert world.vault.call.rules(world.taker.address) == (HOME, NOBODY)
    for to in (THIEF, world.taker.address):
        with pytest.raises(RevertError, match="not the destination"):
            world.withdraw(world.taker, 5 * USDC, to=to)
        with pytest.raises(RevertError, match="not the destination"):
            world.vault.send(world.taker.address).request_withdrawal(0, 5 * USDC, to)
    world.withdraw(world.taker, 5 * USDC, to=HOME)
    world.vault.send(world.operator).execute_withdrawal(due_request(world, HOME))
    assert world.balance(HOME) == 10 * USDC
    # of others it asks nothing
    world.withdraw(world.maker, 5 * USDC)


def test_a_destination_holds_for_what_is_queued_already(world: World) -> None:
    """The thief of a key has queued a withdrawal to himself; the owner notices."""
    number = due_request(world, THIEF)
    set_rules(world, HOME)
    with pytest.raises(RevertError, match="not the destination"):
        world.vault.send(THIEF).execute_withdrawal(number)


def test_rules_hold_for_every_subaccount(world: World) -> None:
    world.system.fund(world.taker.address, 5 * USDC, subaccount=9)
    set_rules(world, HOME)
    with pytest.raises(RevertError, match="not the destination"):
        world.withdraw(world.taker, 5 * USDC, subaccount=9)


@pytest.mark.parametrize("bad", ["vault", "exchange"])
def test_a_destination_that_would_lose_the_money_is_refused(world: World, bad: str) -> None:
    with pytest.raises(RevertError, match="bad recipient"):
        set_rules(world, getattr(world, bad).address)


def test_the_approver_consents_by_a_call(world: World) -> None:
    set_rules(world, approver=APPROVER.address)
    number = due_request(world, HOME)
    anyone = world.vault.send(world.operator)
    with pytest.raises(RevertError, match="not approved"):
        anyone.execute_withdrawal(number)
    for sender in (world.operator, world.taker.address):
        with pytest.raises(RevertError, match="bad approver signature"):
            world.vault.send(sender).approve_withdrawal(number, 5 * USDC, HOME, b"")
    receipt = world.vault.send(APPROVER.address).approve_withdrawal(number, 5 * USDC, HOME, b"")
    [event] = receipt.named("WithdrawalApproved")
    assert event.args == {"id": number, "approver": APPROVER.address}
    assert world.vault.call.approver_of_request(number) == APPROVER.address
    anyone.execute_withdrawal(number)
    assert world.balance(HOME) == 5 * USDC


def test_the_approver_consents_by_a_signature(world: World) -> None:
    set_rules(world, approver=APPROVER.address)
    number, anyone = due_request(world, HOME), world.vault.send(world.operator)
    for forged in (
        approval(world, world.taker, number, 5 * USDC, HOME),
        approval(world, APPROVER, number + 1, 5 * USDC, HOME),
        approval(world, APPROVER, number, 6 * USDC, HOME),
        approval(world, APPROVER, number, 5 * USDC, THIEF),
    ):
        with pytest.raises(RevertError, match="bad approver signature"):
            anyone.approve_withdrawal(number, 5 * USDC, HOME, forged)
    anyone.approve_withdrawal(number, 5 * USDC, HOME, approval(world, APPROVER, number, 5 * USDC, HOME))
    anyone.execute_withdrawal(number)
    assert world.balance(HOME) == 5 * USDC


def test_consent_is_to_what_the_approver_saw(world: World) -> None:
    """In a reorganised chain another request may have the id; one that is smaller, being paid in part, is the same."""
    set_rules(world, approver=APPROVER.address)
    number, approver = due_request(world, HOME), world.vault.send(APPROVER.address)
    for amount, to in ((5 * USDC - 1, HOME), (5 * USDC, THIEF)):
        with pytest.raises(RevertError, match="another request"):
            approver.approve_withdrawal(number, amount, to, b"")
    approver.approve_withdrawal(number, 5 * USDC + 1, HOME, b"")
    with pytest.raises(RevertError, match="no such request"):
        approver.approve_withdrawal(number + 1, 5 * USDC, HOME, b"")
    world.vault.send(world.maker.address).request_withdrawal(0, 5 * USDC, HOME)
    with pytest.raises(RevertError, match="no approver"):
        approver.approve_withdrawal(number + 1, 5 * USDC, HOME, b"")


def test_consent_lasts_for_the_parts_of_a_request(world: World) -> None:
    set_rules(world, approver=APPROVER.address)
    world.warp(86_400)
    world.vault.send(world.governance).set_outflow_limits(25_000 * USDC, 50_000, 100_000 * USDC, 200_000)
    number = due_request(world, HOME, 50_000 * USDC)
    world.vault.send(APPROVER.address).approve_withdrawal(number, 50_000 * USDC, HOME, b"")
    world.vault.send(world.taker.address).execute_withdrawal(number)
    world.warp(3_600)
    world.vault.send(world.operator).execute_withdrawal(number)
    assert world.balance(HOME) == 50_000 * USDC


def test_the_fast_way_needs_the_approver_too(world: World) -> None:
    set_rules(world, approver=APPROVER.address)
    with pytest.raises(RevertError, match="not approved"):
        world.withdraw(world.taker, 5 * USDC)
    message = world.withdrawal(world.taker, 5 * USDC)
    for signature in (b"", world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)):
        with pytest.raises(RevertError, match="not approved"):
            withdraw_approved(world, signature)
    other = world.withdrawal(world.taker, 5 * USDC, nonce=2)
    with pytest.raises(RevertError, match="not approved"):
        withdraw_approved(world, world.sign_withdrawal(APPROVER, other))
    withdraw_approved(world)
    assert world.balance(world.taker.address) == 5 * USDC
    with pytest.raises(RevertError, match="nonce used"):
        withdraw_approved(world)


def test_without_an_approver_nobody_is_asked(world: World) -> None:
    withdraw_approved(world, b"")
    assert world.balance(world.taker.address) == 5 * USDC


def test_an_approver_may_be_a_contract(world: World) -> None:
    approver: Contract = deploy(world.evm, world.governance, "ContractWallet", APPROVER.address)
    set_rules(world, approver=approver.address)
    withdraw_approved(world)
    number = due_request(world, HOME)
    signature = approval(world, world.taker, number, 5 * USDC, HOME)
    with pytest.raises(RevertError, match="bad approver signature"):
        world.vault.send(world.operator).approve_withdrawal(number, 5 * USDC, HOME, signature)
    signature = approval(world, APPROVER, number, 5 * USDC, HOME)
    world.vault.send(world.operator).approve_withdrawal(number, 5 * USDC, HOME, signature)
    world.vault.send(world.operator).execute_withdrawal(number)


def test_the_owner_cannot_approve_for_himself(world: World) -> None:
    with pytest.raises(RevertError, match="approver is the owner"):
        set_rules(world, approver=world.taker.address)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((HOME, NOBODY), (NOBODY, NOBODY)),
        ((HOME, NOBODY), (THIEF, NOBODY)),
        ((NOBODY, APPROVER.address), (NOBODY, NOBODY)),
        ((NOBODY, APPROVER.address), (NOBODY, THIEF)),
        ((HOME, NOBODY), (HOME, THIEF)),  # not to be shut out by who stole the key
        ((NOBODY, APPROVER.address), (THIEF, APPROVER.address)),
    ],
    ids=["no destination", "other destination", "no approver", "other approver", "add approver", "add destination"],
)
def test_any_change_of_rules_waits_longer_than_the_longest_exit(
    world: World, before: tuple[str, str], after: tuple[str, str]
) -> None:
    set_rules(world, *before)
    asked = world.vault.send(world.taker.address).set_rules(*after)
    [event] = asked.named("RulesSet")
    assert (event.destination, event.approver, event.effective_at) == (*after, world.now + CHANGE_DELAY)
    assert CHANGE_DELAY > 7 * 86_400 + 72 * 3_600 + 7 * 3_600
    assert world.vault.call.next_rules(world.taker.address) == (*after, event.effective_at)
    world.warp(CHANGE_DELAY - 1)
    assert world.vault.call.rules(world.taker.address) == before
    world.warp(1)
    assert world.vault.call.rules(world.taker.address) == after


def test_a_change_can_be_taken_back_until_it_holds(world: World) -> None:
    set_rules(world, HOME)
    set_rules(world, THIEF)
    world.warp(CHANGE_DELAY - 1)
    set_rules(world, HOME)
    assert world.vault.call.next_rules(world.taker.address) == (NOBODY, NOBODY, 0)
    world.warp(CHANGE_DELAY)
    assert world.vault.call.rules(world.taker.address) == (HOME, NOBODY)


def test_the_next_change_starts_from_what_holds_by_then(world: World) -> None:
    """A change that has come into force is not lost when another one is asked for."""
    other = wallet("another cold wallet").address
    set_rules(world, HOME)
    set_rules(world, other)
    world.warp(CHANGE_DELAY)
    set_rules(world, THIEF)
    assert world.vault.call.rules(world.taker.address) == (other, NOBODY)
    world.warp(CHANGE_DELAY)
    set_rules(world)
    world.warp(CHANGE_DELAY)
    assert world.vault.call.rules(world.taker.address) == (NOBODY, NOBODY)
    set_rules(world, HOME, APPROVER.address)  # who has none gets them at once
    assert world.vault.call.rules(world.taker.address) == (HOME, APPROVER.address)


def test_with_a_destination_a_stolen_key_neither_takes_the_money_nor_locks_it(world: World) -> None:
    """The thief asks for himself as destination and as approver; before either holds, the owner has left."""
    set_rules(world, HOME)
    world.vault.send(world.taker.address).set_rules(THIEF, THIEF)
    number = due_request(world, HOME, 100_000 * USDC)
    world.vault.send(world.operator).execute_withdrawal(number)
    assert world.balance(HOME) == 100_000 * USDC
    world.warp(CHANGE_DELAY)
    assert world.withdrawable(world.taker) == 0


def test_who_lost_the_approver_leaves_in_the_end(world: World) -> None:
    set_rules(world, approver=APPROVER.address)
    set_rules(world)
    number = due_request(world, HOME)
    world.warp(CHANGE_DELAY - world.system.withdrawal_delay - 1)
    with pytest.raises(RevertError, match="not approved"):
        world.vault.send(world.taker.address).execute_withdrawal(number)
    world.warp(1)
    world.vault.send(world.taker.address).execute_withdrawal(number)
    assert world.balance(HOME) == 5 * USDC


def test_an_old_approvers_consent_is_not_the_new_ones(world: World) -> None:
    set_rules(world, approver=APPROVER.address)
    number = due_request(world, HOME)
    world.vault.send(APPROVER.address).approve_withdrawal(number, 5 * USDC, HOME, b"")
    set_rules(world, approver=wallet("new approver").address)
    world.warp(CHANGE_DELAY)
    with pytest.raises(RevertError, match="not approved"):
        world.vault.send(world.operator).execute_withdrawal(number)
