# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 1 to 14: signatures that were made for something else, or by nobody."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.support.abi import RevertError
from tests.support.anvil import ACCOUNTS, anvil, deploy_on
from tests.support.build import storage_slot
from tests.support.chain import deploy
from tests.support.evm import Evm
from tests.support.system import deploy_system
from tests.support.wire import (
    CANCEL_ALL_TYPE,
    PRICE_TYPE,
    Domain,
    Fill,
    Order,
    Signature,
    Signed,
    digest,
    sign,
    sign_digest,
    sign_order,
    wallet,
)
from tests.support.world import KEYS, PRICE, USDC, World, rejections

SESSION_KEY = wallet("session key")
SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_N = SECP256K1_N // 2


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


@pytest.mark.parametrize(("s", "is_canonical"), [(HALF_N, True), (HALF_N + 1, False), ((1 << 255) - 1, False)])
def test_06_the_highest_s_of_an_order(world: World, s: int, is_canonical: bool) -> None:
    """Some s above half the order do fit under the parity bit: whom they recover is nobody, even if a session key."""
    order = world.order(world.taker, "BUY")
    hash_ = order.hash(world.domain)
    r = sign_digest(world.taker, hash_).r
    key = str(Account._recover_hash(hash_, vrs=(27, r, s)))
    world.exchange.send(world.taker.address).register_session_key(*world.session_key(world.taker.address, key), b"")
    signed = Signed(order, hash_, (*order.words(1), r, s), key)
    if not is_canonical:
        assert_forged(world, signed)
        return
    assert rejections(world.settle([signed, world.signed(world.maker, "SELL")], [world.fill()])) == []


@pytest.mark.parametrize(("s", "is_canonical"), [(HALF_N, True), (HALF_N + 1, False), ((1 << 255) - 1, False)])
def test_06_the_highest_s_of_a_price(world: World, s: int, is_canonical: bool) -> None:
    """Whoever it recovers is named as the price signer."""
    with world.evm.undone():  # where the next one will be
        address = deploy(world.evm, world.governance, "PushedOracle", world.operator).address
    message = {"market": 1, "price": 5, "publishedAt": world.now}
    hash_ = digest(Domain(world.domain.chain_id, address, "Ouro Oracle"), PRICE_TYPE, message)
    r = sign_digest(world.taker, hash_).r
    signer = str(Account._recover_hash(hash_, vrs=(27, r, s)))
    oracle = deploy(world.evm, world.governance, "PushedOracle", signer)
    assert oracle.address == address
    if is_canonical:
        oracle.send(world.operator).push([(1, 5, world.now, r, s)])
    else:
        with pytest.raises(RevertError, match="bad signature"):
            oracle.send(world.operator).push([(1, 5, world.now, r, s)])
    assert oracle.call.price(1)[0] == (5 if is_canonical else 0)


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


def registration(world: World, account: str, key: LocalAccount = SESSION_KEY, **fields: Any) -> tuple[Any, ...]:
    """Of a session key, signed by the taker's key whoever the account is."""
    arguments = world.session_key(account, key.address, **fields)
    return *arguments, world.sign_session_key(world.taker, arguments)


def test_02_a_registration_for_another_contract(world: World) -> None:
    """Neither for another exchange, nor for the contracts that stand behind this one and check it."""
    arguments = world.session_key(world.taker.address, SESSION_KEY.address)
    places = [world.system.office, world.system.desk, world.system.exit, world.vault, world.oracle, world.usdc]
    domains = [replace(world.domain, contract=place.address) for place in places]
    domains += [replace(world.domain, chain_id=1), replace(world.domain, version="2"), replace(world.domain, name="o")]
    for domain in domains:
        signature = world.sign_session_key(world.taker, arguments, domain)
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(world.operator).register_session_key(*arguments, signature)
    world.exchange.send(world.operator).register_session_key(*registration(world, world.taker.address))


