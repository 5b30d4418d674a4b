# SPDX-License-Identifier: AGPL-3.0-only
"""Accounts, positions, and what an account is worth (protocol sections 5 and 6)."""

from dataclasses import dataclass, field
from fractions import Fraction

from tests.reference.exact import PPM, SCALE, up
from tests.reference.market import Market

MAX_POSITIONS = 8


@dataclass(frozen=True)
class Position:
    """Signed lots, the normalised quote (scaled), and the newest one-shot generation in ms."""

    size: int = 0
    q: int = 0
    one_shot: int = 0

    def bare(self, market: Market, now: int) -> int:
        """What its trades brought in, funding and losses included: Q - s * G, scaled."""
        return self.q - self.size * market.g(self.size, now)

    def traded(self, market: Market, now: int, lots: int, price: int, fee: int, one_shot: int = 0) -> "Position":
        """After a fill of `lots` signed lots. A position that becomes flat still carries its Q here."""
        size = self.size + lots
        bare = self.bare(market, now) - (lots * price + fee) * SCALE
        return Position(size, bare + size * market.g(size, now), max(self.one_shot, one_shot))


@dataclass(frozen=True)
class Health:
    """Equity (exact), margins (micro-USDC), and whether some leg counts at a stale price."""

    equity: Fraction
    initial: int
    maintenance: int
    stale: bool

    def allows(self, before: "Health", *, only_improvement: bool = False) -> bool:
        """The one predicate of every change of an account."""
        if not only_improvement and self.equity >= self.initial:
            return True
        return (
            self.maintenance < before.maintenance
            and self.equity * before.maintenance >= before.equity * self.maintenance
        )


@dataclass
class Account:
    """Cash in micro-USDC and positions by market; a flat position remembers only its one-shot time."""

    cash: int = 0
    positions: dict[int, Position] = field(default_factory=dict)

    def position(self, market: int) -> Position:
        return self.positions.get(market, Position())

    def open_markets(self) -> list[int]:
        return [market for market, position in self.positions.items() if position.size]

    def unscaled_initial(self, markets: dict[int, Market]) -> int:
        """Initial margin as if there were no open interest, micro-USDC: what a take-over restores."""
        held = ((markets[id_], position.size) for id_, position in self.positions.items())
        return sum(up(abs(size) * market.price * market.terms.imf, PPM) for market, size in held)

    def health(self, markets: dict[int, Market], now: int, instead: dict[int, Position] | None = None) -> Health:
        """At index prices. `instead` replaces positions, a flat one's Q counting as money still to come."""
        scaled, initial, maintenance, stale = self.cash * SCALE, 0, 0, False
        for id_, position in (self.positions | (instead or {})).items():
            market = markets[id_]
            scaled += position.bare(market, now)
            if position.size == 0:
                continue
            scaled += position.size * market.price * SCALE
            initial += market.initial(position.size)
            maintenance += market.maintenance(position.size)
            stale = stale or not market.is_fresh(now)
        return Health(Fraction(scaled, SCALE), initial, maintenance, stale)
