# SPDX-License-Identifier: AGPL-3.0-only
"""Who pays for a position that closes with less than nothing (protocol section 7)."""

from dataclasses import replace
from typing import NamedTuple

from tests.reference.exact import HOUR, PPM, SCALE, down, up
from tests.reference.ledger import Ledger, RefusedError
from tests.reference.market import MAX_INDEX, SETTLED, UNLISTED, Market


class Paid(NamedTuple):
    """Of a hole, micro-USDC, by whom; `step` is what each lot of the opposite side lost, scaled."""

    insurance: int = 0
    backstop: int = 0
    spread: int = 0
    step: int = 0

    @property
    def covered(self) -> int:
        return self.insurance + self.backstop + self.spread


class Waterfall(Ledger):
    """Insurance fund, backstop, then a bounded step of the opposite side's index."""

    def pay(self, market: Market, hole: int, *, of_long: bool) -> Paid:
        """Takes it from them, each to its end before the next."""
        reserves = self.pay_from_reserves(hole)
        rest = hole - reserves.covered
        if rest == 0:
            return reserves
        lost = market.loss_in_hour if market.loss_hour == self.now // HOUR else 0
        most = down(market.price * market.terms.mmf * SCALE, 2 * PPM) - lost
        paid, step = self.spread(market, rest, market.open_interest, of_long=of_long, most=most)
        if step:
            market.loss_hour, market.loss_in_hour = self.now // HOUR, lost + step
        return reserves._replace(spread=paid, step=step)

    def pay_from_reserves(self, hole: int) -> Paid:
        insurance = min(hole, self.insurance)
        self.insurance -= insurance
        backstop = 0
        if self.backstop:
            fund = self.accounts[self.backstop, 0]
            backstop = min(hole - insurance, max(0, fund.cash))
            fund.cash -= backstop
        return Paid(insurance, backstop)

    def spread(self, market: Market, hole: int, lots: int, *, of_long: bool, most: int) -> tuple[int, int]:
        """What is paid of the hole of one side by the `lots` of the other, and the step of their index."""
        index = market.g(-1 if of_long else 1, self.now)
        room = min(most, MAX_INDEX - abs(market.funding.slope) * HOUR - abs(index))
        if room <= 0 or lots == 0:
            return 0, 0
        paid = min(hole, down(room * lots, SCALE))
        step = up(paid * SCALE, lots)
        funding = market.funding
        if of_long:
            market.funding = replace(funding, g_short=funding.g_short - step)
        else:
            market.funding = replace(funding, g_long=funding.g_long + step)
        self.dust += step * lots - paid * SCALE
        return paid, step

    def collect_insurance_fee(self, amount: int) -> None:
        """Half of it is the backstop's, when there is one."""
        half = down(amount, 2) if self.backstop else 0
        if self.backstop and half:
            self.accounts[self.backstop, 0].cash += half
        self.insurance += amount - half

    # What every take-over needs

    def open_market(self, id_: int) -> Market:
        """A market in which positions change hands, touched."""
        market = self.markets.get(id_)
        if market is None or market.terms.state == UNLISTED:
            raise RefusedError("unknown market")
        if market.terms.state == SETTLED:
            raise RefusedError("market is settled")
        if not market.is_fresh(self.now):
            raise RefusedError("stale price")
        market.touch(self.now)
        return market
