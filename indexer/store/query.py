# SPDX-License-Identifier: AGPL-3.0-only
"""Rows of a query as plain dictionaries."""

from typing import Any

from sqlalchemy import Connection, Select

from indexer.views.rows import Row


def rows(connection: Connection, query: "Select[Any]") -> list[Row]:
    """All rows by column name."""
    return [_row(found) for found in connection.execute(query).mappings()]


def first_row(connection: Connection, query: "Select[Any]") -> Row | None:
    """The first row, None when there is none."""
    found = connection.execute(query).mappings().first()
    return None if found is None else _row(found)


def _row(found: Any) -> Row:
    return {str(name): value for name, value in found.items()}
