# SPDX-License-Identifier: AGPL-3.0-only
"""Following the chain: blocks confirm or reject fills, reorgs turn that back, rejected fills are undone.

After every change the accounts are computed again and orders that no longer fit are cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable

from ouro import events
from ouro.markets import MarketState
from relayer.core import cancelling, conditional
from relayer.core.accounts import AccountEntry
from relayer.core.chain_state import Block
from relayer.core.errors import InputRefusedError
from relayer.core.fills import Batch, FillStatus, MatchedFill
from relayer.core.inputs import BatchBuilt, BatchFate, ChainBlock, ChainRevert, SettlementCapacity, UndoFills
from relayer.core.orders import LiveOrder, Status
from relayer.core.placing import enter
from relayer.core.state import State

_ORDER_FAULT = 1
_ACCOUNT_FAULT = 2
DROPPED = "dropped"
_NOT_TRIGGERED = "not triggered"
WINDOW_PASSED = "settlement window passed"


class _Aftermath:
    """Orders that lost fills by rejections of one input, and what is to become of them."""

    def __init__(self) -> None:
        self.guilty_orders: dict[bytes, tuple[LiveOrder, str]] = {}
        self.guilty_accounts: dict[tuple[str, int], tuple[AccountEntry, str]] = {}
        self.bereft: dict[bytes, LiveOrder] = {}
        self.ended: dict[bytes, tuple[LiveOrder, str]] = {}


def batch_built(state: State, item: BatchBuilt) -> None:
    """Marks the fills of a signed batch as submitted; the same batch again is a fee bump."""
    known = state.batches.get(item.batch_no)
    if known is not None:
        same = (item.nonce, item.fill_ids, item.prev, item.next) == (
            known.nonce,
            known.fill_ids,
            known.prev,
            known.next,
        )
        if not same or not known.is_pending:
            raise InputRefusedError(f"batch {item.batch_no} was built before with other contents, or is settled")
        known.raw_txs.append(item.raw_tx)
        return
    fills = []
    for fill_id in item.fill_ids:
        fill = state.fills.get(fill_id)
        if fill is None or fill.status is not FillStatus.MATCHED:
            raise InputRefusedError(f"fill {fill_id} of batch {item.batch_no} does not wait for settlement")
        fills.append(fill)
    if not fills or len(set(item.fill_ids)) != len(fills):
        raise InputRefusedError(f"batch {item.batch_no} is empty or names a fill twice")
    batch = state.batches[item.batch_no] = Batch(item.batch_no, item.nonce, item.fill_ids, item.prev, item.next)
    batch.raw_txs.append(item.raw_tx)
    state.remember_head(item.next)
    state.last_batch = max(state.last_batch, (item.batch_no, item.nonce))
    for fill in fills:
        state.queue.remove(fill)
        fill.status = FillStatus.SUBMITTED
        fill.attempts += 1
        fill.reason = ""
        state.recorder.fill(fill)


def batch_fate(state: State, item: BatchFate) -> None:
    """A batch that can no longer land gives its fills back to the queue."""
    batch = state.batches.get(item.batch_no)
    if batch is None or not batch.is_pending or item.fate != DROPPED:
        raise InputRefusedError(f"batch {item.batch_no} is not pending, or {item.fate} is no fate")
    del state.batches[item.batch_no]
    for fill_id in batch.fill_ids:
        fill = state.fills.get(fill_id)
        if fill is None or fill.status is not FillStatus.SUBMITTED or fill.block:
            # A reorg let an earlier batch with this fill land that had been given up.
            continue
        fill.status = FillStatus.MATCHED
        # What the chain did not look at does not count as a try.
        fill.attempts -= 1
        state.queue.add(fill)
        state.recorder.fill(fill)


def undo_fills(state: State, item: UndoFills) -> None:
    """Undoes fills that no batch can carry. One of the two orders of each makes settlement revert and nobody can tell
    which, so both end: the next match of either would stop everything again.
    """
    named = dict.fromkeys(item.fill_ids)
    fills = []
    for fill_id in named:
        fill = state.fills.get(fill_id)
        if fill is None or fill.status is not FillStatus.MATCHED:
            raise InputRefusedError(f"fill {fill_id} does not wait for settlement: it cannot be undone")
        fills.append(fill)
    takers = {fill.taker.id for fill in fills if fill.taker.one_shot}
    if any(fill.taker.id in takers and fill.id not in named for fill in state.queue):
        raise InputRefusedError("the waiting fills of a one-shot order settle together, and are undone together")
    after = _Aftermath()
    for fill in fills:
        for order in (fill.taker, fill.maker):
            after.ended[order.id] = (order, item.reason)
        _undo_waiting(state, fill, item.reason, after)
    _after_undoing(state, after)


def capacity(state: State, item: SettlementCapacity) -> None:
    """Takes a new bound on unsettled fills."""
    if item.max_unsettled_fills < 1:
        raise InputRefusedError(f"at least one fill must be allowed to wait, not {item.max_unsettled_fills}")
    state.max_unsettled_fills = item.max_unsettled_fills


def block(state: State, item: ChainBlock) -> None:
    """Follows one block."""
    added = state.chain.append(item)
    after = _Aftermath()
    settled = [each for each in added.events if isinstance(each, events.BatchSettled)]
    # Another operator numbers its fills as it likes: what it settles says nothing about ours.
    ours = {each.where.transaction_hash: each for each in settled if each.operator == state.config.operator}
    for event in added.events:
        if event.where.transaction_hash not in ours:
            continue
        if isinstance(event, events.Fill):
            _confirm(state, event, added.number)
        elif isinstance(event, events.FillRejected):
            _reject(state, event, added.number, after)
    for batch in state.batches.values():
        if batch.is_pending and any(batch.next == each.next for each in ours.values()):
            batch.block = added.number
    _finalise(state)
    state.recompute()
    conditional.on_prices(state)
    if any(isinstance(event, events.SlotCancelled | events.AllCancelled) for event in added.events):
        cancelling.on_chain_cancels(state)
    if any(isinstance(event, events.SessionKeyRevoked) for event in added.events):
        _cancel_of_dead_keys(state)
    if any(isinstance(event, events.MarketChanged) for event in added.events):
        _cancel_off_tick(state)
        _cancel_in_settling_markets(state)
    _settle_aftermath(state, after)
    cancelling.on_time(state)
    if added.events:
        refit(state)


def revert(state: State, item: ChainRevert) -> None:
    """A reorg: what the dropped blocks confirmed or rejected is submitted again, until the chain decides anew."""
    state.chain.check_revert(item.to_number, item.to_hash)
    dropped: list[Block] = state.chain.revert(item.to_number)
    for batch in state.batches.values():
        if batch.block > item.to_number:
            batch.block = 0
    carried = {fill_id for batch in state.batches.values() if batch.is_pending for fill_id in batch.fill_ids}
    for fill in state.fills.values():
        if fill.block > item.to_number and fill.status is FillStatus.REJECTED and not fill.transaction_hash:
            # The chain never saw it: it was undone here, and stays so.
            fill.block = item.to_number
        elif fill.block > item.to_number:
            _reinstate(state, fill, carried=fill.id in carried)
    state.recompute()
    conditional.on_prices(state)
    if dropped:
        _cancel_of_dead_keys(state)
        _cancel_off_tick(state)
        refit(state)


def on_time(state: State) -> None:
    """Fills that wait to be tried, or tried again, are undone once their window has passed: from then on cancels and
    withdrawals on chain may have taken away what they were matched against.
    """
    stale_ms = state.now_ms - state.config.settle_window_s * 1000
    waiting = []
    for fill in state.queue:
        if fill.matched_ms > stale_ms:
            break  # ids grow with time
        waiting.append(fill)
    overdue = [fill for fill in state.fills.values() if fill.retry and not _may_retry(state, fill)]
    if not waiting and not overdue:
        return
    after = _Aftermath()
    for fill in waiting:
        _end_taker(fill, WINDOW_PASSED, after)
        _undo_waiting(state, fill, WINDOW_PASSED, after)
    for fill in overdue:
        if fill.retry:
            _undo(state, fill, after)
    _after_undoing(state, after)


def _undo_waiting(state: State, fill: MatchedFill, reason: str, after: _Aftermath) -> None:
    """Undoes a fill that is in no batch. It is forgotten once the present head is final: until then a reorg may bring
    an earlier batch with it back, and the chain has the last word.
    """
    state.queue.remove(fill)
    fill.reason = reason
    fill.block = state.chain.number
    fill.transaction_hash = ""
    _undo(state, fill, after)


def _after_undoing(state: State, after: _Aftermath) -> None:
    state.recompute()
    _settle_aftermath(state, after)
    refit(state)


def refit(state: State) -> None:
    """Cancels, newest first, orders that open risk an account can no longer carry, and reduce-only ones without a
    position; before that, what the price band has left behind.
    """
    _cancel_beyond_band(state)
    for entry in state.accounts.values():
        if not entry.open_orders:
            continue
        resting = [order for order in entry.open_orders.values() if order.level is not None]
        newest_first = sorted(resting, key=lambda order: -order.placed)
        _fit_to_positions(state, entry, reversed(newest_first))
        for order in newest_first:
            if state.shadow.fits(entry):
                break
            if order.status is Status.OPEN and not order.reduce_only and _opens(state, entry, order):
                if order.must_leave:
                    conditional.leave(state, order)
                else:
                    state.cancel(order, "insufficient_margin")


def _fit_to_positions(state: State, entry: AccountEntry, oldest_first: Iterable[LiveOrder]) -> None:
    """Withholds from the newest resting reduce-only orders what they offer together beyond the position; one with
    nothing left ends.
    """
    taken: dict[tuple[int, bool], int] = {}
    groups: dict[tuple[int, bool, str], int] = {}
    for order in oldest_first:
        if not order.reduce_only or order.must_leave:
            continue
        side = (order.venue.id, order.sell)
        # What others of its OCO group offer, this one offers in their stead.
        shared = groups.get((*side, order.oco), 0) if order.oco else 0
        room = state.shadow.reducible(entry, order) - taken.get(side, 0) + shared
        if room <= 0:
            state.cancel(order, "reduce_only")
            continue
        if order.resting > room:
            order.withheld += order.resting - room
            state.resize(order)
            state.recorder.order(order)
        taken[side] = taken.get(side, 0) + max(0, order.resting - shared)
        if order.oco:
            groups[*side, order.oco] = max(shared, order.resting)


def _cancel_beyond_band(state: State) -> None:
    """Bids above the price band and asks below it: the chain would reject every fill of them, and whoever comes from
    the other side meets them first, so that a single lot left there would close the market.
    """
    for venue in state.venues.values():
        for side, sell in ((venue.book.bids, False), (venue.book.asks, True)):
            while (
                (top := side.top) is not None
                and not venue.in_band(top.price)
                and (top.price < venue.index_price) == sell
            ):
                stranded = top.first
                assert stranded is not None
                if stranded.must_leave:
                    conditional.leave(state, stranded)
                else:
                    state.cancel(stranded, "price_band")


def _cancel_off_tick(state: State) -> None:
    """Orders that a new tick leaves between ticks: the chain rejects their fills and blames nobody."""
    for order in [order for entry in state.accounts.values() for order in entry.open_orders.values()]:
        if order.limit_price % order.venue.market.tick:
            state.cancel(order, "off_tick")


def _cancel_in_settling_markets(state: State) -> None:
    """Trading in a market that is being wound up never comes back."""
    for order in [order for entry in state.accounts.values() for order in entry.open_orders.values()]:
        if order.venue.state in (MarketState.SETTLING, MarketState.SETTLED):
            state.cancel(order, "market_settling")


def _cancel_of_dead_keys(state: State) -> None:
    """Orders of session keys that were revoked, or never registered after all."""
    for order in [order for entry in state.accounts.values() for order in entry.open_orders.values()]:
        if order.by_key and state.live_key(order) is None:
            state.cancel(order, "key_revoked")


def _opens(state: State, entry: AccountEntry, order: LiveOrder) -> bool:
    """Whether the open orders on this order's side go beyond closing the position."""
    size = state.shadow.of(entry).size(order.venue.id)
    exposure = entry.exposures[order.venue.id]
    lots = exposure.sell_lots if order.sell else exposure.buy_lots
    return (size > 0) != order.sell or size == 0 or lots > abs(size)


