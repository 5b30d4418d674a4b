# SPDX-License-Identifier: Apache-2.0
"""Commands for orders that wait, and orders made of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ouro.cli.market_data import Market
from ouro.cli.options import Side, Size, order_options
from ouro.cli.output import View, short
from ouro.cli.run import Cli, UsageError, command

if TYPE_CHECKING:
    from ouro.client import OrderOptions, Outcome
    from ouro.client.models import PlacedOrder

TriggerPrice = Annotated[str, typer.Argument(help="Index price, in USDC, at which it becomes live.", metavar="TRIGGER")]
LimitPrice = Annotated[
    str | None,
    typer.Argument(help="Limit price; leave it out to trade at once.", metavar="PRICE", show_default=False),
]
Slippage = Annotated[str, typer.Option("--slippage", help="Without a price: worst fraction beyond the trigger.")]
Parts = Annotated[int, typer.Option("--parts", min=1, max=500, help="How many orders.")]


def register(order_app: typer.Typer) -> None:
    """Add the commands of this file to `ouro order`."""

    _register_trigger(
        order_app, "stop", "Place a stop: a sell goes live at or below the trigger, a buy at or above.", stop=True
    )
    _register_trigger(
        order_app,
        "take-profit",
        "Place a take-profit: a sell goes live at or above the trigger, a buy at or below.",
        stop=False,
    )

    @command(order_app, "bracket", changes=True)
    @order_options("expires", "max_fee_ppm", "subaccount")
    def bracket(
        cli: Cli,
        market: Market,
        side: Side,
        size: Size,
        price: Annotated[
            str | None,
            typer.Argument(
                help="Limit of the entry; leave it out for a market order.", metavar="PRICE", show_default=False
            ),
        ] = None,
        take_profit: Annotated[str, typer.Option("--take-profit", help="Index price at which to take profit.")] = "",
        stop_loss: Annotated[str, typer.Option("--stop-loss", help="Index price at which to stop the loss.")] = "",
        slippage: Annotated[
            str, typer.Option("--slippage", help="Market entry: worst fraction from the best price.")
        ] = "0.01",
        exit_slippage: Annotated[
            str, typer.Option("--exit-slippage", help="Exits: worst fraction beyond their triggers.")
        ] = "0.05",
        *,
        options: OrderOptions,
    ) -> View:
        """Place an entry with a take-profit and a stop that close what it fills."""
        if not take_profit or not stop_loss:
            raise UsageError("a bracket needs --take-profit and --stop-loss")
        done = cli.trader.orders.place_bracket(
            market,
            side.value,
            size,
            price=price,
            take_profit=take_profit,
            stop_loss=stop_loss,
            max_slippage=slippage,
            exit_slippage=exit_slippage,
            **options,
        )
        outcomes = {"entry": done.entry, "take-profit": done.take_profit, "stop-loss": done.stop_loss}
        data = {"entry": done.entry, "takeProfit": plain(done.take_profit), "stopLoss": plain(done.stop_loss)}
        return View(data, **_table(outcomes), failed=not all(_stands(each) for each in outcomes.values()))

    @command(order_app, "trail", changes=True)
    @order_options("expires", "client_id", "max_fee_ppm", "subaccount")
    def trail(
        cli: Cli,
        market: Market,
        side: Side,
        size: Size,
        distance: Annotated[str, typer.Argument(help="USDC behind the index price.", metavar="DISTANCE")],
        step: Annotated[
            str | None, typer.Option("--step", help="USDC by which it moves.", show_default="a tenth of the distance")
        ] = None,
        revisions: Annotated[int, typer.Option("--revisions", min=1, max=50, help="How often it can move.")] = 20,
        slippage: Slippage = "0.05",
        *,
        options: OrderOptions,
    ) -> View:
        """Place a trailing stop (reduce-only): it follows the index price in steps signed in advance."""
        done = cli.trader.orders.place_trailing_stop(
            market,
            side.value,
            size,
            distance,
            step=step,
            revisions=revisions,
            max_slippage=slippage,
            **options,
        )
        outcomes: dict[str, Outcome] = {"stop": done.stop}
        outcomes |= {f"move {number}": each for number, each in enumerate(done.revisions, 1)}
        data = {
            "stop": done.stop,
            "revisions": [plain(each) for each in done.revisions],
            "triggers": list(done.triggers),
        }
        return View(
            data,
            **_table(outcomes, done.triggers),
            failed=not all(_stands(each) for each in outcomes.values()),
        )

    @command(order_app, "twap", changes=True)
    @order_options("reduce_only", "max_fee_ppm", "subaccount")
    def twap(
        cli: Cli,
        market: Market,
        side: Side,
        size: Size,
        price: Annotated[
            str | None,
            typer.Argument(help="Worst price; else from --slippage.", metavar="PRICE", show_default=False),
        ] = None,
        parts: Parts = 10,
        duration: Annotated[int, typer.Option("--duration", min=1, help="Seconds from the first to the last.")] = 600,
        slippage: Annotated[
            str, typer.Option("--slippage", help="Without a price: worst fraction from the index price of now.")
        ] = "0.05",
        *,
        options: OrderOptions,
    ) -> View:
        """Trade in nearly equal parts over some time."""
        outcomes = cli.trader.orders.place_twap(
            market,
            side.value,
            size,
            parts=parts,
            duration_seconds=duration,
            price=price,
            max_slippage=slippage,
            **options,
        )
        return _several(outcomes)

    @command(order_app, "scaled", changes=True)
    @order_options("reduce_only", "expires", "max_fee_ppm", "subaccount")
    def scaled(
        cli: Cli,
        market: Market,
        side: Side,
        size: Size,
        first_price: Annotated[str, typer.Argument(help="Limit of the first order.", metavar="FROM")],
        last_price: Annotated[str, typer.Argument(help="Limit of the last order.", metavar="TO")],
        parts: Parts = 10,
        post_only: Annotated[bool, typer.Option("--post-only", help="Never take liquidity.")] = False,
        *,
        options: OrderOptions,
    ) -> View:
        """Place limit orders evenly between two prices."""
        outcomes = cli.trader.orders.place_scaled(
            market,
            side.value,
            size,
            first_price,
            last_price,
            parts=parts,
            post_only=post_only,
            **options,
        )
        return _several(outcomes)


def _register_trigger(order_app: typer.Typer, name: str, text: str, *, stop: bool) -> None:
    """Stop and take-profit differ in the side of the trigger only."""

    @order_options("reduce_only", "oco", "expires", "client_id", "max_fee_ppm", "subaccount")
    def triggered(
        cli: Cli,
        market: Market,
        side: Side,
        size: Size,
        trigger: TriggerPrice,
        price: LimitPrice = None,
        slippage: Slippage = "0.05",
        *,
        options: OrderOptions,
    ) -> View:
        orders = cli.trader.orders
        if price is None:
            at_once = orders.place_stop_market if stop else orders.place_take_profit_market
            return view_of(at_once(market, side.value, size, trigger, slippage, **options))
        resting = orders.place_stop_limit if stop else orders.place_take_profit_limit
        return view_of(resting(market, side.value, size, trigger, price, **options))

    triggered.__doc__ = text
    command(order_app, name, changes=True)(triggered)


def view_of(placed: PlacedOrder) -> View:
    """One order as it was taken. It failed when it neither rests nor waits nor filled anything."""
    return View(
        placed,
        pairs={
            "id": placed.id,
            "status": placed.status,
            "filled": placed.filled,
            **({"reason": placed.reason} if placed.reason else {}),
            "client id": placed.client_id,
            "seq": placed.seq,
        },
        failed=placed.status == "CANCELED" and placed.filled == Decimal(0),
    )


def plain(outcome: Outcome) -> Any:
    """An outcome as JSON: the order, or what a refusal says."""
    from ouro.client import RefusedError

    if isinstance(outcome, RefusedError):
        return {"errors": outcome.errors, "errorCode": outcome.code}
    return outcome


def _several(outcomes: Sequence[Outcome]) -> View:
    named = {str(number): each for number, each in enumerate(outcomes, 1)}
    failed = not all(_stands(each) for each in outcomes)
    return View([plain(each) for each in outcomes], **_table(named), failed=failed)


def _table(outcomes: Mapping[str, Outcome], triggers: Sequence[Decimal] = ()) -> dict[str, Any]:
    from ouro.client import RefusedError

    rows: list[tuple[Any, ...]] = []
    for place, (name, each) in enumerate(outcomes.items()):
        trigger = (triggers[place],) if triggers else ()
        if isinstance(each, RefusedError):
            rows.append((name, *trigger, "REFUSED", None, each.code, ""))
        else:
            rows.append((name, *trigger, each.status, each.filled, each.reason, short(each.id)))
    trigger_column = ("trigger",) if triggers else ()
    return {"columns": ("order", *trigger_column, "status", "filled", "reason", "id"), "rows": rows}


def _stands(outcome: Outcome) -> bool:
    """Taken. (A part that found nobody when its time came, or at once, is no failure of the whole.)"""
    from ouro.client import RefusedError

    return not isinstance(outcome, RefusedError)
