# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro relayer`: take signed orders, match them, settle the fills."""

import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from ouro import ready
from ouro.errors import OuroError
from ouro.settings import Settings
from relayer.config import RelayerConfig, RelayerSettings
from relayer.following import FollowerSettings, follow_until_stopped, snapshot_of_the_end, with_lock
from relayer.logs import configure
from relayer.server import serve

app = typer.Typer(
    help="Take signed orders, match them, settle the fills.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=0, max=65_535)] = None,
    rpc_url: Annotated[str | None, typer.Option(help="The chain's node.")] = None,
) -> None:
    """Run the relayer until SIGTERM or Ctrl-C. The operator's key comes from OURO_OPERATOR_KEY."""
    try:
        flags = {"relayer_host": host, "relayer_port": port, "rpc_url": rpc_url}
        settings = RelayerSettings.model_validate({name: value for name, value in flags.items() if value is not None})
        configure(settings.log_level)
        status = uvloop.run(serve(RelayerConfig.load(settings)))
    except (OuroError, OSError, ValueError) as error:
        print(f"ouro relayer: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(status)


@app.command()
def follow(
    state_dir: Annotated[Path | None, typer.Option(help="The relayer's state folder.")] = None,
) -> None:
    """Follow a relayer's journal: compare states, write snapshots, remove old files. Ends with 1 at a difference."""
    try:
        settings = FollowerSettings.model_validate({} if state_dir is None else {"state_dir": state_dir})
        configure(settings.log_level)
        with_lock(settings.state_dir / "snapshots", lambda: follow_until_stopped(settings))
    except (OuroError, OSError, ValueError) as error:
        print(f"ouro relayer follow: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


@app.command()
def snapshot(
    state_dir: Annotated[Path | None, typer.Option(help="The relayer's state folder.")] = None,
) -> None:
    """Replay the journal of a relayer that is stopped, and write a snapshot of its end: before an upgrade."""
    try:
        settings = FollowerSettings.model_validate({} if state_dir is None else {"state_dir": state_dir})
        configure(settings.log_level)
        print(snapshot_of_the_end(settings))
    except (OuroError, OSError, ValueError) as error:
        print(f"ouro relayer snapshot: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


@app.command()
def status(
    url: Annotated[str | None, typer.Option(help="The relayer's address.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Say whether a relayer is ready, and why not. Exits 0 when it is."""
    raise typer.Exit(ready.report(url or Settings().relayer_url, "relayer", as_json=as_json))
