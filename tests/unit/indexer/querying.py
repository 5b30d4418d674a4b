# SPDX-License-Identifier: AGPL-3.0-only
"""What every `/v4/query/…` must do: pages that lead on, and no order that the database would have to sort for."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Engine, event, text

from tests.unit.indexer.front import Front


def pages(front: Front, path: str, **query: Any) -> list[dict[str, Any]]:
    """All rows, seven at a time."""
    found: list[dict[str, Any]] = []
    kind = path.rsplit("/", 1)[1]
    cursor: dict[str, str] = {}
    while True:
        body = front.get(path, limit=7, **query, **cursor)
        found += body[kind]
        if body["cursor"] is None:
            return found
        assert len(body[kind]) == 7
        cursor = {"cursor": body["cursor"]}


def walks_an_index(engine: Engine, front: Front, path: str, query: dict[str, str], *tables: str) -> None:
    """Asserts that for a page of `tables`, and for the one after its cursor, the database walks an index."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if "ORDER BY" in statement and any(f"FROM {table}" in statement for table in tables):
            statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        cursor = front.get(path, limit=2, **query)["cursor"]
        front.get(path, limit=2, cursor=cursor, **query)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(statements) == 2
    with engine.begin() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            # So few rows are sorted sooner than looked up: what matters is that an index could do it.
            connection.execute(text("SET LOCAL enable_sort = off"))
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, parameters in statements:
            explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
            plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
            steps = " / ".join(str(row[3 if is_sqlite else 0]) for row in plan)
            sorted_whole = "TEMP B-TREE FOR ORDER BY" if is_sqlite else r"(?<!Incremental )Sort  \("
            assert not re.search(sorted_whole, steps), steps
            assert "index" in steps.lower() or not query, steps
