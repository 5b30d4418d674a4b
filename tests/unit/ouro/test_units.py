# SPDX-License-Identifier: AGPL-3.0-only
"""Exact conversions, roundings by name, and the scales that other schemas check."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, trunc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ouro.markets import Market
from ouro.units import ceil_div, from_micro, plain, trunc_div, usdc

BTC = Market(1, "BTC-USD", 4, 2, 100, 50_000, 30_000, 100_000, 10**8, 120, 5_000)
ETH = Market(2, "ETH-USD", 3, 3, 100, 50_000, 30_000, 100_000, 10**8, 120, 5_000)
numbers = st.integers(-(2**200), 2**200)


@given(numbers, numbers.filter(bool))
def test_roundings(a: int, b: int) -> None:
    assert ceil_div(a, b) == ceil(Fraction(a, b))
    assert trunc_div(a, b) == trunc(Fraction(a, b))


@given(st.integers(-(10**27), 10**27))
def test_money_there_and_back(micro: int) -> None:
    assert usdc(from_micro(micro)) == micro
    assert usdc(plain(from_micro(micro))) == micro


@pytest.mark.parametrize(
    ("text", "micro"), [("1", 10**6), ("0.000001", 1), ("-2.5", -2_500_000), ("1e3", 10**9), ("0", 0)]
)
def test_usdc(text: str, micro: int) -> None:
    assert usdc(text) == usdc(Decimal(text)) == micro


@pytest.mark.parametrize("wrong", ["0.0000001", "", "one", "nan", "inf", "-inf"])
def test_what_is_no_amount(wrong: str) -> None:
    with pytest.raises(ValueError, match="USDC amount"):
        usdc(wrong)


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+1", "10"), ("0E-18", "0"), ("-0.00", "0"), ("1.2300", "1.23"), ("100", "100"), ("-0.5", "-0.5")],
)
def test_plain(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@pytest.mark.parametrize("market", [BTC, ETH], ids=lambda market: market.ticker)
@given(lots=st.integers(0, 2**46), units=st.integers(0, 2**40))
def test_sizes_and_prices_are_exact(market: Market, lots: int, units: int) -> None:
    size, price = market.size(lots), market.price(units)
    assert market.lots(size) == lots
    assert market.price_units(price) == units
    assert Fraction(size) * Fraction(price) * 10**6 == lots * units
    low, high = market.floor_to_tick(units), market.ceil_to_tick(units)
    assert low <= units <= high
    assert low % market.tick == high % market.tick == 0
    assert high - low == (market.tick if units % market.tick else 0)


def test_finer_than_a_lot() -> None:
    with pytest.raises(ValueError, match=r"BTC-USD size 0\.00001 has more than 4 decimals"):
        BTC.lots(Decimal("0.00001"))
    with pytest.raises(ValueError, match=r"BTC-USD price 1\.001 has more than 2 decimals"):
        BTC.price_units(Decimal("1.001"))


@pytest.mark.parametrize("market", [BTC, ETH], ids=lambda market: market.ticker)
def test_quantums_and_subticks_agree_with_step_and_tick(market: Any) -> None:
    step = Decimal(market.step_base_quantums).scaleb(market.atomic_resolution)
    exponent = market.quantum_conversion_exponent - 6 - market.atomic_resolution
    assert step == market.size(1)
    assert Decimal(market.subticks_per_tick).scaleb(exponent) == market.price(market.tick)


def test_the_schemes_own_example() -> None:
    assert (BTC.atomic_resolution, BTC.quantum_conversion_exponent) == (-10, -9)
    assert (BTC.step_base_quantums, BTC.subticks_per_tick) == (10**6, 10**5)
