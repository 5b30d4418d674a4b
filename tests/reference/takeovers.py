# SPDX-License-Identifier: AGPL-3.0-only
"""Take-overs by liquidators, and who pays for a hole (protocol section 7)."""

from dataclasses import dataclass, replace

from tests.reference import liquidation
from tests.reference.account import Health, Position
from tests.reference.exact import HOUR, PPM, SCALE, up
from tests.reference.ledger import AccountKey, Ledger, RefusedError
from tests.reference.market import UNLISTED, Market


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


class Takeovers(Ledger):
    """`liquidate`."""

    def liquidate(self, key: AccountKey, market_id: int, size: int, liquidator_key: AccountKey) -> Takeover:
        with self.one_call():
            takeover = self._liquidate(key, market_id, size, liquidator_key)
        return replace(takeover, after=self.health(key))

    def _liquidate(self, key: AccountKey, market_id: int, size: int, liquidator_key: AccountKey) -> Takeover:
        market = self.markets.get(market_id)
        if market is None or market.terms.state == UNLISTED or key == liquidator_key or size <= 0:
            raise RefusedError("bad call")
        if not market.is_fresh(self.now):
            raise RefusedError("stale price")
        before, position = self.health(key), self.accounts[key].position(market_id)
        held = position.size
        if before.equity >= before.maintenance:
            raise RefusedError("account is healthy")
        if held == 0:
            raise RefusedError("no such position")
        terms = liquidation.terms(before, market, held)
        taken = min(size, terms.max_size)
        lots = taken if held > 0 else -taken
        price = terms.price(market, held)
        covered = liquidation.hole(before, market, held, taken)
        from_fund = min(covered, self.insurance)
        step = self._loss_step(market, covered - from_fund)

        undo = market.funding, market.touched_price
        market.touch(self.now)
        if held > 0:
            market.funding = replace(market.funding, g_short=market.funding.g_short - step)
        else:
            market.funding = replace(market.funding, g_long=market.funding.g_long + step)
        fee = terms.insurance * taken
        given = position.traded(market, self.now, -lots, price, fee - covered)
        taken_over = self.accounts[liquidator_key].position(market_id).traded(market, self.now, lots, price, 0)
        # the step is part of the market's state before and after, as any other price of that moment
        if not self.may_become(liquidator_key, market_id, taken_over):
            market.funding, market.touched_price = undo
            raise RefusedError("liquidator lacks margin")

        if step:
            self.dust += step * market.open_interest - (covered - from_fund) * SCALE
            market.loss_in_hour = step + (market.loss_in_hour if market.loss_hour == self.now // HOUR else 0)
            market.loss_hour = self.now // HOUR
        self.store(key, market, given)
        self.store(liquidator_key, market, taken_over)
        self.insurance += fee - from_fund
        return Takeover(lots, price, fee, covered, step, given, taken_over, before, before)

    def _loss_step(self, market: Market, uncovered: int) -> int:
        """Per lot of the opposite side, scaled; refused beyond half the maintenance margin per lot and hour."""
        if uncovered == 0:
            return 0
        step = up(uncovered * SCALE, market.open_interest)
        spread = step + (market.loss_in_hour if market.loss_hour == self.now // HOUR else 0)
        if spread * 2 * PPM > market.price * market.terms.mmf * SCALE:
            raise RefusedError("loss step exhausted")
        return step
