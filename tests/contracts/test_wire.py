# SPDX-License-Identifier: AGPL-3.0-only
"""The wire as the contract reads it, against the tests' own packing and ordinary EIP-712 signers."""

import json
from dataclasses import replace

from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.wire import ORDER_TYPE, PositionWord, Signature, Signed, SlotWord, sign_as_wallet, typed_data, wallet
from tests.support.world import World, rejections

ORDER_FIELDS = {
    "size": st.integers(0, 2**48 - 1),
    "limit_price": st.integers(0, 2**48 - 1),
    "trigger_price": st.integers(0, 2**48 - 1),
    "generation": st.integers(0, 2**48 - 1),
    "slot": st.integers(0, 2**16 - 1),
    "revision": st.integers(0, 2**16 - 1),
    "max_fee_ppm": st.integers(0, 2**16 - 1),
    "expiry": st.integers(0, 2**32 - 1),
    "referrer": st.integers(0, 2**32 - 1),
    "subaccount": st.integers(0, 2**16 - 1),
    "time_in_force": st.sampled_from(["GTT", "IOC", "FOK"]),
    "trigger": st.sampled_from(["NONE", "AT_OR_ABOVE", "AT_OR_BELOW"]),
    "self_trade": st.sampled_from(["CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH", "DECREMENT"]),
    "post_only": st.booleans(),
    "reduce_only": st.booleans(),
    "market": st.sampled_from(["BTC-USD", "ETH-USD"]),
}
WORLD = World()


@settings(max_examples=300, deadline=None)
@given(side=st.sampled_from(["BUY", "SELL"]), fields=st.fixed_dictionaries(ORDER_FIELDS))
def test_the_contract_hashes_any_order_as_eth_account_does(side: str, fields: dict[str, object]) -> None:
    signed = WORLD.signed(WORLD.taker, side, **fields)
    document = typed_data(WORLD.domain, ORDER_TYPE, signed.order.message())
    message = encode_typed_data(full_message=document)
    assert Account._recover_hash(signed.id, signature=_bytes65(signed)) == WORLD.taker.address
    assert Account.recover_message(message, signature=_bytes65(signed)) == WORLD.taker.address
    assert WORLD.exchange.call.hash_order(*signed.words[:2]) == signed.id


def _bytes65(signed: Signed) -> bytes:
    return Signature(*signed.words[2:]).bytes65


def test_an_ordinary_wallet_and_the_json_of_sign_typed_data_v4_settle(world: World) -> None:
    buy, sell = world.order(world.taker, "BUY"), world.order(world.maker, "SELL")
    signed = []
    for key, order in ((world.taker, buy), (world.maker, sell)):
        document = json.loads(json.dumps(typed_data(world.domain, ORDER_TYPE, order.message())))
        assert document["primaryType"] == "Order"
        signature = sign_as_wallet(key, world.domain, ORDER_TYPE, document["message"])
        signed.append(
            Signed(order, order.hash(world.domain), (*order.words(1), signature.r, signature.vs), key.address)
        )
    assert rejections(world.settle(signed, [world.fill()])) == []
    assert world.position(world.taker).size == 10


@given(size=st.integers(-(2**46), 2**46), q=st.integers(-(2**126), 2**126), one_shot=st.integers(0, 2**48 - 1))
def test_position_words_round_trip(size: int, q: int, one_shot: int) -> None:
    word = PositionWord(size, q, one_shot)
    assert PositionWord.unpack(word.pack()) == word


def test_words_read_back_as_the_protocol_lays_them_out(world: World) -> None:
    order = world.order(world.maker, "SELL", slot=7, revision=0, size=40)
    resting = world.sign(world.maker, order)
    taking = world.signed(world.taker, "BUY", time_in_force="IOC", size=25)
    world.settle([taking, resting], [world.fill(size=25)])
    slot: SlotWord = world.slot(world.maker, 7)
    assert (slot.generation, slot.revision, slot.filled, slot.cancel) == (order.generation, 0, 25, 0)
    assert slot.tag == int.from_bytes(resting.id, "big") & (1 << 88) - 1
    taken, given_away = world.position(world.taker), world.position(world.maker)
    assert (taken.size, given_away.size) == (25, -25)
    assert (taken.one_shot, given_away.one_shot) == (taking.order.generation, 0)
    assert taken.q == -given_away.q == -25 * 2_300_000 << 32
    account = world.exchange.call.account(world.taker.address, 0)
    assert account >> 176 == 100_000 * 10**6
    assert account >> 48 & 0xFFFF == 1


def test_wallets_of_different_roles_differ() -> None:
    assert wallet("maker").address != wallet("taker").address


def test_an_order_for_another_domain_is_another_order(world: World) -> None:
    order = world.order(world.taker, "BUY")
    for other in (replace(world.domain, name="other"), replace(world.domain, version="2")):
        assert order.hash(other) != order.hash(world.domain)
