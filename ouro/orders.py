# SPDX-License-Identifier: Apache-2.0
"""The order that a trader signs, as a frozen value."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from ouro import addresses
from ouro.errors import OuroError


class _Choice(StrEnum):
    """A closed set of words."""

    # Enum's own hash is a Python call; digests look these up four times per order.
    __hash__ = str.__hash__


class Side(_Choice):
    BUY = "BUY"
    SELL = "SELL"


class TimeInForce(_Choice):
    GTT = "GTT"
    IOC = "IOC"
    FOK = "FOK"


class Trigger(_Choice):
    NONE = "NONE"
    AT_OR_ABOVE = "AT_OR_ABOVE"
    AT_OR_BELOW = "AT_OR_BELOW"


class SelfTrade(_Choice):
    CANCEL_TAKER = "CANCEL_TAKER"
    CANCEL_MAKER = "CANCEL_MAKER"
    CANCEL_BOTH = "CANCEL_BOTH"
    DECREMENT = "DECREMENT"


class OrderError(OuroError, ValueError):
    """A message that is no order: `field` (as in the message) and `reason`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


_E = TypeVar("_E", bound=StrEnum)


class Order(msgspec.Struct, frozen=True):
    """An order in the units of the wire: lots, micro-USDC per lot, ppm; expiry in seconds, generation in ms.

    `account` is checksummed. Raises `OrderError` when a number does not fit its field, so that whatever exists can be
    signed and packed; whether the exchange takes it is another matter.
    """

    market: str
    side: Side
    size: int
    limit_price: int
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    trigger: Trigger
    trigger_price: int
    max_fee_ppm: int
    expiry: int
    account: str
    subaccount: int
    self_trade: SelfTrade
    slot: int
    generation: int
    revision: int
    referrer: int

    def __post_init__(self) -> None:
        if not (
            0 <= self.size < 1 << 48
            and 0 <= self.limit_price < 1 << 48
            and 0 <= self.trigger_price < 1 << 48
            and 0 <= self.generation < 1 << 48
            and 0 <= self.max_fee_ppm < 1 << 16
            and 0 <= self.subaccount < 1 << 16
            and 0 <= self.slot < 1 << 16
            and 0 <= self.revision < 1 << 16
            and 0 <= self.expiry < 1 << 32
            and 0 <= self.referrer < 1 << 32
        ):
            self._refuse()

    def _refuse(self) -> None:
        """Say which number does not fit."""
        message = self.message()
        for name, bits in _UINTS.items():
            if not 0 <= message[name] < 1 << bits:
                raise OrderError(name, f"must be in 0..{(1 << bits) - 1}")

    @property
    def is_one_shot(self) -> bool:
        """IOC and FOK orders trade within one batch and have no slot."""
        return self.time_in_force is not TimeInForce.GTT

    @property
    def is_sell(self) -> bool:
        return self.side is Side.SELL

    def message(self) -> dict[str, Any]:
        """The EIP-712 message, as it goes into `eth_signTypedData_v4`."""
        return {
            "market": self.market,
            "side": self.side.value,
            "size": self.size,
            "limitPrice": self.limit_price,
            "timeInForce": self.time_in_force.value,
            "postOnly": self.post_only,
            "reduceOnly": self.reduce_only,
            "trigger": self.trigger.value,
            "triggerPrice": self.trigger_price,
            "maxFeePpm": self.max_fee_ppm,
            "expiry": self.expiry,
            "account": self.account,
            "subaccount": self.subaccount,
            "selfTrade": self.self_trade.value,
            "slot": self.slot,
            "generation": self.generation,
            "revision": self.revision,
            "referrer": self.referrer,
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> "Order":
        """The order of a message; numbers may be ints or decimal strings. Raises `OrderError` naming the field."""
        if not message.keys() <= _FIELDS:
            raise OrderError(min(map(str, message.keys() - _FIELDS)), "is no field of an order")
        market = _field(message, "market")
        if not isinstance(market, str) or not market:
            raise OrderError("market", "must be a ticker such as BTC-USD")
        account = _field(message, "account")
        if not isinstance(account, str):
            raise OrderError("account", "must be an address: 0x and 40 hex digits")
        try:
            account = addresses.parse(account)
        except ValueError as error:
            raise OrderError("account", str(error)) from None
        return cls(
            market=market,
            side=_one_of(message, "side", _SIDES),
            size=_number(message, "size"),
            limit_price=_number(message, "limitPrice"),
            time_in_force=_one_of(message, "timeInForce", _TIMES),
            post_only=_flag(message, "postOnly"),
            reduce_only=_flag(message, "reduceOnly"),
            trigger=_one_of(message, "trigger", _TRIGGERS),
            trigger_price=_number(message, "triggerPrice"),
            max_fee_ppm=_number(message, "maxFeePpm"),
            expiry=_number(message, "expiry"),
            account=account,
            subaccount=_number(message, "subaccount"),
            self_trade=_one_of(message, "selfTrade", _SELF_TRADES),
            slot=_number(message, "slot"),
            generation=_number(message, "generation"),
            revision=_number(message, "revision"),
            referrer=_number(message, "referrer"),
        )


_SIDES = {choice.value: choice for choice in Side}
_TIMES = {choice.value: choice for choice in TimeInForce}
_TRIGGERS = {choice.value: choice for choice in Trigger}
_SELF_TRADES = {choice.value: choice for choice in SelfTrade}
_UINTS = {
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
"""Bits of every number."""
_FIELDS = frozenset(_UINTS) | {
    "market",
    "side",
    "timeInForce",
    "postOnly",
    "reduceOnly",
    "trigger",
    "account",
    "selfTrade",
}


def _field(message: Mapping[str, Any], name: str) -> Any:
    try:
        return message[name]
    except KeyError:
        raise OrderError(name, "is missing") from None


def _number(message: Mapping[str, Any], name: str) -> int:
    """A number of either spelling; whether it fits is for the order to say."""
    value = _field(message, name)
    if type(value) is int:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 40:
        return int(value)
    raise OrderError(name, "must be a whole number, as a JSON number or a decimal string")


def _flag(message: Mapping[str, Any], name: str) -> bool:
    value = _field(message, name)
    if not isinstance(value, bool):
        raise OrderError(name, "must be true or false")
    return value


def _one_of(message: Mapping[str, Any], name: str, choices: Mapping[str, _E]) -> _E:
    value = _field(message, name)
    chosen = choices.get(value) if isinstance(value, str) else None
    if chosen is None:
        raise OrderError(name, f"must be one of {', '.join(choices)}")
    return chosen
