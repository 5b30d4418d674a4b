# SPDX-License-Identifier: AGPL-3.0-only
"""Hand the timelock's roles and the guardian's to somebody else, in two steps, and see that nothing is left.

    ape run hand_over propose --network URL --account ALIAS --deployment FILE --to MULTISIG --guardian ADDRESS
    ape run hand_over finish  --network URL --account NEW --deployment FILE --from OLD
    ape run hand_over check   --network URL --deployment FILE OLD

Each of the first two is an operation, executed by `ape run operation execute`. Only the new holder can propose the
second one, so that nobody gives his roles away to an address that cannot act.
"""

from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand, account_option

from scripts._chain import checksum, deployment_option
from scripts._governance import ROLES, Call, Governance, dry_run_option, rights_of, role, system_of


def must_be_address(_: Any, __: Any, value: str | None) -> str | None:
    try:
        return None if value is None else checksum(value)
    except ValueError:
        raise click.BadParameter(f"{value} is not an address") from None


@click.group()
def cli() -> None:
    """Hand the timelock's roles to somebody else."""


@cli.command(cls=ConnectedProviderCommand)
@account_option()
@deployment_option
@click.option("--to", "new", required=True, callback=must_be_address, help="Who is to propose, execute and cancel.")
@click.option("--guardian", callback=must_be_address, help="Who is to be guardian; by default it stays.")
@click.option("--plain-account", is_flag=True, help="The new holder is no contract, and that is what is wanted.")
@dry_run_option
def propose(
    provider: Any,
    account: AccountAPI,
    path: Path,
    new: str,
    guardian: str | None,
    plain_account: bool,
    dry_run: bool,
) -> None:
    """First step: propose that the new holder gets all roles beside the old one."""
    system = system_of(path, provider)
    if not system.web3.eth.get_code(new) and not plain_account:
        raise click.ClickException(f"{new} has no code, so it is no multisig; --plain-account says that this is meant")
    timelock = system.at("timelock")
    granted = [each for each in ROLES if not timelock.hasRole(role(each), new)]
    calls = [Call("timelock", "grant_role", (role(each), new)) for each in granted]
    if guardian is not None:
        places = ["exchange"] + ["oracle"] * (system.record.code["oracle"]["contract"] == "OracleRouter")
        calls += [
            Call(place, "set_guardian", (guardian,)) for place in places if system.at(place).guardian() != guardian
        ]
    if not calls:
        raise click.ClickException(f"{new} has all roles already: go on with `finish`")
    Governance(system, account, dry_run).propose(calls)


@cli.command(cls=ConnectedProviderCommand)
@account_option()
@deployment_option
@click.option("--from", "old", required=True, callback=must_be_address, help="Who is to lose all roles.")
@dry_run_option
def finish(provider: Any, account: AccountAPI, path: Path, old: str, dry_run: bool) -> None:
    """Second step, by the new holder: propose that the old one loses all roles."""
    system = system_of(path, provider)
    if account.address == old and not dry_run:
        raise click.ClickException("the new holder proposes this, to show that he can")
    held = [each for each in ROLES if system.at("timelock").hasRole(role(each), old)]
    if not held:
        raise click.ClickException(f"{old} has no role of the timelock")
    Governance(system, account, dry_run).propose([Call("timelock", "revoke_role", (role(each), old)) for each in held])


@cli.command(cls=ConnectedProviderCommand)
@deployment_option
@click.argument("address", callback=must_be_address)
def check(provider: Any, path: Path, address: str) -> None:
    """Fail if ADDRESS has any right left."""
    found = list(rights_of(system_of(path, provider), address))
    if found:
        raise click.ClickException(f"{address} is still\n" + "\n".join(f"  - {each}" for each in found))
    click.echo(f"{address} has no right left")
