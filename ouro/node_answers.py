# SPDX-License-Identifier: Apache-2.0
"""What a node answers over JSON-RPC, read strictly: a proxy before it may say anything at all.

Readers take decoded JSON and raise `NonsenseError` with what was wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

MOST: Final = 2**63 - 1
"""No block number, time, nonce or amount of gas is larger."""
MOST_WEI: Final = 2**128


class NonsenseError(ValueError):
    """An answer that cannot be true."""


class _RawLog(msgspec.Struct, rename="camel", gc=False):
    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    log_index: str


def quantity(value: Any, most: int = MOST) -> int:
    """A hex quantity from 0 to `most`."""
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 66:
        raise NonsenseError(f"{brief(value)} is no quantity")
    try:
        number = int(value, 16)
    except ValueError:
        raise NonsenseError(f"{brief(value)} is no quantity") from None
    if not 0 <= number <= most:
        raise NonsenseError(f"{brief(value)} is too large")
    return number


def hex_bytes(value: Any, length: int | None = None) -> bytes:
    """Hex bytes, of a length if one is given."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise NonsenseError(f"{brief(value)} is no hex string")
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError:
        raise NonsenseError(f"{brief(value)} is no hex string") from None
    if length is not None and len(raw) != length:
        raise NonsenseError(f"{brief(value)} has {len(raw)} bytes, not {length}")
    return raw


def mapping(value: Any) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise NonsenseError(f"{brief(value)} is no object")
    return value


def items(value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise NonsenseError(f"{brief(value)} is no list")
    return value


def raw_logs(value: Any) -> list[dict[str, Any]]:
    """Logs whose fields have the right types; what they say is for who decodes them."""
    logs = items(value)
    # One by one: kept until the end, so many objects would make Python's garbage collection look at them all.
    for log in logs:
        try:
            msgspec.convert(log, _RawLog)
        except msgspec.ValidationError as error:
            raise NonsenseError(f"{brief(log)} is no log: {error}") from None
    return logs


def in_order(answers: Any, methods: Sequence[str]) -> list[dict[str, Any]]:
    """The answers to a batch whose requests were numbered from 0, in the order of the requests, each with an object as
    `error` or a `result`.
    """
    found: dict[int, dict[str, Any]] = {}
    for answer in items(answers):
        number, error = mapping(answer).get("id"), answer.get("error")
        if type(number) is int and isinstance(error, dict):
            found[number] = {"error": error}
        # Some nodes send `"error": null` with what went well.
        elif type(number) is int and error is None and "result" in answer:
            found[number] = {"result": answer["result"]}
    for number, method in enumerate(methods):
        if number not in found:
            raise NonsenseError(f"the answer to {method} was left out")
    return [found[number] for number in range(len(methods))]


def brief(value: Any) -> str:
    """A value in an error."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
