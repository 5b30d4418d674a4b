# SPDX-License-Identifier: AGPL-3.0-only
"""msgpack with integers of any width: those beyond 64 bits become an extension, all else is as it always is."""

from __future__ import annotations

from typing import Any

import msgspec

_WIDE = 1
_encoder = msgspec.msgpack.Encoder()


def encode(value: object) -> bytes:
    """The one form of a value made of lists, tuples, numbers, text and bytes."""
    try:
        return _encoder.encode(value)
    except OverflowError:
        return _encoder.encode(_plain(value))


def decode(data: bytes | msgspec.Raw) -> Any:
    """The value again; tuples come back as lists. Raises msgspec.DecodeError."""
    return _decoder.decode(data)


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if -(2**63) <= value < 2**64:
            return value
        return msgspec.msgpack.Ext(_WIDE, value.to_bytes(value.bit_length() // 8 + 1, signed=True))
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _extended(code: int, data: memoryview) -> int:
    if code != _WIDE:
        raise ValueError(f"no extension has the code {code}")
    return int.from_bytes(data, signed=True)


_decoder = msgspec.msgpack.Decoder(ext_hook=_extended)
