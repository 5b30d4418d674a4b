# SPDX-License-Identifier: Apache-2.0
"""Typed streams, one per subject: `for book in client.ws.book("BTC-USD")`, or `async for` of an asynchronous client.

Each iteration is a connection of its own. It reconnects, subscribes again and closes its gaps by itself; it ends when
the loop is left. Many subjects over one connection: `client.ws.open()`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from ouro.client.calls import offline
from ouro.client.errors import ClientError
from ouro.client.models import Book, Candle, Fill, OrderRecord, Position, Trade, Transfer
from ouro.client.order_reads import own_proof
from ouro.client.session import Driver, Session
from ouro.client.stream import AsyncStream, LocalBook, Stream, StreamEvent
from ouro.client.stream_core import ACCOUNTS

T = TypeVar("T")


@dataclass(frozen=True)
class IndexPrice:
    """A new index price."""

    market: str
    price: Decimal
    effective_at: datetime


@dataclass(frozen=True)
class TapeUpdate:
    """Prints, oldest first, and the ids of those that a reorganisation of the chain took back."""

    trades: tuple[Trade, ...]
    reverted: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccountUpdate:
    """What changed on a subaccount, or with `is_snapshot` all that stands (open orders and positions).

    `orders` are as they are now. `fills` are on chain; `matches` are those of the relayer, in the form of its log.
    `reverted_fills` were taken back by a reorganisation of the chain. `seq` numbers the updates of the account.
    """

    is_snapshot: bool
    orders: tuple[OrderRecord, ...] = ()
    fills: tuple[Fill, ...] = ()
    positions: tuple[Position, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    matches: tuple[Mapping[str, Any], ...] = ()
    reverted_fills: tuple[str, ...] = ()
    equity: Decimal | None = None
    free_collateral: Decimal | None = None
    seq: int | None = None


Reader = Callable[[StreamEvent], Iterable[T]]


class Feeds:
    """The streams of a blocking client."""

    def __init__(self, client: Driver) -> None:
        self._client = client
        self._session = client.session
        self._url = client.session.network.url

    def open(self) -> Stream:
        """A connection for many subscriptions, and its events as they come."""
        return Stream(self._url)

    def book(self, market: str, *, depth: int = 100) -> Iterator[Book]:
        """The book after each change, best `depth` levels a side."""
        return self._follow("v4_orderbook", market.upper(), _book_reader(market, depth))

    def trades(self, market: str) -> Iterator[TapeUpdate]:
        """The newest prints, then those that follow."""
        return self._follow("v4_trades", market.upper(), _tape)

    def candles(self, market: str, resolution: str = "1MIN") -> Iterator[Candle]:
        """The newest candle, then each as it changes."""
        return self._follow("v4_candles", f"{market.upper()}/{resolution}", _candles)

    def index_prices(self) -> Iterator[IndexPrice]:
        """Index prices of all markets as they change."""
        return self._follow("v4_markets", "", _index_prices)

    def account(self, subaccount: int = 0, *, address: str | None = None) -> Iterator[AccountUpdate]:
        """What is on a subaccount, then what changes."""
        return self._follow("v4_subaccounts", f"{self._session.address_or(address)}/{subaccount}", _account)

    def _follow(self, channel: str, subject: str, read: Reader[T]) -> Iterator[T]:
        with closing(Stream(self._url)) as stream:
            if channel in ACCOUNTS:
                self._client.run(self._session.config())
                stream.subscribe(channel, subject, auth=_auth(self._session, subject))
            else:
                stream.subscribe(channel, subject)
            for event in stream:
                if _concerns(event, channel):
                    yield from read(event)


class AsyncFeeds:
    """The streams of an asynchronous client."""

    def __init__(self, client: Driver) -> None:
        self._client = client
        self._session = client.session
        self._url = client.session.network.url

    def open(self) -> AsyncStream:
        """A connection for many subscriptions, and its events as they come."""
        return AsyncStream(self._url)

    def book(self, market: str, *, depth: int = 100) -> AsyncIterator[Book]:
        """The book after each change, best `depth` levels a side."""
        return self._follow("v4_orderbook", market.upper(), _book_reader(market, depth))

    def trades(self, market: str) -> AsyncIterator[TapeUpdate]:
        """The newest prints, then those that follow."""
        return self._follow("v4_trades", market.upper(), _tape)

    def candles(self, market: str, resolution: str = "1MIN") -> AsyncIterator[Candle]:
        """The newest candle, then each as it changes."""
        return self._follow("v4_candles", f"{market.upper()}/{resolution}", _candles)

    def index_prices(self) -> AsyncIterator[IndexPrice]:
        """Index prices of all markets as they change."""
        return self._follow("v4_markets", "", _index_prices)

    def account(self, subaccount: int = 0, *, address: str | None = None) -> AsyncIterator[AccountUpdate]:
        """What is on a subaccount, then what changes."""
        return self._follow("v4_subaccounts", f"{self._session.address_or(address)}/{subaccount}", _account)

    async def _follow(self, channel: str, subject: str, read: Reader[T]) -> AsyncIterator[T]:
        stream = AsyncStream(self._url)
        try:
            if channel in ACCOUNTS:
                await self._client.run(self._session.config())
                await stream.subscribe(channel, subject, auth=_auth(self._session, subject))
            else:
                await stream.subscribe(channel, subject)
            async with aclosing(aiter(stream)) as events:  # type: ignore[type-var]
                async for event in events:
                    if _concerns(event, channel):
                        for record in read(event):
                            yield record
        finally:
            await stream.close()


def _auth(session: Session, subject: str) -> Callable[[], str]:
    """The owner's proof for a subscription, signed anew when the last one has not long to go."""
    return lambda: offline(own_proof(session, subject.partition("/")[0]))


