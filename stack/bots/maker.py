# SPDX-License-Identifier: AGPL-3.0-only
"""A market maker: keeps a ladder of signed orders around the index price of one market.

    python -m stack.bots.maker --market BTC-USD --role MAKER_BTC --base-url http://127.0.0.1:8000

A quote stays while it is close enough to where it should be, the best level closest, so the book is never empty while
quotes move. Every round arms the dead man's switch, so that the quotes leave the book soon after the maker falls.
"""

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import typer

from ouro.client import RefusedError, SignedOrder
from ouro.client.models import PlacedOrder
from ouro.errors import OuroError
from ouro.orders import Side
from ouro.units import MICRO, PPM
from stack.bots.account import BotAccount
from stack.bots.ladder import Quote, Shape, ladder
from stack.process import Stop, log_to_stdout
from stack.wallets import Role

log = logging.getLogger("maker")

ROUND_S = 2.0
TOLERANCE_PPM = 120
TOLERANCE_STEP_PPM = 60
SWITCH_S = 60
ORDER_LIFETIME_S = 3_600
WOULD_CROSS = "post_only_would_cross"
EQUITY = Decimal(250_000)
FIRST_LEVEL_USDC = 900
MOST_POSITION_USDC = 400_000


def shape_at(index: int) -> Shape:
    """A ladder of about the same value in every market, from the index price in price units."""
    lots = max(1, FIRST_LEVEL_USDC * MICRO // index)
    return Shape(
        levels=14,
        first_ppm=120,
        step_ppm=130,
        lots=lots,
        skew_ppm=2_000,
        max_position=MOST_POSITION_USDC * MICRO // index,
    )


@dataclass(frozen=True)
class Live:
    """A quote that was put into the book."""

    id: str
    quote: Quote

    def good_enough(self, wanted: Quote) -> bool:
        """Whether it may stay for `wanted`: how far off it may be grows with the level."""
        tolerance_ppm = TOLERANCE_PPM + wanted.level * TOLERANCE_STEP_PPM
        return abs(self.quote.price - wanted.price) * PPM <= tolerance_ppm * wanted.price


class Maker:
    """Quotes one market from one account."""

    def __init__(self, bot: BotAccount, ticker: str) -> None:
        self.bot = bot
        self.market = bot.market(ticker)
        self.live: dict[tuple[Side, int], Live] = {}

    def round(self) -> None:
        """Look once, take back what is out of place, and put quotes where none is."""
        index = self.bot.index(self.market.ticker)
        if index is None:
            return
        self.bot.client.orders.cancel_all_after(SWITCH_S)
        resting = {order.id for order in self.bot.client.orders.list(market=self.market.ticker, status="OPEN")}
        self.live = {place: live for place, live in self.live.items() if live.id in resting}
        position = self.bot.position(self.market.ticker)
        wanted = {(q.side, q.level): q for q in ladder(self.market, index, position, shape_at(index))}
        moved = 0
        for half in (0, 1):  # every other level at a time, so that the book is never empty
            moved += self._requote({place: quote for place, quote in wanted.items() if quote.level % 2 == half})
        self._take_back([place for place in self.live if place not in wanted])
        if moved:
            size, price = self.market.size(position), self.market.price(index)
            log.info("index %s, position %s: %d of %d quotes moved", price, size, moved, len(wanted))

    def _requote(self, wanted: dict[tuple[Side, int], Quote]) -> int:
        """Put these quotes where they belong; how many were not."""
        self._take_back([p for p, quote in wanted.items() if p in self.live and not self.live[p].good_enough(quote)])
        missing = [quote for place, quote in wanted.items() if place not in self.live]
        self._place(missing)
        return len(missing)

    def _take_back(self, places: list[tuple[Side, int]]) -> None:
        for outcome in self.bot.client.orders.cancel_batch([self.live.pop(place).id for place in places]):
            if isinstance(outcome, RefusedError):
                log.info("not taken back, it was filled in the meantime: %s", outcome)

    def _place(self, quotes: list[Quote]) -> None:
        signed = [self._sign(quote, post_only=True) for quote in quotes]
        for quote, outcome in zip(quotes, self.bot.client.orders.submit_batch(signed), strict=True):
            if isinstance(outcome, PlacedOrder):
                self._keep(quote, outcome)
            elif outcome.code == WOULD_CROSS:
                # Somebody rests at a better price than the maker wants to trade at: take that, rest with what is left.
                self._take(quote)
            else:
                log.info("%s %s at %s was refused: %s", quote.side, quote.lots, quote.price, outcome)

    def _take(self, quote: Quote) -> None:
        try:
            self._keep(quote, self.bot.client.orders.submit(self._sign(quote, post_only=False)))
        except RefusedError as error:
            log.info("%s %s at %s was refused: %s", quote.side, quote.lots, quote.price, error)

    def _keep(self, quote: Quote, placed: PlacedOrder) -> None:
        if placed.status == "OPEN":
            self.live[quote.side, quote.level] = Live(placed.id, quote)

    def _sign(self, quote: Quote, *, post_only: bool) -> SignedOrder:
        return self.bot.client.orders.build_limit_order(
            self.market.ticker,
            quote.side,
            self.market.size(quote.lots),
            self.market.price(quote.price),
            post_only=post_only,
            expires_in_seconds=ORDER_LIFETIME_S,
        )

    def leave(self) -> None:
        """Take the quotes out of the book."""
        self.bot.client.orders.cancel_all(self.market.ticker)


def main(
    market: Annotated[str, typer.Option(help="Ticker to quote.")],
    role: Annotated[str, typer.Option(help="Whose wallet to use.")],
    base_url: Annotated[str, typer.Option(help="The exchange.")] = "http://127.0.0.1:8000",
) -> None:
    """Quote until stopped."""
    log_to_stdout()
    stop = Stop()
    bot = BotAccount(base_url, Role[role])
    bot.fund(EQUITY)
    maker = Maker(bot, market)
    maker.leave()  # what an earlier run may have left
    while not stop.wait(ROUND_S):
        try:
            maker.round()
        except OuroError as error:
            log.warning("round failed: %s", error)
    try:
        maker.leave()
    except OuroError as error:
        log.warning("could not take the quotes back: %s", error)


if __name__ == "__main__":
    typer.run(main)
