# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Units and bounds
@license GNU Affero General Public License v3.0 only
@notice Money is in micro-USDC, sizes are in lots, prices in micro-USDC per lot, rates in parts per million. Indices and
        normalised quotes carry 32 fractional bits.
"""

SCALE: constant(int256) = 2**32
SCALE_BITS: constant(uint256) = 32
PPM: constant(int256) = 1_000_000

# Bounds from which the unchecked arithmetic of the hot path is proven (see docs/architecture.md, "Bounds").
MAX_SIZE: constant(int256) = 2**46  # lots of one position, and of a market's open interest
MAX_PRICE: constant(uint256) = 2**40  # micro-USDC per lot
MAX_INDEX: constant(int256) = 2**78 - 1  # absolute value of a side's cumulative index
MAX_QUOTE: constant(int256) = 2**126  # absolute value of a normalised quote
MAX_CASH: constant(int256) = 2**78

HOUR: constant(uint256) = 3_600
MAX_AHEAD: constant(uint256) = 10  # seconds that a signing time may run ahead of the block
MAX_ORDER_LIFE: constant(uint256) = 90 * 86_400
MAX_KEY_LIFE: constant(uint256) = 365 * 86_400
MAX_REFERRER_SHARE: constant(uint256) = 500_000
OPEN_INTEREST_UNIT: constant(int256) = 10_000_000_000  # micro-USDC, of the bounds between which margin scales

# Funding, in 1e-8 of notional (per hour where it is a rate)
RATE_UNIT: constant(int256) = 100_000_000
# a quarter of what a counted fill pays at least, for a band of at most 50%: washing prints costs more than it can bring
PREMIUM_CLAMP: constant(int256) = 5_000
FUNDING_SLEW: constant(int256) = 2_500  # by how much a rate may move away from zero in an hour
FUNDING_MIN_FEE_PPM: constant(int256) = 200

MIN_NOTIONAL: constant(int256) = 10_000_000  # a liquidation leaves no smaller remainder
INSURANCE_SHARE: constant(int256) = 4  # the insurance fund takes a quarter of a concession