def _concerns(event: StreamEvent, channel: str) -> bool:
    """Whether an event is news of a channel. Raises `ClientError` when its subscription was refused."""
    if event.kind == "error" and event.channel in (channel, ""):
        raise ClientError(f"the stream refused {channel}: {event.contents.get('message')}")
    return event.channel == channel and event.kind in ("subscribed", "update")


def _book_reader(market: str, depth: int) -> Reader[Book]:
    book = LocalBook(market.upper())

    def read(event: StreamEvent) -> Iterator[Book]:
        if book.apply(event):
            yield book.book(depth)

    return read


def _tape(event: StreamEvent) -> Iterator[TapeUpdate]:
    trades = _records(event.contents.get("trades"), Trade)
    yield TapeUpdate(tuple(reversed(trades)), tuple(event.contents.get("reverted") or ()))


def _candles(event: StreamEvent) -> Iterator[Candle]:
    # The snapshot is a list, newest first, an update one bare candle.
    found = event.contents["candles"][:1] if event.kind == "subscribed" else [event.contents]
    return iter(_records(found, Candle))


def _index_prices(event: StreamEvent) -> Iterator[IndexPrice]:
    for market, price in (event.contents.get("oraclePrices") or {}).items():
        yield IndexPrice(market, Decimal(price["oraclePrice"]), msgspec.convert(price["effectiveAt"], datetime))


def _account(event: StreamEvent) -> Iterator[AccountUpdate]:
    contents: Mapping[str, Any] = event.contents or {}
    standing: Mapping[str, Any] = contents.get("subaccount") or contents
    positions = contents.get("perpetualPositions") or list((standing.get("openPerpetualPositions") or {}).values())
    transfers = contents.get("transfers")
    fills = [{**fill, "market": fill.get("market") or fill["ticker"]} for fill in contents.get("fills") or ()]
    yield AccountUpdate(
        is_snapshot=event.kind == "subscribed",
        orders=_records(contents.get("orders"), OrderRecord),
        fills=_records(fills, Fill),
        positions=_records(positions, Position),
        transfers=_records([transfers] if isinstance(transfers, dict) else transfers, Transfer),
        matches=tuple(contents.get("matches") or ()),
        reverted_fills=tuple((contents.get("reverted") or {}).get("fills") or ()),
        equity=_decimal(standing.get("equity")),
        free_collateral=_decimal(standing.get("freeCollateral")),
        seq=int(contents["seq"]) if contents.get("seq") is not None else None,
    )


def _records(found: Iterable[Any] | None, kind: type[T]) -> tuple[T, ...]:
    return tuple(msgspec.convert(each, kind, strict=False) for each in found or ())


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
