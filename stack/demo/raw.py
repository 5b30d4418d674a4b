# SPDX-License-Identifier: AGPL-3.0-only
"""The chain as raw calls and logs, for the audit: selectors by keccak, words by eth_abi, layouts from docs/protocol.md.

Nothing here comes from `ouro`: the audit must not share a mistake with what it audits. Addresses are lower-case hex.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

Request = Callable[..., Any]
"""Sends one JSON-RPC request, `(method, *params)`, and returns its result."""

SIGNATURES = """
    BatchSettled(address indexed operator, bytes32 prev, bytes32 next, uint256 settled, uint256 rejected, int256 fees)
    Fill(address indexed taker, address indexed maker, uint256 detail, bytes32 taker_order, bytes32 maker_order, uint256 taker_position, uint256 maker_position)
    FillRejected(uint256 indexed fill_id, bytes32 indexed order_id, uint256 fault_class, string reason)
    PositionClosed(address indexed account, uint256 subaccount, uint256 indexed market, int256 realised, int256 cash)
    FundingAccrued(uint256 indexed market, int256 g_long, int256 g_short, int256 rate, uint256 index_price, uint256 at)
    Credited(address indexed account, uint256 subaccount, uint256 amount, int256 cash)
    Debited(address indexed account, uint256 subaccount, uint256 amount, int256 cash)
    Liquidated(address indexed account, address indexed liquidator, uint256 subaccount, uint256 liquidator_subaccount, uint256 market, int256 size, uint256 price, uint256 insurance_fee, uint256 covered, uint256 position, uint256 liquidator_position)
    InsuranceChanged(int256 delta, uint256 balance)
    BackstopSet(address indexed backstop)
    BackstopChanged(int256 delta, int256 cash)
    LossSpread(uint256 indexed market, bool longs, uint256 per_lot_scaled, int256 g)
    FeesWithdrawn(address indexed account, uint256 subaccount, uint256 amount)
    Deposited(address indexed account, uint256 subaccount, uint256 amount, address indexed payer)
    Donated(address indexed payer, uint256 amount)
    Withdrawn(address indexed account, uint256 subaccount, uint256 amount, address indexed to, uint256 id_or_nonce, bool instant)
    Transfer(address indexed sender, address indexed receiver, uint256 value)
"""  # noqa: E501  one event a line, as in the protocol's text


@dataclass(frozen=True)
class Event:
    """One decoded log. `at` orders events over the whole chain: block number and index of the log in it; `time` is the
    block's.
    """

    name: str
    emitter: str
    transaction: str
    at: tuple[int, int]
    args: dict[str, Any]
    time: int = 0


@dataclass(frozen=True)
class _Shape:
    name: str
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]


def _shapes() -> dict[str, _Shape]:
    """Event shapes by topic."""
    found = {}
    for line in filter(None, map(str.strip, SIGNATURES.splitlines())):
        name, inner = line[:-1].split("(")
        fields = [field.split() for field in inner.split(", ")]
        topic = keccak(text=f"{name}({','.join(field[0] for field in fields)})").hex()
        indexed = tuple((field[0], field[-1]) for field in fields if "indexed" in field)
        plain = tuple((field[0], field[-1]) for field in fields if "indexed" not in field)
        found["0x" + topic] = _Shape(name, indexed, plain)
    return found


SHAPES = _shapes()


def decode_log(log: dict[str, Any]) -> Event | None:
    """A raw log as an event, None for one that the audit has no use for."""
    shape = SHAPES.get(log["topics"][0]) if log["topics"] else None
    if shape is None or len(log["topics"]) != len(shape.indexed) + 1:
        return None
    args = {
        name: decode([kind], bytes.fromhex(topic[2:]))[0]
        for (kind, name), topic in zip(shape.indexed, log["topics"][1:], strict=True)
    }
    values = decode([kind for kind, _ in shape.plain], bytes.fromhex(log["data"][2:]))
    args |= {name: value for (_, name), value in zip(shape.plain, values, strict=True)}
    for name, value in args.items():
        if isinstance(value, bytes):
            args[name] = "0x" + value.hex()
        elif isinstance(value, str) and value.startswith("0x"):
            args[name] = value.lower()
    at = (int(log["blockNumber"], 16), int(log["logIndex"], 16))
    return Event(shape.name, log["address"].lower(), log["transactionHash"], at, args)


def signed(value: int, bits: int) -> int:
    """The low `bits` of a word as a signed number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


@dataclass(frozen=True)
class Detail:
    """The `detail` word of a fill."""

    fill_id: int
    price: int
    size: int
    market: int
    taker_subaccount: int
    maker_subaccount: int
    taker_fee_ppm: int
    maker_fee_ppm: int
    taker_sold: bool


def unpack_detail(word: int) -> Detail:
    """Fields of a `detail` word."""
    return Detail(
        fill_id=word >> 192,
        price=word >> 144 & 2**48 - 1,
        size=word >> 96 & 2**48 - 1,
        market=word >> 80 & 2**16 - 1,
        taker_subaccount=word >> 64 & 2**16 - 1,
        maker_subaccount=word >> 48 & 2**16 - 1,
        taker_fee_ppm=signed(word >> 32, 16),
        maker_fee_ppm=signed(word >> 16, 16),
        taker_sold=bool(word & 1),
    )


def unpack_position(word: int) -> tuple[int, int]:
    """Signed lots and normalised quote of a position's word."""
    return signed(word >> 192, 64), signed(word >> 64, 128)


class RawChain:
    """Reads on the state after one block."""

    def __init__(self, request: Request, block: int) -> None:
        self.block = block
        self._request = request

    def call(self, to: str, signature: str, outputs: Sequence[str], *arguments: Any) -> tuple[Any, ...]:
        """An `eth_call` of the function with that signature, such as `balanceOf(address)`."""
        types = [kind for kind in signature[signature.index("(") + 1 : -1].split(",") if kind]
        data = keccak(text=signature)[:4] + encode(types, arguments)
        answer = self._request("eth_call", {"to": to, "data": "0x" + data.hex()}, hex(self.block))
        return decode(outputs, bytes.fromhex(answer[2:]))

    def number(self, to: str, signature: str, *arguments: Any, kind: str = "uint256") -> int:
        """An `eth_call` that answers one number."""
        [value] = self.call(to, signature, [kind], *arguments)
        return int(value)

    def events(self, emitters: Sequence[str], first: int) -> list[Event]:
        """Every event of the contracts from block `first` on, in order."""
        query = {"address": list(emitters), "fromBlock": hex(first), "toBlock": hex(self.block)}
        found = [event for event in map(decode_log, self._request("eth_getLogs", query)) if event is not None]
        times = {number: self._time(number) for number in {event.at[0] for event in found}}
        return sorted((replace(event, time=times[event.at[0]]) for event in found), key=lambda event: event.at)

    def _time(self, number: int) -> int:
        return int(self._request("eth_getBlockByNumber", hex(number), False)["timestamp"], 16)
