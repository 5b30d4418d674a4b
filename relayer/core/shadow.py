# SPDX-License-Identifier: AGPL-3.0-only
"""Accounts as they will be when everything matched has settled: chain state plus unsettled fills, in order.

Never patched: after any change of the chain or of the fills the cache is dropped and the account is computed again. The
arithmetic is the contract's (protocol, sections 5 and 6).
"""

from __future__ import annotations

from collections.abc import Mapping

from ouro.ledger import Ledger
from ouro.maths import fees, margin
from ouro.units import PPM, SCALE
from relayer.core.accounts import AccountEntry
from relayer.core.fee_schedule import FeeSchedule
from relayer.core.fills import MatchedFill
from relayer.core.orders import LiveOrder
from relayer.core.venue import Venue


class ShadowAccount:
    """Cash (micro-USDC), positions market -> (signed lots, Q), newest one-shot time per market (ms)."""

    __slots__ = ("_margin", "cash", "one_shot_ms", "positions")

    def __init__(self, cash: int, positions: dict[int, tuple[int, int]], one_shot_ms: dict[int, int]) -> None:
        self.cash = cash
        self.positions = positions
        self.one_shot_ms = one_shot_ms
        self._margin: margin.Margin | None = None

    def copy(self) -> ShadowAccount:
        """For trying a fill without committing it."""
        other = ShadowAccount(self.cash, dict(self.positions), dict(self.one_shot_ms))
        other._margin = self._margin
        return other

    def size(self, market_id: int) -> int:
        """Signed lots held in a market."""
        held = self.positions.get(market_id)
        return 0 if held is None else held[0]

    def trade(self, venue: Venue, lots: int, price: int, fee: int, one_shot_ms: int = 0) -> None:
        """A fill of signed `lots` at `price` paying `fee` micro-USDC (section 5)."""
        size, q = self.positions.get(venue.id, (0, 0))
        after = size + lots
        q += after * venue.g(after) - size * venue.g(size) - (lots * price + fee) * SCALE
        if after == 0:
            self.cash += q // SCALE
            self.positions.pop(venue.id, None)
        else:
            self.positions[venue.id] = (after, q)
        if one_shot_ms:
            self.one_shot_ms[venue.id] = one_shot_ms
        self._margin = None

    def margin(self, venues: Mapping[int, Venue]) -> margin.Margin:
        """Equity, initial and maintenance margin at index prices, in units of SCALE."""
        found = self._margin
        if found is None:
            legs = []
            for market_id, (size, q) in self.positions.items():
                venue = venues[market_id]
                legs.append(margin.Leg(size, q, venue.g(size), venue.index_price, venue.imf_ppm, venue.market.mmf_ppm))
            found = self._margin = margin.evaluate(self.cash, legs)
        return found

    def has_stale_leg(self, venues: Mapping[int, Venue], time_s: int, but: int = 0) -> bool:
        """Whether a position in any market other than `but` has a stale index price."""
        positions = self.positions
        if not positions or (len(positions) == 1 and but in positions):
            return False  # as nearly always
        return any(market_id != but and venues[market_id].is_stale(time_s) for market_id in positions)


