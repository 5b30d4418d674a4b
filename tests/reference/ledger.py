# SPDX-License-Identifier: AGPL-3.0-only
"""What the exchange remembers, and the few ways in which accounts and markets change (protocol sections 5 to 8)."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.reference.account import MAX_POSITIONS, Account, Health, Position
from tests.reference.exact import SCALE, down
from tests.reference.market import SETTLED, Funding, Market, Terms
from tests.reference.orders import Slot, Stamps
from tests.reference.referrers import Referrers
from tests.reference.sessions import Keys

AccountKey = tuple[str, int]


class RefusedError(Exception):
    """The action as a whole is refused and changes nothing."""


@dataclass
class Ledger:
    """`now` is set by whoever drives the model. Money is micro-USDC; `dust` is what rounding left behind, scaled."""

    now: int
    window: int = 60
    markets: dict[int, Market] = field(default_factory=dict)
    accounts: dict[AccountKey, Account] = field(default_factory=lambda: defaultdict(Account))
    keys: Keys = field(default_factory=Keys)
    slots: dict[tuple[str, int], Slot] = field(default_factory=lambda: defaultdict(Slot))
    slot_cancels: dict[tuple[str, int], Stamps] = field(default_factory=lambda: defaultdict(Stamps))
    account_cancels: dict[AccountKey, Stamps] = field(default_factory=lambda: defaultdict(Stamps))
    referrers: Referrers = field(default_factory=Referrers)
    insurance: int = 0
    backstop: str | None = None
    fees: int = 0
    vault: int = 0
    dust: int = 0
    last_batch: int = 0

    @contextmanager
    def one_call(self) -> Iterator[None]:
        """What is read once and counts until the call ends: the open interest that scales initial margin."""
        for market in self.markets.values():
            market.counted_open_interest = market.open_interest
        try:
            yield
        finally:
            for market in self.markets.values():
                market.counted_open_interest = None

    @contextmanager
    def all_or_nothing(self, *keys: AccountKey) -> Iterator[None]:
        """One call that changes these accounts, the backstop, markets and funds; nothing, when it is refused."""
        touched = {*keys, *([(self.backstop, 0)] if self.backstop else [])}
        accounts = {key: replace(self.accounts[key], positions=dict(self.accounts[key].positions)) for key in touched}
        markets = {id_: replace(market) for id_, market in self.markets.items()}
        numbers = self.insurance, self.fees, self.dust
        try:
            with self.one_call():
                yield
        except RefusedError:
            self.accounts.update(accounts)
            self.markets.update(markets)
            self.insurance, self.fees, self.dust = numbers
            raise

    # Markets

    def list_market(self, terms: Terms) -> None:
        self.markets[terms.id] = Market(terms, Funding(0, 0, 0, 0, self.now // 3_600, 0, 0))

    def push(self, market: int, price: int, published_at: int) -> None:
        """The oracle's newest price. A settled market has done with it."""
        if self.markets[market].terms.state != SETTLED:
            self.markets[market].price = price
            self.markets[market].published_at = published_at

    def poke(self, market: int) -> None:
        if not self.markets[market].is_fresh(self.now):
            raise RefusedError("stale price")
        self.markets[market].touch(self.now)

    # Accounts

    def unscaled_initial(self, key: AccountKey) -> int:
        return self.accounts[key].unscaled_initial(self.markets)

    def health(self, key: AccountKey) -> Health:
        return self.accounts[key].health(self.markets, self.now)

    def withdrawable(self, key: AccountKey) -> int:
        health = self.health(key)
        if health.stale:
            return 0
        return max(0, min(self.accounts[key].cash, down(health.equity - health.initial)))

    def may_become(self, key: AccountKey, market: int, position: Position) -> bool:
        """Whether the predicate and the number of positions allow the account this position instead."""
        account = self.accounts[key]
        before = account.health(self.markets, self.now)
        after = account.health(self.markets, self.now, instead={market: position})
        opens = position.size != 0 and account.position(market).size == 0
        if opens and len(account.open_markets()) >= MAX_POSITIONS:
            return False
        return after.allows(before, only_improvement=self.has_stale_leg(account, but=market))

    def has_stale_leg(self, account: Account, but: int) -> bool:
        return any(not self.markets[id_].is_fresh(self.now) for id_ in account.open_markets() if id_ != but)

    def store(self, key: AccountKey, market: Market, position: Position) -> None:
        """A flat position's money moves to cash, the fraction of a micro-USDC stays in the vault as dust."""
        account = self.accounts[key]
        held = account.position(market.terms.id).size
        market.open_interest += max(position.size, 0) - max(held, 0)
        if position.size == 0:
            account.cash += down(position.q, SCALE)
            self.dust += position.q % SCALE
            position = replace(position, q=0)
        account.positions[market.terms.id] = position

    # What must hold at any time

    def claims(self) -> int:
        """All that the vault owes, scaled: cash, fees, insurance, referrals, and what positions are worth."""
        scaled = (self.insurance + self.fees + sum(self.referrers.accrued.values())) * SCALE
        for account in self.accounts.values():
            scaled += account.cash * SCALE
            for id_, position in account.positions.items():
                # what both sides are worth at a price cancels out, except while a settled market closes one by one
                market = self.markets[id_]
                scaled += position.bare(market, self.now) + position.size * market.price * SCALE
        return scaled
