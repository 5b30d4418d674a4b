# SPDX-License-Identifier: AGPL-3.0-only
"""The contract functions that the bots call, as calldata and back."""

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak


@dataclass(frozen=True)
class Function:
    """A function by its name and the ABI types of its inputs and outputs."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()

    def encode(self, *arguments: Any) -> bytes:
        """Calldata."""
        selector = keccak(text=f"{self.name}({','.join(self.inputs)})")[:4]
        return selector + encode(self.inputs, arguments)

    def decode(self, answer: bytes) -> tuple[Any, ...]:
        """What an answer holds."""
        return tuple(decode(self.outputs, answer))


MARGIN_OF = Function("margin_of", ("address", "uint256"), ("int256", "uint256", "uint256", "bool"))
POSITION = Function("position", ("address", "uint256", "uint256"), ("uint256",))
MARKET = Function("market", ("uint256",), ("string", *("uint256",) * 10))
MARKET_INDICES = Function("market_indices", ("uint256",), ("int256", "int256", "uint256", "int256"))
MARGIN_SCALE = Function("margin_scale", ("uint256",), ("uint256", "uint256"))
OPEN_INTEREST = Function("open_interest", ("uint256",), ("uint256",))
PRICE = Function("price", ("uint256",), ("uint256", "uint256"))
LIQUIDATE = Function("liquidate", ("address", "uint256", "uint256", "uint256", "uint256"))
POKE = Function("poke", ("uint256",))
