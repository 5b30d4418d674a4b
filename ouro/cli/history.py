# SPDX-License-Identifier: Apache-2.0
"""Commands about what was: fills, tape, candles, funding."""

from __future__ import annotations

import csv
import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ouro.cli.market_data import Market
from ouro.cli.options import Address, Limit, OneMarket, Subaccount
from ouro.cli.output import View, text
from ouro.cli.progress import counted
from ouro.cli.run import Cli, UsageError, command

if TYPE_CHECKING:
    from ouro.client.models import Fill

PAGE = 1000
CSV_COLUMNS = ("time", "market", "side", "price", "size", "fee", "liquidity", "type", "block", "order", "fill")


class Resolution(StrEnum):
    """What time one candle covers."""

    MINUTE = "1MIN"
    FIVE_MINUTES = "5MINS"
    QUARTER = "15MINS"
    HALF_HOUR = "30MINS"
    HOUR = "1HOUR"
    FOUR_HOURS = "4HOURS"
    DAY = "1DAY"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""

    @command(app, "fills")
    def fills(
        cli: Cli,
        market: OneMarket = None,
        limit: Limit = 20,
        everything: Annotated[bool, typer.Option("--all", help="All there are, instead of --limit.")] = False,
        to: Annotated[
            Path | None, typer.Option("--csv", help="Write CSV to this file; - is standard output.", show_default=False)
        ] = None,
        address: Address = None,
        subaccount: Subaccount = 0,
    ) -> View:
        """List settled fills, newest first."""
        if to is not None and cli.json:
            raise UsageError("choose --csv or --json")
        whose = cli.address(address)
        if everything:
            found = _all_fills(cli, whose, subaccount, market)
        else:
            found = cli.reader.account.fills(address=whose, subaccount=subaccount, market=market, limit=limit)
        if to is not None:
            written = _csv(found)
            if str(to) == "-":
                return View(None, note=written.rstrip("\r\n"))
            try:
                to.write_text(written, newline="")
            except OSError as error:
                raise UsageError(f"cannot write {to}: {error.strerror}") from None
            return View(None, note=f"Wrote {len(found)} fill{'' if len(found) == 1 else 's'} to {to}.")
        return View(
            found,
            columns=("time", "market", "side", "price", "size", "fee", "liquidity", "fill"),
            rows=[
                (fill.created_at, fill.market, fill.side, fill.price, fill.size, fill.fee, fill.liquidity, fill.id)
                for fill in found
            ],
            empty="No fills.",
        )

    @command(app, "trades")
    def trades(cli: Cli, market: Market, limit: Limit = 20) -> View:
        """List the newest settled trades of a market."""
        found = cli.reader.markets.trades(market, limit=limit)
        return View(
            found,
            columns=("time", "side", "price", "size", "type"),
            rows=[(trade.created_at, trade.side, trade.price, trade.size, trade.type) for trade in found],
            empty=f"Nothing has traded in {market.upper()} yet.",
        )

    @command(app, "candles")
    def candles(
        cli: Cli,
        market: Market,
        resolution: Annotated[
            Resolution, typer.Option("--resolution", help="What time one candle covers.", case_sensitive=False)
        ] = Resolution.HOUR,
        limit: Limit = 24,
    ) -> View:
        """List candles of a market, newest first."""
        found = cli.reader.markets.candles(market, resolution.value, limit=limit)
        return View(
            found,
            columns=("from", "open", "high", "low", "close", "volume", "USDC", "trades"),
            rows=[
                (
                    candle.started_at,
                    candle.open,
                    candle.high,
                    candle.low,
                    candle.close,
                    candle.base_token_volume,
                    candle.usd_volume,
                    candle.trades,
                )
                for candle in found
            ],
            empty=f"{market.upper()} has no candles yet.",
        )

    @command(app, "funding")
    def funding(cli: Cli, market: Market, limit: Limit = 24) -> View:
        """List the hourly funding rates of a market, newest first; longs pay when it is positive."""
        found = cli.reader.markets.historical_funding(market, limit=limit)
        return View(
            found,
            columns=("time", "rate", "index price"),
            rows=[(each.effective_at, each.rate, each.price) for each in found],
            empty=f"{market.upper()} has no funding history yet.",
        )

    @command(app, "payments")
    def payments(
        cli: Cli, market: OneMarket = None, limit: Limit = 24, address: Address = None, subaccount: Subaccount = 0
    ) -> View:
        """List the funding that an account paid (negative) or got, newest first."""
        whose = cli.address(address)
        found = cli.reader.account.funding_payments(address=whose, subaccount=subaccount, market=market, limit=limit)
        return View(
            found,
            columns=("time", "market", "payment", "side", "size", "rate", "index price"),
            rows=[
                (each.created_at, each.ticker, each.payment, each.side, each.size, each.rate, each.oracle_price)
                for each in found
            ],
            empty="No funding was paid yet.",
        )


def _all_fills(cli: Cli, whose: str, subaccount: int, market: str | None) -> list[Fill]:
    """Page after page; what comes in meanwhile pushes the others down, so known ones are left out."""
    found: dict[str, Fill] = {}
    with counted("fills", quiet=cli.json) as count:
        for page in range(1, 1_000_000):
            more = cli.reader.account.fills(address=whose, subaccount=subaccount, market=market, limit=PAGE, page=page)
            found |= {fill.id: fill for fill in more}
            count(len(found))
            if len(more) < PAGE:
                break
    return list(found.values())


def _csv(fills: list[Fill]) -> str:
    """With a heading, times in UTC, decimals in full."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(CSV_COLUMNS)
    for fill in fills:
        writer.writerow(
            (
                fill.created_at.isoformat().replace("+00:00", "Z"),
                fill.market,
                fill.side,
                *(text(number) for number in (fill.price, fill.size, fill.fee)),
                fill.liquidity,
                fill.type,
                "" if fill.created_at_height is None else fill.created_at_height,
                fill.order_id or "",
                fill.id,
            )
        )
    return target.getvalue()
