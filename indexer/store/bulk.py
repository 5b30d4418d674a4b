# SPDX-License-Identifier: AGPL-3.0-only
"""Many rows of a table in one statement: appended, or put in the place of those with the same key.

What an object-relational layer does for each value of each row costs more here than the database itself: rows go to the
driver as they are, one prepared statement a table on SQLite, one JSON text a table on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Table

from indexer.store.types import Wide
from indexer.views.rows import Row

_PARTS = 5_000
"""Rows in one statement: bounds what PostgreSQL holds in memory."""
_encode = msgspec.json.Encoder().encode


def append(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows whose keys are new. All columns are given."""
    _write(connection, table, rows, replace=False)


def replace(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or put them in the place of those with the same key. All columns are given, each key once."""
    _write(connection, table, rows, replace=True)


def _write(connection: Connection, table: Table, rows: Sequence[Row], *, replace: bool) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        values = _values(table)
        connection.exec_driver_sql(_sqlite(table, replace), [values(row) for row in rows])
        return
    statement = _postgresql(table, replace)
    for start in range(0, len(rows), _PARTS):
        connection.exec_driver_sql(statement, (_encode(rows[start : start + _PARTS]).decode(),))


@cache
def _values(table: Table) -> Callable[[Row], tuple[Any, ...]]:
    """Reads a row's values in the order of the columns, wide integers as text."""
    columns = list(table.columns)
    plain = itemgetter(*(column.name for column in columns))
    wide = tuple(place for place, column in enumerate(columns) if isinstance(column.type, Wide))
    if not wide:
        return plain

    def read(row: Row) -> tuple[Any, ...]:
        found = list(plain(row))
        for place in wide:
            value = found[place]
            if value is not None:
                found[place] = str(value)
        return tuple(found)

    return read


@cache
def _sqlite(table: Table, replace: bool) -> str:
    marks = ", ".join("?" for _ in table.columns)
    return f"{_into(table)} VALUES ({marks}){_instead(table) if replace else ''}"


@cache
def _postgresql(table: Table, replace: bool) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    rows = f'json_populate_recordset(NULL::"{table.name}", %s::json)'
    return f"{_into(table)} SELECT {columns} FROM {rows}{_instead(table) if replace else ''}"


def _into(table: Table) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'INSERT INTO "{table.name}" ({columns})'


def _instead(table: Table) -> str:
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    rest = [column.name for column in table.columns if not column.primary_key]
    return f" ON CONFLICT ({keys}) DO UPDATE SET " + ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
