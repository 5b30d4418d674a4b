# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Quotes
@license GNU Affero General Public License v3.0 only
@notice From the prices that the world quotes, in USD per unit, to those of a market, in micro-USDC per lot.
"""

from . import units

# decimals of the index price: size decimals and price decimals of a market add up to them
MICRO: constant(int256) = 6
# beyond these a price is nonsense, and the powers below would overflow
MAX_MANTISSA: constant(uint256) = 2**192
MAX_POWER: constant(int256) = 18
MIN_POWER: constant(int256) = -48


@internal
@pure
def _per_lot(mantissa: uint256, exponent: int256, size_decimals: uint256) -> uint256:
    """
    @param mantissa The price in USD is `mantissa * 10^exponent`.
    @return The price in micro-USDC per lot, to the nearest; 0 for none and for one beyond the bounds.
    """
    if mantissa >= MAX_MANTISSA or size_decimals > 6:
        return 0
    power: int256 = exponent + MICRO - convert(size_decimals, int256)
    if power > MAX_POWER or power < MIN_POWER:
        return 0
    price: uint256 = 0
    if power >= 0:
        price = mantissa * 10**convert(power, uint256)
    else:
        divisor: uint256 = 10**convert(-power, uint256)
        price = (mantissa + divisor // 2) // divisor
    return price if price <= units.MAX_PRICE else 0
