# SPDX-License-Identifier: Apache-2.0
"""A market's identity, parameters and conversions between what people write and what is signed."""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from ouro.maths.margin import scaled_imf
from ouro.units import MAX_AHEAD_MS, MAX_PRICE, scaled


class MarketState(IntEnum):
    """What a market lets through."""

    UNLISTED = 0
    ACTIVE = 1
    REDUCE_ONLY = 2
    HALTED = 3
    SETTLING = 4
    """Trading has ended for ever; the price of the end is awaited."""
    SETTLED = 5
    """Counts at a fixed price for ever."""


def readable_price(price: int, published_at: int, time_s: int) -> tuple[int, int]:
    """What an oracle says (micro-USDC per lot, second of publication) as the Exchange takes it in a block of that time:
    what is beyond its bounds is no price, (0, 0).
    """
    if not 0 < price <= MAX_PRICE or published_at > time_s + MAX_AHEAD_MS // 1000:
        return 0, 0
    return price, published_at


@dataclass(frozen=True, slots=True)
class Market:
    """One listed market. Fractions are ppm, sizes lots, prices micro-USDC per lot, ages seconds.

    Initial margin grows with open interest between `scale_from` and `scale_to`, units of 10,000 USDC (0: it does not).
    """

    id: int
    ticker: str
    size_decimals: int
    price_decimals: int
    tick: int
    imf_ppm: int
    mmf_ppm: int
    band_ppm: int
    max_open_interest: int
    max_price_age_s: int
    liquidation_floor_ppm: int
    state: int = MarketState.ACTIVE
    scale_from: int = 0
    scale_to: int = 0

    def scaled_imf_ppm(self, open_interest: int, index_price: int) -> int:
        """The initial margin fraction at an open interest of so many lots."""
        return scaled_imf(self.imf_ppm, self.scale_from, self.scale_to, open_interest * index_price)

    def lots(self, size: Decimal) -> int:
        """A human size in lots; `ValueError` when it is finer than a lot."""
        return scaled(size, self.size_decimals, f"{self.ticker} size")

    def size(self, lots: int) -> Decimal:
        """Lots as a human size."""
        return Decimal(lots).scaleb(-self.size_decimals)

    def price_units(self, price: Decimal) -> int:
        """A human price in micro-USDC per lot; `ValueError` when it is finer. The tick is not checked."""
        return scaled(price, self.price_decimals, f"{self.ticker} price")

    def price(self, units: int) -> Decimal:
        """Micro-USDC per lot as a human price."""
        return Decimal(units).scaleb(-self.price_decimals)

    def floor_to_tick(self, units: int) -> int:
        return units // self.tick * self.tick

    def ceil_to_tick(self, units: int) -> int:
        return -(-units // self.tick) * self.tick

    # The same scales in the terms of the dYdX v4 schema, which clients check against step and tick size.

    @property
    def atomic_resolution(self) -> int:
        return -(self.size_decimals + 6)

    @property
    def step_base_quantums(self) -> int:
        return 10**6

    @property
    def quantum_conversion_exponent(self) -> int:
        return -9

    @property
    def subticks_per_tick(self) -> int:
        """tick size = subticks * 10^(conversion exponent - 6 - atomic resolution)."""
        shift = self.quantum_conversion_exponent - 6 - self.atomic_resolution
        return int(self.price(self.tick).scaleb(-shift))
