# SPDX-License-Identifier: AGPL-3.0-only
"""What the exchange's book gives for a position that is sold again, lot by lot."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from keeper.survey import MarketView
from ouro.client import ClientError, OuroClient
from ouro.markets import Market
from ouro.units import PPM, ceil_div

log = logging.getLogger(__name__)

Side = tuple[int, bool]
"""Market id, and whether it is a long that is sold."""
Levels = Sequence[tuple[int, int]]
"""Price (micro-USDC per lot) and lots, the best first."""


@dataclass(frozen=True)
class Depth:
    """Resting orders by whom they serve, less the lots that are `taken` already. `fee_ppm` is the taker's fee. What no
    order carries, or where nothing is known of the book, costs `cost_ppm` of the notional, at least what the last order
    does.
    """

    levels: Mapping[Side, Levels] = field(default_factory=dict)
    cost_ppm: int = 0
    fee_ppm: int = 0
    taken: Mapping[Side, int] = field(default_factory=dict)

    def knows(self, market_id: int, is_long: bool) -> bool:
        """Whether the book was read."""
        return (market_id, is_long) in self.levels

    def cost(self, market: MarketView, is_long: bool, lots: int) -> int:
        """Micro-USDC that selling so many lots of a long (buying back of a short) brings less than the index price, fee
        included, rounded up. Never below zero: a book beyond the index may be gone by then.
        """
        side = (market.id, is_long)
        if side not in self.levels:
            return ceil_div(lots * market.price * self.cost_ppm, PPM)
        skip, left, lost, worst = self.taken.get(side, 0), lots, 0, 0
        for price, offered in self.levels[side]:
            worst = max(0, market.price - price if is_long else price - market.price)
            used = min(skip, offered)
            skip -= used
            found = min(left, offered - used)
            lost += found * worst
            left -= found
        rest = max(left * worst, ceil_div(left * market.price * self.cost_ppm, PPM))
        return lost + rest + ceil_div(lots * market.price * self.fee_ppm, PPM)

    def after(self, market_id: int, is_long: bool, lots: int) -> "Depth":
        """What is left when so many lots are sold."""
        side = (market_id, is_long)
        taken = {**self.taken, side: self.taken.get(side, 0) + lots}
        return Depth(self.levels, self.cost_ppm, self.fee_ppm, taken)


class DepthReader(Protocol):
    """Where a book comes from."""

    def __call__(self, markets: Iterable[Market]) -> dict[Side, Levels]:
        """Both sides of each market's book; a market that cannot be read is left out."""


class BookReader:
    """Asks the exchange's front door. A book that cannot be read is told once, and is no reason to stop."""

    def __init__(self, client: OuroClient) -> None:
        self.client = client
        self._trouble = ""

    def __call__(self, markets: Iterable[Market]) -> dict[Side, Levels]:
        found: dict[Side, Levels] = {}
        trouble = ""
        for market in markets:
            try:
                book = self.client.markets.book(market.ticker)
                found[market.id, True] = [
                    (market.price_units(level.price), market.lots(level.size)) for level in book.bids
                ]
                found[market.id, False] = [
                    (market.price_units(level.price), market.lots(level.size)) for level in book.asks
                ]
            except (ClientError, ValueError) as error:
                trouble = str(error)
                found.pop((market.id, True), None)
        if trouble and trouble != self._trouble:
            log.warning("the book cannot be read, the cost to unwind is the setting: %s", trouble)
        self._trouble = trouble
        return found
