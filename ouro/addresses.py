# SPDX-License-Identifier: Apache-2.0
"""Addresses as text: the checksummed form of EIP-55, remembered, since the same ones come by all the time."""

from functools import lru_cache

from sha3 import keccak_256

_HEX = frozenset("0123456789abcdefABCDEF")


@lru_cache(maxsize=1 << 16)
def checksum(raw: bytes) -> str:
    """The checksummed text of 20 bytes."""
    digits = raw.hex()
    mask = keccak_256(digits.encode()).hexdigest()
    return "0x" + "".join(
        digit.upper() if nibble >= "8" else digit for digit, nibble in zip(digits, mask, strict=False)
    )


@lru_cache(maxsize=1 << 16)
def parse(text: str) -> str:
    """The checksummed form of an address as people write it: one case throughout, or a right checksum.

    Raises `ValueError` with what is wrong.
    """
    digits = text[2:]
    if len(text) != 42 or text[:2] != "0x" or not _HEX.issuperset(digits):
        raise ValueError("must be an address: 0x and 40 hex digits")
    checked = checksum(bytes.fromhex(digits))
    if text != checked and digits not in (digits.lower(), digits.upper()):
        raise ValueError("is an address with a wrong checksum: it was mistyped somewhere")
    return checked
