# SPDX-License-Identifier: Apache-2.0
"""What an oracle is asked, and what the Exchange makes of its answers.

A `PushedOracle` tells every price by an event and has a signer; any other, as the router, says its price only when it
is asked: `price(uint256)` at the block that is of interest.
"""

from __future__ import annotations

from typing import Final

from ouro.eip712 import keccak
from ouro.markets import readable_price

SIGNER_CALL: Final = keccak(b"signer()")[:4]
"""Calldata: a `PushedOracle` answers with an address, others revert."""

_PRICE: Final = keccak(b"price(uint256)")[:4]
_ANSWER: Final = 64


def price_call(market: int) -> bytes:
    """Calldata that asks for a market's price."""
    return _PRICE + market.to_bytes(32)


def price_in(answer: bytes, time_s: int) -> tuple[int, int]:
    """The price in the answer to `price_call`, as the Exchange takes it; a call that reverted has no answer."""
    if len(answer) != _ANSWER:
        return 0, 0
    return readable_price(int.from_bytes(answer[:32]), int.from_bytes(answer[32:]), time_s)