def test_05_a_registration_is_no_other_message(world: World) -> None:
    order = world.signed(world.taker, "BUY")
    arguments = world.session_key(world.taker.address, SESSION_KEY.address)
    withdrawal = world.sign_withdrawal(world.taker, world.withdrawal(world.taker, USDC), world.domain)
    for signature in (Signature(*order.words[2:]).bytes65, withdrawal):
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(world.operator).register_session_key(*arguments, signature)


def test_06_07_09_registrations_with_signatures_that_are_not_canonical(world: World) -> None:
    *arguments, good = registration(world, world.taker.address)
    r, s, v = good[:32], int.from_bytes(good[32:64], "big"), good[64]
    other_s = (SECP256K1_N - s).to_bytes(32, "big")
    bad = [
        r + other_s + bytes([55 - v]),
        r + other_s + bytes([v]),
        good[:64] + bytes([55 - v]),
        good[:64],
        good + b"\0",
    ]
    bad += [good[:64] + bytes([odd]) for odd in (0, 1, 26, 29, 255)]
    # the highest bit of s is where the short form keeps the parity
    bad += [r + (s | 1 << 255).to_bytes(32, "big") + bytes([kind]) for kind in (27, 28)]
    for signature in bad:
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(world.operator).register_session_key(*arguments, signature)
    world.exchange.send(world.operator).register_session_key(*arguments, good)


def test_08_no_key_for_the_account_of_the_zero_address(world: World) -> None:
    """What recovers to nobody is not nobody's consent."""
    nobody = "0x" + "00" * 20
    arguments = world.session_key(nobody, SESSION_KEY.address)
    for signature in (bytes(64) + b"\x1b", bytes(64) + b"\x1c", bytes(65), b""):
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(world.operator).register_session_key(*arguments, signature)
    order = world.order(SESSION_KEY, "BUY", account=nobody)
    maker = world.signed(world.maker, "SELL")
    [rejection] = rejections(world.settle([world.sign(SESSION_KEY, order), maker], [world.fill()]))
    assert rejection.reason == "bad signature"


REVERTS, BURNS_GAS, BOMB, TOO_SHORT, SOMETHING_ELSE, WRITES = range(1, 7)
# of bytes that a contract wallet answers with: a selector where a word should be, or the word with something before it
MAGIC = bytes.fromhex("1626ba7e")
ANSWERS = {
    "nothing": b"",
    "four bytes": MAGIC,
    "31 bytes": MAGIC.ljust(31, b"\0"),
    "true": (1).to_bytes(32, "big"),
    "to the right": MAGIC.rjust(32, b"\0"),
    "with a tail": MAGIC.ljust(31, b"\0") + b"\1",
    "all ones": b"\xff" * 32,
}


def answering(answer: bytes) -> bytes:
    """Code that answers any call so."""
    size = len(answer).to_bytes(1, "big")
    return b"\x60" + size + bytes.fromhex("600c60003960") + size + bytes.fromhex("6000f3") + answer


@pytest.mark.parametrize("mode", [REVERTS, BURNS_GAS, TOO_SHORT, SOMETHING_ELSE, WRITES])
def test_10_a_wallet_that_reverts_burns_gas_answers_nonsense_or_writes(world: World, mode: int) -> None:
    """It consents to nothing by that, and costs the caller no more than 200,000 gas."""
    purse = deploy(world.evm, world.operator, "ContractWallet", world.taker.address)
    arguments = registration(world, purse.address)
    purse.send(world.operator).set_mode(mode)
    with pytest.raises(RevertError, match="bad signature"):
        world.exchange.send(world.operator, gas=450_000).register_session_key(*arguments)
    purse.send(world.operator).set_mode(0)
    world.exchange.send(world.operator).register_session_key(*arguments)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_10_only_one_word_is_a_yes(world: World, answer: bytes) -> None:
    purse = wallet("purse").address
    world.evm.set_code(purse, answering(answer))
    arguments = registration(world, purse)
    with pytest.raises(RevertError, match="bad signature"):
        world.exchange.send(world.operator).register_session_key(*arguments)
    world.evm.set_code(purse, answering(MAGIC.ljust(32, b"\0")))
    world.exchange.send(world.operator).register_session_key(*arguments)


