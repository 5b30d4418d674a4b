# SPDX-License-Identifier: AGPL-3.0-only
"""What a message must be to become an order: refusals name the field and say what it should be."""

import re
from typing import Any

import pytest

from ouro.errors import OuroError
from ouro.orders import Order, OrderError
from tests.vectors.generate import PLAIN_ORDER

ACCOUNT = PLAIN_ORDER["account"]
BITS = {
    "size": 48,
    "limitPrice": 48,
    "triggerPrice": 48,
    "generation": 48,
    "maxFeePpm": 16,
    "subaccount": 16,
    "slot": 16,
    "revision": 16,
    "expiry": 32,
    "referrer": 32,
}


def test_decimal_strings_are_numbers() -> None:
    texts = {name: str(PLAIN_ORDER[name]) for name in BITS}
    assert Order.from_message(PLAIN_ORDER | texts) == Order.from_message(PLAIN_ORDER)


@pytest.mark.parametrize("spelling", [ACCOUNT, ACCOUNT.lower(), "0x" + ACCOUNT[2:].upper()])
def test_the_account_is_checksummed(spelling: str) -> None:
    assert Order.from_message(PLAIN_ORDER | {"account": spelling}).account == ACCOUNT


def test_one_shot() -> None:
    kinds = {
        kind: Order.from_message(PLAIN_ORDER | {"timeInForce": kind}).is_one_shot for kind in ("GTT", "IOC", "FOK")
    }
    assert kinds == {"GTT": False, "IOC": True, "FOK": True}


@pytest.mark.parametrize("field", PLAIN_ORDER)
def test_a_missing_field_is_named(field: str) -> None:
    message = {name: value for name, value in PLAIN_ORDER.items() if name != field}
    assert_refused(message, field, "missing")


def test_an_unknown_field_is_named() -> None:
    assert_refused(PLAIN_ORDER | {"leverage": 10}, "leverage", "no field")


@pytest.mark.parametrize(("field", "bits"), BITS.items())
@pytest.mark.parametrize("wrong", [-1, "beyond", 1.0, "1.5", "0x10", "", "\N{ARABIC-INDIC DIGIT ONE}", True, None, [1]])
def test_numbers(field: str, bits: int, wrong: Any) -> None:
    value = 1 << bits if wrong == "beyond" else wrong
    reason = f"0..{(1 << bits) - 1}" if wrong in ("beyond", -1) else "whole number"
    assert_refused(PLAIN_ORDER | {field: value}, field, reason)


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    assert_refused(PLAIN_ORDER | {"size": "9" * 1_000_000}, "size", "whole number")


@pytest.mark.parametrize("field", ["side", "timeInForce", "trigger", "selfTrade"])
@pytest.mark.parametrize("wrong", ["", "buy", 0, None, ["BUY"], {}])
def test_words(field: str, wrong: Any) -> None:
    assert_refused(PLAIN_ORDER | {field: wrong}, field, "must be one of")


@pytest.mark.parametrize("field", ["postOnly", "reduceOnly"])
@pytest.mark.parametrize("wrong", [0, 1, "true", None])
def test_flags(field: str, wrong: Any) -> None:
    assert_refused(PLAIN_ORDER | {field: wrong}, field, "true or false")


@pytest.mark.parametrize(
    "wrong", ["", "0x", ACCOUNT[:-1], ACCOUNT + "0", ACCOUNT[2:], "0x" + "g" * 40, 5, None, b"x" * 20]
)
def test_addresses(wrong: Any) -> None:
    assert_refused(PLAIN_ORDER | {"account": wrong}, "account", "must be an address")


def test_a_mistyped_checksum_is_noticed() -> None:
    at = next(place for place, digit in enumerate(ACCOUNT) if place > 1 and digit.isalpha())
    mistyped = ACCOUNT[:at] + ACCOUNT[at].swapcase() + ACCOUNT[at + 1 :]
    assert_refused(PLAIN_ORDER | {"account": mistyped}, "account", "checksum")


@pytest.mark.parametrize("wrong", ["", 1, None])
def test_markets(wrong: Any) -> None:
    assert_refused(PLAIN_ORDER | {"market": wrong}, "market", "ticker")


@pytest.mark.parametrize(("field", "bits"), BITS.items())
def test_no_order_holds_what_does_not_fit_its_word(field: str, bits: int) -> None:
    name = re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), field)
    good = Order.from_message(PLAIN_ORDER)
    values = {attribute: getattr(good, attribute) for attribute in Order.__struct_fields__}
    Order(**values | {name: (1 << bits) - 1})
    for wrong in (-1, 1 << bits):
        with pytest.raises(OrderError, match=f"^{field}: ") as refusal:
            Order(**values | {name: wrong})
        assert refusal.value.field == field


def assert_refused(message: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(OrderError) as refusal:
        Order.from_message(message)
    assert refusal.value.field == field
    assert reason in refusal.value.reason
    assert str(refusal.value) == f"{field}: {refusal.value.reason}"
    assert isinstance(refusal.value, OuroError)
