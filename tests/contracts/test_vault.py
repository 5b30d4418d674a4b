# SPDX-License-Identifier: AGPL-3.0-only
"""Deposits and both ways out."""

import pytest

from tests.support.abi import RevertError
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World


def test_a_deposit_for_somebody_else(world: World) -> None:
    payer, owner = wallet("payer").address, wallet("owner").address
    world.usdc.send(payer).mint(payer, 9 * USDC)
    world.usdc.send(payer).approve(world.vault.address, 9 * USDC)
    receipt = world.vault.send(payer).deposit(owner, 3, 7 * USDC)
    [deposited] = receipt.named("Deposited")
    assert deposited.args == {"account": owner, "subaccount": 3, "amount": 7 * USDC, "payer": payer}
    logs = [world.exchange.abi.decode_log(log) for log in receipt.raw_logs if log.address == world.exchange.address]
    [credited] = [log for log in logs if log is not None]
    assert credited.name == "Credited"
    assert credited.args == {"account": owner, "subaccount": 3, "amount": 7 * USDC, "cash": 7 * USDC}
    assert world.exchange.call.cash(owner, 3) == 7 * USDC
    assert world.balance(payer) == 2 * USDC
    with pytest.raises(RevertError):
        world.vault.send(payer).deposit(owner, 3, 3 * USDC)
    with pytest.raises(RevertError, match="no owner"):
        world.vault.send(payer).deposit("0x" + "00" * 20, 0, USDC)
    with pytest.raises(RevertError, match="subaccount above 65535"):
        world.vault.send(payer).deposit(owner, 65_536, USDC)
    with pytest.raises(RevertError, match="subaccount above 65535"):
        world.vault.send(payer).request_withdrawal(65_536, USDC, payer)
    world.vault.send(payer).deposit(owner, 65_535, USDC)
    world.vault.send(payer).request_withdrawal(65_535, USDC, payer)


def test_the_slow_way_out(world: World) -> None:
    owner, to = world.taker.address, wallet("recipient").address
    [requested] = world.vault.send(owner).request_withdrawal(0, 5 * USDC, to).named("WithdrawalRequested")
    assert requested.ready_at == world.now + 120
    assert world.vault.call.withdrawals(requested.id) == (owner, 0, 5 * USDC, to, requested.ready_at)
    anyone = world.vault.send(wallet("anyone").address)
    world.warp(119)
    with pytest.raises(RevertError, match="not due yet"):
        anyone.execute_withdrawal(requested.id)
    world.warp(1)
    [paid] = anyone.execute_withdrawal(requested.id).named("Withdrawn")
    assert (paid.account, paid.to, paid.amount, paid.id_or_nonce, paid.instant) == (
        owner,
        to,
        5 * USDC,
        requested.id,
        False,
    )
    assert world.balance(to) == 5 * USDC
    with pytest.raises(RevertError, match="no such request"):
        anyone.execute_withdrawal(requested.id)


def test_only_its_owner_cancels_a_request(world: World) -> None:
    world.vault.send(world.taker.address).request_withdrawal(0, 5 * USDC, world.taker.address)
    with pytest.raises(RevertError, match="not your request"):
        world.vault.send(world.maker.address).cancel_withdrawal(1)
    world.vault.send(world.taker.address).cancel_withdrawal(1)
    world.warp(120)
    with pytest.raises(RevertError, match="no such request"):
        world.vault.send(world.taker.address).execute_withdrawal(1)


def test_a_request_pays_what_is_withdrawable_by_then(world: World) -> None:
    world.vault.send(world.taker.address).request_withdrawal(0, 100_000 * USDC, world.taker.address)
    world.trade(world.taker, world.maker, 10_000)
    world.warp(120)
    world.push({1: PRICE[1]})
    free = world.withdrawable(world.taker)
    assert 0 < free < 100_000 * USDC
    # a stranger could end the request with whatever little is free at a bad moment
    with pytest.raises(RevertError, match="less is withdrawable"):
        world.vault.send(world.operator).execute_withdrawal(1)
    world.vault.send(world.taker.address).execute_withdrawal(1)
    assert world.balance(world.taker.address) == free
    world.vault.send(world.taker.address).request_withdrawal(0, 1, world.taker.address)
    world.warp(120)
    world.push({1: PRICE[1]})
    with pytest.raises(RevertError, match="nothing is withdrawable"):
        world.vault.send(world.operator).execute_withdrawal(2)


