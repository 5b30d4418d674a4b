# SPDX-License-Identifier: AGPL-3.0-only
"""Prices to replay: the committed BTC candles and the ETH series derived from them, all in whole numbers.

Prices are in the markets' price units: whole micro-USDC per lot, which is cents per BTC and tenths of a cent per ETH.
`stack/data/README.md` has the formula of the derived series. Nothing here does I/O but `load_candles`.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

CANDLES = Path(__file__).parent / "data" / "btcusd-1m-2023-03.csv"
STEPS_PER_CANDLE = 4

ETH_START = 1_560_000
ETH_RESPONSE = (6, 5)
NOISE_PPM = 2_000
NOISE_STEPS = 60


@dataclass(frozen=True)
class Candle:
    """One minute of BTC/USD, prices in cents."""

    time: str
    open: int
    high: int
    low: int
    close: int

    @property
    def path(self) -> tuple[int, int, int, int]:
        """The four prices in the order in which the replay shows them."""
        if self.close >= self.open:
            return (self.open, self.low, self.high, self.close)
        return (self.open, self.high, self.low, self.close)


def load_candles(path: Path = CANDLES) -> tuple[Candle, ...]:
    """The candles of a CSV file with a header. Raises `ValueError` if a price is not whole cents."""
    with path.open(newline="") as file:
        return tuple(
            Candle(row["time"], _cents(row["open"]), _cents(row["high"]), _cents(row["low"]), _cents(row["close"]))
            for row in csv.DictReader(file)
        )


def _cents(text: str) -> int:
    cents = Decimal(text) * 100
    if cents != int(cents):
        raise ValueError(f"{text} is not a whole number of cents")
    return int(cents)


def noise_ppm(step: int) -> int:
    """The wobble of the derived series at a step, in ppm, between -`NOISE_PPM` and `NOISE_PPM`."""
    anchor, within = divmod(step, NOISE_STEPS)
    return (_noise_at(anchor) * (NOISE_STEPS - within) + _noise_at(anchor + 1) * within) // NOISE_STEPS


def _noise_at(anchor: int) -> int:
    hashed = (anchor * 2_654_435_761 % 2**32) >> 16
    return (hashed - 32_768) * NOISE_PPM // 32_768


def eth_from_btc(btc: int, btc_start: int, step: int) -> int:
    """The derived ETH price (tenths of a cent) for a BTC price (cents), the series' first BTC price and a step."""
    numerator, denominator = ETH_RESPONSE
    price = ETH_START + ETH_START * numerator * (btc - btc_start) // (denominator * btc_start)
    return price + price * noise_ppm(step) // 1_000_000


class Replay:
    """Prices of every market for every step 0, 1, 2, ...; runs to the end of the candles, back, and forth again."""

    def __init__(self, candles: Sequence[Candle]) -> None:
        """Raises `ValueError` without candles."""
        if not candles:
            raise ValueError("there is nothing to replay")
        self.candles = candles

    @cached_property
    def _last(self) -> int:
        return len(self.candles) * STEPS_PER_CANDLE - 1

    def position(self, step: int) -> int:
        """Where in the series, counted in steps, the replay is at `step`."""
        turn = step % (2 * self._last)
        return min(turn, 2 * self._last - turn)

    def candle(self, step: int) -> Candle:
        """The candle that is shown at `step`."""
        return self.candles[self.position(step) // STEPS_PER_CANDLE]

    def prices(self, step: int) -> dict[str, int]:
        """Ticker to price in price units at `step`."""
        position = self.position(step)
        btc = self.candle(step).path[position % STEPS_PER_CANDLE]
        return {"BTC-USD": btc, "ETH-USD": eth_from_btc(btc, self.candles[0].open, position)}
