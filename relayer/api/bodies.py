# SPDX-License-Identifier: AGPL-3.0-only
"""Request bodies: JSON to typed values, and everything that can be wrong with them as a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from ouro import addresses, eip712
from relayer.api.errors import ApiError

MAX_BODY_BYTES = 16_384
MAX_BATCH_BODY_BYTES = 262_144
MAX_BATCH_ITEMS = 50
BODY_TIMEOUT_S = 10.0
MAX_LABEL = 64

Message = dict[str, Any]


Whole = int | str
"""A whole number, or its decimal digits as text."""


class Conditions(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What must hold before an order becomes live. Not signed: it binds an honest operator only.

    `not_before` is in milliseconds, `parent` an order id, `arm_price` an index price in micro-USDC per lot.
    """

    not_before: Whole = 0
    parent: str = ""
    oco: str = ""
    arm_price: Whole = 0


class AmendBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True, gc=False):
    """The next revision of an order as it was signed. `expected_filled` is in lots."""

    order: msgspec.Raw
    signature: str
    client_id: str | int | None = None
    expected_filled: Whole | None = None
    immediate: bool = False
    conditions: Conditions | None = None

    @property
    def label(self) -> str:
        """The client id as text."""
        return "" if self.client_id is None else str(self.client_id)


class PlaceBody(AmendBody, forbid_unknown_fields=True, rename="camel", kw_only=True, gc=False):
    """An order as it was signed. `replaces` is the id of the order that it amends."""

    replaces: str = ""


class PlaceBatchBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Orders to place one after the other. Each is read by itself, so that a bad one spoils no other."""

    orders: list[msgspec.Raw]


class CancelBatchBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Cancels to carry out one after the other."""

    cancels: list[msgspec.Raw]


class VerifyBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """An order whose signature is to be looked at."""

    order: msgspec.Raw
    signature: str
    client_id: str | int | None = None


class CancelBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A signed CancelOrder."""

    cancel: Message
    signature: str


class CancelAnyBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A signed CancelOrder, CancelByClientId or CancelAll: one of the three."""

    signature: str
    cancel: Message | None = None
    cancel_by_client_id: Message | None = None
    cancel_all: Message | None = None


class CancelAllBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A signed CancelAll."""

    cancel_all: Message
    signature: str


class CancelAllAfterBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A signed CancelAllAfter."""

    cancel_all_after: Message
    signature: str


class WithdrawalBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A signed Withdrawal."""

    withdrawal: Message
    signature: str


B = TypeVar("B")


async def read_body(request: Request, most: int = MAX_BODY_BYTES) -> bytes:
    """The raw body, at most `most` bytes, within `BODY_TIMEOUT_S`. Raises ApiError 408 or 413."""
    announced = request.headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit()) or len(announced) > 9 or int(announced) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise _too_large(most)
                chunks.append(chunk)
    except TimeoutError:
        raise ApiError(
            408, "slow_body", f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s: send the request again"
        ) from None
    except ClientDisconnect:
        raise ApiError(400, "incomplete_body", "the connection ended before the body did") from None
    return b"".join(chunks)


def decode_items(items: Sequence[msgspec.Raw], name: str) -> Sequence[msgspec.Raw]:
    """The items of a batch, 1 to `MAX_BATCH_ITEMS`. Raises ApiError 400."""
    if not 0 < len(items) <= MAX_BATCH_ITEMS:
        raise ApiError(
            400, "bad_batch", f"{name} holds {len(items)} items: send from 1 to {MAX_BATCH_ITEMS} in a batch", name
        )
    return items


def decode_body(data: bytes, decoder: msgspec.json.Decoder[B], example: str) -> B:
    """The typed body. Raises ApiError 400 that says what is wrong and shows the shape."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid_body", f"the body has another shape than {example}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, "malformed_json", f"the body is not JSON: {error}; send {example}") from None


def read_message(primary_type: str, raw: Mapping[str, Any]) -> Message:
    """A message of an EIP-712 type with every field checked and in the form that is hashed.

    Integers may be numbers or decimal strings; addresses come back checksummed, bytes32 as bytes. Raises ApiError 400.
    """
    fields = {field["name"]: field["type"] for field in eip712.TYPES[primary_type]}
    for name in raw:
        if name not in fields:
            raise ApiError(
                400, "unknown_field", f"{primary_type} has no field {name}: {', '.join(fields)} are its fields", name
            )
    message: Message = {}
    for name, kind in fields.items():
        if name not in raw:
            raise ApiError(
                400, "missing_field", f"{primary_type} lacks the field {name} ({kind}): add and sign it", name
            )
        message[name] = _value(name, kind, raw[name])
    return message


def read_label(name: str, text: str) -> str:
    """A name that a client chose: up to `MAX_LABEL` printable characters. Raises ApiError 400."""
    if len(text) > MAX_LABEL or not text.isprintable():
        code = "bad_client_id" if name == "clientId" else "invalid_field"
        raise ApiError(400, code, f"{name} must be at most {MAX_LABEL} printable characters", name)
    return text


def signature_bytes(text: str) -> bytes:
    """65 bytes. Raises ApiError 401."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 65:
        raise ApiError(
            401,
            "bad_signature",
            "the signature must be 65 bytes in hex (0x, r, s, v): send it as the wallet gave it",
            "signature",
        )
    return raw


def _value(name: str, kind: str, value: Any) -> Any:
    if kind == "address":
        return _address(name, value)
    if kind == "bytes32":
        return read_bytes32(name, value)
    if kind == "string":
        return read_label(name, value if isinstance(value, str) else " " * (MAX_LABEL + 1))
    return read_uint(name, int(kind.removeprefix("uint")), value)


def read_uint(name: str, bits: int, value: Any) -> int:
    """A whole number from 0, given as a number or as digits. Raises ApiError 400."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 78:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
        raise ApiError(400, "invalid_field", f"{name} must be a whole number from 0 to {(1 << bits) - 1}", name)
    return value


def _address(name: str, value: Any) -> str:
    try:
        return addresses.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ApiError(400, "invalid_field", f"{name} {error}", name) from None


def read_bytes32(name: str, value: Any) -> bytes:
    """32 bytes from hex with 0x. Raises ApiError 400."""
    if not isinstance(value, str) or len(value) != 66 or not value.startswith("0x") or not _is_hex(value[2:]):
        raise ApiError(400, "invalid_field", f"{name} must be 32 bytes: 0x and 64 hex digits", name)
    return bytes.fromhex(value[2:])


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789abcdefABCDEF" for letter in text)


def _too_large(most: int) -> ApiError:
    return ApiError(
        413,
        "body_too_large",
        f"the body is larger than {most} bytes: send less in one request, with its Content-Length",
    )
