# SPDX-License-Identifier: AGPL-3.0-only
"""Batches (protocol section 4).

A rejected fill has *faults*: everything the protocol objects to, in no order, since the protocol leaves open which of
several objections a contract names. An executed one has none.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tests.reference import liquidation
from tests.reference.account import MAX_POSITIONS, Account, Position
from tests.reference.exact import PPM, up
from tests.reference.ledger import AccountKey
from tests.reference.market import FUNDING_MIN_FEE_PPM, HALTED, REDUCE_ONLY, Market
from tests.reference.orders import Stamps, is_triggered, price_is_past_limit, static_faults
from tests.reference.waterfall import Waterfall
from tests.support.wire import Fill, Signed

MAX_POSITION = 2**46
MAX_QUOTE = 2**126
ORDER, ACCOUNT, MARKET, BATCH = 1, 2, 3, 4
NOBODY = bytes(32)
GROUPED, ON_THE_BOOK = 1, 2


class Fault(NamedTuple):
    """One objection to a fill, with the guilty order's id or `NOBODY`."""

    fault_class: int
    reason: str
    order: bytes


GROUP_FAILED = Fault(BATCH, "group failed", NOBODY)


@dataclass(frozen=True)
class Executed:
    """A settled fill: both positions as they are before a closed one's money moves to cash, and who else was paid."""

    fill: Fill
    taker: Position
    maker: Position
    referrals: tuple[tuple[int, int], ...] = ()
    insurance: int = 0


Outcome = Executed | set[Fault]


class Side(NamedTuple):
    """One side of a fill: the order, its place in the batch, its fee in ppm."""

    signed: Signed
    index: int
    rate: int

    @property
    def key(self) -> AccountKey:
        return account_of(self.signed)

    def lots(self, fill: Fill) -> int:
        return -fill.size if self.signed.order.is_sell else fill.size

    def charge(self, fill: Fill) -> int:
        return fee(fill.price * fill.size, self.rate)


def fee(notional: int, rate: int) -> int:
    """ceil(notional * rate ppm): a fee rounds up, a rebate towards zero."""
    return up(notional * rate, PPM)


def counts_for_funding(taker_fee: int, maker_fee: int, share: int) -> bool:
    """Fees that are worth it, all in ppm, when a referrer gets `share` of them."""
    return (taker_fee + maker_fee) * (PPM - share) >= FUNDING_MIN_FEE_PPM * PPM


