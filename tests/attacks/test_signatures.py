# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 1 to 14: signatures that were made for something else, or by nobody."""

from dataclasses import replace

import pytest

from tests.support.abi import RevertError
from tests.support.anvil import ACCOUNTS, anvil, deploy_on
from tests.support.chain import deploy
from tests.support.wire import CANCEL_ALL_TYPE, Domain, Fill, Order, Signed, sign, sign_order, wallet
from tests.support.world import KEYS, PRICE, USDC, World, rejections

SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def assert_forged(world: World, forged: Signed) -> None:
    """The taker's order is refused as not signed by its account, and nothing moves."""
    maker = world.signed(world.maker, "SELL", slot=30)
    [rejection] = rejections(world.settle([forged, maker], [world.fill()]))
    assert (rejection.fault_class, rejection.reason) == (1, "bad signature")
    assert world.position(world.taker).size == world.position(world.maker).size == 0


def test_01_other_chain_id(world: World) -> None:
    order = world.order(world.taker, "BUY")
    assert_forged(world, world.sign(world.taker, order, domain=replace(world.domain, chain_id=1)))


def test_02_other_contract_or_redeployment(world: World) -> None:
    """Signed for another deployment of the very same code, or for the Vault."""
    again = World()
    order = world.order(world.taker, "BUY")
    other = Domain(world.domain.chain_id, wallet("another exchange").address)
    assert_forged(world, world.sign(world.taker, order, domain=other))
    assert_forged(world, world.sign(world.taker, order, domain=world.system.vault_domain))
    assert again.domain.separator == world.domain.separator  # the same address on a fresh chain: the control
    assert_forged(world, world.sign(world.taker, order, domain=replace(world.domain, version="2")))


def test_03_other_market(world: World) -> None:
    """A BTC order packed as an ETH order keeps its signature and loses its meaning."""
    order = world.order(world.taker, "BUY", limit_price=1_600_000)
    forged = world.sign(world.taker, order, market=2)
    maker = world.signed(world.maker, "SELL", market="ETH-USD")
    [rejection] = rejections(world.settle([forged, maker], [world.fill(1_600_000)]))
    assert rejection.reason == "bad signature"
    assert world.position(world.taker, 2).size == 0


def test_04_other_subaccount(world: World) -> None:
    world.system.fund(world.taker.address, 1_000 * USDC, subaccount=1)
    signed = world.signed(world.taker, "BUY", subaccount=1)
    terms, *rest = signed.words
    forged = replace(signed, words=(terms & ~(0xFFFF << 80), *rest))
    assert_forged(world, forged)


def test_04_other_owner(world: World) -> None:
    signed = world.signed(wallet("non-owner"), "BUY")
    terms, *rest = signed.words
    victim = int(world.taker.address, 16) << 96 | terms & (1 << 96) - 1
    assert_forged(world, replace(signed, words=(victim, *rest)))


@pytest.mark.parametrize("field", ["size", "limit price", "fee cap", "side", "slot", "revision", "expiry"])
def test_04_any_field_changed_after_signing(world: World, field: str) -> None:
    signed = world.signed(world.taker, "BUY")
    terms, amounts, *signature = signed.words
    bit = {"size": 210, "limit price": 160, "fee cap": 16, "side": 0, "slot": 48, "revision": 32}.get(field)
    words = (terms ^ 1 << 32, amounts) if bit is None else (terms, amounts ^ 1 << bit)
    maker_side = "BUY" if field == "side" else "SELL"
    maker = world.signed(world.maker, maker_side, slot=30)
    forged = replace(signed, words=(*words, *signature))
    [rejection] = rejections(world.settle([forged, maker], [world.fill()]))
    assert rejection.reason == "bad signature"