def _confirm(state: State, event: events.Fill, number: int) -> None:
    fill = state.fills.get(event.detail.fill_id)
    if fill is None or fill.status is FillStatus.CONFIRMED:
        return
    if fill.status is FillStatus.REJECTED:
        _count_again(state, fill)
        state.hold(fill)
    elif fill.status is FillStatus.MATCHED:
        # Settled although its batch was given up: the chain has the last word.
        state.queue.remove(fill)
    fill.retry = False
    state.release(fill)
    fill.status = FillStatus.CONFIRMED
    fill.reason = ""
    fill.block = number
    fill.transaction_hash = event.where.transaction_hash
    state.recorder.fill(fill)


def _reject(state: State, event: events.FillRejected, number: int, after: _Aftermath) -> None:
    fill = state.fills.get(event.fill_id)
    if fill is None or fill.status is not FillStatus.SUBMITTED or fill.retry:
        return
    fill.block = number
    fill.reason = event.reason
    fill.transaction_hash = event.where.transaction_hash
    guilty = next((order for order in (fill.taker, fill.maker) if order.id == event.order_id), None)
    if guilty is not None and event.fault_class == _ORDER_FAULT:
        after.guilty_orders[guilty.id] = (guilty, event.reason)
    elif guilty is not None and event.fault_class == _ACCOUNT_FAULT:
        after.guilty_accounts[guilty.account.key] = (guilty.account, event.reason)
    elif _may_retry(state, fill):
        fill.retry = True
        state.recorder.fill(fill)
        return
    else:
        _end_taker(fill, event.reason, after)
    _undo(state, fill, after)


