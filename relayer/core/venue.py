# SPDX-License-Identifier: AGPL-3.0-only
"""One market as matching sees it: its book, and the chain's figures for it at the last block."""

from ouro.markets import Market, MarketState
from relayer.core.book import Book
from relayer.core.native import mypyc_attr

# Calling the enumeration costs as much as matching does.
_STATES = {state.value: state for state in MarketState}


@mypyc_attr(allow_interpreted_subclasses=True)
class Venue:
    """Everything here but the book is overwritten from the chain state after each block: indices as of then,
    `imf_ppm` as open interest scales it.
    """

    __slots__ = (
        "book",
        "g_long",
        "g_short",
        "id",
        "imf_ppm",
        "index_price",
        "market",
        "open_interest",
        "published_at",
        "ticker",
        "unsettled_open_interest",
    )

    def __init__(self, market: Market) -> None:
        self.id = market.id
        self.ticker = market.ticker
        self.market = market
        self.book = Book()
        self.g_long = 0
        self.g_short = 0
        self.imf_ppm = market.imf_ppm
        self.index_price = 0
        self.published_at = 0
        self.open_interest = 0
        self.unsettled_open_interest = 0

    def imf_reaching_ppm(self, planned: int, lots: int) -> int:
        """Initial margin when `lots` more trade after what is matched and `planned`, both in full."""
        matched = max(0, self.unsettled_open_interest + planned)
        reached = self.market.scaled_imf_ppm(self.open_interest + matched + lots, self.index_price)
        return max(self.imf_ppm, reached)

    @property
    def state(self) -> MarketState:
        """What it lets through."""
        return _STATES[self.market.state]

    def is_stale(self, time_s: int) -> bool:
        """Whether the chain would call the index price too old at that time (or has none). That of a settled market is
        fixed.
        """
        if self.market.state == MarketState.SETTLED:
            return False
        return self.index_price == 0 or time_s - self.published_at > self.market.max_price_age_s

    def is_open(self, time_s: int) -> bool:
        """Whether orders of any kind may match now."""
        return self.state is MarketState.ACTIVE and not self.is_stale(time_s)

    def in_band(self, price: int) -> bool:
        """Whether a fill at `price` is near enough to the index price (protocol, section 6)."""
        return abs(price - self.index_price) * 1_000_000 <= self.market.band_ppm * self.index_price

    def g(self, size: int) -> int:
        """The cumulative index of the side a position is on; 0 for none."""
        if size == 0:
            return 0
        return self.g_long if size > 0 else self.g_short
