# SPDX-License-Identifier: Apache-2.0
"""The order that a trader signs, as a frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from eth_utils.address import is_address, to_checksum_address

from ouro.errors import OuroError


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class TimeInForce(StrEnum):
    GTT = "GTT"
    IOC = "IOC"
    FOK = "FOK"


class Trigger(StrEnum):
    NONE = "NONE"
    AT_OR_ABOVE = "AT_OR_ABOVE"
    AT_OR_BELOW = "AT_OR_BELOW"


class SelfTrade(StrEnum):
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


@dataclass(frozen=True, slots=True)
class Order:
    """An order in the units of the wire: lots, micro-USDC per lot, ppm; expiry in seconds, generation in ms."""

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
        unknown = sorted(message.keys() - _FIELDS)
        if unknown:
            raise OrderError(str(unknown[0]), "is no field of an order")
        market = _field(message, "market")
        if not isinstance(market, str) or not market:
            raise OrderError("market", "must be a ticker such as BTC-USD")
        account = _field(message, "account")
        if not isinstance(account, str) or not is_address(account):
            raise OrderError("account", "must be an address of 20 bytes in hex, 0x...")
        return cls(
            market=market,
            side=_one_of(message, "side", Side),
            size=_uint(message, "size", 48),
            limit_price=_uint(message, "limitPrice", 48),
            time_in_force=_one_of(message, "timeInForce", TimeInForce),
            post_only=_flag(message, "postOnly"),
            reduce_only=_flag(message, "reduceOnly"),
            trigger=_one_of(message, "trigger", Trigger),
            trigger_price=_uint(message, "triggerPrice", 48),
            max_fee_ppm=_uint(message, "maxFeePpm", 16),
            expiry=_uint(message, "expiry", 32),
            account=to_checksum_address(account),
            subaccount=_uint(message, "subaccount", 16),
            self_trade=_one_of(message, "selfTrade", SelfTrade),
            slot=_uint(message, "slot", 16),
            generation=_uint(message, "generation", 48),
            revision=_uint(message, "revision", 16),
            referrer=_uint(message, "referrer", 32),
        )


_FIELDS = frozenset(
    [
        "market",
        "side",
        "size",
        "limitPrice",
        "timeInForce",
        "postOnly",
        "reduceOnly",
        "trigger",
        "triggerPrice",
        "maxFeePpm",
        "expiry",
        "account",
        "subaccount",
        "selfTrade",
        "slot",
        "generation",
        "revision",
        "referrer",
    ]
)


def _field(message: Mapping[str, Any], name: str) -> Any:
    try:
        return message[name]
    except KeyError:
        raise OrderError(name, "is missing") from None


def _uint(message: Mapping[str, Any], name: str, bits: int) -> int:
    value = _field(message, name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 40:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise OrderError(name, "must be a whole number, as a JSON number or a decimal string")
    if not 0 <= value < 1 << bits:
        raise OrderError(name, f"must be in 0..{(1 << bits) - 1}")
    return value


def _flag(message: Mapping[str, Any], name: str) -> bool:
    value = _field(message, name)
    if not isinstance(value, bool):
        raise OrderError(name, "must be true or false")
    return value


def _one_of(message: Mapping[str, Any], name: str, kind: type[_E]) -> _E:
    value = _field(message, name)
    try:
        return kind(value)
    except ValueError:
        raise OrderError(name, f"must be one of {', '.join(kind)}") from None
