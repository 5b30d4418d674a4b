# SPDX-License-Identifier: AGPL-3.0-only
"""Deposits with an EIP-2612 permit in place of an approval."""

import pytest

from tests.support.abi import RevertError
from tests.support.wire import Domain, sign, wallet
from tests.support.world import USDC, World

PERMIT_TYPE = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
PAYER = wallet("payer")


def permit(world: World, amount: int, *, nonce: int = 0, life: int = 60) -> tuple[int, int, int, bytes, bytes]:
    """Amount, deadline and signature, as `deposit_with_permit` takes them."""
    domain = Domain(world.domain.chain_id, world.usdc.address, "Test USDC", "1")
    deadline = world.now + life
    message = {
        "owner": PAYER.address,
        "spender": world.vault.address,
        "value": amount,
        "nonce": nonce,
        "deadline": deadline,
    }
    signature = sign(PAYER, domain, PERMIT_TYPE, message).bytes65
    return amount, deadline, signature[64], signature[:32], signature[32:64]


@pytest.fixture(autouse=True)
def minted(world: World) -> None:
    world.usdc.send(PAYER.address).mint(PAYER.address, 9 * USDC)


def test_a_permit_is_an_approval_and_a_deposit_in_one(world: World) -> None:
    owner = wallet("owner").address
    receipt = world.vault.send(PAYER.address).deposit_with_permit(owner, 3, *permit(world, 7 * USDC))
    [deposited] = receipt.named("Deposited")
    assert deposited.args == {"account": owner, "subaccount": 3, "amount": 7 * USDC, "payer": PAYER.address}
    assert world.exchange.call.cash(owner, 3) == 7 * USDC
    assert world.usdc.call.nonces(PAYER.address) == 1
    assert world.usdc.call.allowance(PAYER.address, world.vault.address) == 0


def test_a_permit_that_was_front_run_still_deposits(world: World) -> None:
    """Whoever sees it in the mempool may bring it to the token first; the payer's deposit goes through all the same."""
    amount, deadline, *signature = permit(world, 7 * USDC)
    stranger = wallet("front-runner").address
    world.usdc.send(stranger).permit(PAYER.address, world.vault.address, amount, deadline, *signature)
    world.vault.send(PAYER.address).deposit_with_permit(PAYER.address, 0, amount, deadline, *signature)
    assert world.exchange.call.cash(PAYER.address, 0) == 7 * USDC


def test_nobody_else_deposits_with_it(world: World) -> None:
    """Not to his own account, not even after the permit is with the token."""
    amount, deadline, *signature = permit(world, 7 * USDC)
    stranger = wallet("thief").address
    for _ in range(2):
        with pytest.raises(RevertError):
            world.vault.send(stranger).deposit_with_permit(stranger, 0, amount, deadline, *signature)
        with pytest.raises(RevertError):
            world.vault.send(stranger).deposit(stranger, 0, amount)
        if not world.usdc.call.nonces(PAYER.address):
            world.usdc.send(stranger).permit(PAYER.address, world.vault.address, amount, deadline, *signature)
    assert world.balance(PAYER.address) == 9 * USDC


@pytest.mark.parametrize("flaw", [{"nonce": 1}, {"life": -1}], ids=["nonce", "expired"])
def test_a_permit_that_does_not_hold_deposits_nothing(world: World, flaw: dict[str, int]) -> None:
    with pytest.raises(RevertError):
        world.vault.send(PAYER.address).deposit_with_permit(PAYER.address, 0, *permit(world, 7 * USDC, **flaw))
    assert world.balance(PAYER.address) == 9 * USDC


def test_who_has_approved_before_needs_no_permit(world: World) -> None:
    world.usdc.send(PAYER.address).approve(world.vault.address, 7 * USDC)
    world.vault.send(PAYER.address).deposit_with_permit(PAYER.address, 0, *permit(world, 7 * USDC, nonce=5))
    assert world.exchange.call.cash(PAYER.address, 0) == 7 * USDC


def test_a_token_without_permits_pays_nobodys_deposit() -> None:
    """It may swallow the call in silence, as wrapped ether does: what counts is what the caller has approved."""
    world = World(token="HostileToken")
    victim, thief = wallet("victim").address, wallet("thief").address
    world.usdc.send(victim).mint(victim, 9 * USDC)
    world.usdc.send(victim).approve(world.vault.address, 2**255)
    with pytest.raises(RevertError):
        world.vault.send(thief).deposit_with_permit(thief, 0, 9 * USDC, world.now, 27, bytes(32), bytes(32))
    assert world.balance(victim) == 9 * USDC
