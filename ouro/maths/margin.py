# SPDX-License-Identifier: Apache-2.0
"""Margin (protocol, section 6). Equity and margins are scaled by 2^32 micro-USDC."""

from collections.abc import Iterable
from typing import NamedTuple

from ouro.units import PPM, SCALE


class Leg(NamedTuple):
    """A position with what values it: signed lots, normalised quote, its side's index, index price, ppm fractions."""

    size: int
    q: int
    g: int
    price: int
    imf_ppm: int
    mmf_ppm: int


class Margin(NamedTuple):
    """Equity, initial and maintenance margin of an account, scaled."""

    equity_scaled: int
    im_scaled: int
    mm_scaled: int


SCALE_UNIT = 10_000 * 1_000_000
"""The bounds between which open interest scales initial margin count 10,000 USDC."""


def scaled_imf(imf_ppm: int, scale_from: int, scale_to: int, open_interest_notional: int) -> int:
    """The initial margin fraction, ppm, at an open interest of `open_interest_notional` micro-USDC: it grows to 100%
    between two bounds; `scale_to` 0 lets it be.
    """
    if scale_to == 0:
        return imf_ppm
    above = max(0, open_interest_notional - scale_from * SCALE_UNIT)
    return min(PPM, imf_ppm + above * (PPM - imf_ppm) // ((scale_to - scale_from) * SCALE_UNIT))


def requirement(size: int, price: int, fraction_ppm: int) -> int:
    """ceil(|size| * price * fraction), micro-USDC."""
    return -(-abs(size) * price * fraction_ppm // PPM)


def evaluate(cash: int, legs: Iterable[Leg]) -> Margin:
    """Sum cash (micro-USDC) and legs."""
    equity = cash * SCALE
    initial = maintenance = 0
    for size, q, g, price, imf_ppm, mmf_ppm in legs:
        equity += q - size * g + size * price * SCALE
        initial += requirement(size, price, imf_ppm)
        maintenance += requirement(size, price, mmf_ppm)
    return Margin(equity, initial * SCALE, maintenance * SCALE)


def improves(before: Margin, after: Margin) -> bool:
    """Whether a reduction leaves equity / maintenance margin no worse."""
    return (
        after.mm_scaled < before.mm_scaled
        and after.equity_scaled * before.mm_scaled >= before.equity_scaled * after.mm_scaled
    )


def allowed(before: Margin, after: Margin) -> bool:
    """The predicate: covered afterwards, or a reduction that does not worsen health."""
    return after.equity_scaled >= after.im_scaled or improves(before, after)


def withdrawable(cash: int, margin: Margin) -> int:
    """min(cash, equity - initial margin), at least 0, micro-USDC. Stale legs are the caller's to refuse."""
    return max(0, min(cash, (margin.equity_scaled - margin.im_scaled) // SCALE))
