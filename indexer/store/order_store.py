# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer-order tables as one thing. Records and the cursor that says so are written in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, Engine, and_, delete, insert, or_, select, update

from indexer.orders.book import Book
from indexer.orders.records import BookRecord, FillRecord, OrderRecord, Record
from indexer.store import outbox
from indexer.store.order_schema import RELAYER_TABLES, book_heads, book_levels, matches, orders, relayer_cursor
from indexer.views.rows import Row


@dataclass(frozen=True)
class RelayerCursor:
    """The last record applied, what it was, and how many logs were followed so far."""

    seq: int
    digest: str
    epoch: int


class Teller(Protocol):
    """Writes down what changed for whoever listens, in the transaction that changed it."""

    def records(self, connection: Connection, records: Sequence[OrderRecord | FillRecord]) -> None:
        """Orders and matches changed, and are written."""


class OrderStore:
    """The one writer of the relayer-order tables. Without a `teller` whoever listens must begin anew after changes."""

    def __init__(self, engine: Engine, teller: Teller | None = None) -> None:
        self._engine = engine
        self._teller = teller

    def open(self) -> RelayerCursor:
        """Where the tables stand; an empty database stands before record 1."""
        with self._engine.begin() as connection:
            row = connection.execute(select(relayer_cursor)).first()
            if row is None:
                cursor = RelayerCursor(0, "", 1)
                connection.execute(insert(relayer_cursor), [{"id": 1, "seq": 0, "digest": "", "epoch": 1}])
                return cursor
            return RelayerCursor(row.seq, row.digest, row.epoch)

    def books(self) -> dict[str, Book]:
        """The books by ticker, as of the cursor."""
        return read_books(self._engine)[1]

    def apply(self, records: Sequence[Record], last_line: bytes, cursor: RelayerCursor) -> RelayerCursor:
        """Write records that follow the cursor. `last_line` is the last of them as it arrived."""
        moved = RelayerCursor(records[-1].seq, digest_of(last_line), cursor.epoch)
        changes = _Changes()
        for record in records:
            changes.add(record)
        told = [record for record in records if not isinstance(record, BookRecord)]
        with self._engine.begin() as connection:
            if told:
                outbox.lock(connection)
            changes.write(connection)
            connection.execute(update(relayer_cursor).values(seq=moved.seq, digest=moved.digest))
            if told and self._teller is not None:
                self._teller.records(connection, told)
            elif told:
                outbox.begin_epoch(connection)
        return moved

    def restart(self, cursor: RelayerCursor) -> RelayerCursor:
        """The relayer's log is another one: forget what the old one said and begin a new epoch."""
        fresh = RelayerCursor(0, "", cursor.epoch + 1)
        with self._engine.begin() as connection:
            outbox.lock(connection)
            outbox.begin_epoch(connection)
            for table in RELAYER_TABLES:
                connection.execute(delete(table))
            connection.execute(update(relayer_cursor).values(seq=0, digest="", epoch=fresh.epoch))
        return fresh


def read_books(engine: Engine) -> tuple[RelayerCursor, dict[str, Book]]:
    """The cursor and the books by ticker as of it, in one snapshot."""
    found: dict[str, Book] = {}
    with engine.begin() as connection:
        row = connection.execute(select(relayer_cursor)).first()
        for head in connection.execute(select(book_heads)):
            found[head.market] = Book(seq=head.book_seq)
        for level in connection.execute(select(book_levels)):
            book = found[level.market]
            (book.bids if level.side == "BUY" else book.asks)[level.price] = level.size
    return RelayerCursor(0, "", 0) if row is None else RelayerCursor(row.seq, row.digest, row.epoch), found


def digest_of(line: bytes) -> str:
    """What tells one record from another, in hex."""
    return hashlib.sha256(line.strip()).hexdigest()


class _Changes:
    """What a run of records comes to: the last state of each order, match and level."""

    def __init__(self) -> None:
        self._orders: dict[str, Row] = {}
        self._matches: dict[str, Row] = {}
        self._levels: dict[tuple[str, str, int], int] = {}
        self._heads: dict[str, int] = {}

    def add(self, record: Record) -> None:
        match record:
            case OrderRecord():
                self._order(record)
            case FillRecord():
                self._fill(record)
            case BookRecord():
                self._heads[record.market] = record.book_seq
                for side, levels in (("BUY", record.bids), ("SELL", record.asks)):
                    for price, size in levels:
                        self._levels[record.market, side, price] = size

    def write(self, connection: Connection) -> None:
        _replace(connection, orders, "id", self._orders, keep=("created_seq", "created_ms"))
        _replace(connection, matches, "fill_id", self._matches, keep=("matched_ms",))
        if self._heads:
            connection.execute(delete(book_heads).where(book_heads.c.market.in_(self._heads)))
            rows = [{"market": market, "book_seq": seq} for market, seq in self._heads.items()]
            connection.execute(insert(book_heads), rows)
        self._write_levels(connection)

    def _write_levels(self, connection: Connection) -> None:
        keys = list(self._levels)
        for start in range(0, len(keys), 200):
            conditions = [
                and_(book_levels.c.market == market, book_levels.c.side == side, book_levels.c.price == price)
                for market, side, price in keys[start : start + 200]
            ]
            connection.execute(delete(book_levels).where(or_(*conditions)))
        rows = [
            {"market": market, "side": side, "price": price, "size": size}
            for (market, side, price), size in self._levels.items()
            if size
        ]
        if rows:
            connection.execute(insert(book_levels), rows)

    def _order(self, record: OrderRecord) -> None:
        state = msgspec.structs.asdict(record.order)
        state["owner"] = state.pop("account")
        state = {name: value for name, value in state.items() if name in orders.c}
        created = self._orders.get(record.order.id)
        self._orders[record.order.id] = state | {
            "created_seq": created["created_seq"] if created else record.seq,
            "created_ms": created["created_ms"] if created else record.time_ms,
            "updated_seq": record.seq,
            "updated_ms": record.time_ms,
        }

    def _fill(self, record: FillRecord) -> None:
        state = msgspec.structs.asdict(record)
        seq, time_ms = state.pop("seq"), state.pop("time_ms")
        fill_id = state["fill_id"] = str(record.fill_id)
        known = self._matches.get(fill_id)
        self._matches[fill_id] = state | {"matched_ms": known["matched_ms"] if known else time_ms, "updated_seq": seq}


def _replace(connection: Connection, table: Any, key: str, rows: dict[str, Row], keep: tuple[str, ...]) -> None:
    """Insert or replace by key; the columns `keep` of a row that exists stay."""
    ids = list(rows)
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        query = select(table.c[key], *(table.c[name] for name in keep)).where(table.c[key].in_(part))
        for found in connection.execute(query).mappings():
            rows[found[key]].update({name: found[name] for name in keep})
        connection.execute(delete(table).where(table.c[key].in_(part)))
        connection.execute(insert(table), [rows[id_] for id_ in part])
