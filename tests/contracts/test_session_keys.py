# SPDX-License-Identifier: AGPL-3.0-only
"""Session keys: how one is registered, what it may sign, and how it ends."""

from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from tests.support.abi import RevertError
from tests.support.chain import Contract, deploy
from tests.support.wire import SESSION_KEY_TYPE, Signed, SlotWord, typed_data, wallet
from tests.support.world import PRICE, USDC, World, rejections

KEY = wallet("session key")
NOBODY = "0x" + "00" * 20
YEAR = 365 * 86_400
ETH_FILL = {"market": "ETH-USD", "limit_price": PRICE[2]}


def pair(world: World, key: LocalAccount = KEY, **fields: Any) -> list[Signed]:
    """The taker's order by a session key, and the maker's by its owner."""
    other = {name: value for name, value in fields.items() if name in ("market", "limit_price")}
    return [
        world.signed(key, "BUY", **({"account": world.taker.address} | fields)),
        world.signed(world.maker, "SELL", slot=2, **other),
    ]


def reasons(world: World, orders: list[Signed], *fills: Any) -> list[str]:
    found = rejections(world.settle(orders, list(fills) or [world.fill()]))
    assert all(rejection.fault_class == 1 for rejection in found)
    return [rejection.reason for rejection in found]


def stored(world: World, key: LocalAccount = KEY) -> tuple[int, int, int, int]:
    """Expiry, when a revocation takes effect, budget left, markets."""
    word: tuple[int, int, int, int] = world.exchange.call.session_key(world.taker.address, key.address)
    return word


# Registration


def test_the_owner_registers_a_key(world: World) -> None:
    log = world.register_key(world.taker, KEY, markets=[2, 1], budget=7, expiry=world.now + 9, nonce=5)
    assert (log.name, log.account, log.key) == ("SessionKeyRegistered", world.taker.address, KEY.address)
    assert (log.markets, log.budget, log.expiry, log.nonce) == (2 << 16 | 1, 7, world.now + 9, 5)
    assert stored(world) == (world.now + 9, 0, 7, 2 << 16 | 1)
    assert world.exchange.call.session_nonce(world.taker.address) == 5


def test_the_owner_needs_no_signature_and_none_is_looked_at(world: World) -> None:
    for number, signature in enumerate((b"", bytes(65), bytes(512))):
        arguments = world.session_key(world.taker.address, wallet(f"key {number}").address)
        world.exchange.send(world.taker.address).register_session_key(*arguments, signature)


@pytest.mark.parametrize("markets", [[], [1], [2], [1, 2], [2, 1], [1, 1, 2, 2]])
def test_anyone_registers_a_key_that_the_owner_has_signed_for(world: World, markets: list[int]) -> None:
    arguments = world.session_key(world.taker.address, KEY.address, markets=markets)
    signature = world.sign_session_key(world.taker, arguments)
    world.exchange.send(KEY.address).register_session_key(*arguments, signature)
    scope = 0
    for market in markets:
        scope = scope << 16 | market
    assert stored(world)[3] == scope
    assert reasons(world, pair(world)) == ([] if 1 in markets or not markets else ["key market"])


def test_an_ordinary_wallet_signs_the_same_digest(world: World) -> None:
    """By eth_account's whole path from the JSON that a wallet shows."""
    arguments = world.session_key(world.taker.address, KEY.address, markets=[1, 2])
    names = ("account", "key", "markets", "budget", "expiry", "nonce")
    message = dict(zip(names, arguments, strict=True)) | {"markets": ["BTC-USD", "ETH-USD"]}
    document = typed_data(world.domain, SESSION_KEY_TYPE, message)
    signed = world.taker.sign_message(encode_typed_data(full_message=document))
    assert bytes(signed.signature) == world.sign_session_key(world.taker, arguments)
    world.exchange.send(KEY.address).register_session_key(*arguments, bytes(signed.signature))
    assert reasons(world, pair(world)) == []


