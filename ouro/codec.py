# SPDX-License-Identifier: Apache-2.0
"""Packed words of the wire and of storage. Layouts are in docs/protocol.md; bits count from the most significant."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from ouro import addresses
from ouro.eip712 import keccak
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger

_SIDES = tuple(Side)
_TIMES = tuple(TimeInForce)
_TRIGGERS = tuple(Trigger)
_SELF_TRADES = tuple(SelfTrade)
_SETTLE = keccak(b"settle(bytes32,bytes32,(uint256,uint256,uint256,uint256)[],uint256[])")[:4]
_BIT_63, _BIT_64, _BIT_127, _BIT_128 = 1 << 63, 1 << 64, 1 << 127, 1 << 128
_MASK_128 = _BIT_128 - 1

PackedOrder = tuple[int, int, int, int]
"""terms, amounts, r, vs."""


def _bits(word: int, shift: int, width: int) -> int:
    return word >> shift & (1 << width) - 1


def _signed(word: int, shift: int, width: int) -> int:
    value = _bits(word, shift, width)
    return value - (1 << width) if value >> width - 1 else value


def pack_terms(order: Order, market_id: int) -> tuple[int, int]:
    """`terms` and `amounts`. Raises `ValueError` for a market id beyond 16 bits."""
    if not 0 < market_id < 1 << 16:
        raise ValueError(f"market id {market_id} is not in 1..65535")
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
    """The four words of a signed order; `signature` is r ‖ s ‖ v. Raises `ValueError` when EIP-2098 cannot hold it."""
    if len(signature) != 65 or signature[64] not in (27, 28) or signature[32] >> 7:
        raise ValueError("the signature is not 65 bytes r, s, v with low s and v 27 or 28")
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
    # Written out, since the relayer reads one for every order.
    return Order(
        market=tickers[market_id],
        side=_SIDES[flags & 1],
        size=amounts >> 208 & 0xFFFFFFFFFFFF,
        limit_price=amounts >> 160 & 0xFFFFFFFFFFFF,
        time_in_force=_TIMES[flags >> 1 & 3],
        post_only=flags & 8 != 0,
        reduce_only=flags & 16 != 0,
        trigger=_TRIGGERS[flags >> 5 & 3],
        trigger_price=amounts >> 112 & 0xFFFFFFFFFFFF,
        max_fee_ppm=amounts >> 16 & 0xFFFF,
        expiry=terms >> 32 & 0xFFFFFFFF,
        account=addresses.checksum((terms >> 96).to_bytes(20, "big")),
        subaccount=terms >> 80 & 0xFFFF,
        self_trade=_SELF_TRADES[flags >> 7 & 3],
        slot=amounts >> 48 & 0xFFFF,
        generation=amounts >> 64 & 0xFFFFFFFFFFFF,
        revision=amounts >> 32 & 0xFFFF,
        referrer=terms & 0xFFFFFFFF,
    )


GROUPED = 1
"""Flag of a fill: settled together with the next one, or not at all."""
LIQUIDATION = 2
"""Flag of a fill: the taker is an account below maintenance, which signs nothing."""


class FillWord(msgspec.Struct, frozen=True):
    """One fill of a batch; `taker` and `maker` index its orders, fees are ppm of notional."""

    fill_id: int
    price: int
    size: int
    taker: int
    maker: int
    taker_fee_ppm: int
    maker_fee_ppm: int
    flags: int = 0


def pack_fill(fill: FillWord) -> int:
    """The word of one fill. Raises `ValueError` for a field that does not fit: it would spill into its neighbour."""
    for name, bits in (("fill_id", 64), ("price", 48), ("size", 48), ("taker", 8), ("maker", 8)):
        if not 0 <= getattr(fill, name) < 1 << bits:
            raise ValueError(f"{name} of fill {fill.fill_id} does not fit {bits} bits")
    if not (-0x8000 <= fill.taker_fee_ppm < 0x8000 and -0x8000 <= fill.maker_fee_ppm < 0x8000):
        raise ValueError(f"a fee of fill {fill.fill_id} does not fit 16 signed bits")
    if not 0 <= fill.flags <= GROUPED | LIQUIDATION:
        raise ValueError(f"fill {fill.fill_id} has unknown flags")
    return (
        fill.fill_id << 192
        | fill.price << 144
        | fill.size << 96
        | fill.taker << 88
        | fill.maker << 80
        | (fill.taker_fee_ppm & 0xFFFF) << 64
        | (fill.maker_fee_ppm & 0xFFFF) << 48
        | fill.flags << 32
    )


def unpack_fill(word: int) -> FillWord:
    """The fields of a fill's word."""
    return FillWord(
        fill_id=word >> 192,
        price=_bits(word, 144, 48),
        size=_bits(word, 96, 48),
        taker=_bits(word, 88, 8),
        maker=_bits(word, 80, 8),
        taker_fee_ppm=_signed(word, 64, 16),
        maker_fee_ppm=_signed(word, 48, 16),
        flags=_bits(word, 32, 16),
    )


