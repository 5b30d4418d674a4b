# SPDX-License-Identifier: Apache-2.0
"""EIP-712: the JSON that wallets sign, the digest of it, signing and recovering.

Digests are computed from packed words directly; tests hold them equal to eth_account's generic encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from struct import Struct
from typing import Any, Final

import msgspec
from coincurve import PrivateKey, PublicKey
from sha3 import keccak_256 as _keccak_256

from ouro import addresses
from ouro.errors import OuroError
from ouro.orders import Order

_HALF_ORDER: Final = bytes.fromhex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
"""The largest low s."""
_PARITIES: Final = {27: b"\x00", 28: b"\x01"}

_DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_MESSAGES: Final = {
    "Order": (
        "string market,string side,uint48 size,uint48 limitPrice,string timeInForce,bool postOnly,bool reduceOnly,"
        "string trigger,uint48 triggerPrice,uint16 maxFeePpm,uint32 expiry,address account,uint16 subaccount,"
        "string selfTrade,uint16 slot,uint48 generation,uint16 revision,uint32 referrer"
    ),
    "CancelOrder": "address account,uint16 subaccount,bytes32 orderId,uint64 nonce",
    "CancelByClientId": "address account,uint16 subaccount,string clientId,uint64 nonce",
    "CancelAll": "address account,uint16 subaccount,string market,uint64 nonce",
    "CancelAllAfter": "address account,uint16 subaccount,uint32 timeoutSeconds,uint64 nonce",
    "SessionKey": "address account,address key,string[] markets,uint64 budget,uint32 expiry,uint64 nonce",
    "Withdrawal": "address account,uint16 subaccount,uint64 amount,address to,uint64 nonce,uint32 deadline",
    "Price": "uint16 market,uint48 price,uint40 publishedAt",
    "Head": "uint64 seq,bytes32 head",
    "ReadAccount": "address account,uint32 expiry",
}


class SignatureError(OuroError, ValueError):
    """A signature that is not canonical or does not recover."""


def keccak(data: bytes) -> bytes:
    return bytes(_keccak_256(data).digest())


class Domain(msgspec.Struct, frozen=True, dict=True):
    """An EIP-712 domain; the Exchange's and the Vault's have these names, the pushed oracle's is `Ouro Oracle`."""

    chain_id: int
    verifying_contract: str
    name: str = "Ouro"
    version: str = "1"

    def message(self) -> dict[str, Any]:
        """The domain as it stands in the JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "chainId": self.chain_id,
            "verifyingContract": self.verifying_contract,
        }

    @cached_property
    def separator(self) -> bytes:
        """The domain's hash."""
        return keccak(
            keccak(_DOMAIN.encode())
            + keccak(self.name.encode())
            + keccak(self.version.encode())
            + self.chain_id.to_bytes(32, "big")
            + _address(self.verifying_contract)
        )

    @cached_property
    def prefix(self) -> bytes:
        """What precedes a message's hash in every digest."""
        return b"\x19\x01" + self.separator


def _split(fields: str) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for kind, name in (field.split(" ") for field in fields.split(","))]


DOMAIN_TYPE: Final = _split(_DOMAIN[len("EIP712Domain(") : -1])
TYPES: Final = {name: _split(fields) for name, fields in _MESSAGES.items()}
"""The fields of each message, as in `types` of the JSON."""
_TYPE_HASHES: Final = {name: keccak(f"{name}({fields})".encode()) for name, fields in _MESSAGES.items()}
_ORDER_HASH: Final = _TYPE_HASHES["Order"]
_HEAD_HASH: Final = _TYPE_HASHES["Head"]