def _end_taker(fill: MatchedFill, reason: str, after: _Aftermath) -> None:
    """For the market's sake a taker ends, lest it match the same again. Not so when a trigger does not hold: whichever
    order that is waits anew; nor does a triggered order end, which may be all that protects a position.
    """
    if reason == _NOT_TRIGGERED or (reason == WINDOW_PASSED and fill.taker.trigger_price):
        return
    after.ended[fill.taker.id] = (fill.taker, reason)


def _may_retry(state: State, fill: MatchedFill) -> bool:
    """Within the window, not too often, and only if a one-shot taker has no fill on chain: all of its fills go in one
    batch. Of a fill-or-kill order none can do without the others.
    """
    if fill.attempts >= state.config.max_attempts:
        return False
    if state.now_ms - fill.matched_ms >= state.config.settle_window_s * 1000:
        return False
    if not fill.taker.one_shot:
        return True
    past = (FillStatus.CONFIRMED, FillStatus.REJECTED) if fill.taker.fill_or_kill else (FillStatus.CONFIRMED,)
    return all(other.status not in past for other in state.fills.values() if other.taker is fill.taker)


def _undo(state: State, fill: MatchedFill, after: _Aftermath) -> None:
    if fill.retry:
        fill.retry = False
        _end_taker(fill, fill.reason, after)
    fill.status = FillStatus.REJECTED
    state.release(fill)
    for order in (fill.taker, fill.maker):
        state.count(order, -fill.size, fill.price)
        after.bereft[order.id] = order
        after.bereft[order.newest.id] = order.newest
    state.recorder.fill(fill)
    if fill.taker.fill_or_kill:
        for other in state.fills.values():
            if other.taker is fill.taker and other.retry:
                _undo(state, other, after)


