# SPDX-License-Identifier: AGPL-3.0-only
"""Deploy Ouro and record where everything is, how it was made and who governs it.

    ape run deploy --network http://127.0.0.1:8545 --account TEST::0 --parameters deployments/parameters/local.toml

At the end the timelock of the parameters owns every contract, and the deployer nothing. docs/deploying.md goes
through it.
"""

from pathlib import Path
from typing import Any

import click
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand, account_option
from ape.contracts import ContractInstance

from scripts._build import EXCHANGE, compiled, settings
from scripts._chain import checksum, instance, readable, send, sources
from scripts._deployer import ADAPTERS, Deployer, adapter_arguments
from scripts._parameters import LOCAL_CHAIN_ID, MICRO, NOBODY, Parameters, load, parameters_option
from scripts._record import FORMAT, Record, default_path, market_entry

OWNED = ("exchange", "vault", "oracle")


def plan(p: Parameters, keep_ownership: bool) -> list[tuple[str, str]]:
    """Every contract that is deployed, in order: its name in the record, and which one it is."""
    found = [("usdc", "TestUSDC")] if p.collateral.test_token else []
    if p.oracle.kind == "pushed":
        found.append(("oracle", "PushedOracle"))
    else:
        found += [(f"adapter:{name}", ADAPTERS[each.kind]) for name, each in p.oracle.adapters.items()]
        found.append(("oracle", "OracleRouter"))
    found += [
        ("exit", "ExchangeExit"),
        ("office", "ExchangeOffice"),
        ("desk", "ExchangeDesk"),
        ("exchange", "Exchange"),
    ]
    found.append(("vault", "Vault"))
    if p.backstop:
        found.append(("backstop", "Backstop"))
    if not keep_ownership:
        found.append(("timelock", "Timelock"))
    return found


def check_chain(p: Parameters, web3: Any, chain_id: int, keep_ownership: bool) -> None:
    """What only the chain can tell. Raises `click.ClickException`."""
    if p.chain_id != chain_id:
        raise click.ClickException(f"the parameters are for chain {p.chain_id}; this network is {chain_id}")
    if keep_ownership and chain_id != LOCAL_CHAIN_ID:
        raise click.ClickException("--keep-ownership is for local chains only: elsewhere the timelock governs")
    needed = {"collateral.token": p.collateral.token}
    needed |= {f"oracle.adapters.{name}.pyth": each.pyth for name, each in p.oracle.adapters.items()}
    if p.oracle.kind == "router" and p.oracle.sequencer_feed != NOBODY:
        needed["oracle.sequencer_feed"] = p.oracle.sequencer_feed
    for market in p.markets:
        for source in market.prices.sources if market.prices else ():
            adapter = p.oracle.adapters.get(source.adapter)
            if adapter is not None and adapter.kind == "chainlink":
                needed[f"the feed of {market.ticker}"] = "0x" + source.feed_word()[12:].hex()
    for key, address in needed.items():
        if address is not None and not web3.eth.get_code(checksum(address)):
            raise click.ClickException(f"{key}: {address} has no code on chain {chain_id}")
    if p.collateral.token is not None:
        token = instance(checksum(p.collateral.token), compiled(["TestUSDC"])["TestUSDC"])
        with readable("asking the collateral for its decimals"):
            decimals = token.decimals()
        if decimals != 6:
            raise click.ClickException(f"the collateral counts {decimals} decimals; the contracts need 6")


def deploy_all(p: Parameters, made: Deployer, keep_ownership: bool) -> None:
    """Every contract of the plan, in its order, and each told of the others."""
    account = made.account
    if p.collateral.test_token:
        usdc = made.deploy("usdc", "TestUSDC")
    else:
        assert p.collateral.token is not None
        made.contracts["usdc"] = checksum(p.collateral.token)
        usdc = instance(made.contracts["usdc"], compiled(["TestUSDC"])["TestUSDC"])
    if p.oracle.kind == "pushed":
        assert p.oracle.signer is not None
        oracle = made.deploy("oracle", "PushedOracle", checksum(p.oracle.signer))
    else:
        for name, adapter in p.oracle.adapters.items():
            made.deploy(f"adapter:{name}", ADAPTERS[adapter.kind], *adapter_arguments(adapter))
        feed = checksum(p.oracle.sequencer_feed)
        oracle = made.deploy("oracle", "OracleRouter", checksum(p.roles.guardian), feed, p.oracle.grace)
    window = p.exchange.settle_window
    exit_ = made.deploy("exit", "ExchangeExit", window)
    office = made.deploy("office", "ExchangeOffice", exit_.address, window)
    desk = made.deploy("desk", "ExchangeDesk", office.address, window)
    exchange = made.deploy("exchange", "Exchange", desk.address, oracle.address, window)
    vault = made.deploy("vault", "Vault", usdc.address, exchange.address, p.vault.withdrawal_delay)

    send(exchange, "set_vault", vault.address, sender=account)
    if p.backstop:
        backstop = made.deploy("backstop", "Backstop", vault.address)
        send(exchange, "set_backstop", backstop.address, sender=account)
    set_up(p, account, exchange, vault, usdc)
    for market in p.markets:
        click.echo(f"listing {market.ticker}")
        if market.prices is not None:
            with_prices = sources(market, made.contracts)
            send(oracle, "set_sources", *with_prices, sender=account)
        send(exchange, "list_market", *market.arguments(), sender=account)
        if market.scale_to:
            send(exchange, "set_margin_scale", market.id, market.scale_from, market.scale_to, sender=account)
    if not keep_ownership:
        hand_to_timelock(p, made)


