# SPDX-License-Identifier: AGPL-3.0-only
"""Who is deleveraged first: by profit times leverage, by numbers worked out by hand."""

import pytest

from keeper.counterparties import score
from ouro.codec import PositionWord
from ouro.units import PPM, SCALE

PRICE = 1_000_000


def short(lots: int, entry: int) -> PositionWord:
    """Lots sold at `entry`; the money is in the quote."""
    return PositionWord(-lots, lots * entry * SCALE, 0)


@pytest.mark.parametrize(
    ("entry", "equity", "return_ppm", "leverage_ppm"),
    [
        (2_000_000, 100 * PRICE, 500_000, 1_000_000),
        (2_000_000, 10 * PRICE, 500_000, 10_000_000),
        (1_250_000, 50 * PRICE, 200_000, 2_000_000),
    ],
)
def test_a_profit_counts_times_leverage(entry: int, equity: int, return_ppm: int, leverage_ppm: int) -> None:
    """A hundred lots, worth 100 USDC now."""
    assert score(short(100, entry), 0, PRICE, equity * SCALE) == return_ppm * leverage_ppm


def test_a_loss_counts_divided_by_leverage() -> None:
    losing = short(100, 800_000)
    calm, bold = (score(losing, 0, PRICE, equity * PRICE * SCALE) for equity in (100, 10))
    assert (calm, bold) == (-250_000 * PPM, -25_000 * PPM)


def test_funding_is_part_of_the_profit() -> None:
    """A short that was paid 0.2 a lot profits as if it had sold that much higher."""
    paid = short(100, 1_000_000)
    assert score(paid, 200_000 * SCALE, PRICE, 10**8 * SCALE) > score(paid, 0, PRICE, 10**8 * SCALE) == 0


def test_who_is_worth_nothing_comes_last() -> None:
    assert score(short(100, 2_000_000), 0, PRICE, 0) < score(short(100, 1), 0, PRICE, SCALE)