class Shadow:
    """Recomputes accounts and answers what they may do."""

    __slots__ = ("_buffer_ppm", "_fees", "ledger", "pending", "time_s", "venues")

    def __init__(self, venues: Mapping[int, Venue], ledger: Ledger, schedule: FeeSchedule, buffer_ppm: int) -> None:
        self.venues = venues
        self.ledger = ledger
        self.pending: dict[tuple[str, int], int] = {}
        self.time_s = 0
        self._fees = schedule
        self._buffer_ppm = buffer_ppm

    def of(self, entry: AccountEntry) -> ShadowAccount:
        """The account with its unsettled fills applied; cached on the entry."""
        found = entry.shadow
        if found is None:
            found = entry.shadow = self._settled(entry)
            for fill in entry.unsettled:
                self._apply(found, entry, fill)
        return found

    def _settled(self, entry: AccountEntry) -> ShadowAccount:
        account = self.ledger.accounts.get(entry.key)
        if account is None:
            return ShadowAccount(0, {}, {})
        positions: dict[int, tuple[int, int]] = {}
        one_shot_ms: dict[int, int] = {}
        for market_id, word in sorted(account.positions.items()):
            if word.size:
                positions[market_id] = (word.size, word.q)
            if word.one_shot_ms:
                one_shot_ms[market_id] = word.one_shot_ms
        return ShadowAccount(account.cash, positions, one_shot_ms)

    @staticmethod
    def _apply(account: ShadowAccount, entry: AccountEntry, fill: MatchedFill) -> None:
        notional = fill.size * fill.price
        for order, rate in ((fill.taker, fill.taker_fee_ppm), (fill.maker, fill.maker_fee_ppm)):
            if order.account is entry:
                lots = -fill.size if order.sell else fill.size
                one_shot_ms = order.generation if order.one_shot else 0
                account.trade(fill.venue, lots, fill.price, fees.fee(notional, rate), one_shot_ms)

    def promised(self, entry: AccountEntry) -> int:
        """Micro-USDC that free collateral lacks: pending withdrawals, co-signed ones, deposits too young to count."""
        return self.pending.get(entry.key, 0)

    def required(
        self, entry: AccountEntry, account: ShadowAccount, extra: tuple[Venue, bool, int, int] | None = None
    ) -> int:
        """Initial margin (micro-USDC) in the worst case of what may fill: per market the larger of all buys and all
        sells filled, with what they lose against the index price and pay in fees. `extra` is one more order: venue,
        sells, lots, limit.
        """
        total = 0
        fee_ppm = max(self._fees.of(entry.owner))
        exposures = entry.exposures
        market_ids = list(account.positions)
        market_ids.extend(market_id for market_id in exposures if market_id not in account.positions)
        if extra is not None and extra[0].id not in account.positions and extra[0].id not in exposures:
            market_ids.append(extra[0].id)
        for market_id in market_ids:
            venue = self.venues[market_id]
            index = venue.index_price
            size = account.size(market_id)
            exposure = exposures.get(market_id)
            buys = buy_notional = sells = sell_notional = 0
            if exposure is not None:
                buys, buy_notional = exposure.buy_lots, exposure.buy_notional
                sells, sell_notional = exposure.sell_lots, exposure.sell_notional
            buy_loss = max(0, buy_notional - buys * index)
            sell_loss = max(0, sells * index - sell_notional)
            if extra is not None and extra[0] is venue:
                _, sell, lots, price = extra
                if sell:
                    sells += lots
                    sell_notional += lots * price
                    sell_loss += max(0, lots * (index - price))
                else:
                    buys += lots
                    buy_notional += lots * price
                    buy_loss += max(0, lots * (price - index))
            imf = venue.imf_ppm
            long = margin.requirement(size + buys, index, imf) + buy_loss
            short = margin.requirement(size - sells, index, imf) + sell_loss
            if fee_ppm > 0:
                long += fees.fee(buy_notional, fee_ppm)
                short += fees.fee(sell_notional, fee_ppm)
            total += max(long, short)
        return total

    def fits(self, entry: AccountEntry, extra: tuple[Venue, bool, int, int] | None = None) -> bool:
        """Whether equity covers initial margin with every open order filled; a new order (`extra`) is asked the
        buffer on top. Resting ones keep half of it: else the first move against a maker would undo his fills.
        """
        account = self.of(entry)
        equity = account.margin(self.venues).equity_scaled - self.promised(entry) * SCALE
        required = self.required(entry, account, extra)
        buffer_ppm = self._buffer_ppm // 2 if extra is None else self._buffer_ppm
        return equity * PPM >= required * SCALE * (PPM + buffer_ppm)

    def may_place(self, entry: AccountEntry, order: LiveOrder, lots: int) -> bool:
        """The predicate of section 6 for an order filled whole at its limit: it fits with all reservations, or it
        lowers risk.
        """
        account = self.of(entry)
        venue = order.venue
        stale = account.has_stale_leg(self.venues, self.time_s, venue.id)
        if not stale and not order.reduce_only and self.fits(entry, (venue, order.sell, lots, order.limit_price)):
            return True
        room = self.reducible(entry, order)
        lots = min(lots, room) if order.reduce_only else lots
        if not 0 < lots <= room:
            return False
        after = account.copy()
        after.trade(
            venue,
            -lots if order.sell else lots,
            order.limit_price,
            fees.fee(lots * order.limit_price, max(0, *self._fees.of(entry.owner))),
        )
        if order.reduce_only and not stale and self._covers(after):
            return True
        return self.lowers_risk(account, after)

    def reducible(self, entry: AccountEntry, order: LiveOrder) -> int:
        """Lots by which an order on its side can shrink the position, beside the open orders that already do."""
        size = self.of(entry).size(order.venue.id)
        if size == 0 or (size > 0) != order.sell:
            return 0
        exposure = entry.exposures.get(order.venue.id)
        taken = 0 if exposure is None or order.reduce_only else exposure.sell_lots if order.sell else exposure.buy_lots
        return max(0, abs(size) - taken)

    def _covers(self, account: ShadowAccount) -> bool:
        after = account.margin(self.venues)
        return after.equity_scaled >= after.im_scaled

    def lowers_risk(self, before: ShadowAccount, after: ShadowAccount) -> bool:
        """The second form of the predicate: maintenance margin falls and the ratio of equity to it does not."""
        return margin.improves(before.margin(self.venues), after.margin(self.venues))

    def may_fill(self, before: ShadowAccount, after: ShadowAccount, market_id: int) -> bool:
        """What the contract will ask of a fill: section 6 at the index prices known here."""
        if after.has_stale_leg(self.venues, self.time_s, market_id):
            return self.lowers_risk(before, after)
        return margin.allowed(before.margin(self.venues), after.margin(self.venues))

    def withdrawable(self, entry: AccountEntry) -> int:
        """Micro-USDC that can leave now and still will once everything matched has settled; 0 while a leg is stale."""
        account = self.of(entry)
        settled = self._settled(entry)
        if account.has_stale_leg(self.venues, self.time_s) or settled.has_stale_leg(self.venues, self.time_s):
            return 0
        free = (account.margin(self.venues).equity_scaled // SCALE) - self.required(entry, account)
        now = settled.margin(self.venues)
        chain = margin.withdrawable(settled.cash, now)
        return max(0, min(min(account.cash, free) - self.promised(entry), chain - self.promised(entry)))
