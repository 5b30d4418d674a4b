# SPDX-License-Identifier: AGPL-3.0-only
"""A market: parameters, the price it is margined at, both sides' indices, and funding (protocol sections 5 and 6)."""

from dataclasses import dataclass, replace
from fractions import Fraction

from tests.reference.exact import HOUR, PPM, RATE_UNIT, SCALE, clamp, toward_zero, up

PREMIUM_CLAMP = 5_000
FUNDING_CAP = 10_000
FUNDING_MIN_FEE_PPM = 200
UNLISTED, ACTIVE, REDUCE_ONLY, HALTED = range(4)


@dataclass(frozen=True)
class Terms:
    """What governance set."""

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


@dataclass(frozen=True)
class Funding:
    """Indices by side, and what the running hour has gathered."""

    g_long: int
    g_short: int
    rate: int
    last: int
    hour: int
    premium: int
    volume: int

    def at(self, now: int, price: int, open_interest: int) -> "Funding":
        """After a touch at a fresh price."""
        if now == self.last:
            return self
        if now // HOUR == self.hour:
            return self._moved(self.rate, price, now - self.last, rate=self.rate, last=now)
        end = (self.hour + 1) * HOUR
        rate = self._next_rate(open_interest)
        old = self._moved(self.rate, price, end - self.last, rate=rate, last=end)
        new = old._moved(rate, price, min(now - end, HOUR), rate=rate, last=now)
        holds = now // HOUR == self.hour + 1
        return replace(new, rate=rate if holds else 0, hour=now // HOUR, premium=0, volume=0)

    def _moved(self, by_rate: int, price: int, seconds: int, *, rate: int, last: int) -> "Funding":
        step = toward_zero(Fraction(by_rate * price * seconds * SCALE, RATE_UNIT * HOUR))
        return replace(self, g_long=self.g_long + step, g_short=self.g_short + step, rate=rate, last=last)

    def _next_rate(self, open_interest: int) -> int:
        weight = max(self.volume, open_interest // 2)
        return clamp(toward_zero(Fraction(self.premium, weight)), FUNDING_CAP) if weight else 0

    def with_trade(self, lots: int, price: int, index: int) -> "Funding":
        premium = clamp(toward_zero(Fraction((price - index) * RATE_UNIT, index)), PREMIUM_CLAMP)
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

    def is_fresh(self, now: int) -> bool:
        return self.price > 0 and now <= self.published_at + self.terms.max_price_age

    def funding_at(self, now: int) -> Funding:
        """What a touch now would make of the indices; unchanged while the price is stale."""
        if not self.is_fresh(now):
            return self.funding
        return self.funding.at(now, self.price, self.open_interest)

    def touch(self, now: int) -> None:
        self.funding = self.funding_at(now)
        self.touched_price = self.price

    def lose_price(self) -> None:
        """The oracle cannot say one: the market counts at the last price at which it was touched."""
        self.price, self.published_at = self.touched_price, 0

    def g(self, size: int, now: int) -> int:
        """The index of the side that a position of this size is on."""
        funding = self.funding_at(now)
        return 0 if size == 0 else funding.g_long if size > 0 else funding.g_short

    def initial(self, size: int) -> int:
        """Initial margin of a position of this size, micro-USDC."""
        return up(Fraction(abs(size) * self.price * self.terms.imf, PPM))

    def maintenance(self, size: int) -> int:
        return up(Fraction(abs(size) * self.price * self.terms.mmf, PPM))
