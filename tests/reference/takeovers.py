# SPDX-License-Identifier: AGPL-3.0-only
"""Take-overs by liquidators, and deleveraging (protocol section 7)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.reference import liquidation
from tests.reference.account import Health, Position
from tests.reference.exact import up
from tests.reference.ledger import AccountKey, RefusedError
from tests.reference.market import Market
from tests.reference.waterfall import Paid, Waterfall


@dataclass(frozen=True)
class Takeover:
    """A liquidation that happened."""

    size: int
    price: int
    insurance: int
    covered: int
    spread: int
    position: Position
    liquidator_position: Position
    before: Health
    after: Health


@dataclass(frozen=True)
class HandedOver:
    """A position, or part of it, that opposite accounts closed against: each one's lots and position afterwards."""

    size: int
    price: int
    paid: Paid
    surplus: int
    position: Position
    parts: tuple[tuple[AccountKey, int, Position], ...]


class Takeovers(Waterfall):
    """`liquidate` and `deleverage`, and how positions are handed over."""

    def liquidate(self, key: AccountKey, market_id: int, size: int, liquidator: AccountKey) -> Takeover:
        if key == liquidator or size <= 0:
            raise RefusedError("bad call")
        with self.all_or_nothing(key, liquidator):
            takeover = self._liquidate(key, market_id, size, liquidator)
        return replace(takeover, after=self.health(key))

    def _liquidate(self, key: AccountKey, market_id: int, size: int, liquidator: AccountKey) -> Takeover:
        market = self.open_market(market_id)
        before, position = self.health(key), self.accounts[key].position(market_id)
        held = position.size
        if before.equity >= before.maintenance:
            raise RefusedError("account is healthy")
        if held == 0:
            raise RefusedError("no such position")
        terms = liquidation.terms(before, market, held, self.unscaled_initial(key))
        taken = min(size, terms.max_size)
        lots = taken if held > 0 else -taken
        price = terms.price(market, held)
        hole = 0 if before.stale else liquidation.hole(before, market, held, taken)
        # a step is part of the market's state before and after, as any other price of that moment
        paid = self.pay(market, hole, of_long=held > 0)
        if paid.covered != hole:
            raise RefusedError("loss step exhausted")
        fee = terms.insurance * taken
        given = position.traded(market, self.now, -lots, price, fee - hole)
        self.store(key, market, given)
        taken_over = self.take_over(liquidator, market, lots, price)
        self.collect_insurance_fee(fee)
        return Takeover(lots, price, fee, hole, paid.step, given, taken_over, before, before)

    def deleverage(
        self, key: AccountKey, market_id: int, counterparties: Sequence[AccountKey], sizes: Sequence[int]
    ) -> HandedOver:
        """Closes an insolvent account against others at a price that pays what nothing else can."""
        with self.all_or_nothing(key, *counterparties):
            return self._deleverage(key, market_id, counterparties, sizes)

    def _deleverage(
        self, key: AccountKey, market_id: int, counterparties: Sequence[AccountKey], sizes: Sequence[int]
    ) -> HandedOver:
        market = self.open_market(market_id)
        before, position = self.health(key), self.accounts[key].position(market_id)
        held = position.size
        if before.equity >= 0:
            raise RefusedError("account is solvent")
        if before.stale:
            raise RefusedError("stale leg")
        if held == 0:
            raise RefusedError("no such position")
        parts = list(self.parts_of(market, held, abs(held), counterparties, sizes))
        total = sum(lots for _, lots in parts)
        hole = liquidation.hole(before, market, held, total)
        paid = self.pay(market, hole, of_long=held > 0)
        rest = hole - paid.covered
        if rest == 0:
            raise RefusedError("nothing is left unpaid")
        per_lot = up(rest, total)
        if per_lot >= market.price:
            raise RefusedError("hole too deep")
        surplus = per_lot * total - rest
        direction = 1 if held > 0 else -1
        price = market.price + direction * per_lot
        given = position.traded(market, self.now, -direction * total, price, surplus - paid.covered)
        self.store(key, market, given)
        taken = tuple(self.hand_over(market, direction, price, parts))
        self.insurance += surplus
        return HandedOver(direction * total, price, paid, surplus, given, taken)

    # Handing over

    def take_over(self, key: AccountKey, market: Market, lots: int, price: int) -> Position:
        """The account takes over signed `lots` at `price`, as far as the predicate allows."""
        position = self.accounts[key].position(market.terms.id).traded(market, self.now, lots, price, 0)
        if not self.may_become(key, market.terms.id, position):
            raise RefusedError("lacks margin")
        self.store(key, market, position)
        return position

    def parts_of(
        self, market: Market, held: int, most: int, counterparties: Sequence[AccountKey], sizes: Sequence[int]
    ) -> Iterator[tuple[AccountKey, int]]:
        """How many lots each opposite account closes; one that has less than is asked of it closes that."""
        if len(counterparties) != len(sizes):
            raise RefusedError("one size for each")
        left = most
        opposite = []
        for key, size in zip(counterparties, sizes, strict=True):
            against = self.accounts[key].position(market.terms.id).size
            if against * held >= 0:
                continue
            if key in opposite:
                raise RefusedError("counterparty named twice")
            opposite.append(key)
            lots = min(size, abs(against), left)
            left -= lots
            if lots:
                yield key, lots
        if left == most:
            raise RefusedError("no counterparty")

    def hand_over(
        self, market: Market, direction: int, price: int, parts: Sequence[tuple[AccountKey, int]]
    ) -> Iterator[tuple[AccountKey, int, Position]]:
        for key, lots in parts:
            yield key, direction * lots, self.take_over(key, market, direction * lots, price)
