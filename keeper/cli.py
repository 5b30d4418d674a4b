# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro keeper`: run the liquidation bot, or look once. A key, a node and the deployment record are enough."""

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
from eth_account import Account
from eth_account.signers.local import LocalAccount

from keeper.funding import FundingPoker
from keeper.liquidator import Liquidator, Settings
from keeper.metrics import Metrics
from keeper.ports import ChainError, SystemClock
from keeper.rpc_chain import RpcChain
from ouro.client import OuroClient
from ouro.client.config import ClientConfig
from ouro.client.errors import TransactionError, UnreachableError
from ouro.deployment import Deployment, DeploymentError
from ouro.settings import Settings as ServiceSettings
from ouro.units import from_micro, plain, usdc

log = logging.getLogger("keeper")

app = typer.Typer(help="Liquidate accounts below maintenance margin and keep funding up to date.", no_args_is_help=True)

LONGEST_PAUSE_S = 30.0

RpcUrl = Annotated[str | None, typer.Option(help="Node to read and send by.", show_default="OURO_RPC_URL")]
Record = Annotated[Path | None, typer.Option(help="Deployment record.", show_default="OURO_DEPLOYMENT_PATH")]
Subaccount = Annotated[int, typer.Option(min=0, max=65_535, help="Own subaccount that takes positions over.")]
MinProfit = Annotated[str, typer.Option(help="Least profit after gas worth a transaction, in USDC.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, send nothing.")]


class _Keeper:
    """The bots of one key, put together from configuration and flags."""

    def __init__(
        self, rpc_url: str | None, deployment: Path | None, subaccount: int, min_profit: str, dry_run: bool
    ) -> None:
        config = ServiceSettings()
        self.rpc_url = rpc_url or config.rpc_url
        self.path = Path(deployment or config.deployment_path)
        self.account = _account(config)
        self.deployment = _deployment(self.path)
        self.chain = RpcChain(self.rpc_url)
        self.metrics = Metrics()
        self.dry_run = dry_run
        self.subaccount = subaccount
        settings = Settings(subaccount=subaccount, min_profit=usdc(Decimal(min_profit)), dry_run=dry_run)
        self.liquidator = Liquidator(
            self.chain, SystemClock(), self.deployment, self.account, settings, self.metrics.record
        )
        self.poker = FundingPoker(self.chain, self.deployment, self.account, self.liquidator.sender)

    def round(self) -> None:
        """Liquidate and poke once. Raises `ChainError`."""
        self.liquidator.round()
        self.metrics.looked(self.liquidator.watch)
        self.metrics.pokes.inc(len(self.poker.round(dry_run=self.dry_run)))

    def top_up(self, target: str) -> None:
        """Deposit test USDC from the local faucet until the subaccount's cash reaches `target` USDC."""
        config = ClientConfig.from_record(json.loads(self.path.read_text()))
        with OuroClient(signer=self.account, config=config, rpc_url=self.rpc_url) as client:
            held = client.chain.call("Exchange", "cash", self.account.address, self.subaccount)
            missing = usdc(Decimal(target)) - int(held)
            if missing > 0:
                amount = from_micro(missing)
                client.chain.faucet(amount)
                client.chain.deposit(amount, subaccount=self.subaccount)
                log.info("deposited %s USDC of test money", plain(amount))


def _account(config: ServiceSettings) -> LocalAccount:
    key = config.keeper_key
    if not key:
        raise typer.BadParameter("no key: set OURO_KEEPER_KEY to the private key of the keeper's own account")
    account: LocalAccount = Account.from_key(str(key))
    return account


def _deployment(path: Path) -> Deployment:
    try:
        return Deployment.load(path)
    except DeploymentError as error:
        raise typer.BadParameter(f"{error}. Set OURO_DEPLOYMENT_PATH or --deployment") from error


def _log_to_stdout(level: int) -> None:
    logging.basicConfig(stream=sys.stdout, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


@app.command()
def run(
    rpc_url: RpcUrl = None,
    deployment: Record = None,
    subaccount: Subaccount = 0,
    min_profit: MinProfit = "0",
    dry_run: DryRun = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two rounds.")] = 2.0,
    faucet: Annotated[
        str | None,
        typer.Option(envvar="OURO_KEEPER_FAUCET", help="Local chain only: keep this much test USDC as margin."),
    ] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Serve Prometheus metrics there.")] = None,
) -> None:
    """Liquidate and poke until stopped."""
    _log_to_stdout(logging.INFO)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    keeper = _Keeper(rpc_url, deployment, subaccount, min_profit, dry_run)
    if metrics_port is not None:
        keeper.metrics.serve(metrics_port)
    # Only the host: providers put keys into the rest of the URL.
    log.info("keeper %s watches %s", keeper.account.address, urlsplit(keeper.rpc_url).hostname)
    pause = interval
    funded = faucet is None
    while not stop.is_set():
        try:
            if not funded and faucet is not None:
                keeper.top_up(faucet)
                funded = True
            keeper.round()
            pause = interval
        except (ChainError, TransactionError, UnreachableError) as error:
            log.warning("round failed: %s", error)
            keeper.metrics.trouble.inc()
            pause = min(pause * 2, LONGEST_PAUSE_S)
        stop.wait(pause)
    keeper.chain.close()
    log.info("stopped")


@app.command()
def once(
    rpc_url: RpcUrl = None,
    deployment: Record = None,
    subaccount: Subaccount = 0,
    min_profit: MinProfit = "0",
    dry_run: DryRun = False,
) -> None:
    """Look once, liquidate what is found (with --dry-run only say so), poke what is due, and end."""
    _log_to_stdout(logging.WARNING)
    keeper = _Keeper(rpc_url, deployment, subaccount, min_profit, dry_run)
    try:
        outcomes = keeper.liquidator.round()
        poked = keeper.poker.round(dry_run=dry_run)
    except ChainError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        keeper.chain.close()
    watch = keeper.liquidator.watch
    typer.echo(f"block {watch.height}: {len(watch.holders())} accounts with positions, {len(outcomes)} to liquidate")
    for outcome in outcomes:
        typer.echo(outcome.line())
    if poked:
        typer.echo(f"poked markets {', '.join(map(str, poked))}")
