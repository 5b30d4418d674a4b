# SPDX-License-Identifier: Apache-2.0
"""Commands that need no key: markets, book, config."""

from __future__ import annotations

from typing import Annotated

import typer

from ouro.cli.output import View
from ouro.cli.run import Cli, command

Market = Annotated[str, typer.Argument(help="Ticker, such as BTC-USD.", metavar="MARKET")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""

    @command(app, "markets")
    def markets(cli: Cli) -> View:
        """List the markets with their index prices."""
        found = cli.reader.markets.list()
        return View(
            found,
            columns=("market", "status", "index price", "tick", "lot", "open interest", "volume 24h", "funding 1h"),
            rows=[
                (
                    market.ticker,
                    market.status,
                    market.oracle_price,
                    market.tick_size,
                    market.step_size,
                    market.open_interest,
                    market.volume_24h,
                    market.next_funding_rate,
                )
                for market in found
            ],
            empty="No market is listed.",
        )

    @command(app, "book")
    def book(
        cli: Cli,
        market: Market,
        depth: Annotated[int, typer.Option("--depth", min=1, max=100, help="Levels a side.")] = 10,
    ) -> View:
        """Show the order book of a market, best prices in the middle."""
        levels = cli.reader.markets.book(market)
        asks, bids = levels.asks[:depth], levels.bids[:depth]
        rows = [("ask", level.price, level.size) for level in reversed(asks)]
        rows += [("bid", level.price, level.size) for level in bids]
        return View(
            {"bids": bids, "asks": asks},
            columns=("side", "price", "size"),
            rows=rows,
            empty=f"The book of {market.upper()} is empty.",
        )

    @command(app, "config")
    def config(cli: Cli) -> View:
        """Show chain, contracts and time limits of the exchange."""
        known = cli.reader.config()
        return View(
            known.record,
            pairs={
                "url": cli.reader.base_url,
                "chain id": known.chain_id,
                "node": known.rpc_url,
                "exchange": known.contracts.exchange,
                "vault": known.contracts.vault,
                "usdc": known.contracts.usdc,
                "oracle": known.contracts.oracle,
                "operator": known.deployment.operator,
                "settle window": f"{known.settle_window} s",
                "withdrawal delay": f"{known.deployment.withdrawal_delay} s",
                "markets": ", ".join(known.tickers),
            },
        )
