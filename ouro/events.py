# SPDX-License-Identifier: Apache-2.0
"""Events of the Exchange, the Vault and the PushedOracle (docs/protocol.md, section 9), decoded from raw logs.

One frozen struct per event, its fields named and ordered as in the contract. Addresses are checksummed text, `bytes32`
is `bytes`, packed words come unpacked. `decode_log` takes a log as `eth_getLogs` answers it, or as web3 gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ouro import addresses
from ouro.codec import (
    FeeTier,
    FillDetail,
    PositionWord,
    unpack_detail,
    unpack_key_markets,
    unpack_position,
    unpack_tier,
)
from ouro.eip712 import keccak
from ouro.errors import OuroError


class LogError(OuroError, ValueError):
    """A log of one of our events that is not formed as one."""


class LogPosition(msgspec.Struct, frozen=True):
    """Where a log stands. Hashes are 0x hex; `block_time` (s) is None when the node does not tell."""

    block_number: int
    block_hash: str
    transaction_hash: str
    log_index: int
    address: str
    block_time: int | None = None


class Event(msgspec.Struct, frozen=True):
    """What happened, and where."""

    where: LogPosition


# Exchange


class BatchSettled(Event, frozen=True):
    operator: str
    prev: bytes
    next: bytes
    settled: int
    rejected: int
    fees: int


class Fill(Event, frozen=True):
    """Positions are those after the fill; of a closed one `q` is what has not yet moved to cash."""

    taker: str
    maker: str
    detail: FillDetail
    taker_order: bytes
    maker_order: bytes
    taker_position: PositionWord
    maker_position: PositionWord


class FillRejected(Event, frozen=True):
    """`order_id` is 32 zero bytes when nobody is at fault."""

    fill_id: int
    order_id: bytes
    fault_class: int
    reason: str


class PositionClosed(Event, frozen=True):
    account: str
    subaccount: int
    market: int
    realised: int
    cash: int


class FundingAccrued(Event, frozen=True):
    """An hour was opened: indices are those at its start, `at`; `index_price` makes its slope."""

    market: int
    g_long: int
    g_short: int
    rate: int
    index_price: int
    at: int


class Credited(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    cash: int


class Debited(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    cash: int


class SlotCancelled(Event, frozen=True):
    signer: str
    slot: int
    stamp: int
    effective_at: int


class AllCancelled(Event, frozen=True):
    account: str
    subaccount: int
    stamp: int
    effective_at: int


class Liquidated(Event, frozen=True):
    """`size` is what the liquidated account gave away: positive for a long."""

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


class InsuranceChanged(Event, frozen=True):
    delta: int
    balance: int


class BackstopChanged(Event, frozen=True):
    """The cash of the backstop's account 0 after it paid (negative) or earned."""

    delta: int
    cash: int


class BackstopSet(Event, frozen=True):
    backstop: str


class Deleveraged(Event, frozen=True):
    """`size` is what the account gave away: positive for a long. `HandedOver` events say who took it."""

    account: str
    subaccount: int
    market: int
    size: int
    price: int
    insurance_fee: int
    covered: int
    position: PositionWord


class CloseRequested(Event, frozen=True):
    account: str
    subaccount: int
    market: int
    size: int
    ready_at: int


class CloseExecuted(Event, frozen=True):
    """As `Deleveraged`; `left` lots of the request are still to be closed."""

    account: str
    subaccount: int
    market: int
    size: int
    price: int
    left: int
    position: PositionWord


class HandedOver(Event, frozen=True):
    """`size` is what the counterparty was given: positive when it was a long one."""

    counterparty: str
    subaccount: int
    market: int
    size: int
    price: int
    position: PositionWord


class SettlingBegun(Event, frozen=True):
    market: int
    settle_at: int


class SettlementFixed(Event, frozen=True):
    market: int
    price: int
    everyone_from: int


class PositionSettled(Event, frozen=True):
    """The position of `size` lots is closed at the settlement price."""

    account: str
    subaccount: int
    market: int
    size: int
    covered: int


