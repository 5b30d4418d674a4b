# SPDX-License-Identifier: AGPL-3.0-only
"""Markets, books, trades, candles, funding."""

from fastapi import APIRouter
from starlette.responses import Response

from indexer.api.answer import HISTORY, HOT, Json
from indexer.api.context import Ctx, Query, Ticker
from indexer.api.errors import bad_parameter
from indexer.api.params import Params
from indexer.orders.book import Book
from indexer.reads import markets, tape
from indexer.reads.books import DEPTH, snapshot
from indexer.reads.window import Window
from indexer.views.candles import RESOLUTIONS

router = APIRouter(prefix="/v4", tags=["markets"])

_SPARKLINES = {"ONE_DAY": ("1HOUR", 86_400), "SEVEN_DAYS": ("4HOURS", 7 * 86_400)}


@router.get("/perpetualMarkets")
def perpetual_markets(context: Ctx, query: Query) -> Response:
    """Every market, or the one named by `market` or `ticker`."""
    with context.reading() as reading:
        wanted = query.listings(reading.catalog) or list(reading.catalog.by_id.values())
        found = {
            listing.ticker: markets.market(reading.connection, reading.catalog, listing)
            for listing in wanted[: query.limit()]
        }
    return Json({"markets": found}, cache=HOT)


@router.get("/orderbooks/perpetualMarket/{ticker}")
async def order_book(context: Ctx, ticker: Ticker) -> Response:
    """Resting sizes by price, best first, at most 100 levels a side; `seq` numbers the book's changes."""
    listing = context.live.listing(ticker)
    return Json(snapshot(context.books.get(listing.ticker, Book()), listing, DEPTH), cache=HOT)


@router.get("/trades/perpetualMarket/{ticker}")
def trades(context: Ctx, query: Query, ticker: Ticker) -> Response:
    """Settled prints, newest first."""
    with context.reading() as reading:
        listing = reading.listing(ticker)
        page = tape.trades(reading.connection, listing, query.window())
    return Json(page.body("trades", [tape.trade(row, listing) for row in page.rows]), cache=HOT)


@router.get("/candles/perpetualMarkets/{ticker}")
def candles(context: Ctx, query: Query, ticker: Ticker) -> Response:
    """Candles of `resolution`, newest first; `fromISO` and `toISO` (or `fromIso`, `toIso`) are inclusive starts."""
    resolution = resolution_of(query)
    window = Window(
        limit=query.limit(),
        since_s=query.time_s("fromISO", "fromIso", up=True),
        until_s=query.time_s("toISO", "toIso"),
    )
    with context.reading() as reading:
        found = tape.candles(reading.connection, reading.listing(ticker), resolution, window)
    return Json({"candles": found}, cache=HOT)


@router.get("/historicalFunding/{ticker}")
def historical_funding(context: Ctx, query: Query, ticker: Ticker) -> Response:
    """Hourly funding rates, newest first."""
    with context.reading() as reading:
        found = tape.funding(reading.connection, reading.listing(ticker), query.window())
    return Json({"historicalFunding": found}, cache=HISTORY)


@router.get("/sparklines")
def sparklines(context: Ctx, query: Query) -> Response:
    """Closing prices by ticker, newest first: hourly over a day, or four-hourly over a week."""
    period = (query.text("timePeriod") or "ONE_DAY").upper()
    if period not in _SPARKLINES:
        raise bad_parameter("timePeriod", f"timePeriod is one of {', '.join(_SPARKLINES)}, not {period}")
    with context.reading() as reading:
        found = tape.sparklines(reading.connection, reading.catalog, *_SPARKLINES[period])
    return Json(found, cache=HISTORY, bare=True)


def resolution_of(query: Params) -> str:
    name = (query.text("resolution") or "1MIN").upper()
    if name not in RESOLUTIONS:
        raise bad_parameter("resolution", f"resolution is one of {', '.join(RESOLUTIONS)}, not {name}")
    return name
