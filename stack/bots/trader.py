# SPDX-License-Identifier: AGPL-3.0-only
"""A trader that takes and sometimes makes, at random but repeatably: the same seed draws the same decisions.

    python -m stack.bots.trader --role TRADER_ONE --seed 1 --base-url http://127.0.0.1:8000

With `--leverage` it is a gambler instead: it opens a position of that many times its equity, holds it until it has
gained enough or was liquidated, and starts over with new money.
"""

import logging
import random
from decimal import Decimal
from typing import Annotated

import typer

from ouro.client import ClientError
from ouro.errors import OuroError
from ouro.orders import Side
from ouro.units import MICRO, PPM
from stack.bots.account import BotAccount
from stack.process import Stop, log_to_stdout
from stack.wallets import Role

log = logging.getLogger("trader")

EQUITY = Decimal(25_000)
STAKE = Decimal(1_500)
SLIPPAGE = "0.01"
#: The worst price counts against free collateral, of which a gambler leaves little.
TIGHT_SLIPPAGE = "0.004"
LEAST_USDC = 100
MOST_USDC = 4_000
COMFORT_USDC = 20_000
LEAN_PPM = 450_000
RESTING_PPM = 250_000
RESTING_LIFETIME_S = 90
AWAY_PPM = 1_000


class Trader:
    """Trades every market from one account, drawn from one random series."""

    def __init__(self, bot: BotAccount, draw: random.Random) -> None:
        self.bot = bot
        self.draw = draw
        self.tickers = bot.config.tickers

    def round(self) -> None:
        """One decision: a market, a side, a size, and whether to take or to rest."""
        ticker = self.draw.choice(self.tickers)
        chance, value = self.draw.randrange(PPM), self.draw.randint(LEAST_USDC, MOST_USDC)
        resting = self.draw.randrange(PPM) < RESTING_PPM
        index = self.bot.index(ticker)
        if index is None:
            return
        market = self.bot.market(ticker)
        position = self.bot.position(ticker)
        # The larger the position, the likelier the next trade makes it smaller.
        lean = max(-LEAN_PPM, min(LEAN_PPM, position * index * LEAN_PPM // (COMFORT_USDC * MICRO)))
        side = Side.BUY if chance > PPM // 2 + lean else Side.SELL
        size = market.size(max(1, value * MICRO // index))
        if not resting:
            placed = self.bot.client.orders.place_market_order(ticker, side, size, SLIPPAGE)
        else:
            away = index * AWAY_PPM // PPM
            units = market.floor_to_tick(index - away) if side is Side.BUY else market.ceil_to_tick(index + away)
            placed = self.bot.client.orders.place_limit_order(
                ticker, side, size, market.price(units), expires_in_seconds=RESTING_LIFETIME_S
            )
        log.info("%s %s %s: %s, filled %s", side, size, ticker, placed.status, placed.filled)


class Gambler:
    """Holds one oversized position at a time."""

    def __init__(self, bot: BotAccount, draw: random.Random, leverage: int) -> None:
        self.bot = bot
        self.draw = draw
        self.leverage = leverage
        self.tickers = bot.config.tickers

    def round(self) -> None:
        """Open when flat, take the gain when there is enough, else hold."""
        held = {ticker: self.bot.position(ticker) for ticker in self.tickers}
        equity = self.bot.equity()
        for ticker, lots in held.items():
            if lots and equity > 2 * STAKE:
                side = Side.SELL if lots > 0 else Side.BUY
                size = self.bot.market(ticker).size(abs(lots))
                self.bot.client.orders.place_market_order(ticker, side, size, TIGHT_SLIPPAGE, reduce_only=True)
                log.info("took the gain on %s at equity %s", ticker, equity)
        if any(held.values()) or self.bot.fund(STAKE):
            return
        ticker = self.draw.choice(self.tickers)
        side = self.draw.choice((Side.BUY, Side.SELL))
        index = self.bot.index(ticker)
        if index is None:
            return
        market = self.bot.market(ticker)
        stake = min(equity, 2 * STAKE)
        size = market.size(int(stake * self.leverage * MICRO) // index)
        placed = self.bot.client.orders.place_market_order(ticker, side, size, TIGHT_SLIPPAGE)
        log.info("%s %s %s at %d times: %s, filled %s", side, size, ticker, self.leverage, placed.status, placed.filled)


def main(
    role: Annotated[str, typer.Option(help="Whose wallet to use.")],
    seed: Annotated[int, typer.Option(help="Of the random series.")] = 1,
    leverage: Annotated[int, typer.Option(min=0, max=19, help="Gamble at this leverage; 0 trades calmly.")] = 0,
    pause: Annotated[float, typer.Option(help="Mean seconds between decisions.")] = 3.0,
    base_url: Annotated[str, typer.Option(help="The exchange.")] = "http://127.0.0.1:8000",
) -> None:
    """Trade until stopped."""
    log_to_stdout()
    stop = Stop()
    draw = random.Random(seed)
    bot = BotAccount(base_url, Role[role])
    trader: Trader | Gambler
    if leverage:
        trader = Gambler(bot, draw, leverage)
        bot.fund(STAKE)
    else:
        trader = Trader(bot, draw)
        bot.fund(EQUITY)
    while not stop.wait(draw.uniform(0.5, 1.5) * pause):
        try:
            trader.round()
        except ClientError as error:
            log.info("refused: %s", error)
        except OuroError as error:
            log.warning("round failed: %s", error)


if __name__ == "__main__":
    typer.run(main)
