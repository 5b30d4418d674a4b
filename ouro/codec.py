# SPDX-License-Identifier: Apache-2.0
"""Packed words of the wire and of storage. Layouts are in docs/protocol.md; bits count from the most significant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from ouro.eip712 import keccak
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger

_SIDES = tuple(Side)
_TIMES = tuple(TimeInForce)
_TRIGGERS = tuple(Trigger)
_SELF_TRADES = tuple(SelfTrade)
_SETTLE = keccak(b"settle(bytes32,bytes32,(uint256,uint256,uint256,uint256)[],uint256[])")[:4]

PackedOrder = tuple[int, int, int, int]
"""terms, amounts, r, vs."""


def _bits(word: int, shift: int, width: int) -> int:
    return word >> shift & (1 << width) - 1


def _signed(word: int, shift: int, width: int) -> int:
    value = _bits(word, shift, width)
    return value - (1 << width) if value >> width - 1 else value


def pack_terms(order: Order, market_id: int) -> tuple[int, int]:
    """`terms` and `amounts`."""
    terms = (
        int(order.account, 16) << 96 | order.subaccount << 80 | market_id << 64 | order.expiry << 32 | order.referrer
    )
    flags = (
        _SIDES.index(order.side)
        | _TIMES.index(order.time_in_force) << 1
        | order.post_only << 3
        | order.reduce_only << 4
        | _TRIGGERS.index(order.trigger) << 5
        | _SELF_TRADES.index(order.self_trade) << 7
    )
    amounts = (
        order.size << 208
        | order.limit_price << 160
        | order.trigger_price << 112
        | order.generation << 64
        | order.slot << 48
        | order.revision << 32
        | order.max_fee_ppm << 16
        | flags
    )
    return terms, amounts


def pack_order(order: Order, market_id: int, signature: bytes) -> PackedOrder:
    """The four words of a signed order; `signature` is r ‖ s ‖ v."""
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:64], "big")
    return (*pack_terms(order, market_id), r, s | (signature[64] - 27) << 255)


def unpack_order(terms: int, amounts: int, tickers: Mapping[int, str]) -> Order:
    """The order of two words. Raises `ValueError` for an unknown market id or flag."""
    market_id = _bits(terms, 64, 16)
    if market_id not in tickers:
        raise ValueError(f"market {market_id} is not listed")
    flags = _bits(amounts, 0, 16)
    if flags >> 9 or _bits(flags, 1, 2) == 3 or _bits(flags, 5, 2) == 3:
        raise ValueError(f"unknown flag in {flags:#06x}")
    return Order(
        market=tickers[market_id],
        side=_SIDES[flags & 1],
        size=_bits(amounts, 208, 48),
        limit_price=_bits(amounts, 160, 48),
        time_in_force=_TIMES[_bits(flags, 1, 2)],
        post_only=bool(flags & 8),
        reduce_only=bool(flags & 16),
        trigger=_TRIGGERS[_bits(flags, 5, 2)],
        trigger_price=_bits(amounts, 112, 48),
        max_fee_ppm=_bits(amounts, 16, 16),
        expiry=_bits(terms, 32, 32),
        account=to_checksum_address((terms >> 96).to_bytes(20, "big")),
        subaccount=_bits(terms, 80, 16),
        self_trade=_SELF_TRADES[_bits(flags, 7, 2)],
        slot=_bits(amounts, 48, 16),
        generation=_bits(amounts, 64, 48),
        revision=_bits(amounts, 32, 16),
        referrer=_bits(terms, 0, 32),
    )


@dataclass(frozen=True, slots=True)
class FillWord:
    """One fill of a batch; `taker` and `maker` index its orders, fees are ppm of notional."""

    fill_id: int
    price: int
    size: int
    taker: int
    maker: int
    taker_fee_ppm: int
    maker_fee_ppm: int


def pack_fill(fill: FillWord) -> int:
    return (
        fill.fill_id << 192
        | fill.price << 144
        | fill.size << 96
        | fill.taker << 88
        | fill.maker << 80
        | (fill.taker_fee_ppm & 0xFFFF) << 64
        | (fill.maker_fee_ppm & 0xFFFF) << 48
    )


@dataclass(frozen=True, slots=True)
class FillDetail:
    """The packed part of a `Fill` event."""

    fill_id: int
    price: int
    size: int
    market: int
    taker_subaccount: int
    maker_subaccount: int
    taker_fee_ppm: int
    maker_fee_ppm: int
    taker_sold: bool


def unpack_detail(word: int) -> FillDetail:
    return FillDetail(
        fill_id=_bits(word, 192, 64),
        price=_bits(word, 144, 48),
        size=_bits(word, 96, 48),
        market=_bits(word, 80, 16),
        taker_subaccount=_bits(word, 64, 16),
        maker_subaccount=_bits(word, 48, 16),
        taker_fee_ppm=_signed(word, 32, 16),
        maker_fee_ppm=_signed(word, 16, 16),
        taker_sold=bool(word & 1),
    )


@dataclass(frozen=True, slots=True)
class PositionWord:
    """Signed lots, normalised quote (scaled), newest one-shot generation (ms)."""

    size: int
    q: int
    one_shot_ms: int


def unpack_position(word: int) -> PositionWord:
    return PositionWord(_signed(word, 192, 64), _signed(word, 64, 128), _bits(word, 16, 48))


@dataclass(frozen=True, slots=True)
class AccountWord:
    """Cash (micro-USDC), ids of the markets with a position, newest cancel-all stamp (s; 0 none)."""

    cash: int
    markets: tuple[int, ...]
    cancel_floor: int


def unpack_account(word: int) -> AccountWord:
    lanes = (_bits(word, 48 + 16 * lane, 16) for lane in range(8))
    return AccountWord(_signed(word, 176, 80), tuple(market for market in lanes if market), _bits(word, 8, 40))


@dataclass(frozen=True, slots=True)
class SlotWord:
    """What an order slot remembers."""

    generation: int
    revision: int
    filled: int
    cancel: int
    tag: int


def unpack_slot(word: int) -> SlotWord:
    return SlotWord(
        _bits(word, 208, 48), _bits(word, 192, 16), _bits(word, 128, 64), _bits(word, 88, 40), _bits(word, 0, 88)
    )


def encode_settle(prev: bytes, next_: bytes, orders: Sequence[PackedOrder], fills: Iterable[int]) -> bytes:
    """Calldata of `Exchange.settle`."""
    kinds = ["bytes32", "bytes32", "(uint256,uint256,uint256,uint256)[]", "uint256[]"]
    return _SETTLE + encode(kinds, [prev, next_, list(orders), list(fills)])