class Settlement(Waterfall):
    """`settle` and what it asks of a fill."""

    def settle(self, orders: Sequence[Signed], fills: Sequence[Fill]) -> list[Outcome]:
        """One outcome per fill, in order. Of a group that fails, exactly one fill names another fault than that."""
        filled: dict[int, int] = defaultdict(int)
        outcomes: list[Outcome] = []
        with self.one_call():
            for group in _groups(fills):
                outcomes += self._settle_group(orders, group, filled)
        if any(isinstance(outcome, Executed) for outcome in outcomes):
            self.last_batch = self.now
        return outcomes

    def _settle_group(self, orders: Sequence[Signed], group: list[Fill], filled: dict[int, int]) -> list[Outcome]:
        faults = [set(_form_faults(fill, group, orders)) for fill in group]
        if len(group) == 1 and not faults[0]:
            with self._reaching(orders, group):
                return [self._settle_one(orders, group[0], filled)]
        undo = self._saved(orders, filled)
        executed: list[Outcome] = []
        with self._reaching(orders, group):
            for fill, of_form in zip(group, faults, strict=True):
                if of_form and _is_malformed(fill, len(orders)):
                    continue
                outcome = self._settle_one(orders, fill, filled)
                if isinstance(outcome, Executed):
                    executed.append(outcome)
                else:
                    of_form |= outcome
        if not any(faults):
            return executed
        self._restore(undo, filled)
        return [found | {GROUP_FAILED} for found in faults] if len(group) > 1 else list(faults)

    @contextmanager
    def _reaching(self, orders: Sequence[Signed], group: Sequence[Fill]) -> Iterator[None]:
        """Their own market counts with the open interest that these fills could reach at most."""
        lots = sum(fill.size for fill in group)
        places = {fill.taker for fill in group if fill.taker < len(orders)}
        found = [self.markets[id_] for id_ in {market_of(orders[place]) for place in places} if id_ in self.markets]
        before = [market.counted_open_interest for market in found]
        for market in found:
            market.counted_open_interest = market.open_interest + lots
        try:
            yield
        finally:
            for market, counted in zip(found, before, strict=True):
                market.counted_open_interest = counted

    def _saved(self, orders: Sequence[Signed], filled: dict[int, int]) -> dict[str, Any]:
        """Whatever a group could change."""
        accounts = {account_of(signed): self.accounts[account_of(signed)] for signed in orders}
        return {
            "accounts": {key: Account(held.cash, dict(held.positions)) for key, held in accounts.items()},
            "markets": {id_: replace(market) for id_, market in self.markets.items()},
            "slots": {slot_of(signed): self.slots[slot_of(signed)] for signed in orders},
            "keys": dict(self.keys.keys),
            "accrued": dict(self.referrers.accrued),
            "numbers": (self.fees, self.dust, self.insurance),
            "filled": dict(filled),
        }

    def _restore(self, saved: dict[str, Any], filled: dict[int, int]) -> None:
        self.accounts.update(saved["accounts"])
        self.slots.update(saved["slots"])
        self.keys.keys, self.referrers.accrued = saved["keys"], saved["accrued"]
        self.fees, self.dust, self.insurance = saved["numbers"]
        for id_, market in saved["markets"].items():
            live = self.markets[id_]
            was_opened = live.funding.hour != market.funding.hour
            live.funding = market.funding_at(self.now) if was_opened else market.funding
            live.open_interest = market.open_interest
        filled.clear()
        filled.update(saved["filled"])

    def _settle_one(self, orders: Sequence[Signed], fill: Fill, filled: dict[int, int]) -> Outcome:
        taker = Side(orders[fill.taker], fill.taker, fill.taker_fee)
        maker = Side(orders[fill.maker], fill.maker, fill.maker_fee)
        market = self.markets.get(market_of(taker.signed))
        if market is not None:
            market.touch(self.now)
        faults = set(self._faults(taker, maker, fill, market, filled))
        if faults or market is None:
            return faults
        if fill.flags & ON_THE_BOOK:
            return self._execute_on_the_book(taker, maker, fill, market, filled)
        return self._execute(taker, maker, fill, market, filled)

    # Objections

    def _faults(
        self, taker: Side, maker: Side, fill: Fill, market: Market | None, filled: dict[int, int]
    ) -> Iterator[Fault]:
        on_the_book = bool(fill.flags & ON_THE_BOOK)
        for reason in _batch_faults(taker.signed, maker.signed, fill):
            yield Fault(BATCH, reason, NOBODY)
        for side in (taker, maker):
            for reason in _order_faults(side, fill, self.now):
                yield Fault(ORDER, reason, side.signed.id)
            if market_of(side.signed) not in self.markets:
                yield Fault(BATCH, "bad market", NOBODY)
        if taker.signed.order.post_only:
            yield Fault(ORDER, "post-only taker", taker.signed.id)
        if market is None or market_of(taker.signed) != market_of(maker.signed):
            return
        yield from self._market_faults(taker, maker, fill, market)
        for side in (maker,) if on_the_book else (taker, maker):
            for reason in self._signature_faults(side, fill, filled[side.index]):
                yield Fault(ORDER, reason, side.signed.id)
            if market.is_fresh(self.now):
                for reason in self._account_faults(side, fill, market):
                    yield Fault(ACCOUNT, reason, side.signed.id)
        if on_the_book:
            for reason in self._key_faults(taker.signed):
                yield Fault(ORDER, reason, taker.signed.id)
            if not self._may_liquidate(taker, fill, market):
                yield Fault(BATCH, "not liquidatable", NOBODY)
        else:
            for reason in self._faults_after_the_taker(taker.signed, maker.signed, fill):
                yield Fault(ORDER, reason, maker.signed.id)

    def _faults_after_the_taker(self, taker: Signed, maker: Signed, fill: Fill) -> Iterator[str]:
        """The maker meets a slot, or a session key's budget, as the taker leaves it."""
        one_shots = taker.order.is_one_shot or maker.order.is_one_shot
        if not one_shots and slot_of(taker) == slot_of(maker):
            yield from self.slots[slot_of(taker)].filled_by(taker, fill.size).faults(maker, fill.size)
        owner, signer = maker.order.account, maker.signer
        if (owner, signer) == (taker.order.account, taker.signer):
            yield from self.keys.faults(owner, signer, market_of(maker), 2 * fill.price * fill.size, self.now)

    def _key_faults(self, taker: Signed) -> Iterator[str]:
        """Of a session key whose signature stands where nobody's is needed."""
        if (taker.order.account, taker.signer) in self.keys.keys:
            yield from self.keys.faults(taker.order.account, taker.signer, market_of(taker), 0, self.now)

    def _market_faults(self, taker: Side, maker: Side, fill: Fill, market: Market) -> Iterator[Fault]:
        terms = market.terms
        reasons = []
        if not all(is_triggered(side.signed.order, market.price) for side in (taker, maker)):
            reasons.append("not triggered")
        if terms.state >= HALTED:
            reasons.append("market halted")
        both_reduce = all(_reduces(self._position(side), side.lots(fill)) for side in (taker, maker))
        if terms.state == REDUCE_ONLY and not both_reduce:
            reasons.append("market reduce-only")
        if not market.is_fresh(self.now):
            reasons.append("stale price")
        if abs(fill.price - market.price) * PPM > terms.band * market.price:
            reasons.append("price band")
        if fill.price % terms.tick:
            reasons.append("off tick")
        growth = 0
        for side in (taker, maker):
            size = self._position(side).size
            growth += max(size + side.lots(fill), 0) - max(size, 0)
        if growth > 0 and market.open_interest + growth > terms.max_open_interest:
            reasons.append("open interest cap")
        for reason in reasons:
            yield Fault(MARKET, reason, NOBODY)

    def _signature_faults(self, side: Side, fill: Fill, in_batch: int) -> Iterator[str]:
        """What binds an order that somebody signed: keys, slots, cancels, and what its position is."""
        signed, order = side.signed, side.signed.order
        notional = fill.price * fill.size
        yield from self.keys.faults(order.account, signed.signer, market_of(signed), notional, self.now)
        cancels: tuple[Stamps, ...] = (self.account_cancels[side.key],)
        if not order.is_one_shot:
            cancels += (self.slot_cancels[slot_of(signed)],)
            yield from self.slots[slot_of(signed)].faults(signed, fill.size)
        else:
            if in_batch == 0 and order.generation <= self._position(side).one_shot:
                yield "one-shot used"
            if in_batch + fill.size > order.size:
                yield "overfilled"
        if any(stamps.kills(order.generation, self.now, self.window) for stamps in cancels):
            yield "cancelled"
        if order.reduce_only and not _reduces(self._position(side), side.lots(fill)):
            yield "reduce-only"

    def _account_faults(self, side: Side, fill: Fill, market: Market) -> Iterator[str]:
        account, id_ = self.accounts[side.key], market.terms.id
        before = account.health(self.markets, self.now)
        position = self._traded(side, fill, market)
        after = account.health(self.markets, self.now, instead={id_: position})
        others_stale = self.has_stale_leg(account, but=id_)
        if not after.allows(before, only_improvement=others_stale):
            yield "stale leg" if others_stale and after.allows(before) else "margin"
        if position.size and not account.position(id_).size and len(account.open_markets()) >= MAX_POSITIONS:
            yield "too many positions"
        if not (-MAX_POSITION <= position.size < MAX_POSITION and -MAX_QUOTE <= position.q < MAX_QUOTE):
            yield "position limit"

    def _may_liquidate(self, taker: Side, fill: Fill, market: Market) -> bool:
        """What a fill on the book must satisfy in place of a signature."""
        health, held = self.health(taker.key), self._position(taker).size
        if not 0 < health.equity < health.maintenance or held * taker.lots(fill) >= 0:
            return False
        if taker.charge(fill) != 0:
            return False
        terms = self._take_over_terms(taker, market)
        limit = terms.price(market, held)
        return fill.size <= terms.max_size and (fill.price >= limit if held > 0 else fill.price <= limit)

    def _take_over_terms(self, taker: Side, market: Market) -> liquidation.Terms:
        size, unscaled = self._position(taker).size, self.unscaled_initial(taker.key)
        return liquidation.terms(self.health(taker.key), market, size, unscaled)

    # Effects

    def _execute(self, taker: Side, maker: Side, fill: Fill, market: Market, filled: dict[int, int]) -> Executed:
        taken, made = (self._trade(side, fill, market, filled) for side in (taker, maker))
        return Executed(fill, taken, made, self._collect(taker, maker, fill, market))

    def _collect(self, taker: Side, maker: Side, fill: Fill, market: Market) -> tuple[tuple[int, int], ...]:
        """Fees, what referrers get of them, and what the fill says of the premium."""
        net = taker.charge(fill) + maker.charge(fill)
        referrals = []
        for side in (taker, maker):
            number = side.signed.order.referrer
            referral = self.referrers.accrue(number, side.charge(fill), net)
            self.fees += side.charge(fill) - referral
            if referral:
                referrals.append((number, referral))
        if self._counts_for_funding(taker.signed, maker.signed, fill):
            market.funding = market.funding.with_trade(fill.size, fill.price, market.price)
        return tuple(referrals)

    def _execute_on_the_book(
        self, taker: Side, maker: Side, fill: Fill, market: Market, filled: dict[int, int]
    ) -> Executed:
        terms = self._take_over_terms(taker, market)
        insurance = terms.insurance * fill.size
        given = self._position(taker).traded(market, self.now, taker.lots(fill), fill.price, insurance)
        self.store(taker.key, market, given)
        self.collect_insurance_fee(insurance)
        taken = self._trade(maker, fill, market, filled)
        referrals = self._collect(taker, maker, fill, market)
        return Executed(fill, given, taken, referrals, insurance)

    def _trade(self, side: Side, fill: Fill, market: Market, filled: dict[int, int]) -> Position:
        position = self._traded(side, fill, market)
        self.store(side.key, market, position)
        filled[side.index] += fill.size
        signed, slot = side.signed, slot_of(side.signed)
        if not signed.order.is_one_shot:
            self.slots[slot] = self.slots[slot].filled_by(signed, fill.size)
        self.keys.spend(signed.order.account, signed.signer, fill.price * fill.size)
        return position

    def _traded(self, side: Side, fill: Fill, market: Market) -> Position:
        order = side.signed.order
        one_shot = order.generation if order.is_one_shot else 0
        lots, charge = side.lots(fill), side.charge(fill)
        return self._position(side).traded(market, self.now, lots, fill.price, charge, one_shot)

    def _counts_for_funding(self, taker: Signed, maker: Signed, fill: Fill) -> bool:
        """Between owners, and when the exchange keeps enough of the fees."""
        share = max(self.referrers.share_of(signed.order.referrer) for signed in (taker, maker))
        pays = counts_for_funding(fill.taker_fee, fill.maker_fee, share)
        return taker.order.account != maker.order.account and pays

    def _position(self, side: Side) -> Position:
        return self.accounts[side.key].position(market_of(side.signed))


