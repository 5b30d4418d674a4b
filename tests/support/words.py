# SPDX-License-Identifier: AGPL-3.0-only
"""ABI encoding of the plain cases, many times as fast as eth_abi, which gets all others and whatever is wrong."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import eth_abi.abi


class _OtherError(Exception):
    """Something for eth_abi."""


def encode(kinds: Sequence[str], values: Sequence[Any]) -> bytes:
    """Of whole words, bytes and strings, and of lists of words or of tuples of words."""
    try:
        return _encode(_shapes(tuple(kinds)), values)
    except _OtherError:
        return eth_abi.abi.encode(kinds, values)


def decode(kinds: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """The inverse, without lists."""
    try:
        return tuple(_decode(kind, data, 32 * place) for place, kind in enumerate(kinds))
    except _OtherError:
        return eth_abi.abi.decode(kinds, data)


@lru_cache(maxsize=1_024)
def _shapes(kinds: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each a kind, or "[]" with the kinds of an entry's words."""
    return tuple(_shape(kind) for kind in kinds)


def _shape(kind: str) -> tuple[str, tuple[str, ...]]:
    if not kind.endswith("[]"):
        return kind, ()
    inner = kind[:-2]
    return "[]", tuple(inner[1:-1].split(",")) if inner.startswith("(") else (inner,)


def _encode(shapes: Sequence[tuple[str, tuple[str, ...]]], values: Sequence[Any]) -> bytes:
    if len(shapes) != len(values):
        raise _OtherError
    head, tail = [], b""
    for (kind, entry), value in zip(shapes, values, strict=True):
        if kind == "[]":
            body = len(value).to_bytes(32, "big") + b"".join(_entry(entry, item) for item in value)
        elif kind in ("bytes", "string"):
            raw = value.encode() if kind == "string" else bytes(value)
            body = len(raw).to_bytes(32, "big") + raw + bytes(-len(raw) % 32)
        else:
            head.append(_word(kind, value))
            continue
        head.append((32 * len(shapes) + len(tail)).to_bytes(32, "big"))
        tail += body
    return b"".join(head) + tail


def _entry(kinds: tuple[str, ...], item: Any) -> bytes:
    if len(kinds) == 1:
        return _word(kinds[0], item)
    if len(kinds) != len(item):
        raise _OtherError
    return b"".join(_word(kind, part) for kind, part in zip(kinds, item, strict=True))


def _word(kind: str, value: Any) -> bytes:
    if kind == "address":
        if isinstance(value, str) and len(value) == 42:
            return bytes(12) + bytes.fromhex(value[2:])
    elif kind == "bytes32":
        if isinstance(value, bytes) and len(value) == 32:
            return value
    elif kind == "bool":
        if isinstance(value, bool):
            return value.to_bytes(32, "big")
    elif isinstance(value, int) and not isinstance(value, bool):
        lowest, end = _range(kind)
        if lowest <= value < end:
            return (value % 2**256).to_bytes(32, "big")
    raise _OtherError


@lru_cache(maxsize=128)
def _range(kind: str) -> tuple[int, int]:
    if kind.startswith("uint") and kind[4:].isdigit():
        return 0, 2 ** int(kind[4:])
    if kind.startswith("int") and kind[3:].isdigit():
        return -(2 ** (int(kind[3:]) - 1)), 2 ** (int(kind[3:]) - 1)
    raise _OtherError


def _decode(kind: str, data: bytes, at: int) -> Any:
    word = data[at : at + 32]
    if len(word) != 32:
        raise _OtherError
    if kind == "bytes32":
        return word
    value = int.from_bytes(word, "big")
    if kind == "address":
        if value < 2**160:
            return "0x" + word[12:].hex()
    elif kind == "bool":
        if value < 2:
            return value == 1
    elif kind in ("bytes", "string"):
        length = int.from_bytes(data[value : value + 32], "big")
        raw = data[value + 32 : value + 32 + length]
        if value <= len(data) - 32 and len(raw) == length:
            return raw.decode() if kind == "string" else raw
    else:
        lowest, end = _range(kind)
        signed = value - 2**256 if lowest < 0 and value >= 2**255 else value
        if lowest <= signed < end:
            return signed
    raise _OtherError
