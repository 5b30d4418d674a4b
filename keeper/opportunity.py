# SPDX-License-Identifier: AGPL-3.0-only
"""What a liquidation is worth to the one who does it, and which comes first. Pure arithmetic on values of one block."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from keeper.depth import Depth
from keeper.survey import MarketView
from keeper.watch import Account
from ouro.maths import liquidation
from ouro.maths.margin import Margin, requirement
from ouro.units import PPM, SCALE, ceil_div


@dataclass(frozen=True)
class Funds:
    """What the liquidator brings: its margin figures, its own signed lots by market id, how much notional it may still
    add (micro-USDC, None: as much as its margin carries), and the book that it can sell into.
    """

    margin: Margin
    positions: dict[int, int]
    room: int | None = None
    depth: Depth = field(default_factory=Depth)

    def after(self, opportunity: "Opportunity") -> "Funds":
        """What is left when an opportunity is taken, by the index price of the same block."""
        market, lots = opportunity.market, opportunity.lots
        before = self.positions.get(market.id, 0)
        now = before + (lots if opportunity.held > 0 else -lots)
        bound = requirement(now, market.price, market.imf_ppm) - requirement(before, market.price, market.imf_ppm)
        margin = Margin(
            self.margin.equity_scaled + opportunity.gain * SCALE,
            self.margin.im_scaled + bound * SCALE,
            self.margin.mm_scaled,
        )
        room = None if self.room is None else self.room - (abs(now) - abs(before)) * market.price
        depth = self.depth.after(market.id, opportunity.held > 0, opportunity.added)
        return Funds(margin, {**self.positions, market.id: now}, room, depth)


@dataclass(frozen=True)
class Opportunity:
    """A take-over of `lots` (positive) of a position of `held` signed lots. Money in micro-USDC; `unwind_cost` is what
    it is expected to cost to sell again what is not sold by the take-over itself, which are `added` lots; `by_book` if
    the book says so.
    """

    account: Account
    market: MarketView
    held: int
    lots: int
    gain_per_lot: int
    price: int
    unwind_cost: int = 0
    added: int = 0
    by_book: bool = False

    @property
    def gain(self) -> int:
        """What taking over at a better price than the index is worth, before gas."""
        return self.gain_per_lot * self.lots

    @property
    def profit(self) -> int:
        """The gain less the cost to unwind, before gas."""
        return self.gain - self.unwind_cost

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
    own = funds.positions.get(market.id, 0)
    added = lots - min(lots, abs(own)) if own * held < 0 else lots
    unwind_cost = funds.depth.cost(market, held > 0, added)
    by_book = funds.depth.knows(market.id, held > 0)
    return Opportunity(account, market, held, lots, gain_per_lot, quote.liquidator_price, unwind_cost, added, by_book)


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
    most = abs(held) if funds.room is None else netted + max(0, funds.room) // market.price
    free = (funds.margin.equity_scaled - funds.margin.im_scaled) // SCALE
    # One lot's margin rounded up, which bounds the rounding of the sum as well.
    cost = ceil_div(market.price * market.imf_ppm, PPM) - gain_per_lot
    if cost <= 0:
        return min(abs(held), most)
    return min(most, max(0, netted + free // cost))


def ranked(opportunities: Iterable[Opportunity]) -> list[Opportunity]:
    """Largest profit first; equal ones by gain and notional, then by account, so that the result is one."""
    return sorted(opportunities, key=lambda o: (-o.profit, -o.gain, -o.lots * o.market.price, o.account, o.market.id))
