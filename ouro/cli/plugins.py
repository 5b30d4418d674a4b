# SPDX-License-Identifier: Apache-2.0
"""Commands other packages bring by the entry point group `ouro.commands` (name -> Typer app, command or function)."""

from __future__ import annotations

import ast
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ouro.cli.run import ExitCode, fail

GROUP = "ouro.commands"


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def names() -> list[str]:
    """Names of the installed service commands, without importing them."""
    return list(_entry_points())


def summary(name: str) -> str:
    """What a service command does: the first line of its module's docstring, read without importing the code."""
    elsewhere = f"See `ouro {name} --help`."
    try:
        spec = find_spec(_entry_points()[name].module)
    except ModuleNotFoundError:
        return elsewhere
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return elsewhere
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or elsewhere
    line = text.partition("\n")[0].removeprefix(f"`ouro {name}`: ")
    return line[:1].upper() + line[1:]


def load(name: str) -> TyperCommand | TyperGroup:
    """Import and return the command; ends the program with a usage error when its dependencies are not installed."""
    try:
        target = _entry_points()[name].load()
    except ModuleNotFoundError as error:
        fail(
            f"`ouro {name}` needs the package {error.name}, which is not installed: pip install 'ouro[services]'",
            ExitCode.USAGE,
        )
    command: TyperCommand | TyperGroup = as_command(target)
    return command


def as_command(target: Any) -> Any:
    """A Typer app, a ready command, or a plain function, as a command."""
    if isinstance(target, typer.Typer):
        return typer.main.get_command(target)
    if isinstance(target, TyperCommand | TyperGroup):
        return target
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command()(target)
    return typer.main.get_command(alone)
