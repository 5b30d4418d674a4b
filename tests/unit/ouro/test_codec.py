# SPDX-License-Identifier: AGPL-3.0-only
"""Words keep what is put into them, and refuse what they cannot keep."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ouro import codec, eip712
from ouro.eip712 import Domain
from ouro.orders import Order
from tests.unit.ouro.strategies import KEY, TICKERS, orders, uints
from tests.vectors.generate import PLAIN_ORDER

IDS = {ticker: market_id for market_id, ticker in TICKERS.items()}
ORDER = Order.from_message(PLAIN_ORDER)
FILL = codec.FillWord(1, 9_500_000, 10, 0, 1, 350, -100)


@given(orders)
def test_orders_survive_packing(order: Order) -> None:
    terms, amounts = codec.pack_terms(order, IDS[order.market])
    assert terms < 1 << 256
    assert amounts < 1 << 256
    assert codec.unpack_order(terms, amounts, TICKERS) == order


@given(orders, orders)
def test_different_orders_have_different_words(first: Order, second: Order) -> None:
    words = [codec.pack_terms(order, IDS[order.market]) for order in (first, second)]
    assert (words[0] == words[1]) is (first == second)


def test_signatures_are_compact(domain: Domain) -> None:
    signature = eip712.sign(eip712.order_digest(domain, ORDER), KEY)
    _, _, r, vs = codec.pack_order(ORDER, 1, signature)
    low = vs & (1 << 255) - 1
    assert r.to_bytes(32, "big") + low.to_bytes(32, "big") + bytes([27 + (vs >> 255)]) == signature


@pytest.mark.parametrize(
    "signature", [b"", bytes(64), bytes(65), bytes(64) + b"\x1d", bytes(32) + b"\x80" + bytes(31) + b"\x1b"]
)
def test_signatures_that_two_words_cannot_hold(signature: bytes) -> None:
    with pytest.raises(ValueError, match="low s and v 27 or 28"):
        codec.pack_order(ORDER, 1, signature)


@pytest.mark.parametrize("market_id", [-1, 0, 1 << 16])
def test_market_ids(market_id: int) -> None:
    with pytest.raises(ValueError, match="market id"):
        codec.pack_terms(ORDER, market_id)


def test_an_unlisted_market() -> None:
    with pytest.raises(ValueError, match="market 7 is not listed"):
        codec.unpack_order(*codec.pack_terms(ORDER, 7), TICKERS)


@pytest.mark.parametrize("flags", [0b11 << 1, 0b11 << 5, 1 << 9, 1 << 15])
def test_unknown_flags(flags: int) -> None:
    terms, amounts = codec.pack_terms(ORDER, 1)
    with pytest.raises(ValueError, match="unknown flag"):
        codec.unpack_order(terms, amounts & ~0xFFFF | flags, TICKERS)


@pytest.mark.parametrize(("field", "bits"), [("fill_id", 64), ("price", 48), ("size", 48), ("taker", 8), ("maker", 8)])
def test_fills_do_not_spill(field: str, bits: int) -> None:
    codec.pack_fill(msgspec.structs.replace(FILL, **{field: (1 << bits) - 1}))
    for wrong in (-1, 1 << bits):
        with pytest.raises(ValueError, match=field):
            codec.pack_fill(msgspec.structs.replace(FILL, **{field: wrong}))


@pytest.mark.parametrize("field", ["taker_fee_ppm", "maker_fee_ppm"])
@pytest.mark.parametrize("wrong", [-0x8001, 0x8000])
def test_fees_do_not_wrap(field: str, wrong: int) -> None:
    with pytest.raises(ValueError, match="16 signed bits"):
        codec.pack_fill(msgspec.structs.replace(FILL, **{field: wrong}))


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**127), 2**127 - 1), uints(48), uints(16))
def test_position_words(size: int, q: int, one_shot_ms: int, spare: int) -> None:
    word = (size % 2**64) << 192 | (q % 2**128) << 64 | one_shot_ms << 16 | spare
    assert codec.unpack_position(word) == codec.PositionWord(size, q, one_shot_ms)


def test_account_words() -> None:
    lanes = [3, 0, 0, 1, 0, 0, 0, 65_535]
    word = (
        (-7 % 2**80) << 176
        | sum(market << 48 + 16 * lane for lane, market in enumerate(lanes))
        | 1_764_547_210 << 8
        | 1
    )
    assert codec.unpack_account(word) == codec.AccountWord(-7, (3, 1, 65_535), 1_764_547_210)