def typed_data(domain: Domain, primary_type: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """The very JSON that `eth_signTypedData_v4` takes."""
    return {
        "types": {"EIP712Domain": DOMAIN_TYPE, primary_type: TYPES[primary_type]},
        "primaryType": primary_type,
        "domain": domain.message(),
        "message": dict(message),
    }


_ORDER: Final = Struct(
    ">32s32s32s24xQ24xQ32s31x?31x?32s24xQ24xQ24xQ12x20s24xQ32s24xQ24xQ24xQ24xQ",
)
"""The type hash and the fields of an order, each in a word of 32 bytes."""


def order_digest(domain: Domain, order: Order) -> bytes:
    """The order's id: what is signed, 32 bytes."""
    words = _ORDER.pack(
        _ORDER_HASH,
        _text(order.market),
        _text(order.side),
        order.size,
        order.limit_price,
        _text(order.time_in_force),
        order.post_only,
        order.reduce_only,
        _text(order.trigger),
        order.trigger_price,
        order.max_fee_ppm,
        order.expiry,
        bytes.fromhex(order.account[2:]),
        order.subaccount,
        _text(order.self_trade),
        order.slot,
        order.generation,
        order.revision,
        order.referrer,
    )
    return keccak(domain.prefix + keccak(words))


def digest(domain: Domain, primary_type: str, message: Mapping[str, Any]) -> bytes:
    """What is signed for any message of `TYPES`. Raises `ValueError` for a field that is missing or does not fit."""
    words = [_TYPE_HASHES[primary_type]]
    for field in TYPES[primary_type]:
        name, kind = field["name"], field["type"]
        if name not in message:
            raise ValueError(f"{primary_type}.{name} is missing")
        words.append(_word(kind, message[name], f"{primary_type}.{name}"))
    return keccak(domain.prefix + keccak(b"".join(words)))


def head_digest(domain: Domain, seq: int, head: bytes) -> bytes:
    """What an operator signs once per group of his journal: the number of its last record and the head after it."""
    return keccak(domain.prefix + keccak(_HEAD_HASH + seq.to_bytes(32, "big") + head))


_BOOLS: Final = (bytes(32), bytes(31) + b"\x01")


@lru_cache(maxsize=1024)
def _text(value: str) -> bytes:
    return keccak(value.encode())


def _address(value: str) -> bytes:
    return bytes(12) + bytes.fromhex(value[2:])


def _word(kind: str, value: Any, what: str) -> bytes:
    if kind == "string":
        return _text(value)
    if kind == "string[]":
        return keccak(b"".join(_text(item) for item in value))
    if kind == "address":
        word = _address(value)
        if len(word) != 32:
            raise ValueError(f"{what} is not an address")
        return word
    if kind == "bytes32":
        raw = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
        if len(raw) != 32:
            raise ValueError(f"{what} is not 32 bytes")
        return raw
    if kind == "bool":
        return _BOOLS[bool(value)]
    bits = int(kind.removeprefix("uint"))
    number = int(value)
    if not 0 <= number < 1 << bits:
        raise ValueError(f"{what} does not fit {kind}")
    return number.to_bytes(32, "big")


def sign(digest_: bytes, key: bytes) -> bytes:
    """r ‖ s ‖ v, 65 bytes, of a digest."""
    recoverable = PrivateKey(key).sign_recoverable(digest_, hasher=None)
    return recoverable[:64] + bytes((27 + recoverable[64],))


def recover(digest_: bytes, signature: bytes) -> str:
    """Who signed, checksummed. Raises `SignatureError` for a wrong length, v outside {27, 28}, high s, or no key."""
    if len(signature) != 65:
        raise SignatureError(f"a signature has 65 bytes (r, s, v), this one {len(signature)}")
    parity = _PARITIES.get(signature[64])
    if parity is None:
        raise SignatureError(f"v must be 27 or 28, not {signature[64]}")
    if signature[32:64] > _HALF_ORDER:
        raise SignatureError("s is in the upper half of the order (malleable): sign with low s")
    try:
        public = PublicKey.from_signature_and_message(signature[:64] + parity, digest_, hasher=None)
    except ValueError as error:
        raise SignatureError("no key recovers from this signature") from error
    return addresses.checksum(_keccak_256(public.format(compressed=False)[1:]).digest()[12:])
