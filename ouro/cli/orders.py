# SPDX-License-Identifier: Apache-2.0
"""Commands about orders: place, amend, show, list, cancel."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ouro.cli import conditional
from ouro.cli.conditional import view_of
from ouro.cli.market_data import Market
from ouro.cli.options import Address, Limit, MaxFee, Side, Size, Subaccount, order_options
from ouro.cli.output import View, short
from ouro.cli.run import Cli, UsageError, command

OrderId = Annotated[str, typer.Argument(help="The order's id (0x and 64 hexadecimal digits).", metavar="ID")]

Slippage = Annotated[str, typer.Option("--slippage", help="Market orders: worst fraction from the best price.")]

if TYPE_CHECKING:
    from ouro.client import OrderOptions


class LifeChoice(StrEnum):
    """Time in force of a limit order."""

    GTT = "gtt"
    IOC = "ioc"
    FOK = "fok"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    order_app = typer.Typer(help="Place or show an order.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(order_app, name="order")

    @command(order_app, "place", changes=True)
    @order_options("reduce_only", "oco", "expires", "client_id", "max_fee_ppm", "subaccount")
    def place(
        cli: Cli,
        market: Market,
        side: Side,
        size: Size,
        price: Annotated[
            str | None,
            typer.Argument(
                help="Limit price in USDC; leave it out for a market order.", metavar="PRICE", show_default=False
            ),
        ] = None,
        tif: Annotated[
            LifeChoice, typer.Option("--tif", help="Time in force of a limit order.", case_sensitive=False)
        ] = LifeChoice.GTT,
        post_only: Annotated[bool, typer.Option("--post-only", help="Never take liquidity.")] = False,
        slippage: Slippage = "0.01",
        *,
        options: OrderOptions,
    ) -> View:
        """Place a limit order, or without a price a market order.

        Ends with 1 when the order neither rests nor filled anything.
        """
        if price is None:
            if post_only or tif is not LifeChoice.GTT or "expires_in_seconds" in options or options.get("oco"):
                raise UsageError("--post-only, --tif, --expires and --oco belong to limit orders: give a price")
            placed = cli.trader.orders.place_market_order(market, side.value, size, slippage, **options)
        else:
            placed = cli.trader.orders.place_limit_order(
                market, side.value, size, price, time_in_force=tif.value, post_only=post_only, **options
            )
        return view_of(placed)

    @command(app, "close", changes=True)
    @order_options("client_id", "max_fee_ppm", "subaccount")
    def close(
        cli: Cli,
        market: Market,
        size: Annotated[
            str | None, typer.Argument(help="How much of the position.", metavar="SIZE", show_default="all of it")
        ] = None,
        slippage: Slippage = "0.01",
        *,
        options: OrderOptions,
    ) -> View:
        """Close the position in a market, or SIZE of it, by a reduce-only market order.

        Ends with 1 when nothing was filled.
        """
        return view_of(cli.trader.orders.close_position(market, size, slippage, **options))

    @command(order_app, "amend", changes=True)
    def amend(
        cli: Cli,
        order_id: OrderId,
        price: Annotated[str | None, typer.Option("--price", help="New limit price.", show_default="as it is")] = None,
        size: Annotated[
            str | None, typer.Option("--size", help="New size in all, filled included.", show_default="as it is")
        ] = None,
        trigger: Annotated[
            str | None, typer.Option("--trigger", help="New trigger of a stop or take-profit.", show_default="as it is")
        ] = None,
        max_fee_ppm: MaxFee = 500,
    ) -> View:
        """Change price, size or trigger of an order that rests or waits."""
        if price is None and size is None and trigger is None:
            raise UsageError("say what to change: --price, --size or --trigger")
        orders = cli.trader.orders
        newer = orders.build_amend(order_id, price=price, size=size, trigger_price=trigger, max_fee_ppm=max_fee_ppm)
        return view_of(orders.submit_amend(newer))

    @command(order_app, "show")
    def show(cli: Cli, order_id: OrderId) -> View:
        """Show one order."""
        found = cli.reader.orders.get(order_id)
        return View(
            found,
            pairs={
                "id": found.id,
                "market": found.ticker,
                "type": found.type,
                "side": found.side,
                "price": found.price,
                **({"trigger": f"{found.trigger} {found.trigger_price}"} if found.trigger_price else {}),
                "size": found.size,
                "filled": found.total_filled,
                "status": found.status,
                "reason": found.removal_reason,
                "time in force": found.time_in_force,
                "post-only": found.post_only,
                "reduce-only": found.reduce_only,
                "expires": found.good_til_block_time,
            },
        )

    conditional.register(order_app)

    @command(app, "orders")
    def orders(
        cli: Cli,
        market: Annotated[str | None, typer.Option("--market", help="Only this market.", show_default="all")] = None,
        status: Annotated[
            str, typer.Option("--status", help="OPEN, FILLED, CANCELED, or several by comma, or all.")
        ] = "OPEN",
        limit: Limit = 100,
        address: Address = None,
        subaccount: Subaccount = 0,
    ) -> View:
        """List orders, the open ones unless --status says otherwise."""
        found = cli.reader.orders.list(
            address=cli.address(address),
            subaccount=subaccount,
            market=market,
            status=None if status.lower() == "all" else status.upper(),
            limit=limit,
        )
        return View(
            found,
            columns=("id", "market", "side", "price", "size", "filled", "status"),
            rows=[
                (order.id, order.ticker, order.side, order.price, order.size, order.total_filled, order.status)
                for order in found
            ],
            empty="No orders.",
        )

    @command(app, "cancel", changes=True)
    def cancel(
        cli: Cli,
        order_id: Annotated[
            str | None, typer.Argument(help="The order's id.", metavar="ID", show_default=False)
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help="Every resting order of the subaccount.")] = False,
        market: Annotated[
            str | None, typer.Option("--market", help="With --all: only this market.", show_default="all")
        ] = None,
        subaccount: Subaccount = 0,
    ) -> View:
        """Cancel one order by its id, or all of them with --all."""
        if everything == (order_id is not None) or (market is not None and not everything):
            raise UsageError("name one order id, or say --all (with --market for one market)")
        if order_id is None:
            done = cli.trader.orders.cancel_all(market, subaccount=subaccount)
            count = len(done.cancelled)
            return View(done, note=f"Cancelled {count} order{'' if count == 1 else 's'} (seq {done.seq}).")
        done = cli.trader.orders.cancel(order_id, subaccount=subaccount)
        return View(done, note=f"Cancelled {short(order_id)} (seq {done.seq}).")
