# SPDX-License-Identifier: AGPL-3.0-only
"""Matching in two steps: plan which resting orders an order would take, then carry it out.

The plan changes nothing but scratch copies of the accounts in it, so a fill-or-kill order that does not fit leaves no
trace. Every planned fill has passed the contract's own checks for both sides, one after another.
"""

from __future__ import annotations

from ouro.markets import MarketState
from ouro.maths import fees
from ouro.orders import SelfTrade
from ouro.units import MAX_BATCH_FILLS, MAX_GROUP_FILLS
from relayer.core.accounts import AccountEntry
from relayer.core.fee_schedule import Fees, FeeSchedule
from relayer.core.orders import LiveOrder
from relayer.core.shadow import Shadow, ShadowAccount
from relayer.core.waiting import GroupKey, group_of

SELF_TRADE = "self_trade"
TRIGGERS_LEAVING = "triggers_leaving"
MAX_LEAVING = 64
"""Orders whose trigger holds no more, that an order may meet on its way."""


class PlannedFill:
    """Lots to take from one resting order at its price, what both pay, and how open interest changes by it."""

    __slots__ = ("fees", "lots", "maker", "open_interest_delta", "price")

    def __init__(self, maker: LiveOrder, lots: int, price: int, fees: Fees, open_interest_delta: int) -> None:
        self.maker = maker
        self.lots = lots
        self.fees = fees
        self.price = price
        self.open_interest_delta = open_interest_delta


class Plan:
    """What an order would do to the book. `stop` says why it ends before the order is filled, '' when the book ran out.

    `budget` is what the session key that signed the order may still spend, micro-USDC (None: the owner signed it).
    `groups` are those of which an order has a fill in it, and whether one is filled whole.
    `dropped` are resting orders met on the way that can fill no more once `fills` are done, with the reason.
    `withheld` are resting orders of the same owner with the lots that a DECREMENT takes off them, and off this order.
    `leaving` are those met on the way whose trigger holds no more.
    """

    __slots__ = (
        "accounts",
        "budget",
        "dropped",
        "fills",
        "groups",
        "leaving",
        "open_interest_delta",
        "remaining",
        "stop",
        "withheld",
    )

    def __init__(self, remaining: int, budget: int | None) -> None:
        self.remaining = remaining
        self.budget = budget
        self.fills: list[PlannedFill] = []
        self.dropped: list[tuple[LiveOrder, str]] = []
        self.withheld: list[tuple[LiveOrder, int]] = []
        self.leaving: list[LiveOrder] = []
        self.accounts: dict[tuple[str, int], tuple[AccountEntry, ShadowAccount]] = {}
        self.groups: dict[GroupKey, bool] = {}
        self.open_interest_delta = 0
        self.stop = ""


