# SPDX-License-Identifier: Apache-2.0
"""Arguments and options that several order commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from ouro.client import OrderOptions


class SideChoice(StrEnum):
    """Which way to trade."""

    BUY = "buy"
    SELL = "sell"


Side = Annotated[SideChoice, typer.Argument(help="Buy or sell.", metavar="SIDE", case_sensitive=False)]
Size = Annotated[str, typer.Argument(help="Size in the base asset, such as 0.01.", metavar="SIZE")]
Subaccount = Annotated[int, typer.Option("--subaccount", min=0, max=65_535, help="Subaccount number.")]
ReduceOnly = Annotated[bool, typer.Option("--reduce-only", help="Only ever reduce the position.")]
Expires = Annotated[
    int | None, typer.Option("--expires", min=1, help="Seconds until it expires.", show_default="28 days")
]
ClientId = Annotated[str | None, typer.Option("--client-id", help="Your own number for it.", show_default="random")]
MaxFee = Annotated[
    int, typer.Option("--max-fee-ppm", min=0, max=65_535, help="Highest fee to accept, in ppm of notional.")
]
Oco = Annotated[str, typer.Option("--oco", help="Orders with one name cancel each other.", show_default="none")]
Address = Annotated[
    str | None, typer.Option("--address", help="Whose; the key's own address by default.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many, newest first.")]
OneMarket = Annotated[str | None, typer.Option("--market", help="Only this market.", show_default="all")]


def order_options(**given: Any) -> OrderOptions:
    """What was said on the command line; what was left out is left to the SDK."""
    return cast("OrderOptions", {name: value for name, value in given.items() if value is not None})
