# SPDX-License-Identifier: Apache-2.0
"""`ouro watch`: books, trades, prices and an account as they change, until Ctrl-C. Lost connections come back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from ouro.cli.market_data import Market
from ouro.cli.options import Address, Subaccount
from ouro.cli.output import View, plain_record, text
from ouro.cli.run import Cli, command

if TYPE_CHECKING:
    from ouro.client.models import Book
    from ouro.client.ws import AccountUpdate, IndexPrice, TapeUpdate

T = TypeVar("T")

Count = Annotated[
    int | None, typer.Option("--count", min=1, help="End after so many updates.", show_default="until Ctrl-C")
]

_HOME = "\x1b[H\x1b[2J"
BAR = 30
"""Characters of the longest bar of a book."""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    watch_app = typer.Typer(
        help="Follow books, trades, prices or an account live.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(watch_app, name="watch")

    @command(watch_app, "book")
    def book(
        cli: Cli,
        market: Market,
        depth: Annotated[int, typer.Option("--depth", min=1, max=50, help="Levels a side.")] = 10,
        count: Count = None,
    ) -> View:
        """Follow the order book of a market: drawn anew at each change."""
        cli.reader.markets.get(market)
        stream = cli.reader.ws.book(market, depth=depth)
        return _follow(cli, stream, count, lambda now: _book_lines(market.upper(), now), redraw=True)

    @command(watch_app, "trades")
    def trades(cli: Cli, market: Market, count: Count = None) -> View:
        """Follow the settled trades of a market, one a line."""
        cli.reader.markets.get(market)
        return _follow(cli, cli.reader.ws.trades(market), count, _tape_lines)

    @command(watch_app, "prices")
    def prices(cli: Cli, count: Count = None) -> View:
        """Follow the index prices of all markets."""
        return _follow(cli, cli.reader.ws.index_prices(), count, _price_lines)

    @command(watch_app, "account")
    def account(cli: Cli, address: Address = None, subaccount: Subaccount = 0, count: Count = None) -> View:
        """Follow orders, fills, positions and money of an account; with its key also orders that wait."""
        if address is None:
            stream = cli.trader.ws.account(subaccount)
        else:
            stream = cli.reader.ws.account(subaccount, address=cli.address(address))
        return _follow(cli, stream, count, _account_lines)


def _follow(
    cli: Cli, stream: Iterator[T], count: int | None, lines: Callable[[T], Iterable[str]], *, redraw: bool = False
) -> View:
    """Print each update at once: lines for people, with `--json` one line of JSON each."""
    redraw = redraw and sys.stdout.isatty() and not cli.json
    shown = 0
    try:
        for update in stream:
            if cli.json:
                print(msgspec.json.encode(_record(update)).decode(), flush=True)
            else:
                print((_HOME if redraw else "") + "\n".join(map(text, lines(update))), flush=True)
            shown += 1
            if shown == count:
                break
    finally:
        stream.close()  # type: ignore[attr-defined]  # streams are generators: this closes the connection
    return View(None, silent=True)


def _record(update: Any) -> Any:
    """A typed update as JSON, camelCase as the API's own records."""
    if hasattr(update, "__dataclass_fields__"):
        return {_camel(field.name): plain_record(getattr(update, field.name)) for field in fields(update)}
    return plain_record(update)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _book_lines(market: str, book: Book) -> Iterator[str]:
    levels = [*book.asks, *book.bids]
    largest = max((level.size for level in levels), default=None)
    price_width = max((len(text(level.price)) for level in levels), default=0)
    size_width = max((len(text(level.size)) for level in levels), default=0)

    def line(side: str, price: Any, size: Any) -> str:
        bar = "█" * max(1, int(size / largest * BAR)) if largest else ""
        return f"{side}  {text(price):>{price_width}}  {text(size):>{size_width}}  {bar}"

    yield market
    yield from (line("ask", *level) for level in reversed(book.asks))
    if book.asks and book.bids:
        yield f"---  spread {text(book.asks[0].price - book.bids[0].price)}"
    yield from (line("bid", *level) for level in book.bids)
    if not levels:
        yield "the book is empty"


def _tape_lines(update: TapeUpdate) -> Iterator[str]:
    for trade in update.trades:
        yield f"{text(trade.created_at)}  {trade.side:<4}  {text(trade.size):>12}  at {text(trade.price)}"
    for reverted in update.reverted:
        yield f"taken back by the chain: {reverted}"


def _price_lines(update: IndexPrice) -> Iterator[str]:
    yield f"{text(update.effective_at)}  {update.market:<10}  {text(update.price)}"


def _account_lines(update: AccountUpdate) -> Iterator[str]:
    if update.is_snapshot:
        yield f"equity {text(update.equity)} USDC, free collateral {text(update.free_collateral)} USDC"
    for order in update.orders:
        price = text(order.price)
        yield f"order     {order.ticker} {order.side} {text(order.size)} at {price}: {order.status} {order.id}"
    for fill in update.fills:
        yield f"fill      {fill.market} {fill.side} {text(fill.size)} at {text(fill.price)}, fee {text(fill.fee)}"
    for position in update.positions:
        yield f"position  {position.market} {position.side} {text(position.size)} {position.status}"
    for transfer in update.transfers:
        yield f"money     {transfer.type} {text(transfer.size)} USDC"
    for reverted in update.reverted_fills:
        yield f"taken back by the chain: fill {reverted}"
