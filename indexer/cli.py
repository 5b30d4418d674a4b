# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro indexer`: keep chain and relayer's log in a database, and serve the exchange's API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from indexer import logs, service
from indexer.parts import CannotStartError, is_outside, reason_of, words_of
from ouro import ready
from ouro.errors import OuroError
from ouro.settings import Settings

app = typer.Typer(
    help="Keep chain and relayer's log in a database, and serve the exchange's API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RpcUrl = Annotated[str | None, typer.Option("--rpc-url", help="Node to read the chain from.")]
RelayerUrl = Annotated[str | None, typer.Option("--relayer-url", help="Relayer: its event log, and where writes go.")]
DatabaseUrl = Annotated[str | None, typer.Option("--database-url", help="sqlite:///path or postgresql://...")]
DeploymentPath = Annotated[Path | None, typer.Option("--deployment", help="Deployment record (JSON).")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 takes a free one.")]


@app.command()
def run(
    rpc_url: RpcUrl = None,
    relayer_url: RelayerUrl = None,
    database_url: DatabaseUrl = None,
    deployment: DeploymentPath = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Index the chain and the relayer's log and serve the API until stopped."""
    settings = _settings(rpc_url, relayer_url, database_url, deployment, indexer_host=host, indexer_port=port)
    _run(settings)


@app.command()
def follow(
    rpc_url: RpcUrl = None,
    relayer_url: RelayerUrl = None,
    database_url: DatabaseUrl = None,
    deployment: DeploymentPath = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Only write: the chain and the relayer's log into a database that `serve` reads. One per database.

    Its port answers /health, /ready and /metrics.
    """
    settings = _settings(rpc_url, relayer_url, database_url, deployment, indexer_host=host, indexer_port=port)
    _run(settings, serves=False)


@app.command()
def serve(
    relayer_url: RelayerUrl = None,
    database_url: DatabaseUrl = None,
    deployment: DeploymentPath = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Only serve: a front door over a database that `follow` (or `run`) writes. As many as you like."""
    settings = _settings(None, relayer_url, database_url, deployment, indexer_host=host, indexer_port=port)
    _run(settings, follows=False)


@app.command()
def status(
    url: Annotated[str | None, typer.Option("--url", help="The indexer's address.")] = None, as_json: AsJson = False
) -> None:
    """Say whether an indexer is up to date, and what keeps it from that. Exits 0 when it is."""
    settings = Settings()
    where = url or f"http://{settings.indexer_host}:{settings.indexer_port}"
    raise typer.Exit(ready.report(where, "indexer", as_json=as_json))


@app.command("new-epoch")
def new_epoch(database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Let all account streams begin anew with a snapshot: after a backup was restored."""
    settings = _settings(None, None, database_url, None)
    try:
        epoch = service.new_epoch(settings.database)
    except OuroError as error:
        _fail(error)
    typer.echo(json.dumps({"epoch": str(epoch)}) if as_json else f"epoch {epoch}")


@app.command()
def rebuild(
    rpc_url: RpcUrl = None,
    database_url: DatabaseUrl = None,
    deployment: DeploymentPath = None,
    as_json: AsJson = False,
) -> None:
    """Empty the chain tables and fill them from the chain again. Orders stay. The indexer must not be running."""
    settings = _settings(rpc_url, None, database_url, deployment)
    logs.configure(settings.log_level)
    try:
        height = service.rebuild(_options(settings))
    except OuroError as error:
        _fail(error)
    typer.echo(json.dumps({"height": str(height)}) if as_json else f"rebuilt up to block {height}")


@app.command()
def reconcile(
    rpc_url: RpcUrl = None,
    database_url: DatabaseUrl = None,
    deployment: DeploymentPath = None,
    as_json: AsJson = False,
) -> None:
    """Compare balances, positions, open interest and funds with the contracts' storage at the block of the tables.

    Exit status 0: all equal; 1: differences, one line each; 2: nothing could be compared. The indexer may be running.
    """
    settings = _settings(rpc_url, None, database_url, deployment)
    logs.configure(settings.log_level)
    try:
        result = service.reconcile(_options(settings))
    except OuroError as error:
        _fail(error, 2)
    if as_json:
        typer.echo(json.dumps(result.told()))
    else:
        for difference in result.differences:
            typer.echo(str(difference))
        typer.echo(f"{len(result.differences)} of {result.compared} values differ at block {result.block}")
    raise typer.Exit(1 if result.differences else 0)


def _run(settings: Settings, *, follows: bool = True, serves: bool = True) -> None:
    """Until stopped."""
    logs.configure(settings.log_level)
    try:
        service.run(_options(settings), follows=follows, serves=serves)
    except OuroError as error:
        _fail(error)
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        # Only while it starts: later on what is outside is waited for.
        if not is_outside(error):
            raise
        _fail(CannotStartError(f"cannot start: {reason_of(error)} ({words_of(error)})"))


def _settings(
    rpc_url: str | None, relayer_url: str | None, database_url: str | None, deployment: Path | None, **more: Any
) -> Settings:
    """File and environment, overridden by the flags that were given."""
    flags = {
        "rpc_url": rpc_url,
        "relayer_url": relayer_url,
        "database_url": database_url,
        "deployment_path": deployment,
        **more,
    }
    return Settings(**{name: value for name, value in flags.items() if value is not None})


def _options(settings: Settings) -> service.Options:
    return service.Options(
        rpc_url=settings.rpc_url,
        relayer_url=settings.relayer_url,
        database_url=settings.database,
        deployment_path=settings.deployment_path,
        host=settings.indexer_host,
        port=settings.indexer_port,
        public_rpc_url=settings.indexer_public_rpc_url,
        receipt_signer=settings.receipt_signer,
        events_token=settings.events_token,
        ip_weight=settings.indexer_ip_weight,
        faucet_url=settings.indexer_faucet_url,
        stale_s=settings.indexer_stale_s,
        outbox_hours=settings.indexer_outbox_hours,
        outbox_letters=settings.indexer_outbox_letters,
    )


def _fail(error: OuroError, status: int = 1) -> NoReturn:
    Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
    raise typer.Exit(status)
