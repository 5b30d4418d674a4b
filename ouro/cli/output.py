# SPDX-License-Identifier: Apache-2.0
"""Printing: tables and pairs for people, JSON for programs, from the same records."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import typer

MAX_WIDTH = 1000
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it: text of a server must not move its cursor, or its letters."""


@dataclass(frozen=True)
class View:
    """What a command shows: `data` goes out as JSON; people see the table, or else the pairs, and then the note.

    `failed` ends the command with exit code 1 although there was an answer (an order that neither rests nor filled).
    `silent`: everything was printed already.
    """

    data: Any
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    pairs: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    empty: str = ""
    failed: bool = False
    silent: bool = False


def show(view: View, *, as_json: bool) -> None:
    """Print `view` on standard output."""
    if view.silent:
        return
    if as_json:
        typer.echo(msgspec.json.encode(plain_record(view.data)).decode())
        return
    if view.columns:
        _show_table(view)
    width = max((len(name) for name in view.pairs), default=0)
    for name, value in view.pairs.items():
        typer.echo(f"{name:<{width}}  {text(value)}")
    if view.note:
        typer.echo(text(view.note))


def show_record(record: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a nested record: indented for people."""
    encoded = msgspec.json.encode(plain_record(record))
    typer.echo((encoded if as_json else msgspec.json.format(encoded, indent=2)).decode())


def text(value: Any) -> str:
    """A value as people read it: plain decimals, UTC times, a dash for nothing."""
    if value is None or value == "":
        return "-"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _UNPRINTABLE.sub("�", str(value))


def short(identifier: str) -> str:
    """The first characters of an id, enough to recognise it."""
    return identifier if len(identifier) <= 14 else f"{identifier[:10]}…{identifier[-4:]}"


def _show_table(view: View) -> None:
    if not view.rows:
        typer.echo(view.empty)
        return
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(view.columns):
        numeric = all(isinstance(row[index], Decimal | int | None) for row in view.rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in view.rows:
        # Not as markup: brackets in a label are brackets.
        table.add_row(*(Text(text(value)) for value in row))
    # As wide as it is: an id that is cut or folded can be neither copied nor piped.
    console = Console()
    console.width = max(
        console.width, Measurement.get(console, console.options.update(max_width=MAX_WIDTH), table).maximum
    )
    console.print(table)


def plain_record(value: Any) -> Any:
    """Records as JSON values: camelCase names, decimals as plain strings."""
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        return {encoded: plain_record(getattr(value, name)) for name, encoded in names}
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {str(key): plain_record(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain_record(item) for name, item in zip(value._fields, value, strict=True)}
    if isinstance(value, list | tuple):
        return [plain_record(item) for item in value]
    return value
