# SPDX-License-Identifier: AGPL-3.0-only
"""The contract functions that the bots call, as calldata and back."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from keeper.ports import ChainError

_WORDS = frozenset({"address", "uint256", "int256", "bool"})
"""Types of one word. Written out below, since a round reads thousands of them."""
_WRAP = 1 << 256


def _word(kind: str, value: Any) -> bytes:
    if kind == "address":
        return bytes(12) + bytes.fromhex(str(value)[2:])
    return (int(value) % _WRAP).to_bytes(32, "big")


def _value(kind: str, word: bytes) -> Any:
    number = int.from_bytes(word, "big")
    if kind == "int256":
        return number - _WRAP if number >> 255 else number
    if kind == "address":
        return "0x" + word[12:].hex()
    return number == 1 if kind == "bool" else number


@dataclass(frozen=True)
class Function:
    """A function by its name and the ABI types of its inputs and outputs."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()

    @cached_property
    def selector(self) -> bytes:
        """The first four bytes of calldata."""
        return keccak(text=f"{self.name}({','.join(self.inputs)})")[:4]

    def encode(self, *arguments: Any) -> bytes:
        """Calldata."""
        if _WORDS.issuperset(self.inputs) and len(arguments) == len(self.inputs):
            return self.selector + b"".join(map(_word, self.inputs, arguments))
        return self.selector + encode(self.inputs, arguments)

    def decode(self, answer: bytes) -> tuple[Any, ...]:
        """What an answer holds. Raises `ChainError` when that is not what the function answers."""
        if _WORDS.issuperset(self.outputs) and len(answer) == 32 * len(self.outputs):
            return tuple(_value(kind, answer[32 * at : 32 * at + 32]) for at, kind in enumerate(self.outputs))
        try:
            return tuple(decode(self.outputs, answer))
        except DecodingError as error:
            raise ChainError(f"there is no {self.name} at that address: {len(answer)} bytes came back") from error


MARGIN_OF = Function("margin_of", ("address", "uint256"), ("int256", "uint256", "uint256", "bool"))
POSITION = Function("position", ("address", "uint256", "uint256"), ("uint256",))
SLOT = Function("slot", ("address", "uint256"), ("uint256",))
MARKET = Function("market", ("uint256",), ("string", *("uint256",) * 10))
MARKET_INDICES = Function("market_indices", ("uint256",), ("int256", "int256", "uint256", "int256"))
MARGIN_SCALE = Function("margin_scale", ("uint256",), ("uint256", "uint256"))
OPEN_INTEREST = Function("open_interest", ("uint256",), ("uint256",))
INSURANCE = Function("insurance", (), ("uint256",))
CASH = Function("cash", ("address", "uint256"), ("int256",))
LAST_BATCH = Function("last_batch", (), ("uint256",))
ORACLE = Function("oracle", (), ("address",))
VAULT = Function("vault", (), ("address",))
TOKEN = Function("token", (), ("address",))
SETTLE_WINDOW = Function("SETTLE_WINDOW", (), ("uint256",))
WITHDRAWAL_DELAY = Function("withdrawal_delay", (), ("uint256",))
PRICE = Function("price", ("uint256",), ("uint256", "uint256"))

SIGNER = Function("signer", (), ("address",))
PYTH = Function("pyth", (), ("address",))
SOURCES_OF = Function(
    "sources_of", ("uint256",), ("uint256", "uint256", "uint256", "(address,bytes32,uint256)[]", "bool[]")
)
READINGS = Function("readings", ("uint256",), ("(uint256,uint256)[]",))
UPDATE_FEE = Function("update_fee", ("bytes[]",), ("uint256",))

LIQUIDATE = Function("liquidate", ("address", "uint256", "uint256", "uint256", "uint256"))
POKE = Function("poke", ("uint256",))
_HAND_OVER = ("address", "uint256", "uint256", "uint256[]", "uint256[]")
DELEVERAGE = Function("deleverage", _HAND_OVER)
EXECUTE_CLOSE = Function("execute_close", _HAND_OVER)
FIX_SETTLEMENT = Function("fix_settlement", ("uint256",))
SETTLE_POSITIONS = Function("settle_positions", ("uint256", "uint256[]"))
COVER_DEBT = Function("cover_debt", ("address", "uint256"))
BEGIN_SETTLING = Function("begin_settling", ("uint256",))
UPDATE = Function("update", ("bytes[]",))
PUSH = Function("push", ("(uint256,uint256,uint256,uint256,uint256)[]",))