def _settle_aftermath(state: State, after: _Aftermath) -> None:
    """First the guilty lose their open orders, then innocent resting orders grow in place, then the others enter
    again.
    """
    for order, reason in [*after.guilty_orders.values(), *after.ended.values()]:
        if order.status is not Status.CANCELED:
            state.close(order, Status.CANCELED, f"fill rejected: {reason}")
    for entry, reason in after.guilty_accounts.values():
        for order in list(entry.open_orders.values()):
            # What waits may be all that protects a position, and is asked everything anew when it fires.
            if order.status is not Status.UNTRIGGERED:
                state.cancel(order, f"fill rejected: {reason}")
    reentering: list[LiveOrder] = []
    for order in after.bereft.values():
        state.recorder.order(order)
        if order.level is not None:
            state.resize(order)
        elif order.status is Status.FILLED:
            if order.account.key in after.guilty_accounts or not _may_return(state, order):
                state.close(order, Status.CANCELED, "fill rejected")
            else:
                reentering.append(order)
    for order in sorted(reentering, key=lambda order: order.placed):
        _enter_again(state, order)


def _may_return(state: State, order: LiveOrder) -> bool:
    """Whether an order that had been filled may rest again: one-shot, expired, replaced and dead ones may not."""
    if order.by_key and state.live_key(order) is None:
        return False
    if order.one_shot or order.expiry - state.config.settle_window_s <= state.time_s:
        return False
    if state.slots[order.signer, order.slot].order_id != order.id:
        return False
    head = state.chain.head
    stamp = max(head.slot_stamps.get((order.signer, order.slot), 0), head.account_stamps.get(order.account.key, 0))
    return order.generation > stamp * 1000


