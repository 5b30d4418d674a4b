# SPDX-License-Identifier: AGPL-3.0-only
"""The whole exchange: accounts, settlement, cancels, liquidation and custody, as docs/protocol.md has them.

A rejected fill has *faults*: everything the protocol objects to, in no order, since the protocol leaves open which of
several objections a contract names. An executed one has none.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from tests.reference import liquidation
from tests.reference.account import MAX_POSITIONS, Account, Health, Position
from tests.reference.exact import PPM, SCALE, down, up
from tests.reference.market import FUNDING_MIN_FEE_PPM, HALTED, REDUCE_ONLY, UNLISTED, Funding, Market, Terms
from tests.reference.orders import Slot, Stamps, price_is_past_limit, static_faults
from tests.support.wire import Fill, Signed

MAX_POSITION = 2**46
MAX_QUOTE = 2**126
ORDER, ACCOUNT, MARKET, BATCH = 1, 2, 3, 4
NOBODY = bytes(32)

AccountKey = tuple[str, int]


class RefusedError(Exception):
    """The action as a whole is refused and changes nothing."""


class Fault(NamedTuple):
    """One objection to a fill, with the guilty order's id or `NOBODY`."""

    fault_class: int
    reason: str
    order: bytes


@dataclass(frozen=True)
class Executed:
    """A settled fill: both positions as they are before a closed one's money moves to cash."""

    fill: Fill
    taker: Position
    maker: Position


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


def fee(notional: int, rate: int) -> int:
    """ceil(notional * rate ppm): a fee rounds up, a rebate towards zero."""
    return up(Fraction(notional * rate, PPM))


