# SPDX-License-Identifier: Apache-2.0
"""Typed streams, one per subject: `for book in client.ws.book("BTC-USD")`, or `async for` of an asynchronous client.

Each iteration is a connection of its own. It reconnects, subscribes again and closes its gaps by itself; it ends when
the loop is left. Many subjects over one connection: `client.ws.open()`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

import msgspec

from ouro.client.calls import offline
from ouro.client.errors import ClientError
from ouro.client.models import Book, Candle, Fill, OrderRecord, Position, Trade, Transfer
from ouro.client.modes import Awaited, Blocking, Driver, Namespace
from ouro.client.order_reads import own_proof
from ouro.client.session import Session
from ouro.client.stream import AsyncStream, LocalBook, Stream, StreamEvent
from ouro.client.stream_core import ACCOUNTS

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K")


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
    `reverted_fills` were taken back by a reorganisation of the chain, `final_fills` never will be. `seq` numbers the
    updates of the account.
    """

    is_snapshot: bool
    orders: tuple[OrderRecord, ...] = ()
    fills: tuple[Fill, ...] = ()
    positions: tuple[Position, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    matches: tuple[Mapping[str, Any], ...] = ()
    reverted_fills: tuple[str, ...] = ()
    final_fills: tuple[str, ...] = ()
    equity: Decimal | None = None
    free_collateral: Decimal | None = None
    seq: int | None = None


@dataclass(frozen=True)
class Subject(Generic[T]):
    """What to subscribe to, and how its events read."""

    channel: str
    id: str
    read: Callable[[StreamEvent], Iterable[T]]


class Feed(Generic[P, T]):
    """A subject as a method: of a blocking client it gives an iterator, of an asynchronous one an asynchronous one."""

    def __init__(self, subject: Callable[Concatenate[Session, P], Subject[T]]) -> None:
        self.subject = subject
        self.__doc__ = subject.__doc__

    @overload
    def __get__(self, instance: None, owner: Any) -> Feed[P, T]: ...
    @overload
    def __get__(self, instance: Streams[Blocking], owner: Any) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: Streams[Awaited], owner: Any) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: Streams[Any] | None, owner: Any) -> Any:
        if instance is None:
            return self
        client, subject = instance._client, self.subject
        follow: Callable[..., Any] = _follow if client.stream_type is Stream else _follow_async

        @functools.wraps(subject)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return follow(client, subject(client.session, *args, **kwargs))

        method.__signature__ = self.signature()  # type: ignore[attr-defined]
        return method

    def signature(self) -> inspect.Signature:
        """The subject's parameters without the session; the result is an iterator of records."""
        signature = inspect.signature(self.subject)
        _, *others = signature.parameters.values()
        record = str(signature.return_annotation).removeprefix("Subject[").removesuffix("]")
        return signature.replace(parameters=others, return_annotation=f"Iterator[{record}]")


def _book(_session: Session, market: str, *, depth: int = 100) -> Subject[Book]:
    """The book after each change, best `depth` levels a side."""
    return Subject("v4_orderbook", market.upper(), _book_reader(market, depth))


def _trades(_session: Session, market: str) -> Subject[TapeUpdate]:
    """The newest prints, then those that follow."""
    return Subject("v4_trades", market.upper(), _read_tape)


def _candles(_session: Session, market: str, resolution: str = "1MIN") -> Subject[Candle]:
    """The newest candle, then each as it changes."""
    return Subject("v4_candles", f"{market.upper()}/{resolution}", _read_candles)


def _index_prices(_session: Session) -> Subject[IndexPrice]:
    """Index prices of all markets as they change."""
    return Subject("v4_markets", "", _read_index_prices)


def _account(session: Session, subaccount: int = 0, *, address: str | None = None) -> Subject[AccountUpdate]:
    """What is on a subaccount, then what changes."""
    return Subject("v4_subaccounts", f"{session.address_or(address)}/{subaccount}", _read_account)