def test_05_other_action_type(world: World) -> None:
    """A signed cancel-all is not an order, and a signed order is not a withdrawal."""
    order = world.order(world.taker, "BUY")
    message = {"account": world.taker.address, "subaccount": 0, "market": "BTC-USD", "nonce": order.generation}
    signature = sign(world.taker, world.domain, CANCEL_ALL_TYPE, message)
    assert_forged(world, Signed(order, b"", (*order.words(1), signature.r, signature.vs), world.taker.address))
    withdrawal = world.withdrawal(world.taker, 5 * USDC)
    cosigned = world.sign_withdrawal(KEYS.operator, withdrawal)
    with pytest.raises(RevertError, match="bad owner signature"):
        world.vault.send(world.taker.address).withdraw_signed(withdrawal, signature.bytes65, cosigned)


def high_s(signed: Signed) -> Signed:
    """The other signature of the same message by the same key."""
    terms, amounts, r, vs = signed.words
    s, odd = vs & (1 << 255) - 1, vs >> 255
    return replace(signed, words=(terms, amounts, r, (SECP256K1_N - s) | (1 - odd) << 255))


def test_06_high_s(world: World) -> None:
    """s above half the order does not fit under the parity bit whole, so both ways to pack it are tried."""
    signed = world.signed(world.taker, "BUY")
    assert_forged(world, high_s(signed))
    terms, amounts, r, vs = signed.words
    assert_forged(world, replace(signed, words=(terms, amounts, r, SECP256K1_N - (vs & (1 << 255) - 1))))
    withdrawal = world.withdrawal(world.taker, 5 * USDC)
    good = world.sign_withdrawal(world.taker, withdrawal)
    s = SECP256K1_N - int.from_bytes(good[32:64], "big")
    malleated = good[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - good[64]])
    with pytest.raises(RevertError, match="bad owner signature"):
        world.vault.send(world.taker.address).withdraw_signed(
            withdrawal, malleated, world.sign_withdrawal(KEYS.operator, withdrawal)
        )


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_07_v_outside_27_and_28(world: World, v: int) -> None:
    """Orders carry one parity bit and cannot say another v; withdrawals can."""
    withdrawal = world.withdrawal(world.taker, 5 * USDC)
    owner, cosigner = world.sign_withdrawal(world.taker, withdrawal), world.sign_withdrawal(KEYS.operator, withdrawal)
    for pair in ((owner[:64] + bytes([v]), cosigner), (owner, cosigner[:64] + bytes([v]))):
        with pytest.raises(RevertError, match=r"bad (owner|cosigner) signature"):
            world.vault.send(world.taker.address).withdraw_signed(withdrawal, *pair)


def test_07_wrong_parity(world: World) -> None:
    signed = world.signed(world.taker, "BUY")
    terms, amounts, r, vs = signed.words
    assert_forged(world, replace(signed, words=(terms, amounts, r, vs ^ 1 << 255)))


def test_08_ecrecover_returns_zero(world: World) -> None:
    """No account is the zero address's, and an empty signature recovers nobody's."""
    order = world.order(world.taker, "BUY", account="0x" + "00" * 20)
    nobody = Signed(order, order.hash(world.domain), (*order.words(1), 0, 0), order.account)
    maker = world.signed(world.maker, "SELL")
    [rejection] = rejections(world.settle([nobody, maker], [world.fill()]))
    assert rejection.reason == "bad signature"
    zero = ("0x" + "00" * 20, 0, 5 * USDC, world.taker.address, 1, world.now + 9)
    with pytest.raises(RevertError, match="bad owner signature"):
        world.vault.send(world.taker.address).withdraw_signed(zero, bytes(65), bytes(65))
    with pytest.raises(RevertError, match="bad signature"):
        world.oracle.send(world.taker.address).push([(1, 1, world.now, 0, 0)])
    world.oracle.send(world.governance).announce(world.oracle.data("set_signer", "0x" + "00" * 20))
    world.warp(14 * 86_400)
    with pytest.raises(RevertError, match="no signer"):
        world.oracle.send(world.governance).set_signer("0x" + "00" * 20)


def test_08_zero_cosigner_is_never_allowed(world: World) -> None:
    withdrawal = world.withdrawal(world.taker, 5 * USDC)
    owner = world.sign_withdrawal(world.taker, withdrawal)
    with pytest.raises(RevertError, match="bad cosigner signature"):
        world.vault.send(world.taker.address).withdraw_signed(withdrawal, owner, bytes(65))
    with pytest.raises(RevertError, match="no cosigner"):
        world.vault.send(world.governance).set_cosigner("0x" + "00" * 20, True)


