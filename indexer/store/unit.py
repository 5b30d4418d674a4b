# SPDX-License-Identifier: AGPL-3.0-only
"""One block's rows, written in one transaction, and the way back.

State rows are buffered so that a block writes each at most once, with the image before the block in `undo`. A cache of
recently used state rows outlives the block: the same accounts and candles come again and again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, insert, literal_column, select, tuple_

from indexer.store import bulk
from indexer.store.query import first_row
from indexer.store.query import rows as query_rows
from indexer.store.schema import FACT, accounts, market_states, metadata, position_words, tables_of, undo
from indexer.views.rows import Key, Row, key_of

_CACHE_ROWS = 50_000
_PREFETCHED = 400
"""Rows asked for in one statement."""


class StateCache:
    """State rows as last committed, by table. None: known to be absent. Bounded: when it is full, the half that came
    first goes. `is_whole`: a row that is not here is nowhere.
    """

    def __init__(self, limit: int = _CACHE_ROWS) -> None:
        self.is_whole = False
        self._limit = limit
        self._count = 0
        self._rows: dict[str, dict[Key, Row | None]] = {}

    def begin(self) -> None:
        """The tables are empty."""
        self.clear()
        self.is_whole = True

    def table(self, name: str) -> dict[Key, Row | None]:
        """What is known of a table's rows, to be looked into."""
        found = self._rows.get(name)
        if found is None:
            found = self._rows[name] = {}
        return found

    def put(self, name: str, key: Key, row: Row | None) -> None:
        rows = self.table(name)
        # What is used again is written again mostly: it becomes the youngest.
        if rows.pop(key, rows) is rows:
            self._count += 1
        rows[key] = row
        if self._count > self._limit:
            self._shrink()

    def clear(self) -> None:
        self.is_whole = False
        self._rows.clear()
        self._count = 0

    def _shrink(self) -> None:
        self.is_whole = False
        for rows in self._rows.values():
            for key in list(islice(rows, len(rows) // 2)):
                del rows[key]
        self._count = sum(map(len, self._rows.values()))


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
    _states: dict[str, dict[Key, Row]] = field(default_factory=dict)
    _before: dict[tuple[str, Key], Row | None] = field(default_factory=dict)

    def add(self, table: Table, row: Row) -> None:
        self._facts.setdefault(table.name, []).append(row)

    def get(self, table: Table, *key: Any) -> Mapping[str, Any] | None:
        changed = self._states.get(table.name)
        row = changed.get(key) if changed is not None else None
        return row if row is not None else self._committed(table, key)

    def put(self, table: Table, row: Row) -> None:
        key = key_of(table, row)
        if self.keep_undo and (table.name, key) not in self._before:
            self._before[table.name, key] = self._committed(table, key)
        self._states.setdefault(table.name, {})[key] = row

    def edit(self, table: Table, *key: Any) -> Row | None:
        states = self._states.setdefault(table.name, {})
        row = states.get(key)
        if row is None:
            committed = self._committed(table, key)
            if committed is None:
                return None
            if self.keep_undo:
                self._before.setdefault((table.name, key), committed)
            row = states[key] = dict(committed)
        return row

    def prefetch(self, table: Table, keys: Iterable[Key]) -> None:
        if self.cache.is_whole:
            return
        known = self.cache.table(table.name)
        missing = [key for key in keys if key not in known]
        for start in range(0, len(missing), _PREFETCHED):
            wanted = missing[start : start + _PREFETCHED]
            for key in wanted:
                self.cache.put(table.name, key, None)
            self._warm(table, tuple_(*table.primary_key.columns).in_(wanted))

    def held(self, market: int | None = None) -> Sequence[Mapping[str, Any]]:
        words = position_words
        # Spelt as in the partial index, which a parameter in place of the number would keep from being used.
        condition = and_(words.c.size != literal_column("0"), *([] if market is None else [words.c.market == market]))
        return self._now(words, condition, lambda row: row["size"] and market in (None, row["market"]))

    def touched(self, since_block: int) -> Sequence[Mapping[str, Any]]:
        return self._now(
            accounts, accounts.c.updated_block >= since_block, lambda row: row["updated_block"] >= since_block
        )

    def facts(self, table: Table) -> Sequence[Row]:
        """The facts added so far."""
        return self._facts.get(table.name, ())

    def changed(self, table: Table) -> list[Row]:
        """The state rows of a table that this block changed, as they are now."""
        return list(self._states.get(table.name, {}).values())

    @property
    def is_changed(self) -> bool:
        """Whether anything is to be written."""
        return bool(self._facts) or bool(self._states)

    def repriced(self) -> set[int]:
        """The markets whose index price is another one than before, or was published anew."""
        found = set()
        for row in self.changed(market_states):
            before = self._before.get((market_states.name, (row["market"],)))
            if before is None or any(before[name] != row[name] for name in ("index_price", "published_at")):
                found.add(row["market"])
        return found

    def flush(self) -> None:
        """Write everything; the caller commits and then calls `committed`."""
        for name, rows in self._facts.items():
            bulk.append(self.connection, metadata.tables[name], rows)
        for name, states in self._states.items():
            bulk.replace(self.connection, metadata.tables[name], list(states.values()))
        if self._before:
            bulk.append(
                self.connection,
                undo,
                [
                    {
                        "block_number": self.block_number,
                        "position": position,
                        "table_name": str(name),
                        "key": json.dumps(key),
                        "before": None if before is None else json.dumps(before, sort_keys=True),
                    }
                    for position, ((name, key), before) in enumerate(self._before.items())
                ],
            )

    def committed(self) -> None:
        """Take over the written rows into the cache, once the transaction is durable."""
        for name, states in self._states.items():
            for key, row in states.items():
                self.cache.put(name, key, row)

    def _warm(self, table: Table, condition: Any) -> dict[Key, Row]:
        """Rows as committed, many at once, remembered for `get`."""
        found = {key_of(table, row): row for row in query_rows(self.connection, select(table).where(condition))}
        for key, row in found.items():
            self.cache.put(table.name, key, row)
        return found

    def _now(self, table: Table, condition: Any, matches: Callable[[Row], object]) -> list[Row]:
        """The rows of which a condition holds, said in SQL and in Python, with this block's changes, by key."""
        known: Mapping[Key, Row | None] = self.cache.table(table.name)
        if not self.cache.is_whole:
            known = self._warm(table, condition)
        found = {**known, **self._states.get(table.name, {})}
        matching = [(key, row) for key, row in found.items() if row is not None and matches(row)]
        return [row for _, row in sorted(matching)]

    def _committed(self, table: Table, key: Key) -> Row | None:
        known = self.cache.table(table.name)
        if key in known:
            return known[key]
        if self.cache.is_whole:
            return None
        row = first_row(self.connection, select(table).where(_matches(table, key)))
        self.cache.put(table.name, key, row)
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
