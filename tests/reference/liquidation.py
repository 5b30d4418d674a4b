# SPDX-License-Identifier: AGPL-3.0-only
"""The terms of a take-over (protocol section 7)."""

from dataclasses import dataclass
from fractions import Fraction

from tests.reference.account import Health
from tests.reference.exact import PPM, down, up
from tests.reference.market import Market

INSURANCE_PART = 4
DUST = 10_000_000


@dataclass(frozen=True)
class Terms:
    """What the account gives up per lot and the insurance fund's part of it, micro-USDC; and the most lots."""

    concession: int
    insurance: int
    max_size: int

    def price(self, market: Market, size: int) -> int:
        """What the liquidator pays (long) or is paid (short)."""
        bonus = self.concession - self.insurance
        return market.price - bonus if size > 0 else market.price + bonus


def terms(health: Health, market: Market, size: int, unscaled: int) -> Terms:
    """For the position of signed `size` of an account below maintenance margin whose initial margin is `unscaled`."""
    if health.equity <= 0:
        return Terms(0, 0, abs(size))
    h = health.equity / health.maintenance
    mmf = market.terms.mmf
    ppm = down(max(Fraction(market.terms.liquidation_floor), Fraction(3, 2) * (1 - h) * mmf))
    concession = min(down(ppm * market.price, PPM), down(h * down(mmf * market.price, PPM)))
    relief = down(market.price * market.terms.imf, PPM) - concession
    most = abs(size)
    if relief > 0:
        lots = up((unscaled - health.equity) / relief)
        if lots < most and (most - lots) * market.price >= DUST:
            most = lots
    return Terms(concession, down(concession, INSURANCE_PART), most)


def hole(health: Health, market: Market, size: int, taken: int) -> int:
    """The closed part's share of negative equity, micro-USDC."""
    if health.equity > 0:
        return 0
    closed = market.maintenance(size) - market.maintenance(abs(size) - taken)
    return up(-health.equity * closed / health.maintenance)
