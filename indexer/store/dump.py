# SPDX-License-Identifier: AGPL-3.0-only
"""The chain tables as text: the same bytes for the same rows, whatever database they are in and however they came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, select

from indexer.store.schema import FACT, STATE, tables_of


def lines(connection: Connection) -> Iterator[str]:
    """A line for each table, and one for each of its rows in the order of its key, as JSON of all columns by name."""
    for table in sorted((*tables_of(FACT), *tables_of(STATE)), key=lambda table: table.name):
        yield f"# {table.name}\n"
        yield from _rows(connection, table)


def digest(connection: Connection) -> str:
    """SHA-256 of all lines, as hex."""
    found = hashlib.sha256()
    for line in lines(connection):
        found.update(line.encode())
    return found.hexdigest()


def _rows(connection: Connection, table: Table) -> Iterator[str]:
    keys = [column.name for column in table.primary_key.columns]
    found = connection.execute(select(table)).mappings()
    # Sorted here: the order of text is a matter of a database's locale.
    for row in sorted((dict(each) for each in found), key=itemgetter(*keys)):
        yield _line(row)


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n"
