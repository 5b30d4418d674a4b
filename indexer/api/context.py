# SPDX-License-Identifier: AGPL-3.0-only
"""What routes need: the database for reading, progress, live books, the deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from sqlalchemy import Connection, Engine
from starlette.requests import HTTPConnection

from indexer.api.errors import ApiError, unknown_market
from indexer.api.params import Params
from indexer.orders.book import Book
from indexer.progress import Progress
from indexer.reads.catalog import Catalog, Listing, catalog
from ouro.deployment import Deployment
from ouro.eip712 import Domain

AT_SEQ_WAIT_S = 2.0
AT_SEQ_WAITERS = 1_000
"""Requests that may wait at once, of everybody."""


class LiveMarkets:
    """Listings that need no database: for what happens on the event loop. Prices in them may be old."""

    def __init__(self) -> None:
        self.by_ticker: Mapping[str, Listing] = {}

    def listing(self, ticker: str) -> Listing:
        """The market of that ticker. Raises a 404."""
        return _listing(self.by_ticker, ticker)


@dataclass(frozen=True)
class Context:
    """One front door. `books` and `live` belong to the event loop; `record` is the deployment's JSON."""

    engine: Engine
    progress: Progress
    books: Mapping[str, Book]
    live: LiveMarkets
    deployment: Deployment
    record: Mapping[str, Any]
    relayer_url: str
    rpc_url: str
    receipt_signer: str
    faucet: bool = False
    stale_s: int = 120

    @property
    def domain(self) -> Domain:
        """What orders, cancels and proofs for reading are signed in."""
        return self.deployment.domain()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """One snapshot of the database."""
        with self.engine.begin() as connection:
            yield Reading(connection, catalog(connection))


@dataclass(frozen=True)
class Reading:
    """A snapshot of the database, with the markets in it."""

    connection: Connection
    catalog: Catalog

    def listing(self, ticker: str) -> Listing:
        """The market of that ticker. Raises a 404."""
        return _listing(self.catalog.by_ticker, ticker)


def _listing(by_ticker: Mapping[str, Listing], ticker: str) -> Listing:
    found = by_ticker.get(ticker.upper())
    if found is None:
        raise unknown_market(ticker, list(by_ticker), "params")
    return found


def context_of(request: HTTPConnection) -> Context:
    context: Context = request.app.state.context
    return context


def params_of(request: Request) -> Params:
    return Params(request.query_params)


async def at_seq(request: HTTPConnection) -> None:
    """`atSeq`: wait briefly until that record of the relayer's log is applied; 503 when it takes too long."""
    wanted = Params(request.query_params).integer("atSeq")
    progress = context_of(request).progress
    is_behind = wanted is not None and progress.seq < wanted
    if is_behind and progress.waiters >= AT_SEQ_WAITERS:
        raise ApiError(
            503,
            "too_many_waiting",
            "too many requests wait for records: ask again, or without atSeq",
            "atSeq",
        )
    if wanted is not None and is_behind and not await progress.reaches(wanted, AT_SEQ_WAIT_S):
        raise ApiError(
            503,
            "behind",
            f"record {wanted} is not applied yet, {progress.seq} is: ask again, or without atSeq",
            "atSeq",
        )
    # The answer will be read after this: a lower bound of what it knows.
    request.state.read_after = (progress.height, progress.seq)


Ctx = Annotated[Context, Depends(context_of)]
Query = Annotated[Params, Depends(params_of)]
Ticker = Annotated[str, Path(description="BASE-QUOTE, such as BTC-USD")]
