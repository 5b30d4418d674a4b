# SPDX-License-Identifier: AGPL-3.0-only
"""Give a market of the oracle router the sources that the parameters name.

    ape run upgrade_adapter --network URL --account ALIAS --deployment FILE --parameters FILE BTC-USD

Adapters that the deployment does not have are deployed first. A market that has sources changes them after 14 days of
notice.
"""

from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand, account_option

from scripts._build import compiled
from scripts._chain import System, deployment_option, send, sources
from scripts._deployer import ADAPTERS, Deployer, adapter_arguments
from scripts._governance import Call, Governance, dry_run_option
from scripts._parameters import Parameters, load, parameters_option
from scripts._record import Record


def missing_adapters(p: Parameters, ticker: str, record: Record) -> list[str]:
    """Of those that the market's sources name."""
    prices = p.market(ticker).prices
    assert prices is not None
    named = dict.fromkeys(source.adapter for source in prices.sources)
    return [each for each in named if each in p.oracle.adapters and f"adapter:{each}" not in record.contracts]


def deploy_adapters(p: Parameters, missing: list[str], system: System, account: AccountAPI) -> None:
    """Deploys, hands to governance what has an owner, and records."""
    codes = compiled(ADAPTERS[p.oracle.adapters[name].kind] for name in missing)
    made = Deployer(account, codes, len(missing), system.web3)
    for name in missing:
        adapter = p.oracle.adapters[name]
        contract = made.deploy(f"adapter:{name}", ADAPTERS[adapter.kind], *adapter_arguments(adapter))
        if adapter.kind == "pushed" and system.record.governance != account.address:
            send(contract, "transfer_ownership", system.record.governance, sender=account)
            send(system.at("timelock"), "accept_ownership", contract.address, sender=account)
    system.record.contracts.update(made.contracts)
    system.record.code.update(made.code)
    system.codes.update(codes)
    system.record.save()


@click.command(cls=ConnectedProviderCommand)
@account_option()
@deployment_option
@parameters_option
@dry_run_option
@click.argument("ticker")
def cli(provider: Any, account: AccountAPI, path: Path, file: Path, dry_run: bool, ticker: str) -> None:
    """Give the market TICKER the sources that the parameters name."""
    p = load(file)
    market = p.market(ticker)
    system = System(Record.load(path), provider)
    if market.prices is None or system.record.code["oracle"]["contract"] != "OracleRouter":
        raise click.ClickException("this is for deployments whose oracle is a router, and markets with prices")
    missing = missing_adapters(p, ticker, system.record)
    if missing and dry_run:
        raise click.ClickException(f"the deployment lacks {', '.join(missing)}: a dry run needs them to be deployed")
    if missing:
        deploy_adapters(p, missing, system, account)
    arguments = sources(market, system.record.contracts)
    size_decimals, quorum, deviation, found, enabled = system.at("oracle").sources_of(market.id)
    click.echo(f"{ticker} has {len(found)} sources, quorum {quorum}, {deviation} ppm, {size_decimals} size decimals")
    for source, is_enabled in zip(found, enabled, strict=True):
        where = system.record.name_of(source.adapter)
        click.echo(f"  {where} 0x{bytes(source.feed).hex()} {source.max_age} s{'' if is_enabled else ' (disabled)'}")
    Governance(system, account, dry_run).propose([Call("oracle", "set_sources", arguments)])
