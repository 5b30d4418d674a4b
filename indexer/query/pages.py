# SPDX-License-Identifier: AGPL-3.0-only
"""Pages of rows, one after another by the last row's key, and the ends between which they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Column, ColumnElement, Connection, Select, func, literal, select, tuple_

from indexer.query import cursor
from indexer.query.cursor import Key
from indexer.store import schema
from indexer.store.query import rows


@dataclass(frozen=True)
class Result:
    """Rows in the wire's shape, and the cursor after the last one; None at the end."""

    rows: list[dict[str, Any]]
    cursor: str | None


class Paged(Protocol):
    """What a query says of its pages; `order` names the order of rows, for cursors."""

    @property
    def order(self) -> str: ...
    @property
    def is_descending(self) -> bool: ...
    @property
    def after(self) -> Key | None: ...
    @property
    def limit(self) -> int: ...


def page(
    connection: Connection,
    statement: Select[Any],
    key: Sequence[Column[Any]],
    query: Paged,
    shape: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> Result:
    """The next rows in the order of `key`, which tells every row from every other; `shape` makes them the wire's."""
    if query.after is not None:
        here, there = tuple_(*key), tuple_(*(literal(part) for part in query.after))
        statement = statement.where(here < there if query.is_descending else here > there)
    ordered = statement.order_by(*(column.desc() if query.is_descending else column.asc() for column in key))
    # One more than asked for says whether there is another page.
    found = rows(connection, ordered.limit(query.limit + 1))
    shown = found[: query.limit]
    ended = len(found) <= query.limit
    last = None if ended else cursor.encode(query.order, tuple(shown[-1][column.name] for column in key))
    return Result([shape(row) for row in shown], last)


def within(
    statement: Select[Any], ends: Sequence[tuple[ColumnElement[int], tuple[int | None, int | None]]]
) -> Select[Any]:
    """Rows whose columns lie between both ends."""
    for column, (least, most) in ends:
        if least is not None:
            statement = statement.where(column >= least)
        if most is not None:
            statement = statement.where(column <= most)
    return statement


def heights_between(connection: Connection, times_s: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    """The heights of blocks between two times: rows stand in the order of height, and time never runs against it."""
    least_s, most_s = times_s
    return (
        None if least_s is None else first_height(connection, least_s),
        None if most_s is None else first_height(connection, most_s + 1) - 1,
    )


def first_height(connection: Connection, time_s: int) -> int:
    """The first block with events at `time_s` or later; one after the last when there is none."""
    table = schema.blocks
    ends = connection.execute(select(func.min(table.c.block_number), func.max(table.c.block_number))).one()
    if ends[0] is None:
        return 0
    low, high = int(ends[0]), int(ends[1]) + 1
    while low < high:
        middle = (low + high) // 2
        query = select(table.c.block_number, table.c.time_s).where(table.c.block_number >= middle)
        found = connection.execute(query.order_by(table.c.block_number).limit(1)).one()
        if found.time_s >= time_s:
            high = middle
        else:
            low = int(found.block_number) + 1
    return low