@pytest.mark.parametrize("amount", [0, 2**64])
def test_amounts_out_of_range_are_refused(world: World, amount: int) -> None:
    with pytest.raises(RevertError, match="amount not in"):
        world.vault.send(world.taker.address).request_withdrawal(0, amount, world.taker.address)


def test_the_fast_way_out_may_be_sent_by_anybody(world: World) -> None:
    message = world.withdrawal(world.taker, 8 * USDC, to=wallet("recipient").address, nonce=77)
    signatures = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
    receipt = world.vault.send(wallet("anyone").address).withdraw_signed(message, *signatures)
    [paid] = receipt.named("Withdrawn")
    assert (paid.account, paid.amount, paid.id_or_nonce, paid.instant) == (world.taker.address, 8 * USDC, 77, True)
    assert world.balance(wallet("recipient").address) == 8 * USDC
    assert world.vault.call.nonce_used(world.taker.address, 77)
    assert not world.vault.call.nonce_used(world.maker.address, 77)


@pytest.mark.parametrize(
    "field",
    [{"amount": 9 * USDC}, {"to": wallet("thief").address}, {"subaccount": 1}, {"nonce": 2}, {"deadline": 2**32 - 1}],
)
def test_a_changed_withdrawal_is_not_what_was_signed(world: World, field: dict[str, object]) -> None:
    signed = world.withdrawal(world.taker, 8 * USDC)
    signatures = world.sign_withdrawal(world.taker, signed), world.sign_withdrawal(KEYS.operator, signed)
    changed = world.withdrawal(world.taker, **({"amount": 8 * USDC} | field))  # type: ignore[arg-type]
    with pytest.raises(RevertError, match="bad owner signature"):
        world.vault.send(world.taker.address).withdraw_signed(changed, *signatures)


@pytest.mark.parametrize(
    ("field", "most", "reason", "then"),
    [
        ("amount", 2**64 - 1, "amount or nonce above", "outflow cap"),
        ("nonce", 2**64 - 1, "amount or nonce above", None),
        ("subaccount", 2**16 - 1, "subaccount above 65535", "more than is withdrawable"),
        ("deadline", 2**32 - 1, "deadline above", None),
    ],
)
def test_a_withdrawal_has_the_widths_that_are_signed(
    world: World, field: str, most: int, reason: str, then: str | None
) -> None:
    def withdraw(value: int) -> None:
        message = world.withdrawal(world.taker, **({"amount": USDC} | {field: value}))
        signatures = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
        world.vault.send(world.taker.address).withdraw_signed(message, *signatures)

    with pytest.raises(RevertError, match=reason):
        withdraw(most + 1)
    if then is None:
        withdraw(most)
    else:
        with pytest.raises(RevertError, match=then):
            withdraw(most)


def test_the_fast_way_needs_both_signatures(world: World) -> None:
    message = world.withdrawal(world.taker, 8 * USDC)
    owner, operator = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
    sender = world.vault.send(world.taker.address)
    with pytest.raises(RevertError, match="bad cosigner signature"):
        sender.withdraw_signed(message, owner, owner)
    with pytest.raises(RevertError, match="bad owner signature"):
        sender.withdraw_signed(message, operator, operator)
    world.vault.send(world.governance).set_cosigner(world.operator, False)
    with pytest.raises(RevertError, match="bad cosigner signature"):
        sender.withdraw_signed(message, owner, operator)


def test_a_signed_withdrawal_never_exceeds_free_collateral(world: World) -> None:
    world.trade(world.taker, world.maker, 10_000)
    free = world.withdrawable(world.taker)
    with pytest.raises(RevertError, match="more than is withdrawable"):
        world.withdraw(world.taker, free + 1)
    world.withdraw(world.taker, free)
    equity, initial, _, _ = world.exchange.call.margin_of(world.taker.address, 0)
    assert 0 <= equity - initial < 1 << 32


def test_subaccounts_are_apart(world: World) -> None:
    world.system.fund(world.taker.address, 5 * USDC, subaccount=65_535)
    assert (world.cash(world.taker), world.cash(world.taker, 65_535)) == (100_000 * USDC, 5 * USDC)
    with pytest.raises(RevertError, match="more than is withdrawable"):
        world.withdraw(world.taker, 6 * USDC, subaccount=65_535)
    world.withdraw(world.taker, 5 * USDC, subaccount=65_535)
