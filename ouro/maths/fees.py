# SPDX-License-Identifier: Apache-2.0
"""Fees and what referrers get of them (protocol, section 4)."""

from ouro.units import PPM


def fee(notional: int, rate_ppm: int) -> int:
    """ceil(notional * rate / 1e6), micro-USDC: a fee rounds up, a rebate (negative) towards zero."""
    return -(-notional * rate_ppm // PPM)


def referral(fee_: int, both_fees: int, share_ppm: int) -> int:
    """What a registered referrer gets of the fee that one order of a fill pays, micro-USDC: no more than the share of
    what taker and maker pay together.
    """
    return max(0, min(fee_, both_fees)) * share_ppm // PPM
