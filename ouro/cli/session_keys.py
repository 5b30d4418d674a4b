# SPDX-License-Identifier: Apache-2.0
"""Commands about session keys: keys that sign orders for an account, within a scope, and can never move money."""

from __future__ import annotations

from typing import Annotated

import typer

from ouro.cli.account import transaction_view
from ouro.cli.options import Address
from ouro.cli.output import View
from ouro.cli.run import Cli, RpcUrl, UsageError, command

SECONDS_PER_DAY = 86_400

Key = Annotated[str, typer.Argument(help="The key's address (ouro new-key makes one).", metavar="ADDRESS")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    keys_app = typer.Typer(
        help="Keys that sign orders for your account, and nothing else.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(keys_app, name="session-key")

    @command(keys_app, "add", changes=True)
    def add(
        cli: Cli,
        key: Key,
        budget: Annotated[str, typer.Option("--budget", help="USDC of notional over its whole life.")] = "",
        markets: Annotated[
            list[str] | None, typer.Option("--market", help="Only there; up to four times.", show_default="all")
        ] = None,
        days: Annotated[int, typer.Option("--days", min=1, max=365, help="Days until it ends.")] = 7,
        rpc_url: RpcUrl = None,
    ) -> View:
        """Let a key sign orders for your account: your own key pays the gas. Once per key, for ever."""
        if not budget:
            raise UsageError("say for how much notional it may sign: --budget USDC")
        sent = cli.chain(rpc_url).register_session_key(
            cli.address(key), markets=markets or (), budget=budget, expires_in_seconds=days * SECONDS_PER_DAY
        )
        note = f"{key} may sign orders now. Use it with --keystore of its own and --owner {cli.trader.address}."
        return transaction_view(cli, sent, note)

    @command(keys_app, "list")
    def list_keys(cli: Cli, address: Address = None) -> View:
        """List the session keys of an account, those that ended included."""
        found = cli.reader.account.session_keys(address=cli.address(address))
        return View(
            found,
            columns=("key", "status", "budget", "markets", "until", "revoked from"),
            rows=[
                (each.key, each.status, each.budget, ", ".join(each.markets) or "all", each.expires_at, each.revoked_at)
                for each in found
            ],
            empty="No session keys.",
        )

    @command(keys_app, "revoke", changes=True)
    def revoke(cli: Cli, key: Key, rpc_url: RpcUrl = None) -> View:
        """End a session key, one settlement window from now."""
        sent = cli.chain(rpc_url).revoke_session_key(cli.address(key))
        return transaction_view(cli, sent, f"{key} is revoked, one settlement window from that block on.")
