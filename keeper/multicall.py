# SPDX-License-Identifier: AGPL-3.0-only
"""Many reads of one block in one `eth_call` that needs no contract: a program that is run as if it were being deployed.

It walks over the calls behind its own code, makes each by STATICCALL, and hands all answers back by REVERT, since what
a deployment returns would be bounded like a contract's code. A call that fails does not stop the others.
"""

from collections.abc import Sequence

from keeper.ports import Call

CALLS_AT_ONCE = 250
"""Keeps the program below the 49,152 bytes of EIP-3860 and the gas below what nodes grant an `eth_call`."""

# On the stack: the place p in the code, and the end o of the output. While p is inside the code: load 32 bytes at p,
# which are an address (20), a length (2) and the beginning of the data; copy the data to memory at o; call; write
# success, size and data of the answer at o; move both on. Then revert with what is in memory.
_PROGRAM = bytes.fromhex(
    "604e5f5b81381115604b57602082823980518060501c61ffff169060601c818460160184395f5f8385845afa"
    "835250601601909101903d81602001523d5f826040013e3d016040016003565b5ffd"
)


def encode(calls: Sequence[Call]) -> bytes:
    """The program with its calls."""
    entries = (bytes.fromhex(call.to[2:]) + len(call.data).to_bytes(2, "big") + call.data for call in calls)
    return _PROGRAM + b"".join(entries)


def decode(output: bytes, count: int) -> list[tuple[bool, bytes]]:
    """Success and data of each call. Raises `ValueError` when the output is not that of so many calls."""
    answers = []
    at = 0
    for _ in range(count):
        if at + 64 > len(output):
            raise ValueError(f"{len(output)} bytes do not hold {count} answers")
        succeeded, size = int.from_bytes(output[at : at + 32], "big"), int.from_bytes(output[at + 32 : at + 64], "big")
        at += 64 + size
        answers.append((succeeded == 1, output[at - size : at]))
    if at != len(output):
        raise ValueError(f"{len(output)} bytes are not those of {count} answers")
    return answers
