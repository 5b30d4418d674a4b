# SPDX-License-Identifier: AGPL-3.0-only
"""What a subscription begins with: the body of the matching read, and how far the sources were when it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from indexer.api.context import Context, Reading
from indexer.api.errors import ApiError, bad_parameter, bad_proof
from indexer.api.params import MAX_PARENT, owner_address
from indexer.orders.book import Book
from indexer.reads import accounts, books, markets, orders, tape
from indexer.reads.health import healths
from indexer.reads.owners import Reader, reader_of
from indexer.reads.text import iso, usd
from indexer.reads.window import Window
from indexer.stream.hub import Key
from indexer.views.candles import RESOLUTIONS
from ouro.reading import ProofError

_ROWS = 100
_OPEN = ("OPEN",)

_WAITING = ("OPEN", "UNTRIGGERED")


@dataclass(frozen=True)
class Snapshot:
    """Contents, the position of each source in them, and who has proven that the account in them is his."""

    contents: Any
    positions: Mapping[str, int]
    reader: Reader | None = None


async def snapshot(context: Context, key: Key, auth: str | None = None) -> Snapshot:
    """Raises `ApiError` for an id that means nothing, or a proof (`auth`) that proves nothing."""
    channel, id_ = key
    if channel == "v4_orderbook":
        listing = context.live.listing(id_)
        book = context.books.get(listing.ticker, Book())
        return Snapshot(books.snapshot(book, listing), {"book": book.seq})
    return await run_in_threadpool(_read, context, channel, id_, auth)


def _read(context: Context, channel: str, id_: str, auth: str | None) -> Snapshot:
    with context.reading() as reading:
        reader = None
        if auth is not None:
            owner, _ = account_of(id_)
            try:
                reader = reader_of(reading.connection, reading.catalog, context.domain, owner, auth)
            except ProofError as error:
                raise bad_proof(error) from None
        positions = {"chain": reading.catalog.version, "relayer": reading.catalog.seq}
        return Snapshot(_contents(reading, channel, id_, owners=reader is not None), positions, reader)


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
        return {"height": str(catalog.height), "time": iso(catalog.time_s)}
    owner, number = account_of(id_)
    if channel == "v4_parent_subaccounts":
        return _parent(reading, owner, number, owners=owners)
    return _account(reading, owner, number, owners=owners)


def account_of(id_: str) -> tuple[str, int]:
    """Owner and subaccount of an id `address/number`."""
    address, _, number = id_.partition("/")
    if not (number.isascii() and number.isdecimal() and len(number) <= 5):
        raise ApiError(400, "bad_parameter", f"id is address/subaccount number, not {id_!r}", "id")
    return owner_address(address), int(number)


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
        "seq": str(catalog.seq),
        "epoch": str(catalog.epoch),
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
