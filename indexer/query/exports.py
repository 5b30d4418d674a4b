# SPDX-License-Identifier: AGPL-3.0-only
"""Rows as CSV or Parquet. The columns are the same for every answer of a kind, also for one without rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

PRINT_COLUMNS = (
    *("id", "market", "side", "type", "price", "size", "notional", "createdAt", "createdAtHeight"),
    *("transactionHash", "status"),
)
SIDE_COLUMNS = (
    *PRINT_COLUMNS,
    *("liquidity", "address", "subaccountNumber", "fee", "realizedPnl", "orderId", "counterparty"),
)
EVENT_COLUMNS = (
    *("id", "contract", "address", "name", "arguments"),
    *("createdAt", "createdAtHeight", "transactionHash", "status"),
)
CSV_TYPE = "text/csv; charset=utf-8"
PARQUET_TYPE = "application/vnd.apache.parquet"

_AMOUNTS = frozenset(["price", "size", "notional", "fee", "realizedPnl", "low", "high"])
_TIMES = frozenset(["createdAt", "day", "hour"])
_COUNTS = frozenset(["createdAtHeight", "subaccountNumber", "trades"])
_FORMULA = frozenset("=+-@\t\r")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_PRECISION, _SCALE = 38, 12


def sum_columns(aggregate: str) -> tuple[str, ...]:
    """Columns of sums by one name."""
    return (aggregate, "trades", "size", "notional", "low", "high")


def as_csv(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Values as the JSON has them, objects as their JSON; null is empty. Text that a spreadsheet would take for a
    formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row[name]) for name in columns] for row in found])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    text = _plain(value)
    is_risky = isinstance(text, str) and text[:1] in _FORMULA and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_risky else text


def _plain(value: Any) -> Any:
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict | list) else value


def as_parquet(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Amounts as decimals with twelve places, times as UTC timestamps, counts and heights as integers."""
    # Only who exports pays for loading it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays, fields = [], []
    for name in columns:
        values = [_plain(row[name]) for row in found]
        if name in _AMOUNTS:
            kind = pa.decimal128(_PRECISION, _SCALE)
            values = [None if value is None else Decimal(value) for value in values]
        elif name in _TIMES:
            kind = pa.timestamp("ms", tz="UTC")
            values = [datetime.fromisoformat(value) for value in values]
        elif name in _COUNTS:
            kind = pa.int64()
            values = [int(value) for value in values]
        else:
            kind = pa.string()
        arrays.append(pa.array(values, type=kind))
        fields.append(pa.field(name, kind))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())
