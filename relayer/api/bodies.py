# SPDX-License-Identifier: AGPL-3.0-only
"""Request bodies: JSON to typed values, and everything that can be wrong with them as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from ouro import addresses, eip712
from relayer.api.errors import ApiError

MAX_BODY_BYTES = 16_384

Message = dict[str, Any]


class PlaceBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """An order as it was signed."""

    order: Message
    signature: str
    client_id: str | int | None = None

    @property
    def label(self) -> str:
        """The client id as text."""
        return "" if self.client_id is None else str(self.client_id)


class VerifyBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """An order whose signature is to be looked at."""

    order: Message
    signature: str
    client_id: str | int | None = None


class CancelBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A signed CancelOrder."""

    cancel: Message
    signature: str


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


async def read_body(request: Request) -> bytes:
    """The raw body, at most `MAX_BODY_BYTES`. Raises ApiError 413."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > MAX_BODY_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


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
        return _bytes32(name, value)
    if kind == "string":
        if not isinstance(value, str) or len(value) > 64:
            raise ApiError(400, "invalid_field", f"{name} must be a short text", name)
        return value
    return _uint(name, int(kind.removeprefix("uint")), value)


def _uint(name: str, bits: int, value: Any) -> int:
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


def _bytes32(name: str, value: Any) -> bytes:
    if not isinstance(value, str) or len(value) != 66 or not value.startswith("0x") or not _is_hex(value[2:]):
        raise ApiError(400, "invalid_field", f"{name} must be 32 bytes: 0x and 64 hex digits", name)
    return bytes.fromhex(value[2:])


def _is_hex(text: str) -> bool:
    return all(letter in "0123456789abcdefABCDEF" for letter in text)


def _too_large() -> ApiError:
    return ApiError(
        413, "body_too_large", f"the body is larger than {MAX_BODY_BYTES} bytes: send one command per request"
    )
