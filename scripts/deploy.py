# SPDX-License-Identifier: AGPL-3.0-only
"""Deploy Ouro and record where everything is.

    ape run deploy --network http://127.0.0.1:8545 --account TEST::0 --output deployments/local.json

On a local chain the script brings a test USDC that anyone can mint, and with `--insurance` seeds the insurance fund
with it; elsewhere `--token` names the collateral.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from ape import project
from ape.api import AccountAPI
from ape.cli import ConnectedProviderCommand, account_option
from ape.contracts import ContractInstance
from ape.managers.project import ProjectManager

LOCAL_CHAIN_ID = 31_337
MICRO = 10**6


@dataclass(frozen=True)
class Listing:
    """What a market is listed with. Fractions in ppm, sizes in lots, prices in micro-USDC per lot."""

    id: int
    ticker: str
    size_decimals: int
    tick: int
    imf_ppm: int = 50_000
    mmf_ppm: int = 30_000
    band_ppm: int = 100_000
    max_open_interest: int = 10**8
    max_price_age: int = 120
    liquidation_floor_ppm: int = 5_000


MARKETS = (
    Listing(id=1, ticker="BTC-USD", size_decimals=4, tick=100),
    Listing(id=2, ticker="ETH-USD", size_decimals=3, tick=100),
)


def list_market(exchange: ContractInstance, listing: Listing, governance: AccountAPI) -> None:
    exchange.list_market(*asdict(listing).values(), sender=governance)


def record(
    contracts: dict[str, str],
    *,
    start_block: int,
    chain_id: int,
    settle_window: int,
    withdrawal_delay: int,
    keys: dict[str, str],
) -> dict[str, Any]:
    """The deployment record that every service and client reads."""
    return {
        "chainId": chain_id,
        "startBlock": start_block,
        "settleWindow": settle_window,
        "withdrawalDelay": withdrawal_delay,
        **keys,
        "contracts": contracts,
        "markets": [
            {
                "id": m.id,
                "ticker": m.ticker,
                "sizeDecimals": m.size_decimals,
                "priceDecimals": 6 - m.size_decimals,
                "tick": m.tick,
                "imfPpm": m.imf_ppm,
                "mmfPpm": m.mmf_ppm,
                "bandPpm": m.band_ppm,
                "maxOpenInterest": m.max_open_interest,
                "maxPriceAge": m.max_price_age,
                "liquidationFloorPpm": m.liquidation_floor_ppm,
                "state": 1,
            }
            for m in MARKETS
        ],
    }


def _token(local: ProjectManager, token: str | None, chain_id: int, governance: AccountAPI) -> ContractInstance:
    if token is not None:
        return local.TestUSDC.at(token)
    if chain_id != LOCAL_CHAIN_ID:
        raise click.UsageError("name the collateral with --token: the test USDC is for local chains only")
    return governance.deploy(local.TestUSDC)


@click.command(cls=ConnectedProviderCommand)
@account_option()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Where the record goes.")
@click.option("--operator", help="Address that settles and co-signs; by default the deployer.")
@click.option("--price-signer", help="Address whose prices the pushed oracle takes; by default the deployer.")
@click.option("--guardian", help="Address that may tighten; by default the deployer.")
@click.option("--token", help="Collateral token with 6 decimals; a local chain gets a test token by default.")
@click.option("--settle-window", default=60, show_default=True, help="Seconds, 15 to 600.")
@click.option("--withdrawal-delay", default=120, show_default=True, help="Seconds, at least the settle window.")
@click.option("--insurance", default=0, show_default=True, help="Test USDC to seed the insurance fund with.")
def cli(
    provider: Any,
    account: AccountAPI,
    output: Path,
    operator: str | None,
    price_signer: str | None,
    guardian: str | None,
    token: str | None,
    settle_window: int,
    withdrawal_delay: int,
    insurance: int,
) -> None:
    # ape's cache does not notice every change of a module
    project.load_contracts(use_cache=False)
    chain_id = provider.chain_id
    operator, price_signer, guardian = (given or account.address for given in (operator, price_signer, guardian))

    usdc = _token(project, token, chain_id, account)
    oracle = account.deploy(project.PushedOracle, price_signer)
    exit_ = account.deploy(project.ExchangeExit, settle_window)
    office = account.deploy(project.ExchangeOffice, exit_.address, settle_window)
    desk = account.deploy(project.ExchangeDesk, office.address, settle_window)
    hot = account.deploy(project.Exchange, desk.address, oracle.address, settle_window)
    vault = account.deploy(project.Vault, usdc.address, hot.address, withdrawal_delay)
    # the Exchange answers for its office: talk to the office's functions at the Exchange's address
    exchange = project.ExchangeOffice.at(hot.address, fetch_from_explorer=False)

    exchange.set_vault(vault.address, sender=account)
    exchange.set_operator(operator, True, sender=account)
    exchange.set_guardian(guardian, sender=account)
    vault.set_cosigner(operator, True, sender=account)
    for listing in MARKETS:
        list_market(exchange, listing, account)
    if insurance:
        amount = insurance * MICRO
        usdc.mint(account.address, amount, sender=account)
        usdc.approve(vault.address, amount, sender=account)
        vault.donate(amount, sender=account)

    addresses = {"exchange": hot, "desk": desk, "office": office, "exit": exit_, "vault": vault, "oracle": oracle, "usdc": usdc}
    text = record(
        {name: contract.address for name, contract in addresses.items()},
        start_block=min(contract.creation_metadata.block for contract in (oracle, exit_, office, desk, hot)),
        chain_id=chain_id,
        settle_window=settle_window,
        withdrawal_delay=withdrawal_delay,
        keys={"operator": operator, "priceSigner": price_signer, "guardian": guardian},
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(text, indent=2) + "\n")
    click.echo(f"deployed on chain {chain_id}: {output}")
