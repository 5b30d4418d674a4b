# SPDX-License-Identifier: AGPL-3.0-only
"""Rounding by name, on exact fractions."""

import math
from fractions import Fraction

SCALE = 2**32
PPM = 1_000_000
RATE_UNIT = 10**8
HOUR = 3_600


def up(value: Fraction | int) -> int:
    """Towards plus infinity."""
    return math.ceil(value)


def down(value: Fraction | int) -> int:
    """Towards minus infinity."""
    return math.floor(value)


def toward_zero(value: Fraction | int) -> int:
    return math.trunc(value)


def clamp(value: int, bound: int) -> int:
    return max(-bound, min(bound, value))
