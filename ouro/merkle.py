# SPDX-License-Identifier: Apache-2.0
"""Merkle trees over the records of one journal group, in the shape of RFC 6962, and the chain of heads above them.

A leaf is sha256(0x00 || record), a node sha256(0x01 || left || right); a node without a partner moves up as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf(record: bytes) -> bytes:
    """The leaf of one record."""
    return sha256(_LEAF + record).digest()


def next_head(head: bytes, first_seq: int, count: int, root: bytes, state_hash: bytes) -> bytes:
    """The head after a group: sha256(head || first_seq u64 || count u32 || root || state_hash), numbers big-endian."""
    return sha256(head + first_seq.to_bytes(8, "big") + count.to_bytes(4, "big") + root + state_hash).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes. Raises ValueError when there are none."""
    level = list(leaves)
    if not level:
        raise ValueError("a tree needs a leaf")
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings from the leaf at `index` (from 0) up to the root. Raises ValueError for an index outside."""
    return Tree(leaves).path(index)


class Tree:
    """All levels of a tree, for several paths out of one group."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """`leaves` are leaf hashes; raises ValueError when there are none."""
        if not leaves:
            raise ValueError("a tree needs a leaf")
        levels: list[Sequence[bytes]] = [leaves]
        while len(levels[-1]) > 1:
            levels.append(_above(levels[-1]))
        self._levels = levels

    @property
    def root(self) -> bytes:
        """The hash over everything."""
        return self._levels[-1][0]

    def path(self, index: int) -> tuple[bytes, ...]:
        """The siblings from the leaf at `index` up to the root. Raises ValueError for an index outside."""
        if not 0 <= index < len(self._levels[0]):
            raise ValueError(f"leaf {index} is not among {len(self._levels[0])}")
        siblings: list[bytes] = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                siblings.append(level[sibling])
            index >>= 1
        return tuple(siblings)


def root_of_path(leaf_hash: bytes, index: int, count: int, siblings: Sequence[bytes]) -> bytes:
    """The root that a leaf at `index` of `count` leads to. Raises ValueError for a path of the wrong length."""
    if not 0 <= index < count:
        raise ValueError(f"leaf {index} is not among {count}")
    node, last, used = leaf_hash, count - 1, 0
    while last:
        # The last node of an odd level has no partner and moves up.
        if index ^ 1 <= last:
            if used == len(siblings):
                raise ValueError("the path is too short for its tree")
            sibling = siblings[used]
            used += 1
            node = sha256(_NODE + (sibling + node if index & 1 else node + sibling)).digest()
        index >>= 1
        last >>= 1
    if used != len(siblings):
        raise ValueError("the path is too long for its tree")
    return node


def _above(level: Sequence[bytes]) -> list[bytes]:
    paired = [sha256(_NODE + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        paired.append(level[-1])
    return paired
