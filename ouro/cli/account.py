# SPDX-License-Identifier: Apache-2.0
"""Commands about money and positions: deposit, withdraw, balance, positions, faucet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ouro.cli.options import Address, Subaccount
from ouro.cli.output import View
from ouro.cli.progress import waiting
from ouro.cli.run import Cli, RpcUrl, UsageError, command
from ouro.units import plain

if TYPE_CHECKING:
    from ouro.client import Sent

SEEN_WITHIN_S = 15.0

Amount = Annotated[str, typer.Argument(help="USDC, such as 1000 or 12.50.", metavar="AMOUNT")]
To = Annotated[str | None, typer.Option("--to", help="Pay to this address; your own by default.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""

    @command(app, "deposit", changes=True)
    def deposit(cli: Cli, amount: Amount, subaccount: Subaccount = 0, rpc_url: RpcUrl = None) -> View:
        """Move USDC from the wallet into a subaccount.

        Approves the Vault first when it may not take as much.
        """
        sent = cli.chain(rpc_url).deposit(amount, subaccount=subaccount)
        return transaction_view(cli, sent, f"Deposited {amount} USDC into subaccount {subaccount}.")

    @command(app, "withdraw", changes=True)
    def withdraw(
        cli: Cli,
        amount: Annotated[
            str | None, typer.Argument(help="USDC to withdraw.", metavar="AMOUNT", show_default=False)
        ] = None,
        to: To = None,
        delayed: Annotated[bool, typer.Option("--delayed", help="Queue it on chain, without the operator.")] = False,
        execute: Annotated[
            int | None, typer.Option("--execute", help="Pay out the queued withdrawal of this id.", show_default=False)
        ] = None,
        cancel: Annotated[
            int | None, typer.Option("--cancel", help="Take back the queued withdrawal of this id.", show_default=False)
        ] = None,
        subaccount: Subaccount = 0,
        rpc_url: RpcUrl = None,
    ) -> View:
        """Withdraw to the wallet, at once or --delayed.

        At once needs the operator's co-signature; delayed needs nobody.

        A delayed withdrawal is requested first and paid out with --execute ID after the delay.
        """
        if sum(given is not None for given in (amount, execute, cancel)) != 1 or (delayed and amount is None):
            raise UsageError("give an amount, or --execute ID, or --cancel ID")
        recipient = None if to is None else cli.address(to)
        if execute is not None:
            return _transaction(cli.chain(rpc_url).execute_withdrawal(execute), f"Paid out withdrawal {execute}.")
        if cancel is not None:
            return _transaction(cli.chain(rpc_url).cancel_withdrawal(cancel), f"Took back withdrawal {cancel}.")
        assert amount is not None
        if delayed:
            request = cli.chain(rpc_url).request_withdrawal(amount, subaccount=subaccount, to=recipient)
            amount = plain(request.amount)
            return View(
                {"id": request.id, "amount": amount, "to": request.to, "readyAt": request.ready_at},
                pairs={"id": request.id, "amount": amount, "ready at": request.ready_at},
                note=f"Pay it out after that time: ouro withdraw --execute {request.id}",
            )
        sent = cli.chain(rpc_url).withdraw(amount, to=recipient, subaccount=subaccount)
        paid_to = recipient or cli.address(None)
        return transaction_view(cli, sent, f"Withdrew {amount} USDC to {paid_to}.")

    @command(app, "balance")
    def balance(cli: Cli, address: Address = None, subaccount: Subaccount = 0) -> View:
        """Show equity, free collateral and collateral of a subaccount."""
        found = cli.reader.account.subaccount(subaccount, address=cli.address(address))
        collateral = {asset.symbol: asset.size for asset in found.asset_positions.values()}
        return View(
            found,
            pairs={
                "address": found.address,
                "subaccount": found.subaccount_number,
                "equity": found.equity,
                "free collateral": found.free_collateral,
                **collateral,
                "open positions": len(found.open_perpetual_positions),
            },
        )

    @command(app, "positions")
    def positions(
        cli: Cli,
        address: Address = None,
        subaccount: Subaccount = 0,
        closed: Annotated[bool, typer.Option("--closed", help="Closed ones too.")] = False,
    ) -> View:
        """List open positions."""
        status = None if closed else "OPEN"
        found = cli.reader.account.positions(address=cli.address(address), subaccount=subaccount, status=status)
        return View(
            found,
            columns=("market", "status", "side", "size", "entry price", "unrealized", "realized", "funding"),
            rows=[
                (
                    position.market,
                    position.status,
                    position.side,
                    position.size,
                    position.entry_price,
                    position.unrealized_pnl,
                    position.realized_pnl,
                    position.net_funding,
                )
                for position in found
            ],
            empty="No positions.",
        )

    @command(app, "faucet", changes=True)
    def faucet(cli: Cli, amount: Amount = "10000", rpc_url: RpcUrl = None) -> View:
        """Mint test USDC to the wallet (local chain only).

        Also gives the wallet coin for gas.
        """
        sent = cli.chain(rpc_url).faucet(amount)
        return _transaction(sent, f"Minted {amount} test USDC to {cli.signer.address}.")


def transaction_view(cli: Cli, sent: Sent, note: str) -> View:
    """A transaction, when the exchange shows its block, so that the next command builds on it."""
    return _transaction(sent, note + _await_block(cli, sent))


def _await_block(cli: Cli, sent: Sent) -> str:
    """Wait until the exchange shows the block, so that the next command builds on it; a remark when it does not."""
    from ouro.client import ClientError

    if cli.dry_run:
        return ""
    try:
        with waiting(f"waiting until the exchange shows block {sent.block_number}", quiet=cli.json):
            cli.reader.chain.wait_until_seen(sent, timeout_seconds=SEEN_WITHIN_S)
    except ClientError:
        return " The exchange does not show it yet."  # the money has moved; only the wait is over
    return ""


def _transaction(sent: Sent, note: str) -> View:
    data = {"transactionHash": sent.transaction_hash, "blockNumber": sent.block_number}
    return View(data, pairs={"transaction": sent.transaction_hash, "block": sent.block_number}, note=note)
