# SPDX-License-Identifier: AGPL-3.0-only
"""Digests equal eth_account's for any order; signatures that are not canonical are refused."""

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ouro import addresses, eip712
from ouro.eip712 import Domain, SignatureError
from ouro.orders import Order
from tests.unit.ouro.strategies import KEY, SIGNER, orders, uints

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DIGEST = keccak(text="anything")

accounts = st.binary(min_size=20, max_size=20).map(addresses.checksum)
domains = st.builds(Domain, chain_id=uints(64), verifying_contract=accounts, name=st.text(max_size=20))
values = {
    "string": st.text(st.characters(codec="utf-8"), max_size=40),
    "string[]": st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=4),
    "address": accounts,
    "bytes32": st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()),
    "uint16": uints(16),
    "uint32": uints(32),
    "uint40": uints(40),
    "uint48": uints(48),
    "uint64": uints(64),
    "bool": st.booleans(),
}
messages = st.sampled_from(list(eip712.TYPES)).flatmap(
    lambda name: st.tuples(
        st.just(name), st.fixed_dictionaries({field["name"]: values[field["type"]] for field in eip712.TYPES[name]})
    )
)


def by_eth_account(document: dict[str, Any]) -> bytes:
    signable = encode_typed_data(full_message=document)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@given(domains, orders)
def test_the_fast_digest_of_an_order(domain: Domain, order: Order) -> None:
    document = eip712.typed_data(domain, "Order", order.message())
    assert eip712.order_digest(domain, order) == by_eth_account(document)


@given(domains, messages)
def test_the_digest_of_any_message(domain: Domain, message: tuple[str, dict[str, Any]]) -> None:
    primary_type, fields = message
    assert eip712.digest(domain, primary_type, fields) == by_eth_account(
        eip712.typed_data(domain, primary_type, fields)
    )


@given(orders)
def test_an_order_survives_its_message(order: Order) -> None:
    assert Order.from_message(order.message()) == order


@given(st.binary(min_size=32, max_size=32))
def test_sign_and_recover(digest: bytes) -> None:
    signature = eip712.sign(digest, KEY)
    assert signature == bytes(Account.unsafe_sign_hash(digest, KEY).signature)
    assert eip712.recover(digest, signature) == SIGNER


@given(st.binary(min_size=20, max_size=20))
def test_checksums(raw: bytes) -> None:
    checked = to_checksum_address(raw)
    assert addresses.checksum(raw) == checked
    assert addresses.parse(checked) == addresses.parse(checked.lower()) == checked


def test_bytes32_may_be_bytes(domain: Domain) -> None:
    message = {"account": SIGNER, "subaccount": 0, "orderId": "0x" + DIGEST.hex(), "nonce": 1}
    assert eip712.digest(domain, "CancelOrder", message | {"orderId": DIGEST}) == eip712.digest(
        domain, "CancelOrder", message
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nonce": 1 << 64}, "CancelOrder.nonce does not fit uint64"),
        ({"nonce": -1}, "CancelOrder.nonce does not fit uint64"),
        ({"orderId": "0x12"}, "CancelOrder.orderId is not 32 bytes"),
        ({"account": "0x12"}, "CancelOrder.account is not an address"),
    ],
)
def test_values_that_do_not_fit(domain: Domain, change: dict[str, Any], sentence: str) -> None:
    message = {"account": SIGNER, "subaccount": 0, "orderId": DIGEST, "nonce": 1}
    with pytest.raises(ValueError, match=sentence):
        eip712.digest(domain, "CancelOrder", message | change)


def test_a_missing_field_of_a_message(domain: Domain) -> None:
    with pytest.raises(ValueError, match=r"CancelAll\.market is missing"):
        eip712.digest(domain, "CancelAll", {"account": SIGNER, "subaccount": 0, "nonce": 1})


def test_domains_differ_by_every_part() -> None:
    parts = [
        Domain(1, SIGNER),
        Domain(2, SIGNER),
        Domain(1, "0x" + "11" * 20),
        Domain(1, SIGNER, name="Ouro Oracle"),
        Domain(1, SIGNER, version="2"),
    ]
    assert len({domain.separator for domain in parts}) == len(parts)


def test_high_s_is_refused() -> None:
    signature = eip712.sign(DIGEST, KEY)
    s = N - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    assert Account._recover_hash(DIGEST, signature=twin) == SIGNER, "the twin is a signature elsewhere"
    with pytest.raises(SignatureError, match="upper half"):
        eip712.recover(DIGEST, twin)


@pytest.mark.parametrize(("s", "is_low"), [(N // 2, True), (N // 2 + 1, False)])
def test_where_high_s_begins(s: int, is_low: bool) -> None:
    signature = eip712.sign(DIGEST, KEY)
    moved = signature[:32] + s.to_bytes(32, "big") + signature[64:]
    if is_low:
        assert eip712.recover(DIGEST, moved) != SIGNER
    else:
        with pytest.raises(SignatureError, match="upper half"):
            eip712.recover(DIGEST, moved)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 35, 255])
def test_v_is_27_or_28(v: int) -> None:
    with pytest.raises(SignatureError, match="27 or 28"):
        eip712.recover(DIGEST, eip712.sign(DIGEST, KEY)[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 64, 66])
def test_a_signature_has_65_bytes(length: int) -> None:
    with pytest.raises(SignatureError, match="65 bytes"):
        eip712.recover(DIGEST, (eip712.sign(DIGEST, KEY) + b"\x1b")[:length])


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (N, 1), (N + 1, 1), (2**256 - 1, 1)])
def test_numbers_that_are_no_signature(r: int, s: int) -> None:
    with pytest.raises(SignatureError, match="no key"):
        eip712.recover(DIGEST, r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1b")


def test_the_other_parity_is_somebody_else() -> None:
    signature = eip712.sign(DIGEST, KEY)
    assert eip712.recover(DIGEST, signature[:64] + bytes([55 - signature[64]])) != SIGNER
