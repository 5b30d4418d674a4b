# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro keeper`: liquidate, keep funding and prices up to date, watch the exchange."""

import json
import logging
import signal
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from keeper import config as settings
from keeper.assembly import Assembly, assemble
from keeper.checking import Finding, check_venue
from keeper.keys import NoKeyError
from keeper.outcome import Outcome
from keeper.ports import ChainError, SystemClock
from keeper.runner import Runner
from keeper.server import HealthServer
from keeper.triggers import OrderFileError
from ouro.client import OuroClient
from ouro.client.config import ClientConfig
from ouro.client.errors import TransactionError, UnreachableError
from ouro.deployment import DeploymentError
from ouro.units import from_micro, plain, usdc

log = logging.getLogger("keeper")

app = typer.Typer(
    help="Liquidate, keep funding and prices up to date, watch the exchange.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

TRY_AGAIN_S = 5.0

File = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="OURO_KEEPER_CONFIG", help="YAML file.", show_default="built-in settings"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, send nothing.")]


def _load(file: Path | None, *, dry_run: bool = False) -> settings.KeeperConfig:
    """The configuration of the file, or what runs without one. Ends the program when it cannot be used."""
    try:
        config = settings.DEFAULT if file is None else settings.load(file)
    except settings.ConfigError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(2) from None
    return config.model_copy(update={"dry_run": config.dry_run or dry_run})


def _assembled(config: settings.KeeperConfig) -> Assembly:
    try:
        return assemble(config)
    except (NoKeyError, DeploymentError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except ChainError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None


def _log_to_stdout() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


@app.command()
def run(
    config: File = None,
    dry_run: DryRun = False,
    faucet: Annotated[
        str | None,
        typer.Option(envvar="OURO_KEEPER_FAUCET", help="Local chain only: keep this much test USDC as margin."),
    ] = None,
) -> None:
    """Run the bots until stopped."""
    _log_to_stdout()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    loaded = _load(config, dry_run=dry_run)
    assembly = _assembled(loaded)
    runner = Runner(assembly, SystemClock())
    server = None
    try:
        if loaded.health is not None:
            server = HealthServer(loaded.health.host, loaded.health.port, assembly.metrics.exposition, runner.problems)
            log.info("health and metrics at port %d", server.port)
        # Only the host: providers put keys into the rest of the URL.
        host = urlsplit(assembly.rpc_url).hostname
        names = ", ".join(bot.name for bot, _ in assembly.bots)
        log.info("keeper %s watches %s: %s", assembly.account.address, host, names)
        while faucet is not None and not stop.is_set() and not _top_up(assembly, loaded, faucet):
            stop.wait(TRY_AGAIN_S)
        runner.run(stop)
    except OSError as error:
        typer.echo(f"cannot serve health: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        if server is not None:
            server.close()
        assembly.close()
    log.info("stopped")


@app.command()
def once(config: File = None, dry_run: DryRun = False, as_json: Json = False) -> None:
    """One round of each bot (with --dry-run only say what it would do), and the end."""
    assembly = _assembled(_load(config, dry_run=dry_run))
    outcomes: list[Outcome] = []
    try:
        survey = assembly.tools.surveyor.survey()
        if not as_json:
            typer.echo(
                f"block {survey.head.number}: {len(survey.health)} accounts with positions, "
                f"{len(survey.liquidatable())} below maintenance margin"
            )
        for bot, _ in assembly.bots:
            outcomes += bot.round()
    except (ChainError, OrderFileError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        assembly.close()
    if as_json:
        found = {
            "block": survey.head.number,
            "accounts": len(survey.health),
            "liquidatable": len(survey.liquidatable()),
            "outcomes": [outcome.record() for outcome in outcomes],
            "alarms": [{"name": alarm.name, "text": alarm.text} for alarm in assembly.board.on()],
        }
        typer.echo(json.dumps(found))
        return
    for outcome in outcomes:
        typer.echo(outcome.line())
    for alarm in assembly.board.on():
        typer.echo(f"alarm {alarm.name}: {alarm.text}")


@app.command()
def check(
    config: File = None,
    offline: Annotated[bool, typer.Option("--offline", help="Look at the file only.")] = False,
    as_json: Json = False,
) -> None:
    """Say whether a configuration can run: the file, the key, the chain, gas money and margin."""
    loaded = _load(config)
    bots = ", ".join(name for name, _ in loaded.bots.enabled())
    summary = f"bots: {bots}" + (" (dry run)" if loaded.dry_run else "")
    if not as_json:
        typer.echo(summary)
    if offline:
        if as_json:
            typer.echo(json.dumps({"findings": [{"text": summary, "problem": False}]}))
        return
    assembly = _assembled(loaded)
    try:
        findings = check_venue(assembly, loaded)
    except ChainError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None
    finally:
        assembly.close()
    if as_json:
        told = [Finding(summary), *findings]
        typer.echo(json.dumps({"findings": [{"text": each.text, "problem": each.is_problem} for each in told]}))
    for finding in [] if as_json else findings:
        typer.echo(finding.text, err=finding.is_problem)
    if any(finding.is_problem for finding in findings):
        raise typer.Exit(1)


def _top_up(assembly: Assembly, config: settings.KeeperConfig, target: str) -> bool:
    """Deposit test USDC from the local faucet until the subaccount's cash reaches `target` USDC; False to try again."""
    liquidation = config.bots.liquidation
    subaccount = 0 if liquidation is None else liquidation.subaccount
    try:
        exchange = ClientConfig(assembly.deployment)
        with OuroClient(signer=assembly.account, config=exchange, rpc_url=assembly.rpc_url) as client:
            held = client.chain.call("Exchange", "cash", assembly.account.address, subaccount)
            missing = usdc(Decimal(target)) - int(held)
            if missing > 0:
                amount = from_micro(missing)
                client.chain.faucet(amount)
                client.chain.deposit(amount, subaccount=subaccount)
                log.info("deposited %s USDC of test money", plain(amount))
    except (TransactionError, UnreachableError, OSError) as error:
        log.warning("no test money yet: %s", error)
        return False
    return True
