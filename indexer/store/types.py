# SPDX-License-Identifier: AGPL-3.0-only
"""Column types that are the same on SQLite and PostgreSQL."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class Wide(TypeDecorator[int]):
    """An integer beyond 64 bits (money, quotes, indices): NUMERIC(78, 0), or text on SQLite, which has none such.

    Exact, but neither ordered nor summed by SQLite: order by other columns and add in Python.
    """

    impl = String(80)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(80))
        return dialect.type_descriptor(Numeric(78, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | Decimal | None:
        if value is None:
            return None
        return str(value) if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)
