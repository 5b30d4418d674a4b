# SPDX-License-Identifier: AGPL-3.0-only
"""The hash of the whole state in a canonical form: what two replays must agree on to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from relayer.core.accounts import AccountEntry
from relayer.core.book import BookSide
from relayer.core.chain_state import Chain
from relayer.core.fills import Batch, MatchedFill
from relayer.core.orders import LiveOrder
from relayer.core.state import State

_encode = msgspec.msgpack.Encoder().encode


def state_hash(state: State) -> bytes:
    """sha256 over every table, each in a fixed order; integers wider than 64 bits are written in decimal."""
    hasher = sha256()
    for section in _sections(state):
        for row in section:
            hasher.update(_encode(_plain(row)))
        hasher.update(b"\xc1")  # a byte that msgpack never uses parts the sections
    return hasher.digest()


def _sections(state: State) -> Iterator[Iterator[object]]:
    recorder = state.recorder
    yield iter(
        [
            (state.now_ms, recorder.input_seq, recorder.seq, recorder.trail),
            (state.placed, state.last_fill_id, state.last_batch, state.max_unsettled_fills),
        ]
    )
    yield _chain(state.chain)
    yield (_order(order) for order in state.orders.values())
    for venue in state.venues.values():
        yield iter([(venue.id, venue.book.seq, venue.unsettled_open_interest)])
        yield _side(venue.book.bids)
        yield _side(venue.book.asks)
    yield (_account(state.accounts[key]) for key in sorted(state.accounts))
    yield ((*key, use.generation, use.order_id) for key, use in sorted(state.slots.items(), key=lambda item: item[0]))
    yield iter(sorted(state.nonces.items()))
    yield iter(sorted(state.spent.items()))
    yield (_fill(state.fills[fill_id]) for fill_id in sorted(state.fills))
    yield (fill.id for fill in state.queue)
    yield iter(list(state.unsettled))
    yield (_batch(state.batches[number]) for number in sorted(state.batches))


def _chain(chain: Chain) -> Iterator[object]:
    yield (chain.final_number, chain.number, chain.hash)
    head = chain.head
    yield (head.head, sorted(head.used_nonces), sorted(head.slot_stamps.items()), sorted(head.account_stamps.items()))
    yield [(*names, key) for names, key in sorted(head.keys.items())]
    for withdrawal_id, withdrawal in sorted(head.withdrawals.items()):
        yield (withdrawal_id, withdrawal.account, withdrawal.subaccount, withdrawal.amount)
    ledger = head.ledger
    for key in sorted(ledger.accounts):
        account = ledger.accounts[key]
        positions = [
            (market_id, word.size, word.q, word.one_shot_ms) for market_id, word in sorted(account.positions.items())
        ]
        yield (*key, account.cash, positions)
    for market_id in sorted(ledger.markets_state):
        figures = ledger.markets_state[market_id]
        yield (
            market_id,
            figures,
            ledger.markets[market_id],
        )
    yield (ledger.backstop, ledger.referrer_share_ppm, sorted(ledger.referrals.items()))


def _order(order: LiveOrder) -> object:
    return (
        order.id,
        order.client_id,
        order.placed,
        order.filled,
        order.resting,
        order.live_fills,
        order.status,
        order.reason,
    )


def _side(side: BookSide) -> Iterator[object]:
    for level in side:
        queue = []
        order = level.first
        while order is not None:
            queue.append(order.id)
            order = order.after
        yield (level.price, level.lots, queue)


def _account(entry: AccountEntry) -> object:
    exposures = [
        (market_id, exposure.buy_lots, exposure.buy_notional, exposure.sell_lots, exposure.sell_notional)
        for market_id, exposure in sorted(entry.exposures.items())
    ]
    reservations = [(each.nonce, each.amount, each.to, each.deadline) for each in entry.reservations.values()]
    unsettled = [fill.id for fill in entry.unsettled]
    return (*entry.key, sorted(entry.disarms.items()), exposures, reservations, unsettled, list(entry.open_orders))


def _fill(fill: MatchedFill) -> object:
    return (
        fill.id,
        fill.venue.id,
        fill.price,
        fill.size,
        fill.taker.id,
        fill.maker.id,
        fill.status,
        fill.reason,
        fill.transaction_hash,
        fill.block,
        fill.attempts,
        fill.retry,
        fill.matched_ms,
        fill.open_interest_delta,
    )


def _batch(batch: Batch) -> object:
    return (
        batch.number,
        batch.nonce,
        batch.fill_ids,
        batch.prev,
        batch.next,
        batch.raw_txs,
        batch.block,
    )


def _plain(value: object) -> object:
    if isinstance(value, bool | str | bytes) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return (
        _plain(msgspec.to_builtins(value))
        if not isinstance(value, dict)
        else [[k, _plain(v)] for k, v in value.items()]
    )
