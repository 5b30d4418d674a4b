# SPDX-License-Identifier: Apache-2.0
"""Arguments and options that several order commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

T = TypeVar("T")


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


_OPTIONS = {
    "reduce_only": (ReduceOnly, False),
    "oco": (Oco, ""),
    "expires": (Expires, None),
    "client_id": (ClientId, None),
    "max_fee_ppm": (MaxFee, 500),
    "subaccount": (Subaccount, 0),
}
"""Options of orders by their parameter's name: how they are given, and their default."""


def order_options(*names: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command these options of orders; its function gets them as one keyword argument `options`.

    What was not said is left out of it: the SDK knows what then holds.
    """

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(function)
        def wrapper(*args: Any, **given: Any) -> T:
            said = {name: given.pop(name) for name in names}
            if "expires" in said:
                said["expires_in_seconds"] = said.pop("expires")
            options = {name: value for name, value in said.items() if value is not None}
            return function(*args, options=options, **given)

        signature = inspect.signature(function)
        parameters = [each for each in signature.parameters.values() if each.name != "options"]
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for name, (kind, default) in ((name, _OPTIONS[name]) for name in names)
        ]
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        annotations = {name: kind for name, kind in function.__annotations__.items() if name != "options"}
        wrapper.__annotations__ = annotations | {name: _OPTIONS[name][0] for name in names}
        return wrapper

    return decorate
