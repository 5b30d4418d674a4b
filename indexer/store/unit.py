# SPDX-License-Identifier: AGPL-3.0-only
"""One block's rows, written in one transaction, and the way back.

State rows are buffered so that a block writes each at most once, with the image before the block in `undo`. A cache of
recently used state rows outlives the block: the same accounts and candles come again and again.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, insert, literal_column, select, tuple_

from indexer.store import bulk
from indexer.store.query import first_row
from indexer.store.query import rows as query_rows
from indexer.store.schema import FACT, accounts, metadata, position_words, tables_of, undo
from indexer.views.rows import Key, Row, key_of

_CACHE_ROWS = 50_000
_PREFETCHED = 400
"""Rows asked for in one statement."""


class StateCache:
    """State rows as last committed, bounded, least recently used out first. None: known to be absent."""

    def __init__(self, limit: int = _CACHE_ROWS) -> None:
        self._limit = limit
        self._rows: OrderedDict[tuple[str, Key], Row | None] = OrderedDict()

    def __contains__(self, key: tuple[str, Key]) -> bool:
        return key in self._rows

    def get(self, key: tuple[str, Key]) -> Row | None:
        self._rows.move_to_end(key)
        return self._rows[key]

    def put(self, key: tuple[str, Key], row: Row | None) -> None:
        self._rows[key] = row
        self._rows.move_to_end(key)
        while len(self._rows) > self._limit:
            self._rows.popitem(last=False)

    def clear(self) -> None:
        self._rows.clear()


@dataclass
class BlockUnit:
    """The rows of one block on an open transaction, or of several that are final and need no images; `flush` writes
    them. Implements `indexer.views.rows.Rows`.
    """

    connection: Connection
    block_number: int
    cache: StateCache
    keep_undo: bool = True
    _facts: dict[str, list[Row]] = field(default_factory=dict)
    _states: dict[tuple[str, Key], Row] = field(default_factory=dict)
    _before: dict[tuple[str, Key], Row | None] = field(default_factory=dict)

    def add(self, table: Table, row: Row) -> None:
        self._facts.setdefault(table.name, []).append(row)

    def get(self, table: Table, *key: Any) -> Mapping[str, Any] | None:
        changed = self._states.get((table.name, key))
        return changed if changed is not None else self._committed(table, key)

    def put(self, table: Table, row: Row) -> None:
        key = key_of(table, row)
        if self.keep_undo and (table.name, key) not in self._before:
            self._before[table.name, key] = self._committed(table, key)
        self._states[table.name, key] = row

    def prefetch(self, table: Table, keys: Iterable[Key]) -> None:
        missing = [key for key in keys if (table.name, key) not in self.cache]
        for start in range(0, len(missing), _PREFETCHED):
            wanted = missing[start : start + _PREFETCHED]
            for key in wanted:
                self.cache.put((table.name, key), None)
            self._warm(table, tuple_(*table.primary_key.columns).in_(wanted))

    def held(self, market: int | None = None) -> Sequence[Mapping[str, Any]]:
        words = position_words
        # Spelt as in the partial index, which a parameter in place of the number would keep from being used.
        condition = and_(words.c.size != literal_column("0"), *([] if market is None else [words.c.market == market]))
        found = self._now(words, self._warm(words, condition))
        return [row for row in found if row["size"] and market in (None, row["market"])]

    def touched(self, since_block: int) -> Sequence[Mapping[str, Any]]:
        found = self._warm(accounts, accounts.c.updated_block >= since_block)
        return [row for row in self._now(accounts, found) if row["updated_block"] >= since_block]

    def facts(self, table: Table) -> Sequence[Row]:
        """The facts added so far."""
        return self._facts.get(table.name, ())

    def changed(self, table: Table) -> list[Row]:
        """The state rows of a table that this block changed, as they are now."""
        return [row for (name, _), row in self._states.items() if name == table.name]

    def flush(self) -> None:
        """Write everything; the caller commits and then calls `committed`."""
        for name, rows in self._facts.items():
            bulk.append(self.connection, metadata.tables[name], rows)
        by_table: dict[str, list[Row]] = {}
        for (name, _), row in self._states.items():
            by_table.setdefault(name, []).append(row)
        for name, rows in by_table.items():
            bulk.replace(self.connection, metadata.tables[name], rows)
        if self._before:
            bulk.append(
                self.connection,
                undo,
                [
                    {
                        "block_number": self.block_number,
                        "position": position,
                        "table_name": name,
                        "key": json.dumps(key),
                        "before": None if before is None else json.dumps(before, sort_keys=True),
                    }
                    for position, ((name, key), before) in enumerate(self._before.items())
                ],
            )

    def committed(self) -> None:
        """Take over the written rows into the cache, once the transaction is durable."""
        for key, row in self._states.items():
            self.cache.put(key, row)

    def _warm(self, table: Table, condition: Any) -> dict[Key, Row]:
        """Rows as committed, many at once, remembered for `get`."""
        found = {key_of(table, row): row for row in query_rows(self.connection, select(table).where(condition))}
        for key, row in found.items():
            self.cache.put((table.name, key), row)
        return found

    def _now(self, table: Table, committed: dict[Key, Row]) -> list[Row]:
        """Committed rows with this block's changes over them, by key."""
        changed = {key: row for (name, key), row in self._states.items() if name == table.name}
        return [row for _, row in sorted((committed | changed).items())]

    def _committed(self, table: Table, key: Key) -> Row | None:
        if (table.name, key) in self.cache:
            return self.cache.get((table.name, key))
        row = first_row(self.connection, select(table).where(_matches(table, key)))
        self.cache.put((table.name, key), row)
        return row


def revert(connection: Connection, above: int) -> None:
    """Take back every block above `above`: facts are deleted, states get their earlier image, newest block first.

    The caller clears the state cache after committing.
    """
    for table in tables_of(FACT):
        connection.execute(delete(table).where(table.c.block_number > above))
    images = connection.execute(
        select(undo).where(undo.c.block_number > above).order_by(undo.c.block_number.desc(), undo.c.position.desc())
    ).all()
    for image in images:
        table = metadata.tables[image.table_name]
        connection.execute(delete(table).where(_matches(table, tuple(json.loads(image.key)))))
        if image.before is not None:
            connection.execute(insert(table), json.loads(image.before))
    connection.execute(delete(undo).where(undo.c.block_number > above))


def forget_undo(connection: Connection, up_to: int) -> None:
    """Drop the images of blocks that are final."""
    connection.execute(delete(undo).where(undo.c.block_number <= up_to))


def _matches(table: Table, key: Key) -> Any:
    return and_(*(column == value for column, value in zip(table.primary_key.columns, key, strict=True)))
