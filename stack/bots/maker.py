# SPDX-License-Identifier: AGPL-3.0-only
"""A market maker: keeps a ladder of signed, post-only orders around the index price of one market.

    python -m stack.bots.maker --market BTC-USD --role MAKER_BTC --base-url http://127.0.0.1:8000

It quotes anew when the index has moved, when something was filled and once in a while anyhow, and arms the dead man's
switch with every round, so that its orders leave the book soon after it falls.
"""

import logging
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import typer

from ouro.client import ClientError
from ouro.errors import OuroError
from ouro.units import MICRO, PPM
from stack.bots.account import BotAccount
from stack.bots.ladder import Quote, Shape, ladder
from stack.process import Stop, log_to_stdout
from stack.wallets import Role

log = logging.getLogger("maker")

ROUND_S = 2.0
REQUOTE_PPM = 300
REQUOTE_AFTER_S = 45.0
SWITCH_S = 60
ORDER_LIFETIME_S = 3_600
EQUITY = Decimal(250_000)
FIRST_LEVEL_USDC = 1_500
MOST_POSITION_USDC = 400_000


def shape_at(index: int) -> Shape:
    """A ladder of about the same value in every market, from the index price in price units."""
    lots = max(1, FIRST_LEVEL_USDC * MICRO // index)
    return Shape(
        levels=6,
        first_ppm=300,
        step_ppm=500,
        lots=lots,
        skew_ppm=2_000,
        max_position=MOST_POSITION_USDC * MICRO // index,
    )


@dataclass
class Quoted:
    """What was last put into the book."""

    index: int
    position: int
    at: float

    def outdated(self, index: int, position: int, now: float) -> bool:
        moved = abs(index - self.index) * PPM > REQUOTE_PPM * self.index
        return moved or position != self.position or now - self.at > REQUOTE_AFTER_S


class Maker:
    """Quotes one market from one account."""

    def __init__(self, bot: BotAccount, ticker: str) -> None:
        self.bot = bot
        self.market = bot.market(ticker)
        self.quoted: Quoted | None = None

    def round(self) -> None:
        """Look once and quote anew if the ladder in the book is out of date."""
        ticker = self.market.ticker
        index = self.bot.index(ticker)
        if index is None:
            return
        position = self.bot.position(ticker)
        now = time.monotonic()
        self.bot.client.cancel_all_after(SWITCH_S)
        if self.quoted is not None and not self.quoted.outdated(index, position, now):
            return
        self.bot.client.cancel_all(ticker)
        placed = sum(self._place(quote) for quote in ladder(self.market, index, position, shape_at(index)))
        self.quoted = Quoted(index, position, now)
        log.info("index %s, position %s: %d quotes", self.market.price(index), self.market.size(position), placed)

    def _place(self, quote: Quote) -> bool:
        try:
            self.bot.client.place_limit_order(
                self.market.ticker,
                quote.side,
                self.market.size(quote.lots),
                self.market.price(quote.price),
                post_only=True,
                expires_in_seconds=ORDER_LIFETIME_S,
            )
        except ClientError as error:
            log.info("%s %s at %s was refused: %s", quote.side, quote.lots, quote.price, error)
            return False
        return True

    def leave(self) -> None:
        """Take the quotes out of the book."""
        self.bot.client.cancel_all(self.market.ticker)


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
