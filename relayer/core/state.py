# SPDX-License-Identifier: AGPL-3.0-only
"""Everything the core remembers, and the few operations that keep its parts in step with one another."""

from __future__ import annotations

import heapq
from dataclasses import replace

from ouro.markets import MarketState
from relayer.core.accounts import AccountEntry, AccountKey
from relayer.core.chain_state import Chain, SessionKey
from relayer.core.config import CoreConfig
from relayer.core.fee_schedule import FeeSchedule
from relayer.core.fills import Batch, FillQueue, MatchedFill
from relayer.core.inputs import ZERO_HASH
from relayer.core.matching import Matcher
from relayer.core.native import mypyc_attr
from relayer.core.orders import LiveOrder, Status
from relayer.core.recorder import Recorder
from relayer.core.shadow import Shadow
from relayer.core.venue import Venue
from relayer.core.waiting import Stage, Waiting

_TIMERS_KEPT = 1_024
_HEADS_KEPT = 4_096


@mypyc_attr(allow_interpreted_subclasses=True)
class SlotUse:
    """The newest order that was accepted for a slot of a signing key. Amends up to `revision` have ended, or were
    refused.
    """

    __slots__ = ("generation", "order_id", "revision")

    def __init__(self, generation: int, order_id: bytes, revision: int) -> None:
        self.generation = generation
        self.order_id = order_id
        self.revision = revision


