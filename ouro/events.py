# SPDX-License-Identifier: Apache-2.0
"""The contracts' events as frozen values, decoded from raw JSON-RPC logs (protocol, section 9).

`bytes32` fields are bytes, addresses checksummed strings. Packed words are unpacked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address

from ouro.codec import FillDetail, PositionWord, unpack_detail, unpack_position
from ouro.eip712 import keccak


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where a log stands in the chain. Hashes are 0x-hex."""

    block_number: int
    block_hash: str
    transaction_hash: str
    log_index: int
    address: str
    block_time: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events."""

    where: LogPosition


@dataclass(frozen=True, slots=True)
class BatchSettled(Event):
    operator: str
    prev: bytes
    next: bytes
    settled: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Fill(Event):
    taker: str
    maker: str
    detail: FillDetail
    taker_order: bytes
    maker_order: bytes
    taker_position: PositionWord
    maker_position: PositionWord


@dataclass(frozen=True, slots=True)
class FillRejected(Event):
    fill_id: int
    order_id: bytes
    fault_class: int
    reason: str


@dataclass(frozen=True, slots=True)
class PositionClosed(Event):
    account: str
    subaccount: int
    market: int
    realised: int
    cash: int


@dataclass(frozen=True, slots=True)
class FundingAccrued(Event):
    market: int
    g_long: int
    g_short: int
    rate: int
    index_price: int
    at: int


@dataclass(frozen=True, slots=True)
class Credited(Event):
    account: str
    subaccount: int
    amount: int
    cash: int


@dataclass(frozen=True, slots=True)
class Debited(Event):
    account: str
    subaccount: int
    amount: int
    cash: int


@dataclass(frozen=True, slots=True)
class SlotCancelled(Event):
    signer: str
    slot: int
    stamp: int
    effective_at: int


@dataclass(frozen=True, slots=True)
class AllCancelled(Event):
    account: str
    subaccount: int
    stamp: int
    effective_at: int


@dataclass(frozen=True, slots=True)
class Liquidated(Event):
    account: str
    liquidator: str
    subaccount: int
    liquidator_subaccount: int
    market: int
    size: int
    price: int
    insurance_fee: int
    covered: int
    position: PositionWord
    liquidator_position: PositionWord


@dataclass(frozen=True, slots=True)
class InsuranceChanged(Event):
    delta: int
    balance: int


@dataclass(frozen=True, slots=True)
class LossSpread(Event):
    market: int
    longs: bool
    per_lot_scaled: int
    g: int


@dataclass(frozen=True, slots=True)
class FeesCollected(Event):
    amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class FeesWithdrawn(Event):
    account: str
    subaccount: int
    amount: int


@dataclass(frozen=True, slots=True)
class MarketListed(Event):
    market: int
    ticker: str
    size_decimals: int
    price_decimals: int
    tick: int


@dataclass(frozen=True, slots=True)
class MarketChanged(Event):
    market: int
    imf: int
    mmf: int
    band: int
    tick: int
    max_open_interest: int
    max_price_age: int
    liquidation_floor: int
    state: int


@dataclass(frozen=True, slots=True)
class OperatorSet(Event):
    operator: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class GuardianSet(Event):
    guardian: str


@dataclass(frozen=True, slots=True)
class OracleSet(Event):
    oracle: str


@dataclass(frozen=True, slots=True)
class Deposited(Event):
    account: str
    subaccount: int
    amount: int
    payer: str


@dataclass(frozen=True, slots=True)
class WithdrawalRequested(Event):
    id: int
    account: str
    subaccount: int
    amount: int
    to: str
    ready_at: int


@dataclass(frozen=True, slots=True)
class WithdrawalCancelled(Event):
    id: int
    account: str


@dataclass(frozen=True, slots=True)
class Withdrawn(Event):
    account: str
    subaccount: int
    amount: int
    to: str
    id_or_nonce: int
    instant: bool


@dataclass(frozen=True, slots=True)
class CosignerSet(Event):
    cosigner: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class PricePushed(Event):
    market: int
    price: int
    published_at: int


SIGNATURES: Final[dict[type[Event], str]] = {
    BatchSettled: "address indexed operator,bytes32 prev,bytes32 next,uint256 settled,uint256 rejected",
    Fill: (
        "address indexed taker,address indexed maker,uint256 detail,bytes32 taker_order,bytes32 maker_order,"
        "uint256 taker_position,uint256 maker_position"
    ),
    FillRejected: "uint256 indexed fill_id,bytes32 indexed order_id,uint256 fault_class,string reason",
    PositionClosed: "address indexed account,uint256 subaccount,uint256 indexed market,int256 realised,int256 cash",
    FundingAccrued: ("uint256 indexed market,int256 g_long,int256 g_short,int256 rate,uint256 index_price,uint256 at"),
    Credited: "address indexed account,uint256 subaccount,uint256 amount,int256 cash",
    Debited: "address indexed account,uint256 subaccount,uint256 amount,int256 cash",
    SlotCancelled: "address indexed signer,uint256 slot,uint256 stamp,uint256 effective_at",
    AllCancelled: "address indexed account,uint256 subaccount,uint256 stamp,uint256 effective_at",
    Liquidated: (
        "address indexed account,address indexed liquidator,uint256 subaccount,uint256 liquidator_subaccount,"
        "uint256 market,int256 size,uint256 price,uint256 insurance_fee,uint256 covered,uint256 position,"
        "uint256 liquidator_position"
    ),
    InsuranceChanged: "int256 delta,uint256 balance",
    LossSpread: "uint256 indexed market,bool longs,uint256 per_lot_scaled,int256 g",
    FeesCollected: "int256 amount,uint256 balance",
    FeesWithdrawn: "address indexed account,uint256 subaccount,uint256 amount",
    MarketListed: ("uint256 indexed market,string ticker,uint256 size_decimals,uint256 price_decimals,uint256 tick"),
    MarketChanged: (
        "uint256 indexed market,uint256 imf,uint256 mmf,uint256 band,uint256 tick,uint256 max_open_interest,"
        "uint256 max_price_age,uint256 liquidation_floor,uint256 state"
    ),
    OperatorSet: "address indexed operator,bool allowed",
    GuardianSet: "address indexed guardian",
    OracleSet: "address indexed oracle",
    Deposited: "address indexed account,uint256 subaccount,uint256 amount,address indexed payer",
    WithdrawalRequested: (
        "uint256 indexed id,address indexed account,uint256 subaccount,uint256 amount,address to,uint256 ready_at"
    ),
    WithdrawalCancelled: "uint256 indexed id,address indexed account",
    Withdrawn: (
        "address indexed account,uint256 subaccount,uint256 amount,address indexed to,uint256 id_or_nonce,bool instant"
    ),
    CosignerSet: "address indexed cosigner,bool allowed",
    PricePushed: "uint256 indexed market,uint256 price,uint256 published_at",
}

_WORDS: Final[dict[str, Callable[[int], Any]]] = {
    "detail": unpack_detail,
    "taker_position": unpack_position,
    "maker_position": unpack_position,
    "position": unpack_position,
    "liquidator_position": unpack_position,
}


def _signed(word: int) -> int:
    return word - (1 << 256) if word >> 255 else word


_FROM_WORD: Final[dict[str, Callable[[bytes], Any]]] = {
    "uint256": lambda word: int.from_bytes(word, "big"),
    "int256": lambda word: _signed(int.from_bytes(word, "big")),
    "bool": lambda word: word[-1] == 1,
    "bytes32": bytes,
    "address": lambda word: _checksum(word[12:]),
}


@lru_cache(maxsize=65_536)
def _checksum(raw: bytes) -> str:
    return str(to_checksum_address(raw))


class _Decoder:
    """Reads one kind of event. Only strings need more than slicing words."""

    def __init__(self, kind: type[Event], signature: str) -> None:
        self.kind = kind
        fields = [field.split(" ") for field in signature.split(",")]
        self.indexed = [(field[0], field[2]) for field in fields if len(field) == 3]
        self.plain = [(field[0], field[1]) for field in fields if len(field) == 2]
        self.is_static = all(kind_ != "string" for kind_, _ in self.plain)
        self.topic = keccak(f"{kind.__name__}({','.join(field[0] for field in fields)})".encode())

    def __call__(self, where: LogPosition, topics: list[bytes], data: bytes) -> Event:
        if len(topics) != len(self.indexed) + 1:
            raise ValueError(f"{self.kind.__name__} with {len(topics)} topics")
        values: dict[str, Any] = {
            name: _FROM_WORD[kind](topic) for (kind, name), topic in zip(self.indexed, topics[1:], strict=True)
        }
        if self.is_static:
            if len(data) != 32 * len(self.plain):
                raise ValueError(f"{self.kind.__name__} with {len(data)} bytes of data")
            for place, (kind, name) in enumerate(self.plain):
                values[name] = _FROM_WORD[kind](data[32 * place : 32 * place + 32])
        else:
            decoded = decode([kind for kind, _ in self.plain], data)
            values.update(zip((name for _, name in self.plain), decoded, strict=True))
        for name in values.keys() & _WORDS.keys():
            values[name] = _WORDS[name](values[name])
        return self.kind(where=where, **values)


_DECODERS: Final = {
    decoder.topic: decoder for decoder in (_Decoder(kind, signature) for kind, signature in SIGNATURES.items())
}


def topics() -> list[str]:
    """The first topic of every event, 0x-hex: what to ask a node for."""
    return ["0x" + topic.hex() for topic in _DECODERS]


def decode_log(log: Mapping[str, Any]) -> Event | None:
    """The event of a JSON-RPC log (hex strings); None when it is none of ours. Raises `ValueError` for a damaged one.

    The address is not judged: ask the node only for contracts of the deployment.
    """
    raw_topics = log["topics"]
    if not raw_topics:
        return None
    found = [bytes.fromhex(topic[2:]) for topic in raw_topics]
    decoder = _DECODERS.get(found[0])
    if decoder is None:
        return None
    stamp = log.get("blockTimestamp")
    where = LogPosition(
        block_number=int(log["blockNumber"], 16),
        block_hash=log["blockHash"],
        transaction_hash=log["transactionHash"],
        log_index=int(log["logIndex"], 16),
        address=_checksum(bytes.fromhex(log["address"][2:])),
        block_time=int(stamp, 16) if isinstance(stamp, str) else None,
    )
    return decoder(where, found, bytes.fromhex(log["data"][2:]))
