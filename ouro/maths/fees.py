# SPDX-License-Identifier: Apache-2.0
"""Fees (protocol, section 4)."""

from ouro.units import PPM, ceil_div


def fee(notional: int, rate_ppm: int) -> int:
    """ceil(notional * rate / 1e6), micro-USDC: a fee rounds up, a rebate (negative) towards zero."""
    return ceil_div(notional * rate_ppm, PPM)