def account_of(signed: Signed) -> AccountKey:
    return signed.order.account, signed.order.subaccount


def market_of(signed: Signed) -> int:
    return signed.words[0] >> 64 & 0xFFFF


def slot_of(signed: Signed) -> tuple[str, int]:
    return signed.signer, signed.order.slot


def _reduces(position: Position, lots: int) -> bool:
    return position.size * lots < 0 and abs(lots) <= abs(position.size)


def _groups(fills: Sequence[Fill]) -> Iterator[list[Fill]]:
    group: list[Fill] = []
    for fill in fills:
        group.append(fill)
        if not fill.flags & GROUPED:
            yield group
            group = []
    if group:
        yield group


def _is_malformed(fill: Fill, orders: int) -> bool:
    """A word that says nothing of any market: such a fill touches none."""
    indices_exist = fill.taker < orders and fill.maker < orders and fill.taker != fill.maker
    return not indices_exist or fill.tail != 0 or fill.flags not in (0, GROUPED, ON_THE_BOOK)


def _form_faults(fill: Fill, group: list[Fill], orders: Sequence[Signed]) -> Iterator[Fault]:
    """What is wrong with a fill's word and its place in the group."""
    joined_to_nothing = group[-1].flags & GROUPED
    liquidates_in_a_group = len(group) > 1 and fill.flags & ON_THE_BOOK
    other_taker = fill.taker != group[0].taker
    if _is_malformed(fill, len(orders)) or joined_to_nothing or liquidates_in_a_group or other_taker:
        yield Fault(BATCH, "bad fill", NOBODY)
    if not _is_malformed(fill, len(orders)):
        order = orders[fill.taker].order
        if order.time_in_force == "FOK" and sum(part.size for part in group) != order.size:
            yield Fault(BATCH, "fill-or-kill", NOBODY)


def _order_faults(side: Side, fill: Fill, now: int) -> Iterator[str]:
    """What the words of an order say against the fill, whoever signed it."""
    yield from static_faults(side.signed, now)
    if price_is_past_limit(side.signed.order, fill.price):
        yield "price past limit"
    if side.rate > side.signed.order.max_fee_ppm:
        yield "fee above cap"


def _batch_faults(taker: Signed, maker: Signed, fill: Fill) -> Iterator[str]:
    if fill.size == 0 or fill.price == 0:
        yield "bad fill"
    if market_of(taker) != market_of(maker):
        yield "market mismatch"
    if taker.order.is_sell == maker.order.is_sell:
        yield "same side"
    if account_of(taker) == account_of(maker):
        yield "self trade"
    if maker.order.is_one_shot:
        yield "one-shot maker"
    if fill.taker_fee + fill.maker_fee < 0:
        yield "negative fees"
