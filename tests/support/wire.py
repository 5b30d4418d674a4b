# SPDX-License-Identifier: AGPL-3.0-only
"""Signed messages and packed words, written again from docs/protocol.md: nothing here comes from `ouro`.

So the contracts are tested against a second implementation of the wire, and ordinary signers of eth_account.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from eth_utils.crypto import keccak

DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
ORDER_TYPE = (
    "Order(string market,string side,uint48 size,uint48 limitPrice,string timeInForce,bool postOnly,bool reduceOnly,"
    "string trigger,uint48 triggerPrice,uint16 maxFeePpm,uint32 expiry,address account,uint16 subaccount,"
    "string selfTrade,uint16 slot,uint48 generation,uint16 revision,uint32 referrer)"
)
WITHDRAWAL_TYPE = "Withdrawal(address account,uint16 subaccount,uint64 amount,address to,uint64 nonce,uint32 deadline)"
PRICE_TYPE = "Price(uint16 market,uint48 price,uint40 publishedAt)"
SESSION_KEY_TYPE = "SessionKey(address account,address key,string[] markets,uint64 budget,uint32 expiry,uint64 nonce)"
CANCEL_ALL_TYPE = "CancelAll(address account,uint16 subaccount,string market,uint64 nonce)"

SIDES = ("BUY", "SELL")
TIMES_IN_FORCE = ("GTT", "IOC", "FOK")
TRIGGERS = ("NONE", "AT_OR_ABOVE", "AT_OR_BELOW")
SELF_TRADES = ("CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH", "DECREMENT")


@dataclass(frozen=True)
class Domain:
    """An EIP-712 domain; the Exchange's by default."""

    chain_id: int
    contract: str
    name: str = "Ouro"
    version: str = "1"

    @property
    def separator(self) -> bytes:
        return _separator(self)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "chainId": self.chain_id,
            "verifyingContract": self.contract,
        }


@lru_cache(maxsize=256)
def _separator(domain: Domain) -> bytes:
    kind = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    return keccak(
        kind
        + keccak(text=domain.name)
        + keccak(text=domain.version)
        + domain.chain_id.to_bytes(32, "big")
        + bytes.fromhex(domain.contract[2:]).rjust(32, b"\0")
    )


def _fields(kind: str) -> list[dict[str, str]]:
    inner = kind[kind.index("(") + 1 : -1]
    return [{"type": part.split(" ")[0], "name": part.split(" ")[1]} for part in inner.split(",")]


