# SPDX-License-Identifier: AGPL-3.0-only
"""Operations of the timelock: see them, execute what is ready, cancel what should not be.

    ape run operation list    --network URL --deployment FILE
    ape run operation execute --network URL --deployment FILE --account ALIAS ID

With `--dry-run` the transaction is printed, for a multisig to send.
"""

from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand, account_option

from scripts._chain import deployment_option
from scripts._governance import (
    Governance,
    described,
    dry_run_option,
    in_words,
    operations,
    pick,
    refresh,
    state_of,
    system_of,
)


@click.group()
def cli() -> None:
    """Operations of the timelock."""


@cli.command("list", cls=ConnectedProviderCommand)
@deployment_option
@click.option("--all", "everything", is_flag=True, help="Those that are done, cancelled or expired as well.")
def list_(provider: Any, path: Path, everything: bool) -> None:
    """What was proposed and is still to come."""
    system = system_of(path, provider)
    timelock, now = system.at("timelock"), system.now()
    shown = 0
    for operation in operations(system).values():
        state = state_of(system, operation.id)
        if state not in ("waiting", "ready") and not everything:
            continue
        shown += 1
        wait = int(timelock.get_timestamp(operation.id)) - now
        click.echo(f"0x{operation.id.hex()}  {state}" + (f", ready in {in_words(wait)}" if state == "waiting" else ""))
        if any(operation.predecessor):
            click.echo(f"  after 0x{operation.predecessor.hex()}")
        for target, payload in zip(operation.targets, operation.payloads, strict=True):
            click.echo(f"  {described(system, target, payload)}")
    if not shown:
        click.echo("nothing is proposed")


@cli.command(cls=ConnectedProviderCommand)
@account_option()
@deployment_option
@dry_run_option
@click.option("--all-ready", is_flag=True, help="Every operation that is ready, the oldest first.")
@click.argument("id_", metavar="[ID]", required=False)
def execute(provider: Any, account: AccountAPI, path: Path, dry_run: bool, all_ready: bool, id_: str | None) -> None:
    """Make the calls of an operation that is ready. The beginning of its ID will do."""
    if (id_ is None) != all_ready:
        raise click.UsageError("name an operation, or give --all-ready")
    system = system_of(path, provider)
    if id_ is not None:
        chosen = [pick(system, id_)]
    else:
        chosen = [each for each in operations(system).values() if state_of(system, each.id) == "ready"]
        if not chosen:
            raise click.ClickException("nothing is ready")
    for operation in chosen:
        Governance(system, account, dry_run).execute(operation)
        for target, payload in zip(operation.targets, operation.payloads, strict=True):
            click.echo(f"{'would make' if dry_run else 'made'} {described(system, target, payload)}")
    if not dry_run:
        refresh(system)


@cli.command(cls=ConnectedProviderCommand)
@account_option()
@deployment_option
@dry_run_option
@click.argument("id_", metavar="ID")
def cancel(provider: Any, account: AccountAPI, path: Path, dry_run: bool, id_: str) -> None:
    """Stop an operation that is not done."""
    system = system_of(path, provider)
    operation = pick(system, id_)
    Governance(system, account, dry_run).cancel(operation.id)
    if not dry_run:
        click.echo(f"cancelled 0x{operation.id.hex()}")