@pytest.mark.parametrize("opcode", ["f3", "fd"], ids=["return", "revert"])
def test_10_a_wallet_that_returns_a_bomb(world: World, opcode: str) -> None:
    """As many zeros as 200,000 gas can make, returned or reverted with: the caller does not pay for copying them."""
    purse = wallet("purse").address
    world.evm.set_code(purse, bytes.fromhex("6201f0006000" + opcode))  # 126,976 bytes
    with pytest.raises(RevertError, match="bad signature"):
        world.exchange.send(world.operator, gas=450_000).register_session_key(*registration(world, purse))


def test_10_a_wallet_that_says_yes_and_then_a_lot_more(world: World) -> None:
    """The first word is all that is read: it is the wallet's own business what follows."""
    purse = deploy(world.evm, world.operator, "ContractWallet", world.taker.address)
    purse.send(world.operator).set_mode(BOMB)
    world.exchange.send(world.operator, gas=450_000).register_session_key(*registration(world, purse.address))


@pytest.mark.parametrize("name", ["register_session_key", "cancel_all", "claim_referral", "poke"])
def test_10_a_wallet_that_re_enters(world: World, name: str) -> None:
    """It is asked by a static call, under the Exchange's lock: whatever it calls back fails."""
    purse = wallet("purse").address
    world.exchange.send(world.governance).set_referrer_share(500_000)
    world.exchange.send(world.operator).register_referrer(0)
    inner = {
        "register_session_key": registration(world, purse, wallet("second key"), nonce=2),
        "cancel_all": (0,),
        "claim_referral": (1,),
        "poke": (1,),
    }[name]
    data = world.exchange.data(name, *inner)
    world.evm.set_code(purse, calling(world.exchange.address, data))
    receipt = world.exchange.send(world.operator).register_session_key(*registration(world, purse, nonce=1))
    assert [log.name for log in receipt.logs] == ["SessionKeyRegistered"]
    assert world.exchange.call.session_nonce(purse) == 1
    assert world.exchange.call.session_key(purse, wallet("second key").address) == (0, 0, 0, 0)


def calling(target: str, data: bytes) -> bytes:
    """Code that makes this call, demands that it fails, and answers that a signature is valid."""
    head = bytes.fromhex("61") + len(data).to_bytes(2, "big")
    # CODECOPY(0, start, size); CALL(gas, target, 0, 0, size, 0, 0); JUMPI to an invalid opcode when it succeeded
    call = (
        head + b"\x61%s\x5f\x39" + b"\x5f\x5f" + head + b"\x5f\x5f\x73" + bytes.fromhex(target[2:]) + b"\x5a\xf1"
        b"\x61\xff\xff\x57" + b"\x63" + MAGIC + b"\x60\xe0\x1b\x5f\x52\x60\x20\x5f\xf3"
    )
    start = len(call)  # the placeholder is as long as what replaces it
    return call.replace(b"%s", start.to_bytes(2, "big")) + data


def test_10_a_caller_cannot_make_a_good_wallet_fail_by_giving_little_gas(world: World) -> None:
    """With whatever gas it registers or reverts; there is nothing to be refused for good."""
    purse = deploy(world.evm, world.operator, "ContractWallet", world.taker.address)
    arguments = registration(world, purse.address)
    outcomes = set()
    for gas in range(100_000, 700_000, 20_000):
        with world.evm.undone():
            try:
                world.exchange.send(world.operator, gas).register_session_key(*arguments)
            except RevertError as error:
                outcomes.add(error.reason)
            else:
                outcomes.add("registered")
    assert {"registered", "not enough gas"} <= outcomes
    assert "bad signature" not in outcomes


