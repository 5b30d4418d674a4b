# SPDX-License-Identifier: AGPL-3.0-only
"""List a market of the parameters that a deployment does not have yet, prices and all.

ape run list_market --network URL --account ALIAS --deployment FILE --parameters FILE SOL-USD
"""

from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand, account_option

from scripts._chain import System, deployment_option, sources
from scripts._governance import Call, Governance, dry_run_option, refresh
from scripts._parameters import load, parameters_option
from scripts._record import Record


@click.command(cls=ConnectedProviderCommand)
@account_option()
@deployment_option
@parameters_option
@dry_run_option
@click.argument("ticker")
def cli(provider: Any, account: AccountAPI, path: Path, file: Path, dry_run: bool, ticker: str) -> None:
    """List the market TICKER of the parameters."""
    market = load(file).market(ticker)
    system = System(Record.load(path), provider)
    calls = []
    if market.prices is not None:
        calls.append(Call("oracle", "set_sources", sources(market, system.record.contracts)))
    calls.append(Call("exchange", "list_market", market.arguments()))
    if market.scale_to:
        scale = (market.id, market.scale_from, market.scale_to)
        calls.append(Call("exchange", "set_margin_scale", scale, tried=False))
    proposed = Governance(system, account, dry_run).propose(calls)
    if not proposed and not dry_run:
        refresh(system)
