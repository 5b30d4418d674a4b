# SPDX-License-Identifier: Apache-2.0
"""Reads about the exchange and its markets: one request each, no signer needed. Lists come newest first.

`at_seq` (the `seq` of an earlier answer) makes a read wait until that record is applied, so that one reads one's own
writes.
"""

from __future__ import annotations

from datetime import datetime

from ouro.client.calls import Call, Flow, one, query
from ouro.client.config import ClientConfig
from ouro.client.errors import NotFoundError
from ouro.client.models import (
    Book,
    BookLevel,
    Candle,
    Funding,
    Height,
    Level,
    PerpetualMarket,
    Record,
    ServerTime,
    Trade,
)
from ouro.client.session import Session


class _Markets(Record, frozen=True):
    markets: dict[str, PerpetualMarket]


class _Book(Record, frozen=True):
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]


class _Trades(Record, frozen=True):
    trades: list[Trade]


class _Candles(Record, frozen=True):
    candles: list[Candle]


class _FundingHistory(Record, frozen=True):
    historical_funding: list[Funding]


def config(session: Session) -> Flow[ClientConfig]:
    """Chain, contracts, domain, markets and time limits; asked for once per client."""
    return (yield from session.config())


def time(_session: Session) -> Flow[ServerTime]:
    """The exchange's clock."""
    return (yield from one(Call("GET", "/v4/time", ServerTime)))


def height(_session: Session) -> Flow[Height]:
    """The newest applied block."""
    return (yield from one(Call("GET", "/v4/height", Height)))


def list_markets(_session: Session, *, at_seq: int | None = None) -> Flow[list[PerpetualMarket]]:
    """Every market with its index price, fractions and open interest."""
    call = Call("GET", "/v4/perpetualMarkets", _Markets, query({"atSeq": at_seq}))
    return list((yield from one(call)).markets.values())


def get_market(_session: Session, market: str) -> Flow[PerpetualMarket]:
    """One market. Raises `NotFoundError` when there is none of that ticker."""
    ticker = market.upper()
    answer = yield from one(Call("GET", "/v4/perpetualMarkets", _Markets, query({"ticker": ticker})))
    if ticker not in answer.markets:
        raise NotFoundError(404, "unknown_market", [{"msg": f"no market is called {ticker}", "param": "market"}], {})
    return answer.markets[ticker]


def book(_session: Session, market: str, *, at_seq: int | None = None) -> Flow[Book]:
    """The resting orders of a market by price, best first, at most 100 levels a side."""
    path = f"/v4/orderbooks/perpetualMarket/{market.upper()}"
    answer = yield from one(Call("GET", path, _Book, query({"atSeq": at_seq})))
    return Book(
        tuple(Level(level.price, level.size) for level in answer.bids),
        tuple(Level(level.price, level.size) for level in answer.asks),
    )


def trades(_session: Session, market: str, *, limit: int | None = None, page: int | None = None) -> Flow[list[Trade]]:
    """The newest settled prints of a market."""
    path = f"/v4/trades/perpetualMarket/{market.upper()}"
    return (yield from one(Call("GET", path, _Trades, query({"limit": limit, "page": page})))).trades


def candles(
    _session: Session,
    market: str,
    resolution: str = "1MIN",
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
) -> Flow[list[Candle]]:
    """Candles of `resolution` (1MIN 5MINS 15MINS 30MINS 1HOUR 4HOURS 1DAY)."""
    parameters = query({"resolution": resolution, "fromISO": start, "toISO": end, "limit": limit})
    path = f"/v4/candles/perpetualMarkets/{market.upper()}"
    return (yield from one(Call("GET", path, _Candles, parameters))).candles


def historical_funding(_session: Session, market: str, *, limit: int | None = None) -> Flow[list[Funding]]:
    """Past hourly funding rates of a market."""
    path = f"/v4/historicalFunding/{market.upper()}"
    return (yield from one(Call("GET", path, _FundingHistory, query({"limit": limit})))).historical_funding
