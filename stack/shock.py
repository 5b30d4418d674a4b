# SPDX-License-Identifier: AGPL-3.0-only
"""Moves the local stack's prices away from the replayed series: what a crash does, when you want one.

    python -m stack.shock -6              # every price six percent below the series from the next push on
    python -m stack.shock 0               # back to it

The local price feed reads the file that this writes. It is no tool for any other chain: there, nobody has the feed.
"""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from ouro.units import PPM

FILE = "shock.json"
LOWEST, HIGHEST = -90, 900


def shocked(prices: dict[str, int], folder: Path) -> dict[str, int]:
    """Prices (ticker to price units) after the shock that is written in `folder`, if any."""
    path = folder / FILE
    if not path.exists():
        return prices
    ppm = int(json.loads(path.read_text())["ppm"])
    return {ticker: price + price * ppm // PPM for ticker, price in prices.items()}


def main(
    percent: Annotated[str, typer.Argument(help="How far, such as -6 or 2.5; 0 ends it.")],
    state: Annotated[Path, typer.Option(envvar="OURO_STATE_DIR", help="The stack's folder.")] = Path(".ouro"),
) -> None:
    """Move every price of the local stack by so many percent of the replayed one."""
    try:
        amount = Decimal(percent)
    except InvalidOperation:
        raise typer.BadParameter(f"{percent!r} is no number of percent") from None
    if not LOWEST <= amount <= HIGHEST:
        raise typer.BadParameter(f"{percent} is not between {LOWEST} and {HIGHEST} percent")
    if not state.is_dir():
        raise typer.BadParameter(f"there is no local stack in {state}: start it with `ouro up`")
    temporary = state / f"{FILE}.new"
    temporary.write_text(json.dumps({"ppm": int(amount * PPM // 100)}) + "\n")
    temporary.replace(state / FILE)
    typer.echo(f"every price is {percent}% away from the series, from the next push on")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, context_settings={"ignore_unknown_options": True})
    app.command()(main)
    app()
