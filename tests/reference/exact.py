# SPDX-License-Identifier: AGPL-3.0-only
"""Rounding by name, exact: of integers or Fractions, and of quotients of them."""

from fractions import Fraction

SCALE = 2**32
PPM = 1_000_000
RATE_UNIT = 10**8
HOUR = 3_600

Exact = int | Fraction


def up(value: Exact, divisor: Exact = 1) -> int:
    """Towards plus infinity."""
    return -(-value // divisor)


def down(value: Exact, divisor: Exact = 1) -> int:
    """Towards minus infinity."""
    return value // divisor


def toward_zero(value: Exact, divisor: Exact = 1) -> int:
    """`divisor` is positive."""
    return value // divisor if value > 0 else -(-value // divisor)


def clamp(value: int, lowest: int, highest: int) -> int:
    return max(lowest, min(highest, value))