class DebtCovered(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    cash: int


class LossSpread(Event, frozen=True):
    """`g` is the side's index as of the start of the market's hour."""

    market: int
    longs: bool
    per_lot_scaled: int
    g: int


class FeesWithdrawn(Event, frozen=True):
    account: str
    subaccount: int
    amount: int


class MarketListed(Event, frozen=True):
    market: int
    ticker: str
    size_decimals: int
    price_decimals: int
    tick: int


class MarketChanged(Event, frozen=True):
    market: int
    imf: int
    mmf: int
    band: int
    tick: int
    max_open_interest: int
    max_price_age: int
    liquidation_floor: int
    state: int


class OperatorSet(Event, frozen=True):
    operator: str
    allowed: bool


class GuardianSet(Event, frozen=True):
    guardian: str


class OracleSet(Event, frozen=True):
    oracle: str


class SessionKeyRegistered(Event, frozen=True):
    """`markets` are ids, none: all; `budget` is micro-USDC."""

    account: str
    key: str
    markets: tuple[int, ...]
    budget: int
    expiry: int
    nonce: int


class SessionKeyRevoked(Event, frozen=True):
    account: str
    key: str
    effective_at: int


class ReferrerRegistered(Event, frozen=True):
    number: int
    account: str
    subaccount: int


class ReferralAccrued(Event, frozen=True):
    """`balance` is what waits for the referrer."""

    number: int
    amount: int
    balance: int


class ReferralClaimed(Event, frozen=True):
    number: int
    account: str
    subaccount: int
    amount: int


class ReferrerShareSet(Event, frozen=True):
    share_ppm: int


class FeeTiersSet(Event, frozen=True):
    tiers: tuple[FeeTier, ...]


class MarginScaleSet(Event, frozen=True):
    """Units of 10,000 USDC."""

    market: int
    scale_from: int
    scale_to: int


class Announced(Event, frozen=True):
    """`call` may be made from `ready_at` on; its hash names it."""

    hash: bytes
    call: bytes
    ready_at: int


class NoticeWithdrawn(Event, frozen=True):
    hash: bytes


# Vault


class Deposited(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    payer: str


class Donated(Event, frozen=True):
    payer: str
    amount: int


class WithdrawalRequested(Event, frozen=True):
    id: int
    account: str
    subaccount: int
    amount: int
    to: str
    ready_at: int


class WithdrawalCancelled(Event, frozen=True):
    id: int
    account: str


class Withdrawn(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    to: str
    id_or_nonce: int
    instant: bool


class WithdrawalApproved(Event, frozen=True):
    id: int
    approver: str


class RulesSet(Event, frozen=True):
    """Where alone an account's withdrawals may go and who must consent to each, from `effective_at` on; the zero
    address for anywhere and nobody.
    """

    account: str
    destination: str
    approver: str
    effective_at: int


class QueueStretched(Event, frozen=True):
    until: int


class OutflowLimitsSet(Event, frozen=True):
    """What may leave in an hour and in a day: a floor in micro-USDC, and a share of what is held in ppm."""

    hour_floor: int
    hour_share: int
    day_floor: int
    day_share: int


class CosignerSet(Event, frozen=True):
    cosigner: str
    allowed: bool


# PushedOracle


class PricePushed(Event, frozen=True):
    market: int
    price: int
    published_at: int


SIGNATURES: Final = (
    "BatchSettled(address indexed operator,bytes32 prev,bytes32 next,uint256 settled,uint256 rejected,int256 fees)",
    (
        "Fill(address indexed taker,address indexed maker,uint256 detail,bytes32 taker_order,bytes32 maker_order,"
        "uint256 taker_position,uint256 maker_position)"
    ),
    "FillRejected(uint256 indexed fill_id,bytes32 indexed order_id,uint256 fault_class,string reason)",
    "PositionClosed(address indexed account,uint256 subaccount,uint256 indexed market,int256 realised,int256 cash)",
    "FundingAccrued(uint256 indexed market,int256 g_long,int256 g_short,int256 rate,uint256 index_price,uint256 at)",
    "Credited(address indexed account,uint256 subaccount,uint256 amount,int256 cash)",
    "Debited(address indexed account,uint256 subaccount,uint256 amount,int256 cash)",
    "SlotCancelled(address indexed signer,uint256 slot,uint256 stamp,uint256 effective_at)",
    "AllCancelled(address indexed account,uint256 subaccount,uint256 stamp,uint256 effective_at)",
    (
        "Liquidated(address indexed account,address indexed liquidator,uint256 subaccount,"
        "uint256 liquidator_subaccount,uint256 market,int256 size,uint256 price,uint256 insurance_fee,uint256 covered,"
        "uint256 position,uint256 liquidator_position)"
    ),
    "InsuranceChanged(int256 delta,uint256 balance)",
    "BackstopChanged(int256 delta,int256 cash)",
    "BackstopSet(address indexed backstop)",
    (
        "Deleveraged(address indexed account,uint256 subaccount,uint256 indexed market,int256 size,uint256 price,"
        "uint256 insurance_fee,uint256 covered,uint256 position)"
    ),
    "CloseRequested(address indexed account,uint256 subaccount,uint256 indexed market,int256 size,uint256 ready_at)",
    (
        "CloseExecuted(address indexed account,uint256 subaccount,uint256 indexed market,int256 size,uint256 price,"
        "uint256 left,uint256 position)"
    ),
    (
        "HandedOver(address indexed counterparty,uint256 subaccount,uint256 indexed market,int256 size,uint256 price,"
        "uint256 position)"
    ),
    "SettlingBegun(uint256 indexed market,uint256 settle_at)",
    "SettlementFixed(uint256 indexed market,uint256 price,uint256 everyone_from)",
    "PositionSettled(address indexed account,uint256 subaccount,uint256 indexed market,int256 size,uint256 covered)",
    "DebtCovered(address indexed account,uint256 subaccount,uint256 amount,int256 cash)",
    "LossSpread(uint256 indexed market,bool longs,uint256 per_lot_scaled,int256 g)",
    "FeesWithdrawn(address indexed account,uint256 subaccount,uint256 amount)",
    "MarketListed(uint256 indexed market,string ticker,uint256 size_decimals,uint256 price_decimals,uint256 tick)",
    (
        "MarketChanged(uint256 indexed market,uint256 imf,uint256 mmf,uint256 band,uint256 tick,"
        "uint256 max_open_interest,uint256 max_price_age,uint256 liquidation_floor,uint256 state)"
    ),
    "OperatorSet(address indexed operator,bool allowed)",
    "GuardianSet(address indexed guardian)",
    "OracleSet(address indexed oracle)",
    (
        "SessionKeyRegistered(address indexed account,address indexed key,uint256 markets,uint256 budget,"
        "uint256 expiry,uint256 nonce)"
    ),
    "SessionKeyRevoked(address indexed account,address indexed key,uint256 effective_at)",
    "ReferrerRegistered(uint256 indexed number,address indexed account,uint256 subaccount)",
    "ReferralAccrued(uint256 indexed number,uint256 amount,uint256 balance)",
    "ReferralClaimed(uint256 indexed number,address indexed account,uint256 subaccount,uint256 amount)",
    "ReferrerShareSet(uint256 share_ppm)",
    "FeeTiersSet(uint256[] tiers)",
    "MarginScaleSet(uint256 indexed market,uint256 scale_from,uint256 scale_to)",
    "Announced(bytes32 indexed hash,bytes call,uint256 ready_at)",
    "NoticeWithdrawn(bytes32 indexed hash)",
    "Deposited(address indexed account,uint256 subaccount,uint256 amount,address indexed payer)",
    "Donated(address indexed payer,uint256 amount)",
    (
        "WithdrawalRequested(uint256 indexed id,address indexed account,uint256 subaccount,uint256 amount,address to,"
        "uint256 ready_at)"
    ),
    "WithdrawalCancelled(uint256 indexed id,address indexed account)",
    (
        "Withdrawn(address indexed account,uint256 subaccount,uint256 amount,address indexed to,uint256 id_or_nonce,"
        "bool instant)"
    ),
    "WithdrawalApproved(uint256 indexed id,address indexed approver)",
    "RulesSet(address indexed account,address destination,address approver,uint256 effective_at)",
    "QueueStretched(uint256 until)",
    "OutflowLimitsSet(uint256 hour_floor,uint256 hour_share,uint256 day_floor,uint256 day_share)",
    "CosignerSet(address indexed cosigner,bool allowed)",
    "PricePushed(uint256 indexed market,uint256 price,uint256 published_at)",
)
"""Every event as docs/protocol.md writes it, the one table that decoding is made from."""

_SIGN = 1 << 255
_WRAP = 1 << 256

Reader = Callable[[bytes, int], Any]
"""Reads one value out of a sequence of 32-byte words, of which one starts at the given place."""


def _uint(words: bytes, at: int) -> int:
    return int.from_bytes(words[at : at + 32], "big")


def _int(words: bytes, at: int) -> int:
    value = int.from_bytes(words[at : at + 32], "big")
    return value - _WRAP if value >= _SIGN else value


def _bool(words: bytes, at: int) -> bool:
    return words[at + 31] != 0


def _word(words: bytes, at: int) -> bytes:
    return words[at : at + 32]


def _address(words: bytes, at: int) -> str:
    return addresses.checksum(words[at + 12 : at + 32])


def _raw(data: bytes, at: int, item_length: int = 1) -> bytes:
    start = _uint(data, at) + 32
    length = _uint(data, start - 32) * item_length
    if start + length > len(data):
        raise LogError("a field of the log reaches beyond its data")
    return data[start : start + length]


def _text(data: bytes, at: int) -> str:
    return _raw(data, at).decode("utf-8", "replace")


def _tiers(data: bytes, at: int) -> tuple[FeeTier, ...]:
    words = _raw(data, at, 32)
    return tuple(unpack_tier(_uint(words, place)) for place in range(0, len(words), 32))


def _markets(words: bytes, at: int) -> tuple[int, ...]:
    return unpack_key_markets(_uint(words, at))


def _detail(words: bytes, at: int) -> FillDetail:
    return unpack_detail(_uint(words, at))


def _position(words: bytes, at: int) -> PositionWord:
    return unpack_position(_uint(words, at))


_READERS: Final[Mapping[str, Reader]] = {
    "uint256": _uint,
    "int256": _int,
    "bool": _bool,
    "bytes32": _word,
    "address": _address,
    "string": _text,
    "bytes": _raw,
    "uint256[]": _tiers,
}
_PACKED: Final[Mapping[str, Reader]] = {
    "Fill.detail": _detail,
    "Fill.taker_position": _position,
    "Fill.maker_position": _position,
    "Liquidated.position": _position,
    "Liquidated.liquidator_position": _position,
    "Deleveraged.position": _position,
    "CloseExecuted.position": _position,
    "HandedOver.position": _position,
    "SessionKeyRegistered.markets": _markets,
}


class _Decoder:
    """Reads the logs of one event: indexed fields from the topics, the others from the data, in declared order."""

    __slots__ = ("_data_length", "_fields", "_kind", "_topics", "name", "topic")

    def __init__(self, signature: str) -> None:
        self.name, _, inner = signature.removesuffix(")").partition("(")
        self._kind: type[Event] = globals()[self.name]
        fields: list[tuple[bool, Reader, int]] = []
        kinds = []
        indexed = plain = 0
        for kind, *rest in (field.split(" ") for field in inner.split(",")):
            kinds.append(kind)
            reader = _PACKED.get(f"{self.name}.{rest[-1]}", _READERS[kind])
            if rest[0] == "indexed":
                fields.append((True, reader, 32 * indexed))
                indexed += 1
            else:
                fields.append((False, reader, 32 * plain))
                plain += 1
        self._fields = tuple(fields)
        self._topics = indexed + 1
        self._data_length = 32 * plain
        self.topic = keccak(f"{self.name}({','.join(kinds)})".encode())

    def decode(self, where: LogPosition, topics: list[bytes], data: bytes) -> Event:
        if len(topics) != self._topics or len(data) < self._data_length:
            raise LogError(
                f"a log in transaction {where.transaction_hash} has the topic of {self.name} but another shape"
            )
        indexed = b"".join(topics[1:])
        return self._kind(where, *[read(indexed if is_topic else data, at) for is_topic, read, at in self._fields])


_DECODERS: Final = {decoder.topic: decoder for decoder in map(_Decoder, SIGNATURES)}


def topics() -> list[str]:
    """The first topics of all events, 0x hex, for a log filter."""
    return ["0x" + topic.hex() for topic in _DECODERS]


def decode_log(log: Mapping[str, Any]) -> Event | None:
    """The event of a raw log, or None when it is none of ours. Raises `LogError` for one that is malformed.

    Whether the log comes from one of our contracts is the caller's to filter (by address).
    """
    found = [_bytes(topic) for topic in log["topics"]]
    decoder = _DECODERS.get(found[0]) if found else None
    if decoder is None:
        return None
    time = log.get("blockTimestamp")
    where = LogPosition(
        _number(log["blockNumber"]),
        _hex(log["blockHash"]),
        _hex(log["transactionHash"]),
        _number(log["logIndex"]),
        addresses.parse(log["address"]),
        None if time is None else _number(time),
    )
    return decoder.decode(where, found, _bytes(log["data"]))


def _bytes(value: str | bytes) -> bytes:
    return bytes.fromhex(value[2:]) if isinstance(value, str) else bytes(value)


def _hex(value: str | bytes) -> str:
    return value if isinstance(value, str) else "0x" + bytes(value).hex()


def _number(value: str | int) -> int:
    return int(value, 16) if isinstance(value, str) else value