class FillDetail(msgspec.Struct, frozen=True):
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
    is_liquidation: bool = False


def unpack_detail(word: int) -> FillDetail:
    """Written out, since the indexer reads one for every fill."""
    taker_fee, maker_fee = word >> 32 & 0xFFFF, word >> 16 & 0xFFFF
    return FillDetail(
        word >> 192,
        word >> 144 & 0xFFFFFFFFFFFF,
        word >> 96 & 0xFFFFFFFFFFFF,
        word >> 80 & 0xFFFF,
        word >> 64 & 0xFFFF,
        word >> 48 & 0xFFFF,
        taker_fee - 0x10000 if taker_fee >= 0x8000 else taker_fee,
        maker_fee - 0x10000 if maker_fee >= 0x8000 else maker_fee,
        word & 1 == 1,
        word & 2 == 2,
    )


class PositionWord(msgspec.Struct, frozen=True):
    """Signed lots, normalised quote (scaled), newest one-shot generation (ms)."""

    size: int
    q: int
    one_shot_ms: int


def unpack_position(word: int) -> PositionWord:
    size, q = word >> 192, word >> 64 & _MASK_128
    return PositionWord(
        size - _BIT_64 if size >= _BIT_63 else size,
        q - _BIT_128 if q >= _BIT_127 else q,
        word >> 16 & 0xFFFFFFFFFFFF,
    )


class AccountWord(msgspec.Struct, frozen=True):
    """Cash (micro-USDC), ids of the markets with a position, newest cancel-all stamp (s; 0 none)."""

    cash: int
    markets: tuple[int, ...]
    cancel_floor: int


def unpack_account(word: int) -> AccountWord:
    lanes = (_bits(word, 48 + 16 * lane, 16) for lane in range(8))
    return AccountWord(_signed(word, 176, 80), tuple(market for market in lanes if market), _bits(word, 8, 40))


class KeyWord(msgspec.Struct, frozen=True):
    """What is remembered of a session key: its last second, when a revocation takes effect (0: none), budget left in
    micro-USDC, ids of its markets (none: all).
    """

    expiry: int
    revoked_at: int
    budget: int
    markets: tuple[int, ...]


def unpack_key_markets(packed: int) -> tuple[int, ...]:
    """The ids in the order in which they were signed: 16 bits each, the last one lowest."""
    lanes = (_bits(packed, shift, 16) for shift in (48, 32, 16, 0))
    return tuple(market for market in lanes if market)


def unpack_key(word: int) -> KeyWord:
    return KeyWord(
        _bits(word, 216, 40), _bits(word, 176, 40), _bits(word, 112, 64), unpack_key_markets(_bits(word, 48, 64))
    )


class FeeTier(msgspec.Struct, frozen=True):
    """A step of the fee schedule: the volume of 30 days, USDC, from which these fees (ppm) hold."""

    volume: int
    taker_ppm: int
    maker_ppm: int


def unpack_tier(word: int) -> FeeTier:
    return FeeTier(_bits(word, 32, 64), _bits(word, 16, 16), _signed(word, 0, 16))


class SlotWord(msgspec.Struct, frozen=True):
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


_SETTLE_KINDS = ("bytes32", "bytes32", "(uint256,uint256,uint256,uint256)[]", "uint256[]")


def encode_settle(prev: bytes, next_: bytes, orders: Sequence[PackedOrder], fills: Iterable[int]) -> bytes:
    """Calldata of `Exchange.settle`."""
    return _SETTLE + encode(_SETTLE_KINDS, [prev, next_, list(orders), list(fills)])


def decode_settle(data: bytes) -> tuple[bytes, bytes, tuple[PackedOrder, ...], tuple[FillWord, ...]]:
    """`prev`, `next`, orders and fills of such calldata. Raises `ValueError` for any other."""
    if data[:4] != _SETTLE:
        raise ValueError(f"0x{data[:4].hex()} is not the selector of settle")
    try:
        prev, next_, orders, fills = decode(_SETTLE_KINDS, data[4:])
    except (DecodingError, OverflowError) as error:
        raise ValueError(f"not the arguments of settle: {error}") from None
    return prev, next_, tuple(orders), tuple(map(unpack_fill, fills))
