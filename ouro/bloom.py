# SPDX-License-Identifier: Apache-2.0
"""The bloom filter in a block's header (Ethereum yellow paper, 4.3.1): whether an address or topic may be in its logs.

A filter is a number of 2,048 bits. What it does not hold is certainly not there.
"""

from __future__ import annotations

from typing import Final

from ouro.eip712 import keccak

SIZE: Final = 2_048
_MOST_KNOWN: Final = 65_536
_known: dict[bytes, int] = {}


def bits(item: bytes) -> int:
    """The three bits that an address (20 bytes) or a topic (32) sets."""
    found = _known.get(item)
    if found is None:
        digest = keccak(item)
        found = 0
        for at in (0, 2, 4):
            found |= 1 << int.from_bytes(digest[at : at + 2]) % SIZE
        if len(_known) > _MOST_KNOWN:
            _known.clear()
        _known[item] = found
    return found


def may_hold(filled: int, address: str) -> bool:
    """Whether logs of a contract may be in a block with this filter."""
    return bits(bytes.fromhex(address[2:])) & ~filled == 0
