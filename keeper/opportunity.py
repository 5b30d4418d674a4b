# SPDX-License-Identifier: AGPL-3.0-only
"""What a liquidation is worth to the one who does it, and which comes first. Pure arithmetic on values of one block."""

from collections.abc import Iterable
from dataclasses import dataclass

from keeper.watch import Account
from ouro.maths import liquidation
from ouro.maths.margin import Margin, requirement
from ouro.units import PPM, SCALE, ceil_div


@dataclass(frozen=True)
class MarketView:
    """A market at one block: index price in micro-USDC per lot, ppm fractions, `imf_ppm` as open interest scales it."""

    id: int
    ticker: str
    price: int
    imf_ppm: int
    mmf_ppm: int
    liquidation_floor_ppm: int
    base_imf_ppm: int


@dataclass(frozen=True)
class Funds:
    """What the liquidator brings: its margin figures, and its own signed lots by market id."""

    margin: Margin
    positions: dict[int, int]


@dataclass(frozen=True)
class Opportunity:
    """A take-over of `lots` (positive) of a position of `held` signed lots. Money in micro-USDC."""

    account: Account
    market: MarketView
    held: int
    lots: int
    gain_per_lot: int
    price: int

    @property
    def gain(self) -> int:
        """What taking over at a better price than the index is worth, before gas."""
        return self.gain_per_lot * self.lots

    @property
    def is_rescue(self) -> bool:
        """Beyond bankruptcy: it pays nobody, but the exchange needs it done."""
        return self.gain_per_lot == 0


def appraise(account: Account, margin: Margin, market: MarketView, held: int, funds: Funds) -> Opportunity | None:
    """The take-over of an account's position in one market, as large as the contract and the funds allow. The account's
    `margin` is `unscaled`.

    None if the account is healthy, or if the funds do not carry a single lot.
    """
    if held == 0 or margin.equity_scaled >= margin.mm_scaled:
        return None
    quote = liquidation.quote(
        margin,
        held,
        market.price,
        imf_ppm=market.base_imf_ppm,
        mmf_ppm=market.mmf_ppm,
        floor_ppm=market.liquidation_floor_ppm,
    )
    gain_per_lot = quote.per_lot - quote.insurance_per_lot
    lots = min(quote.max_size, affordable(funds, market, held, gain_per_lot))
    if lots <= 0:
        return None
    return Opportunity(account, market, held, lots, gain_per_lot, quote.liquidator_price)


def unscaled(margin: Margin, positions: dict[int, int], markets: dict[int, MarketView]) -> Margin:
    """Margin figures without what open interest adds to the initial margin: a take-over restores no more than that."""
    added = 0
    for market_id, size in positions.items():
        view = markets.get(market_id)
        if view is not None:
            added += requirement(size, view.price, view.imf_ppm) - requirement(size, view.price, view.base_imf_ppm)
    return Margin(margin.equity_scaled, margin.im_scaled - added * SCALE, margin.mm_scaled)


def affordable(funds: Funds, market: MarketView, held: int, gain_per_lot: int) -> int:
    """How many of `held` lots the funds carry at initial margin, rounded down."""
    own = funds.positions.get(market.id, 0)
    # Lots against an own position free margin first, and take as much again on the other side.
    netted = 2 * abs(own) if own * held < 0 else 0
    free = (funds.margin.equity_scaled - funds.margin.im_scaled) // SCALE
    # One lot's margin rounded up, which bounds the rounding of the sum as well.
    cost = ceil_div(market.price * market.imf_ppm, PPM) - gain_per_lot
    if cost <= 0:
        return abs(held)
    return max(0, netted + free // cost)


def ranked(opportunities: Iterable[Opportunity]) -> list[Opportunity]:
    """Largest gain first; equal ones by notional, then in the order of the accounts, so that the result is one."""
    return sorted(opportunities, key=lambda o: (-o.gain, -o.lots * o.market.price, o.account, o.market.id))