def _enter_again(state: State, order: LiveOrder) -> None:
    if not order.is_triggered(order.venue.index_price):
        conditional.wait(state, order)
        return
    order.status = Status.OPEN
    order.reason = ""
    crosses = order.venue.book.crosses(order.sell, order.limit_price)
    if order.post_only and crosses:
        state.cancel(order, "post_only_would_cross")
    elif crosses and not order.venue.is_open(state.time_s):
        state.cancel(order, "market_closed")
    elif not state.shadow.may_place(order.account, order, order.remaining):
        state.cancel(order, "insufficient_margin")
    else:
        enter(state, order)


def _reinstate(state: State, fill: MatchedFill, *, carried: bool) -> None:
    """The block that confirmed or rejected this fill is gone: it is submitted as before, or waits for a new batch when
    the one that had landed was given up earlier.
    """
    if fill.status is FillStatus.REJECTED:
        _count_again(state, fill)
    if fill.status is not FillStatus.SUBMITTED:
        state.hold(fill)
    fill.retry = False
    fill.status = FillStatus.SUBMITTED if carried else FillStatus.MATCHED
    if not carried:
        state.queue.add(fill)
    fill.block = 0
    fill.reason = ""
    fill.transaction_hash = ""
    state.recorder.fill(fill)


def _count_again(state: State, fill: MatchedFill) -> None:
    """A rejected fill counts again; its orders, or their newest revisions, offer that much less."""
    for order in (fill.taker, fill.maker):
        state.count(order, fill.size, fill.price)
        state.recorder.order(order)
        newest = order.newest
        state.recorder.order(newest)
        if newest.level is not None:
            state.resize(newest)
            if newest.remaining == 0:
                newest.status = Status.FILLED
                state.closed(newest)
        elif newest.status is Status.UNTRIGGERED and newest.remaining == 0:
            state.close(newest, Status.FILLED, "")


def _finalise(state: State) -> None:
    """Lets go of fills and batches that no reorg can touch any more; final rejections for the market's sake are tried
    again.
    """
    final_number = state.chain.final_number
    for fill in [fill for fill in state.fills.values() if 0 < fill.block <= final_number]:
        if fill.retry:
            fill.retry = False
            fill.status = FillStatus.MATCHED
            fill.block = 0
            fill.transaction_hash = ""
            state.queue.add(fill)
            state.recorder.fill(fill)
            continue
        if fill.status is FillStatus.CONFIRMED:
            fill.status = FillStatus.FINAL
            state.recorder.fill(fill)
        del state.fills[fill.id]
        fill.taker.count_live(-1)
        fill.maker.count_live(-1)
    for batch in [batch for batch in state.batches.values() if 0 < batch.block <= final_number]:
        del state.batches[batch.number]