class Streams(Namespace[K]):
    """What happens, as it happens."""

    book = Feed(_book)
    trades = Feed(_trades)
    candles = Feed(_candles)
    index_prices = Feed(_index_prices)
    account = Feed(_account)

    @overload
    def open(self: Streams[Blocking]) -> Stream: ...
    @overload
    def open(self: Streams[Awaited]) -> AsyncStream: ...
    def open(self) -> Stream | AsyncStream:
        """A connection for many subscriptions, and its events as they come."""
        return self._client.stream_type(self._client.session.network.url)


def _follow(client: Driver, subject: Subject[T]) -> Iterator[T]:
    with closing(Stream(client.session.network.url)) as stream:
        if subject.channel in ACCOUNTS:
            client.run(client.session.config())
        stream.subscribe(subject.channel, subject.id, auth=_auth(client.session, subject))
        for event in stream:
            if _concerns(event, subject.channel):
                yield from subject.read(event)


async def _follow_async(client: Driver, subject: Subject[T]) -> AsyncIterator[T]:
    stream = AsyncStream(client.session.network.url)
    client.open_streams.add(stream)
    try:
        if subject.channel in ACCOUNTS:
            await client.run(client.session.config())
        await stream.subscribe(subject.channel, subject.id, auth=_auth(client.session, subject))
        async with aclosing(aiter(stream)) as events:  # type: ignore[type-var]
            async for event in events:
                if _concerns(event, subject.channel):
                    for record in subject.read(event):
                        yield record
    finally:
        await stream.close()
        client.open_streams.discard(stream)


def _auth(session: Session, subject: Subject[Any]) -> Callable[[], str] | None:
    """The owner's proof for an account, signed anew when the last one has not long to go."""
    if subject.channel not in ACCOUNTS:
        return None
    return lambda: offline(own_proof(session, subject.id.partition("/")[0]))


def _concerns(event: StreamEvent, channel: str) -> bool:
    """Whether an event is news of a channel. Raises `ClientError` when its subscription was refused."""
    if event.kind == "error" and event.channel in (channel, ""):
        raise ClientError(f"the stream refused {channel}: {event.contents.get('message')}")
    return event.channel == channel and event.kind in ("subscribed", "update")


def _book_reader(market: str, depth: int) -> Callable[[StreamEvent], Iterator[Book]]:
    book = LocalBook(market.upper())

    def read(event: StreamEvent) -> Iterator[Book]:
        if book.apply(event):
            yield book.book(depth)

    return read


def _read_tape(event: StreamEvent) -> Iterator[TapeUpdate]:
    trades = _records(event.contents.get("trades"), Trade)
    yield TapeUpdate(tuple(reversed(trades)), tuple(event.contents.get("reverted") or ()))


def _read_candles(event: StreamEvent) -> Iterator[Candle]:
    # The snapshot is a list, newest first, an update one bare candle.
    found = event.contents["candles"][:1] if event.kind == "subscribed" else [event.contents]
    return iter(_records(found, Candle))


def _read_index_prices(event: StreamEvent) -> Iterator[IndexPrice]:
    for market, price in (event.contents.get("oraclePrices") or {}).items():
        yield IndexPrice(market, Decimal(price["oraclePrice"]), msgspec.convert(price["effectiveAt"], datetime))


def _read_account(event: StreamEvent) -> Iterator[AccountUpdate]:
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
        final_fills=tuple((contents.get("final") or {}).get("fills") or ()),
        equity=_decimal(standing.get("equity")),
        free_collateral=_decimal(standing.get("freeCollateral")),
        seq=int(contents["seq"]) if contents.get("seq") is not None else None,
    )


def _records(found: Iterable[Any] | None, kind: type[T]) -> tuple[T, ...]:
    return tuple(msgspec.convert(each, kind, strict=False) for each in found or ())


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
