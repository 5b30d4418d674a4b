# SPDX-License-Identifier: AGPL-3.0-only
"""Ways out that need no operator: closes on request, and the winding up of a market (protocol section 7)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.reference import liquidation
from tests.reference.exact import HOUR, PPM, SCALE, up
from tests.reference.ledger import AccountKey, RefusedError
from tests.reference.market import SETTLED, SETTLING, UNLISTED, Market
from tests.reference.takeovers import HandedOver, Takeovers
from tests.reference.waterfall import Paid

WAIT = 6 * HOUR
LIFE = HOUR
CLOSE_FEE_PPM = 5_000
SILENCE = 72 * HOUR
NOTICE = HOUR
PATIENCE = 24 * HOUR
INSOLVENT_FIRST = 24 * HOUR


@dataclass(frozen=True)
class CloseRequest:
    """`size` is signed, and what is left of it."""

    size: int
    ready_at: int


@dataclass
class Settling:
    """From when on a price counts; and, once there is one, when it was fixed."""

    settle_at: int
    fixed_at: int | None = None


@dataclass(frozen=True)
class Closed:
    """A position of a settled market that is closed."""

    key: AccountKey
    size: int
    covered: int


@dataclass
class Exits(Takeovers):
    """`request_close` and `execute_close`; `begin_settling`, `fix_settlement`, `settle_positions`, `cover_debt`."""

    close_requests: dict[tuple[AccountKey, int], CloseRequest] = field(default_factory=dict)
    settling: dict[int, Settling] = field(default_factory=dict)

    # Closes on request

    def request_close(self, key: AccountKey, market_id: int, size: int) -> CloseRequest:
        market = self._trading_market(market_id)
        held = self.accounts[key].position(market.terms.id).size
        if not 0 < size <= abs(held):
            raise RefusedError("size not of the position")
        pending = self.close_requests.get((key, market_id))
        if pending is not None and self.now < pending.ready_at + LIFE:
            raise RefusedError("close pending")
        request = CloseRequest(size if held > 0 else -size, self.now + WAIT)
        self.close_requests[key, market_id] = request
        return request

    def execute_close(
        self, key: AccountKey, market_id: int, counterparties: Sequence[AccountKey], sizes: Sequence[int]
    ) -> HandedOver:
        request = self.close_requests.get((key, market_id))
        if request is None or not request.ready_at <= self.now < request.ready_at + LIFE:
            raise RefusedError("nothing due")
        with self.all_or_nothing(key, *counterparties):
            closed = self._execute_close(request, key, market_id, counterparties, sizes)
        left = request.size - closed.size
        if left:
            self.close_requests[key, market_id] = replace(request, size=left)
        else:
            del self.close_requests[key, market_id]
        return closed

    def _execute_close(
        self,
        request: CloseRequest,
        key: AccountKey,
        market_id: int,
        counterparties: Sequence[AccountKey],
        sizes: Sequence[int],
    ) -> HandedOver:
        market = self.open_market(market_id)
        held = self.accounts[key].position(market_id).size
        if market.published_at < request.ready_at:
            raise RefusedError("price from before")
        if held * request.size <= 0:
            raise RefusedError("no such position")
        most = min(abs(request.size), abs(held))
        parts = list(self.parts_of(market, held, most, counterparties, sizes))
        direction = 1 if held > 0 else -1
        total = direction * sum(lots for _, lots in parts)
        price = market.price - direction * up(market.price * CLOSE_FEE_PPM, PPM)
        given = self.take_over(key, market, -total, price)
        return HandedOver(total, price, Paid(), 0, given, tuple(self.hand_over(market, direction, price, parts)))

    # Winding up

    def begin_settling(self, market_id: int, *, by_governance: bool = False) -> Settling:
        market = self._trading_market(market_id)
        if not by_governance and (self.last_batch == 0 or self.now < self.last_batch + SILENCE):
            raise RefusedError("batches are settled")
        market.terms = replace(market.terms, state=SETTLING)
        self.settling[market_id] = Settling(self.now + NOTICE)
        return self.settling[market_id]

    def fix_settlement(self, market_id: int) -> int:
        """The price at which the market ends. Funding ends too, with what has grown until now."""
        market, settling = self.markets[market_id], self.settling.get(market_id)
        if settling is None or market.terms.state != SETTLING or self.now < settling.settle_at:
            raise RefusedError("not due")
        if market.published_at < settling.settle_at and self.now < settling.settle_at + PATIENCE:
            raise RefusedError("no price yet")
        market.touch(self.now)
        ended = market.funding.moved(market.funding.growth(self.now))
        market.funding = replace(ended, slope=0, rate=0, premium=0, volume=0)
        market.terms = replace(market.terms, state=SETTLED)
        settling.fixed_at = self.now
        return market.price

    def settle_positions(self, market_id: int, keys: Sequence[AccountKey]) -> list[Closed]:
        """Who does not qualify is passed over."""
        market, settling = self.markets[market_id], self.settling.get(market_id)
        if settling is None or settling.fixed_at is None:
            raise RefusedError("market is not settled")
        everyone = self.now >= settling.fixed_at + INSOLVENT_FIRST
        closed = []
        with self.one_call():
            for key in keys:
                health, size = self.health(key), self.accounts[key].position(market_id).size
                if size and (everyone or health.equity < 0):
                    closed.append(self._settle_position(key, market, size, everyone=everyone))
        return closed

    def _settle_position(self, key: AccountKey, market: Market, size: int, *, everyone: bool) -> Closed:
        health, position = self.health(key), self.accounts[key].position(market.terms.id)
        covered = 0
        if health.equity < 0:
            # what another market lost is not paid for here
            lost = up(-position.bare(market, self.now) - size * market.price * SCALE, SCALE)
            hole = max(0, min(lost, liquidation.hole(health, market, size, abs(size))))
            covered = self.pay_from_reserves(hole).covered
            rest = hole - covered
            if rest and not everyone:
                others = sum(
                    abs(account.position(market.terms.id).size)
                    for account in self.accounts.values()
                    if account.position(market.terms.id).size * size < 0
                )
                # a lot bears at most what a lot left unpaid
                most = up(rest * SCALE, abs(size))
                covered += self.spread(market, rest, others, of_long=size > 0, most=most)[0]
        self.store(key, market, position.traded(market, self.now, -size, market.price, -covered))
        return Closed(key, size, covered)

    def cover_debt(self, key: AccountKey) -> int:
        """What a settled position left as debt in an account without positions, as far as it can be paid."""
        account = self.accounts[key]
        if account.cash >= 0 or account.open_markets():
            raise RefusedError("no debt")
        paid = self.pay_from_reserves(-account.cash).covered
        if paid == 0:
            raise RefusedError("nothing to pay with")
        account.cash += paid
        return paid

    def _trading_market(self, market_id: int) -> Market:
        market = self.markets.get(market_id)
        if market is None or market.terms.state in (UNLISTED, SETTLING, SETTLED):
            raise RefusedError("market is not traded")
        return market
