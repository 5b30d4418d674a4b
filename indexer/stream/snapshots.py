# SPDX-License-Identifier: AGPL-3.0-only
"""What a subscription begins with: the body of the matching read, and how far the sources were when it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from indexer import metrics
from indexer.api.context import Context, Reading
from indexer.api.errors import bad_parameter, bad_proof
from indexer.api.params import MAX_PARENT
from indexer.orders.book import Book
from indexer.reads import accounts, books, markets, orders, tape
from indexer.reads.health import healths
from indexer.reads.owners import Reader, reader_of
from indexer.reads.text import iso, usd
from indexer.reads.window import Window
from indexer.store import outbox
from indexer.store.outbox import Head, Letter
from indexer.stream.keys import OF_ACCOUNTS, PARENTS, Key, account_of, account_of_key
from indexer.views.candles import RESOLUTIONS
from ouro.reading import ProofError

_ROWS = 100
_OPEN = ("OPEN",)

_WAITING = ("OPEN", "UNTRIGGERED")


REPLAYED = 1_000
"""Letters that are sent again at most; who missed more begins with a snapshot."""


@dataclass(frozen=True)
class Snapshot:
    """Contents, the position of each source in them, and who has proven that the account in them is his. Where a client
    goes on instead of beginning anew, `replay` is what it missed.
    """

    contents: Any
    positions: Mapping[str, int]
    reader: Reader | None = None
    replay: Sequence[Letter] = ()


@dataclass(frozen=True)
class Since:
    """The last letter that a client has."""

    epoch: str
    seq: int


async def snapshot(context: Context, key: Key, auth: str | None = None, since: Since | None = None) -> Snapshot:
    """What a subscription begins with, or goes on with after `since`, if that can still be told. Raises `ApiError` for
    an id that means nothing, or a proof (`auth`) that proves nothing.
    """
    channel, id_ = key
    if channel == "v4_orderbook":
        listing = context.live.listing(id_)
        book = context.books.get(listing.ticker, Book())
        return Snapshot(books.snapshot(book, listing), {"book": book.seq})
    return await run_in_threadpool(_read, context, key, auth, since)


def _read(context: Context, key: Key, auth: str | None, since: Since | None) -> Snapshot:
    channel, id_ = key
    with context.reading() as reading:
        reader = None
        if auth is not None:
            owner, _ = account_of(id_)
            try:
                reader = reader_of(reading.connection, reading.catalog, context.domain, owner, auth)
            except ProofError as error:
                raise bad_proof(error) from None
        head = outbox.head(reading.connection)
        positions = {"chain": reading.catalog.version, "outbox": head.seq}
        missed = None if since is None else _missed(reading, key, head, since)
        if missed is not None and since is not None:
            metrics.resumed.inc()
            contents = {"resumed": True, "epoch": head.epoch, "seq": since.seq}
            return Snapshot(contents, positions, reader, missed)
        contents = _contents(reading, channel, id_, owners=reader is not None)
        if channel in OF_ACCOUNTS and contents:
            contents |= {
                "epoch": head.epoch,
                "seq": head.seq,
                "relayerSeq": str(reading.catalog.seq),
                "height": str(reading.catalog.height),
                "finalHeight": str(reading.catalog.final),
                "status": reading.catalog.status_of(reading.catalog.height),
            }
        return Snapshot(contents, positions, reader)


def _missed(reading: Reading, key: Key, head: Head, since: Since) -> list[Letter] | None:
    """What was said to an account after `since`; None when that is not known any more, or too much."""
    account = account_of_key(key)
    if account is None or not head.follows(since.epoch, since.seq):
        return None
    channel, owner, number = account
    found = outbox.after(reading.connection, since.seq, [owner], REPLAYED + 1)
    if len(found) > REPLAYED:
        return None
    return [letter for letter in found if _number(channel, letter.subaccount) == number]


def _number(channel: str, subaccount: int) -> int:
    """The number under which a channel tells of a subaccount."""
    return subaccount % MAX_PARENT if channel == PARENTS else subaccount


def _contents(reading: Reading, channel: str, id_: str, *, owners: bool) -> Any:
    connection, catalog = reading.connection, reading.catalog
    if channel == "v4_markets":
        return {
            "markets": {
                listing.ticker: markets.market(connection, catalog, listing) for listing in catalog.by_id.values()
            }
        }
    if channel == "v4_trades":
        listing = reading.listing(id_)
        page = tape.trades(connection, listing, Window(limit=_ROWS))
        return {"trades": [tape.trade(row, listing) for row in page.rows]}
    if channel == "v4_candles":
        ticker, _, resolution = id_.partition("/")
        if resolution not in RESOLUTIONS:
            raise bad_parameter("id", f"id is ticker/resolution with one of {', '.join(RESOLUTIONS)}")
        return {"candles": tape.candles(connection, reading.listing(ticker), resolution, Window(limit=_ROWS))}
    if channel == "v4_block_height":
        return {"height": str(catalog.height), "time": iso(catalog.time_s), "finalHeight": str(catalog.final)}
    owner, number = account_of(id_)
    if channel == "v4_parent_subaccounts":
        return _parent(reading, owner, number, owners=owners)
    return _account(reading, owner, number, owners=owners)


def _opened(reading: Reading, owner: str, numbers: Sequence[int], *, owners: bool) -> list[dict[str, Any]]:
    """Open orders; for owners those that wait, too."""
    wanted = orders.OrderFilter(owner, numbers, statuses=_WAITING if owners else _OPEN, private=owners)
    return orders.orders(reading.connection, reading.catalog, wanted)


def _account(reading: Reading, owner: str, number: int, *, owners: bool) -> dict[str, Any]:
    connection, catalog = reading.connection, reading.catalog
    known = healths(connection, catalog, owner, [number])
    opened = _opened(reading, owner, [number], owners=owners)
    if not known and not opened:
        return {}
    subaccount = {"subaccount": accounts.subaccount(connection, catalog, known[0])} if known else {}
    return {
        **subaccount,
        "orders": opened,
        "matches": orders.unsettled(connection, catalog, owner, number),
        "blockHeight": str(catalog.height),
    }


def _parent(reading: Reading, owner: str, number: int, *, owners: bool) -> dict[str, Any]:
    connection, catalog = reading.connection, reading.catalog
    known = [health for health in healths(connection, catalog, owner) if health.subaccount % MAX_PARENT == number]
    if not known:
        return {}
    numbers = [health.subaccount for health in known]
    return {
        "subaccount": {
            "address": owner,
            "parentSubaccountNumber": number,
            "equity": usd(sum(health.equity for health in known)),
            "freeCollateral": usd(sum(health.free_collateral for health in known)),
            "childSubaccounts": [accounts.subaccount(connection, catalog, health) for health in known],
        },
        "orders": _opened(reading, owner, numbers, owners=owners),
        "blockHeight": str(catalog.height),
    }
