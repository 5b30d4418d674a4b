# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: where a page ended, as an opaque text. It names the order it belongs to, so that another query refuses it."""

from __future__ import annotations

import base64
import binascii

import msgspec

Key = tuple[int | str, ...]


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    order: str
    key: tuple[int | str, ...]


def encode(order: str, key: Key) -> str:
    """The cursor after the row with this key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(order, key))).rstrip(b"=").decode()


def decode(text: str, order: str, kinds: tuple[type, ...]) -> Key:
    """The key that a cursor holds; `kinds` are the types of its parts. Raises `ValueError`."""
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Cursor)
    except (binascii.Error, msgspec.DecodeError, UnicodeError) as error:
        raise ValueError("cursor is no cursor of an answer: leave it out to begin anew") from error
    if found.order != order:
        raise ValueError("cursor belongs to another order of rows: keep sort, order and address as they were")
    if len(found.key) != len(kinds) or not all(map(isinstance, found.key, kinds)):
        raise ValueError("cursor is damaged: leave it out to begin anew")
    if any(isinstance(part, int) and not -(2**63) <= part < 2**63 for part in found.key):
        raise ValueError("cursor is damaged: leave it out to begin anew")
    return found.key