def test_10_settlement_never_calls_a_wallet(world: World) -> None:
    """An order of a contract wallet is signed by a session key: its code is asked once, when the key is registered."""
    purse = deploy(world.evm, world.operator, "ContractWallet", world.taker.address).address
    world.usdc.send(world.operator).mint(world.operator, 1_000 * USDC)
    world.usdc.send(world.operator).approve(world.vault.address, 1_000 * USDC)
    world.vault.send(world.operator).deposit(purse, 0, 1_000 * USDC)
    world.exchange.send(world.operator).register_session_key(*registration(world, purse))
    world.evm.set_code(purse, bytes.fromhex("5b5f56"))  # from now on burns all the gas it is given
    by_key = world.sign(SESSION_KEY, world.order(SESSION_KEY, "BUY", account=purse))
    by_its_own_key = world.sign(world.taker, world.order(world.taker, "BUY", account=purse, slot=3))
    maker = world.signed(world.maker, "SELL", slot=30)
    fills = [world.fill(), world.fill(taker=1)]
    orders = [by_key, by_its_own_key, maker]
    logs = world.settle(orders, [replace(fills[0], maker=2), replace(fills[1], maker=2)])
    assert [(r.fill_id, r.reason) for r in rejections(logs)] == [(fills[1].fill_id, "bad signature")]
    assert world.exchange.call.position(purse, 0, 1) >> 192 == 10


def test_11_erc_1271_replay_across_wallets(world: World) -> None:
    """Two wallets of one key: the account is part of what is signed, so each is asked about its own message only."""
    first, second = (deploy(world.evm, world.operator, "ContractWallet", world.taker.address).address for _ in range(2))
    arguments = registration(world, first)
    for other in (second, world.taker.address):
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(world.operator).register_session_key(other, *arguments[1:])
    world.exchange.send(world.operator).register_session_key(*arguments)
    for account in (second, world.taker.address):
        assert world.exchange.call.session_key(account, SESSION_KEY.address) == (0, 0, 0, 0)
        order = world.order(SESSION_KEY, "BUY", account=account)
        assert_forged(world, world.sign(SESSION_KEY, order))


def test_11_a_signature_for_one_account_is_not_one_for_another(world: World) -> None:
    """The account is part of what is signed: the same key's signature does not serve a wallet that shares the key."""
    order = world.order(world.taker, "BUY")
    signed = world.sign(world.taker, order)
    other = order.but(account=wallet("smart wallet of the same key").address)
    forged = replace(signed, words=(*other.words(1), *signed.words[2:]))
    assert_forged(world, forged)


def test_11_a_keys_order_for_one_account_is_not_one_for_another(world: World) -> None:
    """Of a key that both have registered."""
    for owner in (world.taker, world.maker):
        world.register_key(owner, SESSION_KEY)
    signed = world.sign(SESSION_KEY, world.order(SESSION_KEY, "SELL", account=world.maker.address))
    forged = replace(signed, words=(*signed.order.but(account=world.taker.address).words(1), *signed.words[2:]))
    buyer = world.signed(world.maker, "BUY", slot=30)
    [rejection] = rejections(world.settle([forged, buyer], [world.fill()]))
    assert rejection.reason == "bad signature"


def test_12_a_key_that_is_not_the_owner_signs_nothing(world: World) -> None:
    """Unless it is registered: not even the operator's or governance's key trades for an owner."""
    for key in (KEYS.operator, KEYS.governance, SESSION_KEY):
        assert_forged(world, world.sign(key, world.order(world.taker, "BUY")))