def typed_data(domain: Domain, kind: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON that `eth_signTypedData_v4` takes."""
    primary = kind[: kind.index("(")]
    return {
        "types": {"EIP712Domain": DOMAIN_FIELDS, primary: _fields(kind)},
        "primaryType": primary,
        "domain": domain.as_dict(),
        "message": dict(message),
    }


def _word(kind: str, value: Any) -> bytes:
    if kind == "string":
        return keccak(text=value)
    if kind == "string[]":
        return keccak(b"".join(keccak(text=part) for part in value))
    if kind == "address":
        return bytes.fromhex(value[2:]).rjust(32, b"\0")
    if kind == "bytes32":
        return bytes(value)
    return int(value).to_bytes(32, "big")


@lru_cache(maxsize=16)
def _shape(kind: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    return keccak(text=kind), tuple((part["type"], part["name"]) for part in _fields(kind))


def digest(domain: Domain, kind: str, message: Mapping[str, Any]) -> bytes:
    """What is signed. Faster than eth_account's encoder, and held equal to it by a test."""
    type_hash, fields = _shape(kind)
    body = keccak(type_hash + b"".join(_word(part, message[name]) for part, name in fields))
    return keccak(b"\x19\x01" + domain.separator + body)


@dataclass(frozen=True)
class Signature:
    """The two words of EIP-2098."""

    r: int
    vs: int

    @property
    def bytes65(self) -> bytes:
        """r, s, v as wallets give them."""
        s, v = self.vs & (1 << 255) - 1, 27 + (self.vs >> 255)
        return self.r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


def sign_digest(key: LocalAccount, hash_: bytes) -> Signature:
    """Signed by eth_account."""
    signed = key.unsafe_sign_hash(Hash32(hash_))
    return Signature(signed.r, signed.s | (signed.v - 27) << 255)


def sign(key: LocalAccount, domain: Domain, kind: str, message: Mapping[str, Any]) -> Signature:
    return sign_digest(key, digest(domain, kind, message))


def sign_as_wallet(key: LocalAccount, domain: Domain, kind: str, message: Mapping[str, Any]) -> Signature:
    """By eth_account's whole path from the JSON of `eth_signTypedData_v4`."""
    signed = key.sign_message(encode_typed_data(full_message=typed_data(domain, kind, message)))
    return Signature(signed.r, signed.s | (signed.v - 27) << 255)


@dataclass(frozen=True)
class Order:
    """An order as signed: sizes in lots, prices in micro-USDC per lot, times as the protocol says."""

    market: str
    side: str
    size: int
    limit_price: int
    account: str
    generation: int
    expiry: int
    slot: int = 1
    time_in_force: str = "GTT"
    post_only: bool = False
    reduce_only: bool = False
    trigger: str = "NONE"
    trigger_price: int = 0
    max_fee_ppm: int = 1_000
    subaccount: int = 0
    self_trade: str = "CANCEL_TAKER"
    revision: int = 0
    referrer: int = 0

    @property
    def is_sell(self) -> bool:
        return self.side == "SELL"

    @property
    def is_one_shot(self) -> bool:
        return self.time_in_force != "GTT"

    def message(self) -> dict[str, Any]:
        return {
            "market": self.market,
            "side": self.side,
            "size": self.size,
            "limitPrice": self.limit_price,
            "timeInForce": self.time_in_force,
            "postOnly": self.post_only,
            "reduceOnly": self.reduce_only,
            "trigger": self.trigger,
            "triggerPrice": self.trigger_price,
            "maxFeePpm": self.max_fee_ppm,
            "expiry": self.expiry,
            "account": self.account,
            "subaccount": self.subaccount,
            "selfTrade": self.self_trade,
            "slot": self.slot,
            "generation": self.generation,
            "revision": self.revision,
            "referrer": self.referrer,
        }

    def hash(self, domain: Domain) -> bytes:
        return digest(domain, ORDER_TYPE, self.message())

    def flags(self) -> int:
        return (
            SIDES.index(self.side)
            | TIMES_IN_FORCE.index(self.time_in_force) << 1
            | self.post_only << 3
            | self.reduce_only << 4
            | TRIGGERS.index(self.trigger) << 5
            | SELF_TRADES.index(self.self_trade) << 7
        )

    def words(self, market_id: int) -> tuple[int, int]:
        """`terms` and `amounts`."""
        terms = (
            int(self.account, 16) << 96 | self.subaccount << 80 | market_id << 64 | self.expiry << 32 | self.referrer
        )
        amounts = (
            self.size << 208
            | self.limit_price << 160
            | self.trigger_price << 112
            | self.generation << 64
            | self.slot << 48
            | self.revision << 32
            | self.max_fee_ppm << 16
            | self.flags()
        )
        return terms, amounts

    def but(self, **changes: Any) -> "Order":
        return replace(self, **changes)


@dataclass(frozen=True)
class Signed:
    """An order with its id, its four words and who really signed it."""

    order: Order
    id: bytes
    words: tuple[int, ...]
    signer: str


def sign_order(key: LocalAccount, domain: Domain, order: Order, market_id: int) -> Signed:
    hash_ = order.hash(domain)
    signature = sign_digest(key, hash_)
    return Signed(order, hash_, (*order.words(market_id), signature.r, signature.vs), key.address)


@dataclass(frozen=True)
class Fill:
    """One fill of a batch; `taker` and `maker` index its orders, fees are ppm of notional."""

    fill_id: int
    price: int
    size: int
    taker: int
    maker: int
    taker_fee: int = 0
    maker_fee: int = 0
    flags: int = 0
    tail: int = 0

    def word(self) -> int:
        return (
            self.fill_id << 192
            | self.price << 144
            | self.size << 96
            | self.taker << 88
            | self.maker << 80
            | (self.taker_fee & 0xFFFF) << 64
            | (self.maker_fee & 0xFFFF) << 48
            | self.flags << 32
            | self.tail
        )


def signed_field(word: int, shift: int, bits: int) -> int:
    """The two's complement field of `bits` bits above `shift`."""
    value = word >> shift & (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


@dataclass(frozen=True)
class PositionWord:
    """size, Q and one-shot time of a packed position."""

    size: int
    q: int
    one_shot: int

    @classmethod
    def unpack(cls, word: int) -> "PositionWord":
        return cls(signed_field(word, 192, 64), signed_field(word, 64, 128), word >> 16 & (1 << 48) - 1)

    def pack(self) -> int:
        return (self.size & (1 << 64) - 1) << 192 | (self.q & (1 << 128) - 1) << 64 | self.one_shot << 16


@dataclass(frozen=True)
class SlotWord:
    """What an order slot remembers."""

    generation: int
    revision: int
    filled: int
    cancel: int
    tag: int

    @classmethod
    def unpack(cls, word: int) -> "SlotWord":
        return cls(
            word >> 208,
            word >> 192 & 0xFFFF,
            word >> 128 & (1 << 64) - 1,
            word >> 88 & (1 << 40) - 1,
            word & (1 << 88) - 1,
        )


def wallet(role: str) -> LocalAccount:
    """A wallet of one's own for each role, the same in every run."""
    account: LocalAccount = Account.from_key(keccak(text=f"ouro test wallet of {role}"))
    return account
