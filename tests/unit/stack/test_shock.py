# SPDX-License-Identifier: AGPL-3.0-only
"""A shock of the local stack's prices: exact, ended by 0, and only where a stack is."""

from pathlib import Path

import pytest
import typer

from stack.shock import main, shocked

PRICES = {"BTC-USD": 2_222_564, "ETH-USD": 1_561_386}


def test_without_a_shock_prices_are_those_of_the_series(tmp_path: Path) -> None:
    assert shocked(PRICES, tmp_path) == PRICES


@pytest.mark.parametrize(
    ("percent", "btc"), [("-6", 2_089_210), ("2.5", 2_278_128), ("0", 2_222_564), ("-90", 222_256)]
)
def test_every_price_moves_by_so_many_percent(tmp_path: Path, percent: str, btc: int) -> None:
    main(percent, tmp_path)
    moved = shocked(PRICES, tmp_path)
    assert moved["BTC-USD"] == btc
    assert moved.keys() == PRICES.keys()
    main("0", tmp_path)
    assert shocked(PRICES, tmp_path) == PRICES


@pytest.mark.parametrize("percent", ["lots", "-91", "901", ""])
def test_nonsense_is_refused(tmp_path: Path, percent: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"percent"):
        main(percent, tmp_path)


def test_without_a_stack_there_is_nothing_to_shock(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="there is no local stack"):
        main("-6", tmp_path / "elsewhere")