class Matcher:
    """Plans matches under the venue's fees. `fill_room` limits how many fills may become unsettled."""

    __slots__ = ("_fees", "_shadow")

    def __init__(self, shadow: Shadow, schedule: FeeSchedule) -> None:
        self._shadow = shadow
        self._fees = schedule

    def plan(self, taker: LiveOrder, fill_room: int, budget: int | None = None) -> Plan:
        """The fills an order gets now, in price-time priority."""
        plan = Plan(taker.remaining, budget)
        most = MAX_GROUP_FILLS if taker.fill_or_kill else MAX_BATCH_FILLS
        limit = min(fill_room, most) if taker.one_shot else fill_room
        reduce_only_market = taker.venue.state is MarketState.REDUCE_ONLY
        side, limit_price = taker.venue.book.side(not taker.sell), taker.limit_price
        maker = side.reached(limit_price)
        while maker is not None and plan.remaining:
            if maker.trigger_price and maker.must_leave:
                if len(plan.leaving) == MAX_LEAVING:
                    plan.stop = TRIGGERS_LEAVING
                else:
                    plan.leaving.append(maker)
            else:
                plan.stop = self._stop(taker, maker, plan, limit)
                if not plan.stop:
                    if maker.account.owner == taker.account.owner:
                        _meet_own(taker, maker, plan)
                    else:
                        self._try(taker, maker, plan, reduce_only_market)
            if plan.stop:
                break
            maker = side.next_reached(maker, limit_price)
        return plan

    def _stop(self, taker: LiveOrder, maker: LiveOrder, plan: Plan, limit: int) -> str:
        if len(plan.fills) >= limit:
            at_most = MAX_GROUP_FILLS if taker.fill_or_kill else MAX_BATCH_FILLS
            return "batch_limit" if taker.one_shot and limit == at_most else "settlement_backlog"
        if not taker.venue.in_band(maker.limit_price):
            return "price_band"
        return ""

    def _try(self, taker: LiveOrder, maker: LiveOrder, plan: Plan, reduce_only_market: bool) -> None:
        """Plans one fill, or drops the maker, or stops the taker."""
        venue = taker.venue
        if maker.oco:
            group = plan.groups.get(group_of(maker))
            if group or (group is False and not maker.reduce_only):
                plan.dropped.append((maker, "oco"))
                return
        old_taker, old_maker = self._scratch(plan, taker), self._scratch(plan, maker)
        lots = min(plan.remaining, maker.resting)
        if taker.reduce_only or reduce_only_market:
            lots = min(lots, _reducible(old_taker, taker))
            if lots == 0:
                plan.stop = "reduce_only" if taker.reduce_only else "market_reduce_only"
                return
        drop_rest = ""
        if maker.reduce_only or reduce_only_market:
            room = _reducible(old_maker, maker)
            if room < maker.resting:
                drop_rest = "reduce_only" if maker.reduce_only else "market_reduce_only"
            if room == 0:
                plan.dropped.append((maker, drop_rest))
                return
            lots = min(lots, room)
        wanted = lots
        if plan.budget is not None:
            lots = min(lots, max(0, plan.budget) // maker.limit_price)
            if lots == 0:
                plan.stop = "key_budget"
                return
        delta = _open_interest_delta(old_taker.size(venue.id), old_maker.size(venue.id), -lots if taker.sell else lots)
        if delta > 0 and (
            venue.open_interest + venue.unsettled_open_interest + plan.open_interest_delta + delta
            > venue.market.max_open_interest
        ):
            plan.stop = "open_interest_cap"
            return
        price = maker.limit_price
        rates = self._fees.of_fill(taker, maker)
        new_taker = self._after(old_taker, taker, lots, price, rates[0])
        new_maker = self._after(old_maker, maker, lots, price, rates[1])
        # The chain values a fill (of a group: all of it) at the margin of the open interest that it could make.
        resting_imf_ppm = venue.imf_ppm
        venue.imf_ppm = venue.imf_reaching_ppm(plan.open_interest_delta, taker.size if taker.fill_or_kill else lots)
        taker_may = self._shadow.may_fill(old_taker, new_taker, venue.id)
        maker_may = taker_may and self._shadow.may_fill(old_maker, new_maker, venue.id)
        venue.imf_ppm = resting_imf_ppm
        if not taker_may:
            plan.stop = "insufficient_margin"
            return
        if not maker_may:
            plan.dropped.append((maker, "insufficient_margin"))
            return
        plan.accounts[taker.account.key] = (taker.account, new_taker)
        plan.accounts[maker.account.key] = (maker.account, new_maker)
        plan.fills.append(PlannedFill(maker, lots, price, rates, delta))
        plan.open_interest_delta += delta
        plan.remaining -= lots
        if maker.oco:
            key = group_of(maker)
            plan.groups[key] = plan.groups.get(key, False) or lots == maker.resting
        if plan.budget is not None:
            plan.budget -= lots * price
            if lots < wanted:
                plan.stop = "key_budget"
                return
        if drop_rest and plan.remaining:
            # What the maker cannot fill must not stay in front of a taker that may come to rest.
            plan.dropped.append((maker, drop_rest))

    def _scratch(self, plan: Plan, order: LiveOrder) -> ShadowAccount:
        found = plan.accounts.get(order.account.key)
        return self._shadow.of(order.account) if found is None else found[1]

    @staticmethod
    def _after(account: ShadowAccount, order: LiveOrder, lots: int, price: int, rate_ppm: int) -> ShadowAccount:
        after = account.copy()
        signed = -lots if order.sell else lots
        one_shot_ms = order.generation if order.one_shot else 0
        after.trade(order.venue, signed, price, fees.fee(lots * price, rate_ppm), one_shot_ms)
        return after


def _meet_own(taker: LiveOrder, maker: LiveOrder, plan: Plan) -> None:
    """Plans what the taker's mode says about a resting order of the same owner. The order at zero ends."""
    mode = taker.self_trade
    if mode is SelfTrade.DECREMENT and not taker.fill_or_kill:
        lots = min(plan.remaining, maker.resting)
        plan.withheld.append((maker, lots))
        plan.remaining -= lots
        if plan.remaining == 0:
            plan.stop = SELF_TRADE
        return
    if mode in (SelfTrade.CANCEL_MAKER, SelfTrade.CANCEL_BOTH):
        plan.dropped.append((maker, SELF_TRADE))
    if mode is not SelfTrade.CANCEL_MAKER:
        # A fill-or-kill order that gives lots away unfilled cannot be filled whole.
        plan.stop = SELF_TRADE


def _reducible(account: ShadowAccount, order: LiveOrder) -> int:
    """Lots an order on its side can take off the position."""
    size = account.size(order.venue.id)
    return abs(size) if size and (size > 0) == order.sell else 0


def _open_interest_delta(taker_size: int, maker_size: int, taker_lots: int) -> int:
    """Change of the sum of all long positions by a fill of signed `taker_lots`."""
    taker = max(0, taker_size + taker_lots) - max(0, taker_size)
    maker = max(0, maker_size - taker_lots) - max(0, maker_size)
    return taker + maker
