# SPDX-License-Identifier: AGPL-3.0-only
"""Integers as the wire writes them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.reads.text import fixed, iso, iso_ms, quotient


@given(st.integers(-(10**40), 10**40), st.integers(0, 18))
def test_fixed_is_exact_and_plain(value: int, decimals: int) -> None:
    text = fixed(value, decimals)
    assert Fraction(text) * 10**decimals == value
    assert "E" not in text
    assert "." not in text or text[-1] not in "0."
    assert text != "-0"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((1, 3, 0, 4), "0.3333"), ((-1, 3, 0, 4), "-0.3333"), ((7, 0, 2), "0"), ((4_600_000, 2, 2), "23000")],
)
def test_quotients_are_cut_towards_zero(arguments: tuple[int, ...], text: str) -> None:
    assert quotient(*arguments) == text


def test_times_have_milliseconds_and_end_in_z() -> None:
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso_ms(1_679_000_000_007) == "2023-03-16T20:53:20.007Z"
