# SPDX-License-Identifier: AGPL-3.0-only
"""Which quotes a market maker wants in the book, in whole price units and lots. Pure."""

from dataclasses import dataclass

from ouro.markets import Market
from ouro.orders import Side
from ouro.units import PPM


@dataclass(frozen=True)
class Quote:
    """One resting order: price in price units, size in lots; level 0 is the best."""

    side: Side
    level: int
    price: int
    lots: int


@dataclass(frozen=True)
class Shape:
    """How a ladder looks. Distances are ppm of the index price, sizes lots.

    `first_ppm` is how far the best quote is from the centre, `step_ppm` from one level to the next; level `k` (from 0)
    shows `lots * (k + 1)`. The centre moves against the position, by `skew_ppm` at `max_position` lots, where quoting
    that would make the position larger stops.
    """

    levels: int
    first_ppm: int
    step_ppm: int
    lots: int
    skew_ppm: int
    max_position: int


def ladder(market: Market, index: int, position: int, shape: Shape) -> list[Quote]:
    """The quotes around an index price (price units) for a signed position (lots), best first on each side."""
    load = max(-shape.max_position, min(shape.max_position, position))
    centre = index - index * shape.skew_ppm * load // (PPM * shape.max_position)
    quotes = []
    for level in range(shape.levels):
        distance = centre * (shape.first_ppm + level * shape.step_ppm) // PPM
        lots = shape.lots * (level + 1)
        if position < shape.max_position:
            quotes.append(Quote(Side.BUY, level, market.floor_to_tick(centre - distance), lots))
        if position > -shape.max_position:
            quotes.append(Quote(Side.SELL, level, market.ceil_to_tick(centre + distance) + market.tick, lots))
    return quotes
