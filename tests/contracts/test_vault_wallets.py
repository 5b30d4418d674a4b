# SPDX-License-Identifier: AGPL-3.0-only
"""Contract wallets: they withdraw as anybody does, and sign by ERC-1271."""

import pytest
from eth_account.signers.local import LocalAccount

from tests.support.abi import RevertError
from tests.support.chain import Contract, deploy
from tests.support.wire import wallet
from tests.support.world import KEYS, USDC, World

KEY = wallet("key of a contract wallet")
HOME = wallet("home").address


@pytest.fixture
def purse(world: World) -> Contract:
    """With 1,000 USDC in its account."""
    purse = deploy(world.evm, world.governance, "ContractWallet", KEY.address)
    payer = wallet("payer").address
    world.usdc.send(payer).mint(payer, 1_000 * USDC)
    world.usdc.send(payer).approve(world.vault.address, 1_000 * USDC)
    world.vault.send(payer).deposit(purse.address, 0, 1_000 * USDC)
    return purse


def withdraw(
    world: World, purse: Contract, *, prefix: bytes = b"", gas: int | None = None, signer: LocalAccount = KEY
) -> None:
    message = world.withdrawal(KEY, 5 * USDC, account=purse.address, to=HOME)
    signature = prefix + world.sign_withdrawal(signer, message)
    world.vault.send(world.operator, gas).withdraw_signed(
        message, signature, world.sign_withdrawal(KEYS.operator, message)
    )


@pytest.mark.parametrize("prefix", [b"", b"x", bytes(959)], ids=len)
def test_a_wallet_signs_in_its_own_way(world: World, purse: Contract, prefix: bytes) -> None:
    withdraw(world, purse, prefix=prefix)
    assert world.balance(HOME) == 5 * USDC
    with pytest.raises(RevertError, match="nonce used"):
        withdraw(world, purse, prefix=prefix)


def test_what_the_wallet_refuses_is_refused(world: World, purse: Contract) -> None:
    with pytest.raises(RevertError, match="bad owner signature"):
        withdraw(world, purse, signer=wallet("somebody else"))


@pytest.mark.parametrize("mode", [1, 2, 4, 5, 6], ids=["revert", "burn", "short", "true", "write"])
def test_a_hostile_wallet_harms_itself_alone(world: World, purse: Contract, mode: int) -> None:
    """The check costs no more than its gas limit."""
    purse.send(KEY.address).set_mode(mode)
    with pytest.raises(RevertError, match="bad owner signature"):
        withdraw(world, purse, gas=700_000)
    world.withdraw(world.taker, 5 * USDC)
    purse.send(KEY.address).set_mode(0)
    withdraw(world, purse)


def test_a_wallet_burns_no_more_than_it_is_given(world: World, purse: Contract) -> None:
    """Whoever submits somebody else's withdrawal does not pay for what the wallet does with all gas there is."""
    purse.send(KEY.address).set_mode(2)
    message = world.withdrawal(KEY, 5 * USDC, account=purse.address, to=HOME)
    signatures = world.sign_withdrawal(KEY, message), world.sign_withdrawal(KEYS.operator, message)
    relayed = deploy(world.evm, world.operator, "Relayed")
    data = world.vault.data("withdraw_signed", message, *signatures)
    assert relayed.send(world.operator).try_run([(world.vault.address, data)]).gas_used < 600_000


def test_of_a_long_answer_one_word_is_read(world: World, purse: Contract) -> None:
    """A wallet that answers 16 kB pays for them itself."""
    message = world.withdrawal(KEY, 5 * USDC, account=purse.address, to=HOME)
    signatures = world.sign_withdrawal(KEY, message), world.sign_withdrawal(KEYS.operator, message)
    purse.send(KEY.address).set_mode(3)
    cost = world.vault.send(world.operator).withdraw_signed(message, *signatures).gas_used
    purse.send(KEY.address).set_mode(0)
    message = world.withdrawal(KEY, 5 * USDC, account=purse.address, to=HOME, nonce=2)
    signatures = world.sign_withdrawal(KEY, message), world.sign_withdrawal(KEYS.operator, message)
    assert cost - world.vault.send(world.operator).withdraw_signed(message, *signatures).gas_used < 50_000


def test_a_wallet_uses_the_delayed_way_by_calling(world: World, purse: Contract) -> None:
    data = world.vault.data("request_withdrawal", 0, 7 * USDC, HOME)
    purse.send(KEY.address).run(world.vault.address, data)
    world.warp(world.system.withdrawal_delay)
    world.vault.send(world.operator).execute_withdrawal(1)
    assert world.balance(HOME) == 7 * USDC


def test_an_owner_with_code_signs_by_key(world: World) -> None:
    """EIP-7702: whatever code stands at a key's address, the key's signature is enough."""
    world.evm.set_code(world.taker.address, bytes.fromhex("60006000fd"))
    message = world.withdrawal(world.taker, 5 * USDC, to=HOME)
    signatures = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
    world.vault.send(world.operator).withdraw_signed(message, *signatures)
    assert world.balance(HOME) == 5 * USDC


@pytest.mark.parametrize("length", [0, 64, 66])
def test_a_key_signs_in_65_bytes(world: World, length: int) -> None:
    message = world.withdrawal(world.taker, 5 * USDC)
    owner, operator = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
    sender = world.vault.send(world.operator)
    for signatures, reason in (
        (((owner + b"\0")[:length], operator), "bad owner signature"),
        ((owner, (operator + b"\0")[:length]), "bad cosigner signature"),
    ):
        with pytest.raises(RevertError, match=reason):
            sender.withdraw_signed(message, *signatures)
    sender.withdraw_signed(message, owner, operator)


def test_nobody_signs_for_the_zero_address(world: World) -> None:
    """ecrecover answers zero to nonsense: the account of nobody is not open to it."""
    payer = wallet("payer").address
    message = world.withdrawal(world.taker, 0, account="0x" + "00" * 20, to=payer)
    with pytest.raises(RevertError, match="bad owner signature"):
        world.vault.send(payer).withdraw_signed(
            message, bytes(64) + b"\x1b", world.sign_withdrawal(KEYS.operator, message)
        )
