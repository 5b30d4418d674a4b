# SPDX-License-Identifier: AGPL-3.0-only
"""A market: parameters, the price it is margined at, both sides' indices, and funding (protocol sections 5 and 6)."""

from dataclasses import dataclass, replace

from tests.reference.exact import HOUR, PPM, RATE_UNIT, SCALE, clamp, down, toward_zero, up

PREMIUM_CLAMP = 5_000
FUNDING_SLEW = 2_500
FUNDING_MIN_FEE_PPM = 200
MAX_INDEX = 2**78
SCALING_UNIT = 10_000 * 10**6
UNLISTED, ACTIVE, REDUCE_ONLY, HALTED, SETTLING, SETTLED = range(6)


@dataclass(frozen=True)
class Terms:
    """What governance set. Initial margin grows between two open interests, `scale_from` and `scale_to`."""

    id: int
    ticker: str
    size_decimals: int
    price_decimals: int
    tick: int
    imf: int
    mmf: int
    band: int
    max_open_interest: int
    max_price_age: int
    liquidation_floor: int
    state: int = ACTIVE
    scale_from: int = 0
    scale_to: int = 0

    def scaled_imf(self, notional: int) -> int:
        """The initial margin fraction at an open interest of `notional` micro-USDC."""
        if self.scale_to == 0:
            return self.imf
        lower, upper = self.scale_from * SCALING_UNIT, self.scale_to * SCALING_UNIT
        return min(PPM, self.imf + down(max(0, notional - lower) * (PPM - self.imf), upper - lower))


@dataclass(frozen=True)
class Funding:
    """Indices by side as of the start of `hour`, what they grow by in a second of it, and what it has gathered."""

    g_long: int
    g_short: int
    slope: int
    rate: int
    hour: int
    premium: int
    volume: int

    def growth(self, now: int) -> int:
        """Of both indices since the start of the hour, which ends after 3,600 seconds."""
        return self.slope * min(now - self.hour * HOUR, HOUR)

    def at(self, now: int, price: int, open_interest: int) -> "Funding":
        """After a touch at a fresh price."""
        hour = now // HOUR
        if hour == self.hour:
            return self
        rate = self._next_rate(open_interest)
        slope = toward_zero(rate * price * SCALE, RATE_UNIT * HOUR)
        ended = self.moved(self.slope * HOUR)
        if max(abs(ended.g_long), abs(ended.g_short)) + abs(slope) * HOUR > MAX_INDEX:
            slope = 0
        if hour == self.hour + 1:
            return replace(ended, slope=slope, rate=rate, hour=hour, premium=0, volume=0)
        return replace(ended.moved(slope * HOUR), slope=0, rate=0, hour=hour, premium=0, volume=0)

    def moved(self, growth: int) -> "Funding":
        return replace(self, g_long=self.g_long + growth, g_short=self.g_short + growth)

    def _next_rate(self, open_interest: int) -> int:
        weight = max(self.volume, open_interest // 2)
        if weight == 0:
            return 0
        lowest, highest = min(self.rate, 0) - FUNDING_SLEW, max(self.rate, 0) + FUNDING_SLEW
        return clamp(toward_zero(self.premium, weight), lowest, highest)

    def with_trade(self, lots: int, price: int, index: int) -> "Funding":
        premium = clamp(toward_zero((price - index) * RATE_UNIT, index), -PREMIUM_CLAMP, PREMIUM_CLAMP)
        return replace(self, premium=self.premium + lots * premium, volume=self.volume + lots)


@dataclass
class Market:
    """`price` is the last index price known (0: none), `published_at` when it was."""

    terms: Terms
    funding: Funding
    open_interest: int = 0
    price: int = 0
    published_at: int = 0
    touched_price: int = 0
    loss_hour: int = 0
    loss_in_hour: int = 0
    counted_open_interest: int | None = None
    """What initial margin is scaled by while a call lasts: the open interest at its start."""

    def is_fresh(self, now: int) -> bool:
        """A settled market's price is fixed."""
        return self.terms.state == SETTLED or (self.price > 0 and now <= self.published_at + self.terms.max_price_age)

    def funding_at(self, now: int) -> Funding:
        """What a touch now would make of it; unchanged while the price is stale."""
        if now // HOUR == self.funding.hour or not self.is_fresh(now) or self.terms.state == SETTLED:
            return self.funding
        return self.funding.at(now, self.price, self.open_interest)

    def touch(self, now: int) -> None:
        self.funding = self.funding_at(now)
        self.touched_price = self.price

    def lose_price(self) -> None:
        """The oracle cannot say one: the market counts at the last price at which it was touched."""
        if self.terms.state == SETTLED:
            return
        self.price, self.published_at = self.touched_price, 0

    def g(self, size: int, now: int) -> int:
        """The index, now, of the side that a position of this size is on."""
        if size == 0:
            return 0
        funding = self.funding_at(now)
        return (funding.g_long if size > 0 else funding.g_short) + funding.growth(now)

    @property
    def imf(self) -> int:
        """The initial margin fraction as open interest scales it."""
        counted = self.open_interest if self.counted_open_interest is None else self.counted_open_interest
        return self.terms.scaled_imf(counted * self.price)

    def initial(self, size: int) -> int:
        """Initial margin of a position of this size, micro-USDC."""
        return up(abs(size) * self.price * self.imf, PPM)

    def maintenance(self, size: int) -> int:
        return up(abs(size) * self.price * self.terms.mmf, PPM)
