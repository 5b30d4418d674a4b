# SPDX-License-Identifier: Apache-2.0
"""Flows that read: one request each, under `/v4`.

`at_seq` (the `seq` of an earlier answer) makes a read wait until that record is applied, so that one reads one's own
writes. Lists come newest first. `address` defaults to the client's own account.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ouro.client.calls import Call, Flow, one, query
from ouro.client.config import ClientConfig
from ouro.client.errors import NotFoundError
from ouro.client.models import (
    Book,
    BookLevel,
    Candle,
    Fill,
    Funding,
    Height,
    Level,
    OrderRecord,
    PerpetualMarket,
    Position,
    Record,
    ServerTime,
    Subaccount,
    Trade,
    Transfer,
)
from ouro.client.session import Session
from ouro.reading import HEADER


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


class _Subaccounts(Record, frozen=True):
    subaccounts: list[Subaccount]


class _Subaccount(Record, frozen=True):
    subaccount: Subaccount


class _Positions(Record, frozen=True):
    positions: list[Position]


class _Fills(Record, frozen=True):
    fills: list[Fill]


class _Transfers(Record, frozen=True):
    transfers: list[Transfer]


def config(session: Session) -> Flow[ClientConfig]:
    """Chain, contracts, domain, markets and time limits; asked for once per client."""
    return (yield from session.config())


def time(_session: Session) -> Flow[ServerTime]:
    """The exchange's clock."""
    return (yield from one(Call("GET", "/v4/time", ServerTime)))


def height(_session: Session) -> Flow[Height]:
    """The newest applied block."""
    return (yield from one(Call("GET", "/v4/height", Height)))


def markets(_session: Session, *, at_seq: int | None = None) -> Flow[list[PerpetualMarket]]:
    """Every market with its index price, fractions and open interest."""
    call = Call("GET", "/v4/perpetualMarkets", _Markets, query({"atSeq": at_seq}))
    return list((yield from one(call)).markets.values())


def market_record(_session: Session, market: str) -> Flow[PerpetualMarket]:
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


def subaccount(
    session: Session, number: int = 0, *, address: str | None = None, at_seq: int | None = None
) -> Flow[Subaccount]:
    """Equity, free collateral and open positions of one subaccount. Raises `NotFoundError` before its first deposit."""
    path = f"/v4/addresses/{session.address_or(address)}/subaccountNumber/{number}"
    return (yield from one(Call("GET", path, _Subaccount, query({"atSeq": at_seq})))).subaccount


def subaccounts(session: Session, *, address: str | None = None, at_seq: int | None = None) -> Flow[list[Subaccount]]:
    """Every subaccount of an address."""
    path = f"/v4/addresses/{session.address_or(address)}"
    return (yield from one(Call("GET", path, _Subaccounts, query({"atSeq": at_seq})))).subaccounts


def positions(
    session: Session,
    *,
    address: str | None = None,
    subaccount: int = 0,
    status: str | Sequence[str] | None = "OPEN",
    limit: int | None = None,
    at_seq: int | None = None,
) -> Flow[list[Position]]:
    """Positions of a subaccount: open ones unless `status` asks for CLOSED, LIQUIDATED or, with None, all."""
    parameters = query(
        {
            "address": session.address_or(address),
            "subaccountNumber": subaccount,
            "status": status,
            "limit": limit,
            "atSeq": at_seq,
        }
    )
    return (yield from one(Call("GET", "/v4/perpetualPositions", _Positions, parameters))).positions


def orders(
    session: Session,
    *,
    address: str | None = None,
    subaccount: int = 0,
    market: str | None = None,
    status: str | Sequence[str] | None = None,
    side: str | None = None,
    client_id: str | None = None,
    limit: int | None = None,
    at_seq: int | None = None,
) -> Flow[list[OrderRecord]]:
    """Orders of a subaccount, newest first; `status` is one or more of OPEN, FILLED, CANCELED, UNTRIGGERED.

    Of the client's own account these are all of them, also those that wait and were never live; of another account only
    what everybody may see.
    """
    whose = session.address_or(address)
    parameters = query(
        {
            "address": whose,
            "subaccountNumber": subaccount,
            "ticker": market.upper() if market else None,
            "status": status,
            "side": side.upper() if side else None,
            "clientId": client_id,
            "limit": limit,
            "atSeq": at_seq,
        }
    )
    headers = yield from _proven(session, whose)
    return (yield from one(Call("GET", "/v4/orders", list[OrderRecord], parameters, headers=headers)))


def order(session: Session, order_id: str, *, at_seq: int | None = None) -> Flow[OrderRecord]:
    """One order by its id, if everybody may see it or it is the client's own. Raises `NotFoundError`."""
    headers = yield from _proven(session, None)
    path = f"/v4/orders/{order_id}"
    return (yield from one(Call("GET", path, OrderRecord, query({"atSeq": at_seq}), headers=headers)))


def read_proof(session: Session) -> Flow[str]:
    """The account's signed proof that its owner reads, good for half an hour at least: the header `Ouro-Read` or a
    stream's `auth`. Reads of the client's own account send it by themselves.
    """
    config = yield from session.config()
    return str(session.read_proof(config.order_domain()))


def _proven(session: Session, whose: str | None) -> Flow[dict[str, str]]:
    """The header that shows what only the owner may see, when the account is the client's own."""
    if session.account is None or (whose is not None and whose.lower() != session.address.lower()):
        return {}
    proof = yield from read_proof(session)
    return {HEADER: proof}


def fills(
    session: Session,
    *,
    address: str | None = None,
    subaccount: int = 0,
    market: str | None = None,
    limit: int | None = None,
    page: int | None = None,
    at_seq: int | None = None,
) -> Flow[list[Fill]]:
    """Settled fills of a subaccount."""
    parameters = query(
        {
            "address": session.address_or(address),
            "subaccountNumber": subaccount,
            "market": market.upper() if market else None,
            "limit": limit,
            "page": page,
            "atSeq": at_seq,
        }
    )
    return (yield from one(Call("GET", "/v4/fills", _Fills, parameters))).fills


def transfers(
    session: Session, *, address: str | None = None, subaccount: int = 0, limit: int | None = None
) -> Flow[list[Transfer]]:
    """Deposits and withdrawals of a subaccount."""
    parameters = query({"address": session.address_or(address), "subaccountNumber": subaccount, "limit": limit})
    return (yield from one(Call("GET", "/v4/transfers", _Transfers, parameters))).transfers
