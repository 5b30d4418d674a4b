# SPDX-License-Identifier: AGPL-3.0-only
"""What the views need of a store: facts are added, states are looked up and replaced."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import Table

Row = dict[str, Any]
Key = tuple[Any, ...]


class Rows(Protocol):
    """The rows of one block being written."""

    def add(self, table: Table, row: Row) -> None:
        """Insert a fact."""

    def get(self, table: Table, *key: Any) -> Mapping[str, Any] | None:
        """The state row of a primary key as it is now, this block's changes included. Not to be changed in place."""

    def put(self, table: Table, row: Row) -> None:
        """Insert or replace a state row (all columns)."""

    def edit(self, table: Table, *key: Any) -> Row | None:
        """The state row of a primary key to be changed in place, all but its key; None when there is none."""

    def prefetch(self, table: Table, keys: Iterable[Key]) -> None:
        """Have many state rows at hand that will be asked for one by one."""

    def held(self, market: int | None = None) -> Sequence[Mapping[str, Any]]:
        """The rows of `position_words` that are not flat as they are now, by key; of one market, if given."""

    def touched(self, since_block: int) -> Sequence[Mapping[str, Any]]:
        """The rows of `accounts` that changed in a block or later ones, as they are now, by key."""


def key_of(table: Table, row: Mapping[str, Any]) -> Key:
    """The primary key's values of a row."""
    return _key_reader(table)(row)


@cache
def _key_reader(table: Table) -> Callable[[Mapping[str, Any]], Key]:
    names = [column.name for column in table.primary_key.columns]
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


class MemoryRows:
    """Rows in dictionaries: the views without a database."""

    def __init__(self) -> None:
        self.facts: dict[str, list[Row]] = {}
        self.states: dict[str, dict[Key, Row]] = {}

    def add(self, table: Table, row: Row) -> None:
        self.facts.setdefault(table.name, []).append(row)

    def get(self, table: Table, *key: Any) -> Mapping[str, Any] | None:
        return self.states.get(table.name, {}).get(key)

    def put(self, table: Table, row: Row) -> None:
        self.states.setdefault(table.name, {})[key_of(table, row)] = row

    def edit(self, table: Table, *key: Any) -> Row | None:
        return self.states.get(table.name, {}).get(key)

    def prefetch(self, table: Table, keys: Iterable[Key]) -> None:
        pass

    def held(self, market: int | None = None) -> Sequence[Mapping[str, Any]]:
        found = self.states.get("position_words", {})
        return [row for _, row in sorted(found.items()) if row["size"] and market in (None, row["market"])]

    def touched(self, since_block: int) -> Sequence[Mapping[str, Any]]:
        found = self.states.get("accounts", {})
        return [row for _, row in sorted(found.items()) if row["updated_block"] >= since_block]