@pytest.mark.parametrize("length", [0, 1, 64])
def test_09_wrong_signature_length(world: World, length: int) -> None:
    withdrawal = world.withdrawal(world.taker, 5 * USDC)
    owner, cosigner = world.sign_withdrawal(world.taker, withdrawal), world.sign_withdrawal(KEYS.operator, withdrawal)
    with pytest.raises(RevertError, match="bad owner signature"):
        world.vault.send(world.taker.address).withdraw_signed(withdrawal, owner[:length], cosigner)
    with pytest.raises(RevertError):
        world.vault.send(world.taker.address).withdraw_signed(withdrawal, owner + b"\0", cosigner)


def test_10_contract_wallets_are_never_called(world: World) -> None:
    """ERC-1271 is not supported yet: whatever a wallet's code would answer, burn or re-enter, nobody asks it."""
    purse = deploy(world.evm, world.operator, "HostileToken").address
    world.evm.set_code(purse, bytes.fromhex("5b600056"))  # burns all gas it is given
    order = world.order(world.taker, "BUY", account=purse)
    maker = world.signed(world.maker, "SELL", slot=30)
    good = world.signed(world.taker, "BUY", slot=31)
    fills = [world.fill(), world.fill(taker=2)]
    logs = world.settle([world.sign(world.taker, order), maker, good], fills)
    assert [(r.fill_id, r.reason) for r in rejections(logs)] == [(fills[0].fill_id, "bad signature")]
    assert world.position(world.taker).size == 10


def test_11_a_signature_for_one_account_is_not_one_for_another(world: World) -> None:
    """The account is part of what is signed: the same key's signature does not serve a wallet that shares the key."""
    order = world.order(world.taker, "BUY")
    signed = world.sign(world.taker, order)
    other = order.but(account=wallet("smart wallet of the same key").address)
    forged = replace(signed, words=(*other.words(1), *signed.words[2:]))
    assert_forged(world, forged)


def test_12_a_key_that_is_not_the_owner_signs_nothing(world: World) -> None:
    """Session keys are not supported yet: not even the operator's or governance's key trades for an owner."""
    for key in (KEYS.operator, KEYS.governance, wallet("session key")):
        assert_forged(world, world.sign(key, world.order(world.taker, "BUY")))


def test_13_an_owner_with_code_still_signs(world: World) -> None:
    """EIP-7702: ecrecover comes first, whatever code stands at the owner's address."""
    world.evm.set_code(world.taker.address, bytes.fromhex("60006000fd"))
    signed = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL")]
    assert rejections(world.settle(signed, [world.fill()])) == []
    assert world.position(world.taker).size == 10


def test_14_domain_after_a_chain_fork() -> None:
    """On the other branch, with another chain id, old signatures are void and new ones count."""
    with anvil() as node:
        system = deploy_on(node.rpc)
        taker, maker = ACCOUNTS[5], ACCOUNTS[6]
        system.push({1: PRICE[1]})
        for key in (taker, maker):
            system.fund(key.address, 1_000 * USDC)
        # an operator whom the node impersonates: its own keys go on signing for the old chain id
        node.rpc.fund(KEYS.operator.address)
        system.exchange.send(system.keys.governance.address).set_operator(KEYS.operator.address, True)
        system.keys = replace(system.keys, operator=KEYS.operator)
        node.rpc.request("anvil_setChainId", 999)
        for domain, settled in ((system.domain, False), (replace(system.domain, chain_id=999), True)):
            now = node.rpc.now
            orders = [
                sign_order(
                    key,
                    domain,
                    Order("BTC-USD", side, 10, PRICE[1], key.address, now * 1000, now + 600),
                    market_id=1,
                )
                for key, side in ((taker, "BUY"), (maker, "SELL"))
            ]
            logs = system.settle(orders, [Fill(1, PRICE[1], 10, 0, 1)])
            assert [rejection.reason for rejection in rejections(logs)] == ([] if settled else ["bad signature"])
