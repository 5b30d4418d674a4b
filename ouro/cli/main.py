# SPDX-License-Identifier: Apache-2.0
"""The `ouro` application: the trader's commands, and those of the services when they are installed."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ouro.cli import account, doctor, history, keys, market_data, orders, plugins, session_keys, watch


class CommandGroup(TyperGroup):
    """The trader's commands plus the `ouro.commands` entry points, whose code is imported only when one is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        own = list(super().list_commands(ctx))
        return own + [name for name in plugins.names() if name not in own]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command to show in help: for a service a line of text, not its code."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in plugins.names():
            return own
        return TyperCommand(name=cmd_name, help=plugins.summary(cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to run."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name not in self.commands:
            command = plugins.load(name)
        return name, command, rest


app = typer.Typer(
    cls=CommandGroup,
    name="ouro",
    help="Trade on Ouro from the terminal. Keys come from OURO_KEY or an encrypted --keystore, never from an argument.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)

market_data.register(app)
history.register(app)
orders.register(app)
account.register(app)
keys.register(app)
session_keys.register(app)
watch.register(app)
doctor.register(app)
