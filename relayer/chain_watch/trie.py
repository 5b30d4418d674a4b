# SPDX-License-Identifier: AGPL-3.0-only
"""Ethereum's encoding (RLP), and the root of the trie that a block header has of its receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ouro.eip712 import keccak

Item: TypeAlias = "bytes | Sequence[Item]"


def rlp(item: Item) -> bytes:
    """Bytes or lists of such in Ethereum's encoding."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _length(len(item), 0x80) + item
    payload = b"".join(rlp(each) for each in item)
    return _length(len(payload), 0xC0) + payload


def number(value: int) -> bytes:
    """A number as RLP has it: big-endian without leading zeros, 0 as nothing."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def root_of(values: Sequence[bytes]) -> bytes:
    """The root of the trie that maps each place, encoded, to its value."""
    if not values:
        return keccak(rlp(b""))
    pairs = sorted((_nibbles(rlp(number(place))), value) for place, value in enumerate(values))
    return keccak(rlp(_node(pairs, 0)))


def _node(pairs: Sequence[tuple[bytes, bytes]], depth: int) -> Item:
    """The node of keys that agree up to `depth`; no key is the beginning of another one."""
    first = pairs[0][0]
    if len(pairs) == 1:
        return [_packed(first[depth:], is_leaf=True), pairs[0][1]]
    last = pairs[-1][0]
    shared = depth
    while first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return [_packed(first[depth:shared], is_leaf=False), _reference(_node(pairs, shared))]
    children = [[pair for pair in pairs if pair[0][depth] == nibble] for nibble in range(16)]
    return [*(_reference(_node(child, depth + 1)) if child else b"" for child in children), b""]


def _reference(node: Item) -> Item:
    """A node within another one: itself when it is short, else its hash."""
    encoded = rlp(node)
    return node if len(encoded) < 32 else keccak(encoded)


def _packed(nibbles: bytes, *, is_leaf: bool) -> bytes:
    flag = 2 if is_leaf else 0
    whole = bytes((flag + 1,)) + nibbles if len(nibbles) % 2 else bytes((flag, 0)) + nibbles
    return bytes(whole[at] << 4 | whole[at + 1] for at in range(0, len(whole), 2))


def _nibbles(key: bytes) -> bytes:
    return bytes(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _length(length: int, kind: int) -> bytes:
    if length < 56:
        return bytes((kind + length,))
    digits = number(length)
    return bytes((kind + 55 + len(digits),)) + digits