def set_up(
    p: Parameters, account: AccountAPI, exchange: ContractInstance, vault: ContractInstance, usdc: ContractInstance
) -> None:
    """Roles, fees, limits, and the first insurance."""
    operator = checksum(p.roles.operator)
    send(exchange, "set_operator", operator, True, sender=account)
    send(vault, "set_cosigner", operator, True, sender=account)
    send(exchange, "set_guardian", checksum(p.roles.guardian), sender=account)
    if p.exchange.referrer_share_ppm:
        send(exchange, "set_referrer_share", p.exchange.referrer_share_ppm, sender=account)
    if p.exchange.fee_tiers:
        send(exchange, "set_fee_tiers", [tier.word() for tier in p.exchange.fee_tiers], sender=account)
    if p.vault.outflow is not None:
        send(vault, "set_outflow_limits", *p.vault.outflow.arguments(), sender=account)
    if p.collateral.insurance_usdc:
        amount = p.collateral.insurance_usdc * MICRO
        send(usdc, "mint", account.address, amount, sender=account)
        send(usdc, "approve", vault.address, amount, sender=account)
        send(vault, "donate", amount, sender=account)


def hand_to_timelock(p: Parameters, made: Deployer) -> None:
    """Two steps each: the deployer offers, the timelock takes."""
    t = p.timelock
    holders = [[checksum(each) for each in role] for role in (t.proposers, t.executors, t.cancellers)]
    timelock = made.deploy("timelock", "Timelock", t.least_delay, t.delay, *holders)
    for name, entry in made.code.items():
        if name in OWNED or entry["contract"] == "PushedOracle":
            click.echo(f"handing {name} to the timelock")
            kinds = EXCHANGE if name == "exchange" else (entry["contract"],)
            contract = instance(made.contracts[name], *(made.codes[kind] for kind in kinds))
            send(contract, "transfer_ownership", timelock.address, sender=made.account)
            send(timelock, "accept_ownership", contract.address, sender=made.account)


def write_record(p: Parameters, made: Deployer, path: Path, chain_id: int) -> Record:
    pushed = [p.oracle.signer, *(each.signer for each in p.oracle.adapters.values())]
    signer = next((each for each in pushed if each is not None), NOBODY)
    record = Record(
        path,
        {
            "format": FORMAT,
            "name": p.name,
            "chainId": chain_id,
            "testNetwork": p.test_network or chain_id == LOCAL_CHAIN_ID,
            "startBlock": min(entry["block"] for entry in made.code.values()),
            "settleWindow": p.exchange.settle_window,
            "withdrawalDelay": p.vault.withdrawal_delay,
            "deployer": made.account.address,
            "governance": made.contracts.get("timelock", made.account.address),
            "operator": checksum(p.roles.operator),
            "priceSigner": checksum(signer),
            "guardian": checksum(p.roles.guardian),
            "contracts": made.contracts,
            "markets": [market_entry(market) for market in p.markets],
            "compiler": settings(),
            "code": made.code,
        },
    )
    record.save()
    return record


@click.command(cls=ConnectedProviderCommand)
@account_option()
@parameters_option
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the record goes; by default deployments/<chain>/<name>.json.",
)
@click.option("--keep-ownership", is_flag=True, help="Local chains only: no timelock, the deployer governs.")
@click.option("--overwrite", is_flag=True, help="Replace a record of this name.")
@click.option("--dry-run", is_flag=True, help="Check and compile everything, say what would be deployed, send nothing.")
def cli(
    provider: Any,
    account: AccountAPI,
    file: Path,
    output: Path | None,
    keep_ownership: bool,
    overwrite: bool,
    dry_run: bool,
) -> None:
    """Deploy every contract, and hand it to the timelock."""
    p = load(file)
    chain_id = provider.chain_id
    output = output or default_path(chain_id, p.name)
    if output.exists() and not overwrite and not dry_run:
        raise click.ClickException(f"{output} is there already: name another with --output, or give --overwrite")
    check_chain(p, provider.web3, chain_id, keep_ownership)
    steps = plan(p, keep_ownership)
    click.echo(f"compiling {len({kind for _, kind in steps})} contracts")
    codes = compiled([kind for _, kind in steps])
    if dry_run:
        for name, kind in steps:
            code = codes[kind]
            click.echo(f"{name:<20} {kind:<18} {len(code.runtime):>6} bytes  creation code {code.creation_hash}")
        click.echo(f"nothing was sent; {account.address} would deploy on chain {chain_id} and write {output}")
        return
    made = Deployer(account, codes, len(steps), provider.web3)
    try:
        deploy_all(p, made, keep_ownership)
    except click.ClickException as error:
        found = "\n".join(f"  {name} {address}" for name, address in made.contracts.items())
        raise click.ClickException(f"{error.message}\nUntil then were deployed, and are of no use:\n{found}") from error
    record = write_record(p, made, output, chain_id)
    click.echo(f"deployed on chain {chain_id}, governed by {record.governance}: {output}")