BAD = {
    "no key": ({"key": NOBODY}, "bad key"),
    "the owner": ({"key": "owner"}, "bad key"),
    "huge budget": ({"budget": 2**64}, "budget above"),
    "expired": ({"expiry": 0}, "expired"),
    "too long": ({"expiry": YEAR + 1}, "expiry more than 365 days ahead"),
    "old nonce": ({"nonce": 6}, "nonce not above the last"),
    "huge nonce": ({"nonce": 2**64}, "nonce not above the last"),
    "unlisted market": ({"markets": [1, 3]}, "unknown market"),
    "market 0": ({"markets": [0]}, "unknown market"),
    "a market above 16 bits": ({"markets": [65_537]}, "unknown market"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("signed", [False, True], ids=["sent", "signed"])
def test_what_is_not_registered(world: World, name: str, signed: bool) -> None:
    world.register_key(world.taker, wallet("earlier key"), nonce=6)
    fields, reason = BAD[name]
    fields = dict(fields)
    if fields.get("key") == "owner":
        fields["key"] = world.taker.address
    if "expiry" in fields:
        fields["expiry"] += world.now
    key = fields.pop("key", KEY.address)
    arguments = world.session_key(world.taker.address, key, **fields)
    sender, signature = world.taker.address, b""
    if signed:
        listed = (*arguments[:2], [], *arguments[3:])
        sender, signature = world.operator, world.sign_session_key(world.taker, listed)
    with pytest.raises(RevertError, match=reason):
        world.exchange.send(sender).register_session_key(*arguments, signature)
    assert world.exchange.call.session_nonce(world.taker.address) == 6


def test_the_bounds_themselves_are_registered(world: World) -> None:
    edges: list[dict[str, Any]] = [
        {"expiry": world.now + 1},
        {"expiry": world.now + YEAR},
        {"budget": 0},
        {"budget": 2**64 - 1},
        {"markets": [1, 2, 1, 2]},
        {"nonce": 2**64 - 1},
    ]
    for number, fields in enumerate(edges):
        key = wallet(f"key {number}")
        log = world.register_key(world.taker, key, **fields)
        assert stored(world, key) == (log.expiry, 0, log.budget, log.markets)
    with pytest.raises(RevertError, match="nonce not above the last"):
        world.register_key(world.taker, KEY, nonce=2**64)
    with pytest.raises(RevertError):  # five markets do not fit the wire
        world.register_key(world.maker, KEY, markets=[1, 2, 1, 2, 1])


def test_a_key_is_known_for_ever(world: World) -> None:
    """Used up, revoked, expired: no second registration brings it back, whoever sends it."""
    world.register_key(world.taker, KEY, expiry=world.now + 100)
    world.exchange.send(KEY.address).revoke_session_key(world.taker.address, KEY.address)
    for wait in (0, 60, 200, YEAR):
        world.warp(wait)
        with pytest.raises(RevertError, match="key is known"):
            world.register_key(world.taker, KEY)
        arguments = world.session_key(world.taker.address, KEY.address)
        with pytest.raises(RevertError, match="key is known"):
            world.exchange.send(KEY.address).register_session_key(
                *arguments, world.sign_session_key(world.taker, arguments)
            )
    world.register_key(world.maker, KEY)  # of another account it is another key


def test_a_registration_that_was_signed_does_not_count_twice_nor_after_a_later_one(world: World) -> None:
    first = world.session_key(world.taker.address, KEY.address, nonce=10)
    second = world.session_key(world.taker.address, wallet("second key").address, nonce=11)
    signatures = world.sign_session_key(world.taker, first), world.sign_session_key(world.taker, second)
    anyone = world.exchange.send(world.operator)
    anyone.register_session_key(*second, signatures[1])
    for arguments, signature in zip((first, second), signatures, strict=True):
        with pytest.raises(RevertError, match="nonce not above the last"):
            anyone.register_session_key(*arguments, signature)


@pytest.mark.parametrize("index", range(6))
def test_nothing_of_what_was_signed_can_be_changed(world: World, index: int) -> None:
    arguments = list(world.session_key(world.taker.address, KEY.address, markets=[1], nonce=5))
    signature = world.sign_session_key(world.taker, tuple(arguments))
    other = [world.maker.address, world.maker.address, [2], 2, world.now + 7, 6]
    arguments[index] = other[index]
    with pytest.raises(RevertError, match="bad signature"):
        world.exchange.send(world.operator).register_session_key(*arguments, signature)


def test_no_markets_is_not_signed_like_one(world: World) -> None:
    """Nor like another order of them, since the digest is over the list."""
    for signed, sent in (([], [1]), ([1], []), ([1, 2], [2, 1]), ([1, 1], [1])):
        arguments = world.session_key(world.taker.address, KEY.address, markets=signed)
        signature = world.sign_session_key(world.taker, arguments)
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(world.operator).register_session_key(*arguments[:2], sent, *arguments[3:], signature)


# By contract wallets


@pytest.fixture
def purse(world: World) -> Contract:
    """A contract wallet that the taker's key signs for, with an account of its own."""
    purse = deploy(world.evm, world.operator, "ContractWallet", world.taker.address)
    world.usdc.send(world.operator).mint(world.operator, 10_000 * USDC)
    world.usdc.send(world.operator).approve(world.vault.address, 10_000 * USDC)
    world.vault.send(world.operator).deposit(purse.address, 0, 10_000 * USDC)
    return purse


def test_a_contract_wallet_consents_by_erc_1271(world: World, purse: Contract) -> None:
    arguments = world.session_key(purse.address, KEY.address)
    signature = world.sign_session_key(world.taker, arguments)
    world.exchange.send(world.operator).register_session_key(*arguments, signature)
    assert reasons(world, pair(world, account=purse.address)) == []
    word = world.exchange.call.position(purse.address, 0, 1)
    assert word >> 192 == 10


def test_a_contract_wallet_takes_signatures_of_its_own_kind(world: World, purse: Contract) -> None:
    """Up to 512 bytes, of which this one reads the last 65."""
    for number, length in enumerate((66, 512)):
        arguments = world.session_key(purse.address, wallet(f"key {number}").address)
        signature = world.sign_session_key(world.taker, arguments).rjust(length, b"\7")
        world.exchange.send(world.operator).register_session_key(*arguments, signature)
    arguments = world.session_key(purse.address, KEY.address)
    signature = world.sign_session_key(world.taker, arguments)
    with pytest.raises(RevertError):
        world.exchange.send(world.operator).register_session_key(*arguments, signature.rjust(513, b"\7"))


def test_a_contract_wallet_registers_by_a_call_of_its_own(world: World, purse: Contract) -> None:
    arguments = world.session_key(purse.address, KEY.address)
    data = world.exchange.data("register_session_key", *arguments, b"")
    purse.send(world.operator).run(world.exchange.address, data)
    assert reasons(world, pair(world, account=purse.address)) == []
    data = world.exchange.data("revoke_session_key", purse.address, KEY.address)
    purse.send(world.operator).run(world.exchange.address, data)
    world.warp(60)
    assert reasons(world, pair(world, account=purse.address)) == ["key revoked"]


def test_an_owner_with_code_signs_with_his_key_first(world: World) -> None:
    """EIP-7702: his own signature counts, whatever code stands at his address."""
    world.evm.set_code(world.taker.address, bytes.fromhex("60006000fd"))
    arguments = world.session_key(world.taker.address, KEY.address)
    signature = world.sign_session_key(world.taker, arguments)
    world.exchange.send(world.operator).register_session_key(*arguments, signature)


def test_an_owner_without_code_is_not_asked(world: World) -> None:
    arguments = world.session_key(world.taker.address, KEY.address)
    for signature in (b"", bytes(64), bytes(65), bytes(512)):
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(world.operator).register_session_key(*arguments, signature)


def test_nobody_speaks_for_the_zero_address(world: World) -> None:
    arguments = world.session_key(NOBODY, KEY.address)
    for v in (27, 28):
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(world.operator).register_session_key(*arguments, bytes(64) + bytes([v]))


# What a key may sign


def test_an_order_of_a_key_counts_in_the_keys_own_slot(world: World) -> None:
    world.register_key(world.taker, KEY)
    orders = pair(world, slot=7)
    assert reasons(world, orders, world.fill(size=30), world.fill(size=20)) == []
    assert world.position(world.taker).size == 50
    assert SlotWord.unpack(world.exchange.call.slot(KEY.address, 7)).filled == 50
    assert world.slot(world.taker, 7) == SlotWord(0, 0, 0, 0, 0)
    assert reasons(world, orders, world.fill(size=51)) == ["overfilled"]


def test_a_key_makes_and_takes_and_is_named_by_its_order(world: World) -> None:
    """The order is the account's: events name the account, and rejections the order."""
    world.register_key(world.taker, KEY)
    world.register_key(world.maker, wallet("maker's key"))
    taking = world.signed(KEY, "BUY", account=world.taker.address, time_in_force="IOC")
    resting = world.signed(wallet("maker's key"), "SELL", account=world.maker.address, slot=3)
    logs = world.settle([taking, resting], [world.fill()])
    [fill] = [log for log in logs if log.name == "Fill"]
    assert (fill.taker, fill.maker) == (world.taker.address, world.maker.address)
    assert (fill.taker_order, fill.maker_order) == (taking.id, resting.id)
    [rejection] = rejections(world.settle([taking, resting], [world.fill()]))
    assert (rejection.reason, rejection.order) == ("one-shot used", taking.id)


def test_one_shot_orders_of_owner_and_key_share_the_positions_memory(world: World) -> None:
    world.register_key(world.taker, KEY)
    by_key = world.signed(KEY, "BUY", account=world.taker.address, time_in_force="IOC")
    by_owner = world.signed(world.taker, "BUY", time_in_force="IOC")
    maker = world.signed(world.maker, "SELL", slot=2)
    assert reasons(world, [by_owner, maker]) == []
    assert reasons(world, [by_key, maker]) == ["one-shot used"]


def test_a_key_serves_every_subaccount_and_no_other_account(world: World) -> None:
    world.register_key(world.taker, KEY)
    world.system.fund(world.taker.address, 1_000 * USDC, subaccount=9)
    assert reasons(world, pair(world, subaccount=9)) == []
    assert reasons(world, [pair(world, account=world.operator)[0], pair(world)[1]]) == ["bad signature"]
    other = world.signed(KEY, "SELL", account=world.maker.address, slot=2)
    assert reasons(world, [world.signed(world.taker, "BUY", slot=4), other]) == ["bad signature"]


def test_an_order_signed_before_the_key_was_registered_counts_from_then_on(world: World) -> None:
    orders = pair(world)
    assert reasons(world, orders) == ["bad signature"]
    world.register_key(world.taker, KEY)
    assert reasons(world, orders) == []


def test_a_key_of_some_markets_signs_in_no_other(world: World) -> None:
    world.register_key(world.taker, KEY, markets=[2])
    world.register_key(world.taker, wallet("key of both"), markets=[2, 1, 1, 1])
    orders = pair(world)
    logs = world.settle(orders, [world.fill()])
    [rejection] = rejections(logs)
    assert (rejection.fault_class, rejection.reason, rejection.order) == (1, "key market", orders[0].id)
    assert reasons(world, pair(world, **ETH_FILL), world.fill(PRICE[2])) == []
    for fields, price in (({}, PRICE[1]), (ETH_FILL, PRICE[2])):
        assert reasons(world, pair(world, wallet("key of both"), **fields), world.fill(price)) == []


def test_expiry_is_the_last_second(world: World) -> None:
    """Of the key, and not of its orders."""
    world.register_key(world.taker, KEY, expiry=world.now + 30)
    orders = pair(world)
    world.warp(30)
    assert reasons(world, orders) == []
    world.warp(1)
    assert reasons(world, orders) == ["key expired"]


# Budget


def test_a_budget_is_spent_fill_by_fill(world: World) -> None:
    """50 lots at 2.30 are 115 USDC: to the last micro-USDC, in one batch and across batches."""
    world.register_key(world.taker, KEY, budget=115 * USDC)
    orders = pair(world)
    assert reasons(world, orders, world.fill(size=20), world.fill(size=10)) == []
    assert stored(world)[2] == 115 * USDC - 30 * PRICE[1]
    assert reasons(world, orders, world.fill(size=21), world.fill(size=20)) == ["key budget"]
    assert stored(world)[2] == 0
    assert reasons(world, orders, world.fill(size=1)) == ["key budget"]
    assert world.position(world.taker).size == 50


def test_reductions_and_both_sides_spend_too(world: World) -> None:
    world.register_key(world.taker, KEY, budget=100 * PRICE[1])
    assert reasons(world, pair(world), world.fill(size=40)) == []
    back = [
        world.signed(KEY, "SELL", account=world.taker.address, slot=3, reduce_only=True),
        world.signed(world.maker, "BUY", slot=4),
    ]
    assert reasons(world, back, world.fill(size=40)) == []
    assert stored(world)[2] == 20 * PRICE[1]
    resting = [
        world.signed(world.maker, "BUY", slot=5),
        world.signed(KEY, "SELL", account=world.taker.address, slot=6),
    ]
    [rejection] = rejections(world.settle(resting, [world.fill(size=21)]))
    assert (rejection.reason, rejection.order) == ("key budget", resting[1].id)
    assert reasons(world, resting, world.fill(size=20)) == []


def test_a_fill_that_fails_spends_nothing(world: World) -> None:
    """Neither of the taker's key when it is the maker that fails, nor in a group that does."""
    world.register_key(world.taker, KEY, budget=100 * PRICE[1])
    broke = world.signed(wallet("broke"), "SELL", slot=8)
    taker, maker = pair(world)
    [rejection] = rejections(world.settle([taker, broke], [world.fill(size=40)]))
    assert rejection.reason == "margin"
    fills = [world.fill(size=40, flags=1), world.fill(size=40, maker=2)]
    assert len(rejections(world.settle([taker, maker, broke], fills))) == 2
    assert stored(world)[2] == 100 * PRICE[1]


def test_a_group_beyond_the_budget_fails_whole(world: World) -> None:
    world.register_key(world.taker, KEY, budget=100 * PRICE[1])
    orders = pair(world, size=200)
    fills = [world.fill(size=60, flags=1), world.fill(size=41)]
    found = rejections(world.settle(orders, fills))
    assert [(r.fill_id, r.reason) for r in found] == [
        (fills[0].fill_id, "group failed"),
        (fills[1].fill_id, "key budget"),
    ]
    assert reasons(world, pair(world), world.fill(size=60, flags=1), world.fill(size=40)) == []
    assert stored(world)[2] == 0


def test_the_owners_own_orders_spend_nothing(world: World) -> None:
    world.register_key(world.taker, KEY, budget=10 * PRICE[1])
    world.trade(world.taker, world.maker, 500)
    assert stored(world)[2] == 10 * PRICE[1]


def test_one_key_of_two_accounts_has_two_budgets(world: World) -> None:
    """And may even let them trade with each other."""
    for owner, budget in ((world.taker, 10 * PRICE[1]), (world.maker, 30 * PRICE[1])):
        world.register_key(owner, KEY, budget=budget)
    orders = [
        world.signed(KEY, "BUY", account=world.taker.address, slot=1),
        world.signed(KEY, "SELL", account=world.maker.address, slot=2),
    ]
    assert reasons(world, orders, world.fill(size=10)) == []
    assert stored(world)[2] == 0
    assert world.exchange.call.session_key(world.maker.address, KEY.address)[2] == 20 * PRICE[1]
    assert reasons(world, orders, world.fill(size=1)) == ["key budget"]


def test_a_budget_of_nothing_signs_for_nothing(world: World) -> None:
    world.register_key(world.taker, KEY, budget=0)
    assert reasons(world, pair(world), world.fill(size=1)) == ["key budget"]


# Revocation


@pytest.mark.parametrize("by", ["owner", "key"])
def test_a_revocation_takes_effect_one_window_later(world: World, by: str) -> None:
    world.register_key(world.taker, KEY)
    orders = pair(world)
    sender = world.exchange.send(world.taker.address if by == "owner" else KEY.address)
    [log] = sender.revoke_session_key(world.taker.address, KEY.address).named("SessionKeyRevoked")
    assert (log.account, log.key, log.effective_at) == (world.taker.address, KEY.address, world.now + 60)
    assert stored(world)[1] == world.now + 60
    world.warp(59)
    assert reasons(world, orders) == []
    budget = stored(world)[2]
    world.warp(1)
    assert reasons(world, orders) == ["key revoked"]
    assert reasons(world, pair(world)) == ["key revoked"]
    assert stored(world)[2] == budget


def test_a_revocation_cannot_be_postponed_or_withdrawn(world: World) -> None:
    world.register_key(world.taker, KEY)
    world.exchange.send(KEY.address).revoke_session_key(world.taker.address, KEY.address)
    effective_at = stored(world)[1]
    for wait in (0, 30, 60):
        world.warp(wait)
        for sender in (world.taker.address, KEY.address):
            with pytest.raises(RevertError, match="already revoked"):
                world.exchange.send(sender).revoke_session_key(world.taker.address, KEY.address)
    assert stored(world)[1] == effective_at


def test_who_may_not_revoke(world: World) -> None:
    world.register_key(world.taker, KEY)
    for stranger in (world.maker.address, world.operator, world.governance):
        with pytest.raises(RevertError, match="only the owner or the key"):
            world.exchange.send(stranger).revoke_session_key(world.taker.address, KEY.address)
    with pytest.raises(RevertError, match="unknown key"):
        world.exchange.send(world.taker.address).revoke_session_key(world.taker.address, wallet("other").address)
    with pytest.raises(RevertError, match="unknown key"):
        world.exchange.send(KEY.address).revoke_session_key(world.maker.address, KEY.address)


def test_the_keys_of_one_account_end_apart(world: World) -> None:
    second = wallet("second key")
    world.register_key(world.taker, KEY)
    world.register_key(world.taker, second)
    world.exchange.send(world.taker.address).revoke_session_key(world.taker.address, KEY.address)
    world.warp(60)
    assert reasons(world, pair(world)) == ["key revoked"]
    assert reasons(world, pair(world, second)) == []


# Nothing else


def test_a_key_cancels_its_own_slots_and_nothing_of_the_owners(world: World) -> None:
    world.register_key(world.taker, KEY)
    by_key, maker = pair(world, slot=1)
    by_owner = world.signed(world.taker, "BUY", slot=1)
    world.exchange.send(KEY.address).cancel_slot(1)
    world.exchange.send(KEY.address).cancel_all(0)  # of the key's own account, which nobody uses
    world.warp(60)
    assert reasons(world, [by_key, maker]) == ["cancelled"]
    assert reasons(world, [by_owner, maker]) == []


def test_the_owners_cancel_all_covers_what_keys_signed(world: World) -> None:
    world.register_key(world.taker, KEY)
    orders = pair(world)
    world.exchange.send(world.taker.address).cancel_all(0)
    world.warp(60)
    assert reasons(world, orders) == ["cancelled"]


def test_a_key_registers_no_other_key(world: World) -> None:
    world.register_key(world.taker, KEY)
    arguments = world.session_key(world.taker.address, wallet("accomplice").address)
    for signature in (b"", world.sign_session_key(KEY, arguments)):
        with pytest.raises(RevertError, match="bad signature"):
            world.exchange.send(KEY.address).register_session_key(*arguments, signature)


def test_a_key_moves_no_money(world: World) -> None:
    """Neither at once, nor slowly, nor a position out of the account."""
    world.register_key(world.taker, KEY)
    world.trade(world.taker, world.maker, 10)
    message = world.withdrawal(world.taker, 5 * USDC)
    cosigned = world.sign_withdrawal(world.system.keys.operator, message)
    with pytest.raises(RevertError, match="bad owner signature"):
        world.vault.send(KEY.address).withdraw_signed(message, world.sign_withdrawal(KEY, message), cosigned)
    world.vault.send(KEY.address).request_withdrawal(0, 5 * USDC, KEY.address)
    world.warp(120)
    world.push({1: PRICE[1]})
    with pytest.raises(RevertError, match="nothing is withdrawable"):
        world.vault.send(KEY.address).execute_withdrawal(1)
    with pytest.raises(RevertError, match="no such position"):
        world.exchange.send(KEY.address).request_close(0, 1, 10)
    assert world.cash(world.taker) == 100_000 * USDC
