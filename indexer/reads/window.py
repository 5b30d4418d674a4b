# SPDX-License-Identifier: AGPL-3.0-only
"""Which part of a list is wanted: limit, page, and inclusive ends in time or height."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from indexer.store.query import rows
from indexer.views.rows import Row

MAX_LIMIT = 1_000


@dataclass(frozen=True)
class Window:
    """Newest first. `page` counts from 1; times are seconds since 1970."""

    limit: int = MAX_LIMIT
    page: int | None = None
    until_s: int | None = None
    until_height: int | None = None
    since_s: int | None = None
    since_height: int | None = None

    def offset(self) -> int:
        return self.limit * (self.page - 1) if self.page else 0


@dataclass(frozen=True)
class Page:
    """Rows of a window and, when a page was asked for, how many there are in all."""

    rows: list[Row]
    window: Window
    total: int | None = None

    def body(self, name: str, items: list[Any]) -> dict[str, Any]:
        """`{name: items}` with the paging keys when a page was asked for."""
        paging = (
            {}
            if self.total is None
            else {
                "pageSize": self.window.limit,
                "totalResults": self.total,
                "offset": self.window.offset(),
            }
        )
        return {name: items, **paging}


def facts(connection: Connection, table: Table, window: Window, *conditions: Any) -> Page:
    """The facts of a table that meet the conditions within a window."""
    query = within(select(table).where(*conditions), table.c.time_s, table.c.block_number, window)
    total = None
    if window.page is not None:
        total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    order = [column.desc() for column in table.primary_key.columns]
    ordered = query.order_by(*order).limit(window.limit).offset(window.offset())
    return Page(rows(connection, ordered), window, total)


def within(query: "Select[Any]", time_s: Any, height: Any, window: Window) -> "Select[Any]":
    """Add a window's inclusive ends."""
    for column, least, most in (
        (time_s, window.since_s, window.until_s),
        (height, window.since_height, window.until_height),
    ):
        if least is not None:
            query = query.where(column >= least)
        if most is not None:
            query = query.where(column <= most)
    return query
