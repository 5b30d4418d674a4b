# SPDX-License-Identifier: Apache-2.0
"""Liquidation (protocol, section 7)."""

from dataclasses import dataclass

from ouro.maths.margin import Margin, requirement
from ouro.units import PPM, SCALE, ceil_div

MIN_NOTIONAL = 10_000_000
INSURANCE_SHARE = 4


@dataclass(frozen=True, slots=True)
class LiquidationQuote:
    """What a take-over would cost and bring. Prices and amounts per lot in micro-USDC.

    `account_price` is what the liquidated account gets (or pays) per lot, `liquidator_price` what the liquidator pays
    (or gets); the difference goes to the insurance fund. `max_size` is in lots.
    """

    per_lot: int
    insurance_per_lot: int
    account_price: int
    liquidator_price: int
    max_size: int


def is_liquidatable(margin: Margin) -> bool:
    return margin.equity_scaled < margin.mm_scaled


def quote(
    margin: Margin, size: int, index_price: int, *, imf_ppm: int, mmf_ppm: int, floor_ppm: int
) -> LiquidationQuote:
    """The terms on which `size` signed lots of an account may be taken over.

    Raises `ValueError` for an account that is not below maintenance margin.
    """
    if not is_liquidatable(margin):
        raise ValueError("the account is not below maintenance margin")
    held = abs(size)
    direction = 1 if size > 0 else -1
    equity, required = margin.equity_scaled, margin.mm_scaled
    if equity <= 0:
        return LiquidationQuote(0, 0, index_price, index_price, held)
    by_depth = 3 * (required - equity) * mmf_ppm // (2 * required)
    to_bankruptcy = equity * (mmf_ppm * index_price // PPM) // required
    per_lot = min(max(floor_ppm, by_depth) * index_price // PPM, to_bankruptcy)
    insurance = per_lot // INSURANCE_SHARE
    return LiquidationQuote(
        per_lot=per_lot,
        insurance_per_lot=insurance,
        account_price=index_price - direction * per_lot,
        liquidator_price=index_price - direction * (per_lot - insurance),
        max_size=_closable(margin, held, per_lot, index_price, imf_ppm),
    )


def _closable(margin: Margin, held: int, per_lot: int, index_price: int, imf_ppm: int) -> int:
    relief = index_price * imf_ppm // PPM - per_lot
    if relief <= 0:
        return held
    lots = ceil_div(margin.im_scaled - margin.equity_scaled, relief * SCALE)
    if lots >= held or (held - lots) * index_price < MIN_NOTIONAL:
        return held
    return lots


def hole_share(margin: Margin, size_0: int, size_1: int, index_price: int, mmf_ppm: int) -> int:
    """What closing from `size_0` to `size_1` lots of a bankrupt account takes from the insurance fund, micro-USDC."""
    closed = requirement(size_0, index_price, mmf_ppm) - requirement(size_1, index_price, mmf_ppm)
    return ceil_div(-margin.equity_scaled * closed, margin.mm_scaled)