@dataclass
class Exchange:
    """`now` is set by whoever drives the model. Money is micro-USDC; `dust` is what rounding left behind, scaled."""

    now: int
    window: int = 60
    markets: dict[int, Market] = field(default_factory=dict)
    accounts: dict[AccountKey, Account] = field(default_factory=lambda: defaultdict(Account))
    slots: dict[tuple[str, int], Slot] = field(default_factory=lambda: defaultdict(Slot))
    slot_cancels: dict[tuple[str, int], Stamps] = field(default_factory=lambda: defaultdict(Stamps))
    account_cancels: dict[AccountKey, Stamps] = field(default_factory=lambda: defaultdict(Stamps))
    insurance: int = 0
    fees: int = 0
    vault: int = 0
    dust: int = 0

    # Markets

    def list_market(self, terms: Terms) -> None:
        funding = Funding(0, 0, 0, self.now, self.now // 3_600, 0, 0)
        self.markets[terms.id] = Market(terms, funding)

    def push(self, market: int, price: int, published_at: int) -> None:
        """The oracle's newest price."""
        self.markets[market].price = price
        self.markets[market].published_at = published_at

    def poke(self, market: int) -> None:
        if not self.markets[market].is_fresh(self.now):
            raise RefusedError("stale price")
        self.markets[market].touch(self.now)

    # Custody

    def deposit(self, key: AccountKey, amount: int) -> None:
        self.accounts[key].cash += amount
        self.vault += amount

    def health(self, key: AccountKey) -> Health:
        return self.accounts[key].health(self.markets, self.now)

    def withdrawable(self, key: AccountKey) -> int:
        health = self.health(key)
        if health.stale:
            return 0
        return max(0, min(self.accounts[key].cash, down(health.equity - health.initial)))

    def withdraw(self, key: AccountKey, amount: int) -> None:
        if not 0 < amount <= self.withdrawable(key):
            raise RefusedError("more than is withdrawable")
        self.accounts[key].cash -= amount
        self.vault -= amount

    def donate_insurance(self, amount: int) -> None:
        self.insurance += amount
        self.vault += amount

    # Cancels

    def cancel_slot(self, signer: str, slot: int) -> int:
        return self._cancel(self.slot_cancels[signer, slot])

    def cancel_all(self, key: AccountKey) -> int:
        return self._cancel(self.account_cancels[key])

    def _cancel(self, stamps: Stamps) -> int:
        try:
            return stamps.add(self.now, self.window)
        except ValueError as error:
            raise RefusedError(str(error)) from None

    # Settlement

    def settle(self, orders: Sequence[Signed], fills: Sequence[Fill]) -> list[Executed | set[Fault]]:
        """One outcome per fill, in order."""
        filled: dict[int, int] = defaultdict(int)
        return [self._settle_one(orders, fill, filled) for fill in fills]

    def _settle_one(self, orders: Sequence[Signed], fill: Fill, filled: dict[int, int]) -> Executed | set[Fault]:
        if _is_malformed(fill, len(orders)):
            return {Fault(BATCH, "bad fill", NOBODY)}
        taker, maker = orders[fill.taker], orders[fill.maker]
        market = self.markets.get(_market_of(taker))
        if market is not None:
            market.touch(self.now)
        faults = set(self._faults(taker, maker, fill, market, filled))
        if faults or market is None:
            return faults
        return self._execute(taker, maker, fill, market, filled)

    def _faults(
        self, taker: Signed, maker: Signed, fill: Fill, market: Market | None, filled: dict[int, int]
    ) -> Iterator[Fault]:
        for reason in _batch_faults(taker, maker, fill):
            yield Fault(BATCH, reason, NOBODY)
        for signed in (taker, maker):
            for reason in static_faults(signed, self.now):
                yield Fault(ORDER, reason, signed.id)
            if _market_of(signed) not in self.markets:
                yield Fault(BATCH, "bad market", NOBODY)
        if taker.order.post_only:
            yield Fault(ORDER, "post-only taker", taker.id)
        if market is None or _market_of(taker) != _market_of(maker):
            return
        yield from self._market_faults(taker, maker, fill, market)
        sides = ((taker, fill.taker, fill.taker_fee), (maker, fill.maker, fill.maker_fee))
        shared = not (taker.order.is_one_shot or maker.order.is_one_shot) and _slot_of(taker) == _slot_of(maker)
        for signed, index, rate in sides:
            for reason in self._order_faults(signed, fill, filled[index], rate):
                yield Fault(ORDER, reason, signed.id)
            if market.is_fresh(self.now):
                for reason in self._account_faults(signed, fill, market, rate):
                    yield Fault(ACCOUNT, reason, signed.id)
        if shared:  # the maker meets the slot as the taker leaves it
            for reason in self.slots[_slot_of(taker)].filled_by(taker, fill.size).faults(maker, fill.size):
                yield Fault(ORDER, reason, maker.id)

    def _market_faults(self, taker: Signed, maker: Signed, fill: Fill, market: Market) -> Iterator[Fault]:
        terms = market.terms
        reasons = []
        if terms.state == HALTED:
            reasons.append("market halted")
        if terms.state == REDUCE_ONLY:
            sides = (taker, _lots(taker, fill)), (maker, _lots(maker, fill))
            if not all(_reduces(self._position(signed), lots) for signed, lots in sides):
                reasons.append("market reduce-only")
        if not market.is_fresh(self.now):
            reasons.append("stale price")
        if abs(fill.price - market.price) * PPM > terms.band * market.price:
            reasons.append("price band")
        if fill.price % terms.tick:
            reasons.append("off tick")
        growth = self._open_interest_growth(taker, maker, fill)
        if growth > 0 and market.open_interest + growth > terms.max_open_interest:
            reasons.append("open interest cap")
        for reason in reasons:
            yield Fault(MARKET, reason, NOBODY)

    def _order_faults(self, signed: Signed, fill: Fill, in_batch: int, rate: int) -> Iterator[str]:
        order = signed.order
        cancels: tuple[Stamps, ...] = (self.account_cancels[order.account, order.subaccount],)
        if not order.is_one_shot:
            cancels += (self.slot_cancels[_slot_of(signed)],)
            yield from self.slots[_slot_of(signed)].faults(signed, fill.size)
        else:
            if in_batch == 0 and order.generation <= self._position(signed).one_shot:
                yield "one-shot used"
            if in_batch + fill.size > order.size:
                yield "overfilled"
        if any(stamps.kills(order.generation, self.now, self.window) for stamps in cancels):
            yield "cancelled"
        if price_is_past_limit(order, fill.price):
            yield "price past limit"
        if rate > order.max_fee_ppm:
            yield "fee above cap"
        if order.reduce_only and not _reduces(self._position(signed), _lots(signed, fill)):
            yield "reduce-only"

    def _account_faults(self, signed: Signed, fill: Fill, market: Market, rate: int) -> Iterator[str]:
        account, id_ = self._account(signed), market.terms.id
        before = account.health(self.markets, self.now)
        position = self._traded(signed, fill, market, rate)
        after = account.health(self.markets, self.now, instead={id_: position})
        others_stale = any(
            not self.markets[other].is_fresh(self.now) for other in account.open_markets() if other != id_
        )
        if not after.allows(before, only_improvement=others_stale):
            yield "stale leg" if others_stale and after.allows(before) else "margin"
        if position.size and not account.position(id_).size and len(account.open_markets()) >= MAX_POSITIONS:
            yield "too many positions"
        if abs(position.size) > MAX_POSITION or abs(position.q) > MAX_QUOTE:
            yield "position limit"

    def _execute(self, taker: Signed, maker: Signed, fill: Fill, market: Market, filled: dict[int, int]) -> Executed:
        market.open_interest += self._open_interest_growth(taker, maker, fill)
        after = []
        for signed, index, rate in ((taker, fill.taker, fill.taker_fee), (maker, fill.maker, fill.maker_fee)):
            position = self._traded(signed, fill, market, rate)
            after.append(position)
            self._store(self._account(signed), market, position)
            self.fees += fee(fill.price * fill.size, rate)
            filled[index] += fill.size
            if not signed.order.is_one_shot:
                self.slots[_slot_of(signed)] = self.slots[_slot_of(signed)].filled_by(signed, fill.size)
        different_owners = taker.order.account != maker.order.account
        if different_owners and fill.taker_fee + fill.maker_fee >= FUNDING_MIN_FEE_PPM:
            market.funding = market.funding.with_trade(fill.size, fill.price, market.price)
        return Executed(fill, after[0], after[1])

    def _traded(self, signed: Signed, fill: Fill, market: Market, rate: int) -> Position:
        one_shot = signed.order.generation if signed.order.is_one_shot else 0
        charged = fee(fill.price * fill.size, rate)
        return self._position(signed).traded(market, self.now, _lots(signed, fill), fill.price, charged, one_shot)

    def _store(self, account: Account, market: Market, position: Position) -> None:
        """A flat position's money moves to cash, the fraction of a micro-USDC stays in the vault as dust."""
        if position.size == 0:
            account.cash += position.q // SCALE
            self.dust += position.q % SCALE
            position = replace(position, q=0)
        account.positions[market.terms.id] = position

    def _open_interest_growth(self, taker: Signed, maker: Signed, fill: Fill) -> int:
        growth = 0
        for signed in (taker, maker):
            size = self._position(signed).size
            growth += max(size + _lots(signed, fill), 0) - max(size, 0)
        return growth

    def _account(self, signed: Signed) -> Account:
        return self.accounts[signed.order.account, signed.order.subaccount]

    def _position(self, signed: Signed) -> Position:
        return self._account(signed).position(_market_of(signed))

    # Liquidation

    def liquidate(self, key: AccountKey, market_id: int, size: int, liquidator_key: AccountKey) -> Takeover:
        market = self.markets.get(market_id)
        account, liquidator = self.accounts[key], self.accounts[liquidator_key]
        if market is None or market.terms.state == UNLISTED or key == liquidator_key or size <= 0:
            raise RefusedError("bad call")
        if not market.is_fresh(self.now):
            raise RefusedError("stale price")
        before = account.health(self.markets, self.now)
        held = account.position(market_id).size
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
        given = account.position(market_id).traded(market, self.now, -lots, price, terms.insurance * taken - covered)
        taken_over = liquidator.position(market_id).traded(market, self.now, lots, price, 0)
        # the step is part of the market's state before and after, as any other price of that moment
        liquidator_before = liquidator.health(self.markets, self.now)
        liquidator_after = liquidator.health(self.markets, self.now, instead={market_id: taken_over})
        others_stale = any(
            not self.markets[other].is_fresh(self.now) for other in liquidator.open_markets() if other != market_id
        )
        opens = taken_over.size and not liquidator.position(market_id).size
        if not liquidator_after.allows(liquidator_before, only_improvement=others_stale) or (
            opens and len(liquidator.open_markets()) >= MAX_POSITIONS
        ):
            market.funding, market.touched_price = undo
            raise RefusedError("liquidator lacks margin")

        self.dust += step * market.open_interest - (covered - from_fund) * SCALE if step else 0
        if step:
            market.loss_in_hour = step + (market.loss_in_hour if market.loss_hour == self.now // 3_600 else 0)
            market.loss_hour = self.now // 3_600
        for position, change in ((account.position(market_id), -lots), (liquidator.position(market_id), lots)):
            market.open_interest += max(position.size + change, 0) - max(position.size, 0)
        self._store(account, market, given)
        self._store(liquidator, market, taken_over)
        self.insurance += terms.insurance * taken - from_fund
        after = account.health(self.markets, self.now)
        return Takeover(lots, price, terms.insurance * taken, covered, step, given, taken_over, before, after)

    def _loss_step(self, market: Market, uncovered: int) -> int:
        """Per lot of the opposite side, scaled; refused beyond half the maintenance margin per lot and hour."""
        if uncovered == 0:
            return 0
        step = up(Fraction(uncovered * SCALE, market.open_interest))
        spread = step + (market.loss_in_hour if market.loss_hour == self.now // 3_600 else 0)
        if spread > Fraction(market.price * market.terms.mmf * SCALE, 2 * PPM):
            raise RefusedError("loss step exhausted")
        return step

    # What must hold at any time

    def claims(self) -> int:
        """All that the vault owes, scaled: cash, fees, insurance, and what positions are worth between themselves."""
        scaled = (self.insurance + self.fees) * SCALE
        for account in self.accounts.values():
            scaled += account.cash * SCALE
            for id_, position in account.positions.items():
                scaled += position.bare(self.markets[id_], self.now)
        return scaled


def _market_of(signed: Signed) -> int:
    return signed.words[0] >> 64 & 0xFFFF


def _slot_of(signed: Signed) -> tuple[str, int]:
    return signed.signer, signed.order.slot


def _lots(signed: Signed, fill: Fill) -> int:
    return -fill.size if signed.order.is_sell else fill.size


def _reduces(position: Position, lots: int) -> bool:
    return position.size * lots < 0 and abs(lots) <= abs(position.size)


def _is_malformed(fill: Fill, orders: int) -> bool:
    """A word that says nothing of any market: such a fill touches none."""
    indices_exist = fill.taker < orders and fill.maker < orders and fill.taker != fill.maker
    return not indices_exist or fill.tail != 0 or fill.flags not in (0, 1)


def _batch_faults(taker: Signed, maker: Signed, fill: Fill) -> Iterator[str]:
    if fill.flags == 1:
        yield "group unsupported"
    if fill.size == 0 or fill.price == 0:
        yield "bad fill"
    if _market_of(taker) != _market_of(maker):
        yield "market mismatch"
    if taker.order.is_sell == maker.order.is_sell:
        yield "same side"
    if (taker.order.account, taker.order.subaccount) == (maker.order.account, maker.order.subaccount):
        yield "self trade"
    if maker.order.is_one_shot:
        yield "one-shot maker"
    if fill.taker_fee + fill.maker_fee < 0:
        yield "negative fees"