class State:
    """The tables of the core. Dictionaries are walked in order of insertion only, so a replay walks them alike."""

    def __init__(self, config: CoreConfig) -> None:
        self.config = config
        self.now_ms = 0
        self.signing_ms = 0
        self.chain = Chain(config.markets, config.operator, (config.exchange, config.vault, config.oracle))
        self.venues: dict[int, Venue] = {market.id: Venue(market) for market in config.markets}
        self.fees = FeeSchedule((config.taker_fee_ppm, config.maker_fee_ppm), self.chain.head)
        self.shadow = Shadow(self.venues, self.chain.head.ledger, self.fees, config.margin_buffer_ppm)
        self.matcher = Matcher(self.shadow, self.fees)
        self.recorder = Recorder()
        self.accounts: dict[AccountKey, AccountEntry] = {}
        self.orders: dict[bytes, LiveOrder] = {}
        self.slots: dict[tuple[str, int], SlotUse] = {}
        self.early_amends: dict[tuple[str, int], tuple[int, int]] = {}
        self.refused_amends: dict[bytes, int] = {}
        self.refused_withdrawals: dict[tuple[str, int], tuple[int, int]] = {}
        self.nonces: dict[str, int] = {}
        self.fills: dict[int, MatchedFill] = {}
        self.queue = FillQueue()
        self.unsettled: dict[int, MatchedFill] = {}
        self.max_unsettled_fills = config.max_unsettled_fills
        self.batches: dict[int, Batch] = {}
        self.heads: dict[bytes, None] = {ZERO_HASH: None}
        self.last_batch = (0, -1)
        self.reserved: dict[tuple[str, int], AccountEntry] = {}
        self.spent: dict[tuple[str, str], int] = {}
        self.key_reserved: dict[tuple[str, str], int] = {}
        self.placed = 0
        self.last_fill_id = 0
        self.expiries: list[tuple[int, int, bytes]] = []
        self.forgettings: list[tuple[int, int, bytes]] = []
        self.disarms: list[tuple[int, str, int, str]] = []
        self.waiting = Waiting()

    @property
    def time_s(self) -> int:
        """Seconds by which orders expire and prices grow stale: the later of the clock and the last block."""
        return max(self.now_ms // 1000, self.chain.time_s)

    def account(self, owner: str, subaccount: int) -> AccountEntry:
        """The subaccount's entry; a new one is not kept before `keep`: refused commands leave nothing behind."""
        return self.accounts.get((owner, subaccount)) or AccountEntry(owner, subaccount)

    def keep(self, entry: AccountEntry) -> None:
        """Files an entry that has something to remember."""
        self.accounts.setdefault(entry.key, entry)

    def remember(self, order: LiveOrder) -> None:
        """Files an accepted order."""
        self.keep(order.account)
        self.placed += 1
        order.placed = self.placed
        self.orders[order.id] = order
        self.occupy(order)
        heapq.heappush(self.forgettings, (order.expiry + 1, order.placed, order.id))

    def occupy(self, order: LiveOrder) -> None:
        """Gives an order its client id and its slot, which an amend gets only when it is carried out."""
        if order.client_id:
            order.account.client_ids[order.client_id] = order
        if not order.one_shot and not order.amend_waits:
            name = (order.signer, order.slot)
            use = self.slots.get(name)
            ended = use.revision if use is not None and use.generation == order.generation else -1
            early = self.early_amends.get(name)
            if early is not None:
                if early[0] >= order.generation:
                    ended = max(ended, early[1])
                if early[0] <= order.generation:
                    del self.early_amends[name]
            self.slots[name] = SlotUse(order.generation, order.id, ended)

    def rest(self, order: LiveOrder) -> None:
        """Puts what remains of an order into the book."""
        lots = order.remaining
        order.venue.book.side(order.sell).add(order, lots)
        self._opened(order, lots)

    def _opened(self, order: LiveOrder, lots: int) -> None:
        """Reserves for an order that has come to rest, and watches its expiry."""
        order.account.open_orders[order.id] = order
        self.waiting.link(order)
        if order.trigger_price:
            order.stage = Stage.RESTING
            self.waiting.file(order)
        order.account.expose(order, lots)
        self._reserve(order, lots)
        heapq.heappush(self.expiries, (order.expiry - self.config.settle_window_s, order.placed, order.id))
        self.recorder.venue(order.venue)

    def replace(self, old: LiveOrder, new: LiveOrder) -> None:
        """Lets a revision that offers no more than a resting one take its place in the queue."""
        lots = new.remaining
        self.set_aside(old)
        self.waiting.unfile(old)
        old.account.open_orders.pop(old.id)
        old.venue.book.side(old.sell).replace(old, new, lots)
        self._opened(new, lots)

    def set_aside(self, order: LiveOrder) -> None:
        """What a resting order reserves counts no more, though it rests: until `take_back`."""
        order.account.expose(order, -order.resting)
        self._reserve(order, -order.resting)

    def take_back(self, order: LiveOrder) -> None:
        """What a resting order reserves counts again."""
        order.account.expose(order, order.resting)
        self._reserve(order, order.resting)

    def resize(self, order: LiveOrder) -> None:
        """Makes a resting order offer what remains of it; a filled one leaves the book."""
        lots = order.remaining
        order.account.expose(order, lots - order.resting)
        self._reserve(order, lots - order.resting)
        order.venue.book.side(order.sell).resize(order, lots)
        if lots == 0:
            self.waiting.unfile(order)
            order.account.open_orders.pop(order.id)
        self.recorder.venue(order.venue)

    def leave_book(self, order: LiveOrder) -> None:
        """Takes a resting order out of the book without ending it."""
        self.set_aside(order)
        order.venue.book.side(order.sell).remove(order)
        self.waiting.unfile(order)
        order.account.open_orders.pop(order.id)
        self.recorder.venue(order.venue)

    def wait(self, order: LiveOrder, stage: Stage) -> None:
        """Files an order that is not in the book under what it waits for."""
        order.status = Status.UNTRIGGERED
        order.reason = ""
        order.stage = stage
        order.account.open_orders[order.id] = order
        self.waiting.file(order)
        self.waiting.link(order)
        heapq.heappush(self.expiries, (order.expiry - self.config.settle_window_s, order.placed, order.id))
        self.recorder.order(order)

    def close(self, order: LiveOrder, status: Status, reason: str) -> None:
        """Ends an order, taking it out of the book if it rests there, or out of what it waits in."""
        if order.level is not None:
            self.leave_book(order)
        elif order.status is Status.UNTRIGGERED:
            self.waiting.unfile(order)
            order.account.open_orders.pop(order.id)
        order.status = status
        order.reason = reason
        self.closed(order)
        self.recorder.order(order)

    def closed(self, order: LiveOrder) -> None:
        """An order has ended: if its slot's generation keeps it from coming back, it can soon be forgotten."""
        self.waiting.touch(order)
        self.waiting.unlink(order)
        if not order.one_shot:
            # An amend that waited in vain never had the slot, and would be good again once it is forgotten.
            use = self.slots[order.signer, order.slot]
            if use.generation == order.generation:
                use.revision = max(use.revision, order.revision)
            forget_at = self.time_s + self.config.closed_retention_s
            heapq.heappush(self.forgettings, (forget_at, order.placed, order.id))

    def cancel(self, order: LiveOrder, reason: str) -> None:
        """Ends an open order for a reason."""
        self.close(order, Status.CANCELED, reason)

    def sweep_timers(self) -> None:
        """Throws out timers that mean nothing any more, once they are the most, so that they never pile up."""
        orders = self.orders
        if len(self.expiries) > 2 * len(orders) + _TIMERS_KEPT:
            kept = [each for each in self.expiries if each[2] in orders and orders[each[2]].is_live]
            self.expiries = list(dict.fromkeys(kept))
            heapq.heapify(self.expiries)
        times = self.waiting.times
        if len(times) > 2 * len(orders) + _TIMERS_KEPT:
            kept = [each for each in times if each[2] in orders and orders[each[2]].stage is Stage.TIME]
            self.waiting.times = list(dict.fromkeys(kept))
            heapq.heapify(self.waiting.times)
        if len(self.forgettings) > 4 * len(orders) + _TIMERS_KEPT:
            self.forgettings = [each for each in self.forgettings if each[2] in orders]
            heapq.heapify(self.forgettings)
        if len(self.disarms) > 2 * len(self.accounts) + _TIMERS_KEPT:
            self.disarms = [
                each for each in self.disarms if self.accounts[each[1], each[2]].disarms.get(each[3]) == each[0]
            ]
            heapq.heapify(self.disarms)

    def remember_head(self, head: bytes) -> None:
        """Notes a journal head that one of our batches puts on chain; the oldest of many are forgotten."""
        self.heads[head] = None
        if len(self.heads) > _HEADS_KEPT:
            del self.heads[next(iter(self.heads))]

    def count(self, order: LiveOrder, lots: int, price: int) -> None:
        """Fills an order by `lots`, or undoes that (negative), and with it its newest revision. What a session key
        signed for is out of its budget.
        """
        order.filled += lots
        newest = order.newest
        if newest is not order:
            newest.filled += lots
        if newest.oco:
            self.waiting.touch(newest)
        if order.by_key:
            key = (order.account.owner, order.signer)
            self.spent[key] = self.spent.get(key, 0) + lots * price

    def live_key(self, order: LiveOrder) -> SessionKey | None:
        """The session key that signed an order, None when there is none of that name or it is revoked."""
        key = self.chain.head.keys.get((order.account.owner, order.signer))
        return None if key is None or key.is_revoked else key

    def key_room(self, order: LiveOrder) -> int:
        """Notional that the session key of an order which does not rest may still sign for, beside its open orders."""
        key = self.live_key(order)
        if key is None:
            return 0
        name = (order.account.owner, order.signer)
        return key.budget - self.spent.get(name, 0) - self.key_reserved.get(name, 0)

    def _reserve(self, order: LiveOrder, lots: int) -> None:
        """Counts `lots` more (fewer) of an order that rests among what its session key may yet sign for."""
        if order.by_key:
            name = (order.account.owner, order.signer)
            self.key_reserved[name] = self.key_reserved.get(name, 0) + lots * order.limit_price

    def hold(self, fill: MatchedFill) -> None:
        """Counts a fill as unsettled: both accounts are as if it had happened."""
        late = bool(self.unsettled) and fill.id < next(reversed(self.unsettled))
        self.unsettled[fill.id] = fill
        if late:
            self.unsettled = dict(sorted(self.unsettled.items()))
        fill.taker.account.add_unsettled(fill)
        fill.maker.account.add_unsettled(fill)

    def release(self, fill: MatchedFill) -> None:
        """The fill is on chain, or undone."""
        del self.unsettled[fill.id]
        fill.taker.account.drop_unsettled(fill)
        fill.maker.account.drop_unsettled(fill)

    def reduce_room(self, order: LiveOrder) -> int:
        """Lots of its account's position that no other resting reduce-only order on this one's side offers yet. What
        its OCO group offers does not count: this one stands for it.
        """
        room = self.shadow.reducible(order.account, order)
        for other in order.account.open_orders.values():
            if not other.reduce_only or other.id in (order.id, order.replaces):
                continue
            if order.oco and order.oco == other.oco:
                continue
            if other.venue is order.venue and other.sell == order.sell:
                room -= other.resting
        return max(0, room)

    def fit_to_position(self, order: LiveOrder) -> bool:
        """Withholds what a reduce-only order that comes to rest has beyond the position; false when there is no room.

        Resting reduce-only orders need no margin: what backs them is the position, so together they offer no more.
        """
        room = self.reduce_room(order)
        if room:
            order.withheld += max(0, order.remaining - room)
        return room > 0

    def is_backlogged(self) -> bool:
        """Whether so much waits for the chain, or for so long, that nothing new may open risk."""
        if len(self.unsettled) >= self.max_unsettled_fills:
            return True
        # Ids grow with time, and the table is kept by id.
        oldest = next(iter(self.unsettled.values()), None)
        return oldest is not None and self.now_ms - oldest.matched_ms >= self.config.backlog_age_ms

    def recompute(self) -> None:
        """Forgets every derived figure after the chain or the set of unsettled fills changed."""
        head, ledger = self.chain.head, self.chain.head.ledger
        self.fees.follow(head, self.chain.time_s)
        self.shadow.ledger = ledger
        self.shadow.time_s = self.time_s
        for market_id, market in ledger.markets.items():
            if market_id not in self.venues:
                self.venues[market_id] = Venue(market)
        for venue in self.venues.values():
            if venue.id not in ledger.markets:
                # A reorg took the listing back.
                venue.market = replace(venue.market, state=MarketState.UNLISTED)
                continue
            figures = ledger.markets_state[venue.id]
            venue.market = ledger.markets[venue.id]
            venue.g_long, venue.g_short = ledger.indices(venue.id, self.time_s)
            venue.index_price = figures.index_price
            venue.published_at = figures.published_at
            venue.open_interest = figures.open_interest
            venue.unsettled_open_interest = 0
        for fill in self.unsettled.values():
            fill.venue.unsettled_open_interest += fill.open_interest_delta
        for venue in self.venues.values():
            # The chain counts the open interest at the start of a batch: by then some of what is matched has settled.
            most = venue.open_interest + max(0, venue.unsettled_open_interest)
            venue.imf_ppm = venue.market.scaled_imf_ppm(most, venue.index_price)
        pending = self.chain.unconfirmed_credits(self.config.credit_confirmations)
        for withdrawal in head.withdrawals.values():
            key = (withdrawal.account, withdrawal.subaccount)
            pending[key] = pending.get(key, 0) + withdrawal.amount
        for entry in self.accounts.values():
            entry.shadow = None
            for reservation in list(entry.reservations.values()):
                if self.chain.is_settled(entry.owner, reservation.nonce, reservation.deadline):
                    del entry.reservations[reservation.nonce]
                    del self.reserved[entry.owner, reservation.nonce]
                elif (
                    entry.owner,
                    reservation.nonce,
                ) not in head.used_nonces and self.chain.time_s <= reservation.deadline:
                    pending[entry.key] = pending.get(entry.key, 0) + reservation.amount
        self.shadow.pending = pending