def test_12_revoked_or_expired_session_key(world: World) -> None:
    """By one second, and what it signed before; no registration brings it back."""
    second = wallet("second key")
    world.register_key(world.taker, SESSION_KEY)
    world.register_key(world.taker, second, expiry=world.now + 60)
    orders = [world.sign(key, world.order(key, "BUY", account=world.taker.address)) for key in (SESSION_KEY, second)]
    orders.append(world.signed(world.maker, "SELL", slot=30))
    fills = [world.fill(taker=number, maker=2, size=5) for number in range(2)]
    old = registration(world, world.taker.address)
    world.exchange.send(world.taker.address).revoke_session_key(world.taker.address, SESSION_KEY.address)
    world.warp(59)
    assert rejections(world.settle(orders, fills)) == []
    world.warp(1)
    found = [(r.fault_class, r.reason, r.order) for r in rejections(world.settle(orders, fills))]
    assert found == [(1, "key revoked", orders[0].id)]
    world.warp(1)
    found = [r.reason for r in rejections(world.settle(orders, fills))]
    assert found == ["key revoked", "key expired"]
    with pytest.raises(RevertError, match="key is known"):
        world.exchange.send(world.operator).register_session_key(*old)
    assert world.position(world.taker).size == 15


def test_12_a_registration_held_back_until_the_owner_thought_better_of_it(world: World) -> None:
    """A later nonce voids it; so does its own expiry."""
    held_back = registration(world, world.taker.address, nonce=7)
    short_lived = registration(world, world.taker.address, wallet("second key"), nonce=9, expiry=world.now + 5)
    world.register_key(world.taker, wallet("third key"), nonce=8)
    with pytest.raises(RevertError, match="nonce not above the last"):
        world.exchange.send(SESSION_KEY.address).register_session_key(*held_back)
    world.warp(5)
    with pytest.raises(RevertError, match="expired"):
        world.exchange.send(SESSION_KEY.address).register_session_key(*short_lived)


def test_13_an_owner_with_code_still_signs(world: World) -> None:
    """EIP-7702: ecrecover comes first, whatever code stands at the owner's address."""
    world.evm.set_code(world.taker.address, bytes.fromhex("60006000fd"))
    signed = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL")]
    assert rejections(world.settle(signed, [world.fill()])) == []
    assert world.position(world.taker).size == 10
    world.exchange.send(world.operator).register_session_key(*registration(world, world.taker.address))


def test_13_an_owner_with_code_consents_by_it_too(world: World) -> None:
    """Whoever the code that he chose says yes for may register a key for him; it still signs no order."""
    delegate = deploy(world.evm, world.operator, "ContractWallet", world.maker.address)
    code = world.evm.code(delegate.address)
    world.evm.set_code(world.taker.address, code)
    world.evm.set_storage(world.taker.address, storage_slot("ContractWallet", "key"), int(world.maker.address, 16))
    arguments = world.session_key(world.taker.address, SESSION_KEY.address)
    by_delegate = world.sign_session_key(world.maker, arguments)
    world.exchange.send(world.operator).register_session_key(*arguments, by_delegate)
    assert_forged(world, world.sign(world.maker, world.order(world.taker, "BUY")))
    world.evm.set_code(world.taker.address, b"")  # and when the code is gone, so is its word
    arguments = world.session_key(world.taker.address, wallet("second key").address)
    with pytest.raises(RevertError, match="bad signature"):
        world.exchange.send(world.operator).register_session_key(
            *arguments, world.sign_session_key(world.maker, arguments)
        )


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


def test_14_the_domain_is_of_the_chain_that_it_is_asked_on(world: World) -> None:
    """Code that was deployed under another chain id, as both branches of a fork have it."""
    other = deploy_system(Evm(chain_id=999), KEYS)
    assert other.exchange.address == world.exchange.address
    assert isinstance(other.chain, Evm)
    world.evm.set_code(world.exchange.address, other.chain.code(other.exchange.address))
    order = world.order(world.taker, "BUY")
    assert_forged(world, world.sign(world.taker, order, domain=replace(world.domain, chain_id=999)))
    assert (
        rejections(world.settle([world.sign(world.taker, order), world.signed(world.maker, "SELL")], [world.fill()]))
        == []
    )
