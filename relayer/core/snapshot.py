# SPDX-License-Identifier: AGPL-3.0-only
"""The whole state as bytes in a canonical form: written by `dump`, read by `restore`, hashed by `state_hash`.

A core restored from a dump continues exactly as the one that was dumped: the same outputs, the same hashes. So every
attribute of the state is either written or derived. `FIELDS` says which, class by class, and a test fails for an
attribute that it does not know. To add state: name the attribute in its table here, or write it in a section.

A dump is a msgpack array of sections. Orders are named by their place in the section of orders, other things by their
keys. Integers that msgpack cannot hold are an extension of 1 type byte and big-endian two's complement.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from ouro.orders import SelfTrade
from relayer.core import snapshot_chain
from relayer.core.accounts import AccountEntry, Exposure, Reservation
from relayer.core.book import Book, BookSide
from relayer.core.columns import Columns
from relayer.core.config import CoreConfig
from relayer.core.fee_schedule import FeeSchedule
from relayer.core.fills import Batch, FillStatus, MatchedFill
from relayer.core.orders import Lineage, LiveOrder, Status
from relayer.core.recorder import Recorder
from relayer.core.state import SlotUse, State
from relayer.core.venue import Venue
from relayer.core.waiting import Stage, Waiting
from relayer.core.wide import decode, encode

Row = Sequence[Any]


class Fields(NamedTuple):
    """Attributes of a class that a dump holds, and those that `restore` computes from others or starts anew."""

    written: tuple[str, ...]
    derived: tuple[str, ...] = ()


ORDERS = Columns(
    LiveOrder,
    plain=(
        "id",
        "client_id",
        "sell",
        "size",
        "limit_price",
        "one_shot",
        "fill_or_kill",
        "post_only",
        "reduce_only",
        "max_fee_ppm",
        "trigger_price",
        "referrer",
        "expiry",
        "generation",
        "slot",
        "revision",
        "words",
        "replaces",
        "immediate",
        "not_before_ms",
        "parent",
        "parent_met",
        "amend_waits",
        "trails",
        "hidden",
        "arm_price",
        "filled",
        "withheld",
        "live_fills",
        "placed",
        "resting",
    ),
    shared=(
        "account",
        "venue",
        "time_in_force",
        "self_trade",
        "trigger",
        "oco",
        "signer",
        "stage",
        "status",
        "reason",
        "first_answer",
    ),
    derived=("level", "before", "after", "lineage", "watch_above", "watch_price"),
)

FILLS = Columns(
    MatchedFill,
    plain=(
        "id",
        "price",
        "size",
        "taker_fee_ppm",
        "maker_fee_ppm",
        "matched_ms",
        "open_interest_delta",
        "block",
        "attempts",
        "retry",
    ),
    shared=("venue", "taker", "maker", "status", "reason", "transaction_hash"),
    derived=(),
)

SLOTS = Columns(SlotUse, plain=("generation", "order_id", "revision"), shared=(), derived=())

RESERVATIONS = Columns(Reservation, plain=("amount", "to", "nonce", "deadline"), shared=(), derived=())

EXPOSURES = Columns(Exposure, plain=("buy_lots", "buy_notional", "sell_lots", "sell_notional"), shared=(), derived=())

BATCHES = Columns(
    Batch, plain=("number", "nonce", "fill_ids", "prev", "next", "raw_txs", "block"), shared=(), derived=()
)

VENUES = Columns(
    Venue,
    plain=(
        "id",
        "ticker",
        "g_long",
        "g_short",
        "imf_ppm",
        "index_price",
        "published_at",
        "open_interest",
        "unsettled_open_interest",
    ),
    shared=("market",),
    derived=("book",),
)

FIELDS: dict[type, Fields] = {
    **{
        table.kind: Fields((*table.plain, *table.shared), table.derived)
        for table in (ORDERS, FILLS, SLOTS, RESERVATIONS, EXPOSURES, BATCHES, VENUES)
    },
    **{kind: Fields(*names) for kind, names in snapshot_chain.FIELDS.items()},
    State: Fields(
        written=(
            "now_ms",
            "signing_ms",
            "chain",
            "venues",
            "shadow",
            "recorder",
            "accounts",
            "orders",
            "slots",
            "early_amends",
            "refused_amends",
            "refused_withdrawals",
            "nonces",
            "fills",
            "queue",
            "unsettled",
            "batches",
            "heads",
            "last_batch",
            "spent",
            "key_reserved",
            "placed",
            "last_fill_id",
            "max_unsettled_fills",
            "expiries",
            "forgettings",
        ),
        derived=("config", "fees", "matcher", "reserved", "disarms", "waiting"),
    ),
    AccountEntry: Fields(
        written=("owner", "subaccount", "open_orders", "exposures", "reservations", "client_ids", "disarms"),
        derived=("key", "shadow", "unsettled"),
    ),
    Lineage: Fields(written=("newest",), derived=("live_fills",)),
    FeeSchedule: Fields(written=(), derived=("_cache", "_chain", "_default", "_today")),
    Recorder: Fields(written=("seq", "input_seq", "trail"), derived=("_orders", "_fills", "_venues")),
    Waiting: Fields(
        written=(),
        derived=(
            "times",
            "watches",
            "leaving",
            "backlog",
            "children",
            "successors",
            "groups",
            "touched",
            "dirty",
        ),
    ),
    Book: Fields(written=("seq", "bids", "asks")),
    BookSide: Fields(written=("_levels",), derived=("_changed", "_keys", "_sell", "top")),
}


def state_hash(state: State) -> bytes:
    """sha256 of the dump: what two replays must agree on to the last bit."""
    return sha256(dump(state)).digest()


def dump(state: State) -> bytes:
    """The state between two inputs."""
    links = _Links(state)
    return msgspec.msgpack.encode([msgspec.Raw(encode(section.write(state, links))) for section in _SECTIONS])


def restore(config: CoreConfig, data: bytes) -> State:
    """A state that continues like the one that was dumped, under `config` (the same, or one to go on with).

    Raises ValueError for bytes that are no dump of this core version.
    """
    try:
        raw = msgspec.msgpack.decode(data, type=list[msgspec.Raw])
        state = State(config)
        links = _Links(state)
        for section, part in zip(_SECTIONS, raw, strict=True):
            section.read(state, links, decode(part))
    except (msgspec.DecodeError, LookupError, TypeError) as error:
        raise ValueError(f"this is not a snapshot of a core state: {error!r}") from error
    return state


class _Links:
    """Orders by place, and places by order id."""

    def __init__(self, state: State) -> None:
        self.orders = list(state.orders.values())
        self.places = {order_id: place for place, order_id in enumerate(state.orders)}

    def place(self, order: LiveOrder) -> int:
        """The order's place in the section of orders."""
        return self.places[order.id]


class _Section(NamedTuple):
    write: Callable[[State, _Links], object]
    read: Callable[[State, _Links, Any], None]


def _write_clock(state: State, _: _Links) -> object:
    recorder = state.recorder
    return (
        (state.now_ms, state.signing_ms, recorder.input_seq, recorder.seq, recorder.trail),
        (state.placed, state.last_fill_id, state.last_batch, state.max_unsettled_fills),
    )


def _read_clock(state: State, _: _Links, data: Row) -> None:
    recorder = state.recorder
    (state.now_ms, state.signing_ms, recorder.input_seq, recorder.seq, recorder.trail), counters = data
    state.placed, state.last_fill_id, last_batch, state.max_unsettled_fills = counters
    state.last_batch = (last_batch[0], last_batch[1])


def _write_chain(state: State, _: _Links) -> object:
    return snapshot_chain.write(state.chain)


def _read_chain(state: State, _: _Links, data: Row) -> None:
    snapshot_chain.read(state.chain, data)
    state.fees.follow(state.chain.head, state.chain.time_s)


def _write_venues(state: State, _: _Links) -> object:
    venues = list(state.venues.values())
    return VENUES.dump(venues, {"market": snapshot_chain.market_row}), [venue.book.seq for venue in venues]


def _read_venues(state: State, _: _Links, data: Row) -> None:
    rows, book_seqs = data
    state.venues.clear()  # the same table that the shadow state looks into
    for venue, book_seq in zip(VENUES.load(rows, {"market": snapshot_chain.market_of}), book_seqs, strict=True):
        venue.book = Book()
        venue.book.seq = book_seq
        state.venues[venue.id] = venue


def _write_accounts(state: State, links: _Links) -> object:
    place = links.places.__getitem__
    return [
        (
            entry.owner,
            entry.subaccount,
            sorted(entry.disarms.items()),
            [place(order_id) for order_id in entry.open_orders],
            list(entry.exposures),
            EXPOSURES.dump(list(entry.exposures.values()), {}),
            RESERVATIONS.dump(list(entry.reservations.values()), {}),
            sorted((name, place(order.id)) for name, order in entry.client_ids.items()),
        )
        for entry in state.accounts.values()
    ]


def _read_account_keys(state: State, _: _Links, data: Row) -> None:
    for owner, subaccount in data:
        state.accounts[owner, subaccount] = AccountEntry(owner, subaccount)


def _read_accounts(state: State, links: _Links, data: Row) -> None:
    orders = links.orders
    rows = zip(state.accounts.values(), data, strict=True)
    for entry, (_, _, disarms, places, market_ids, exposures, reservations, names) in rows:
        entry.disarms = dict(disarms)
        state.disarms.extend((at_ms, entry.owner, entry.subaccount, signer) for signer, at_ms in disarms)
        entry.open_orders = {order.id: order for order in map(orders.__getitem__, places)}
        entry.exposures = dict(zip(market_ids, EXPOSURES.load(exposures, {}), strict=True))
        for reservation in RESERVATIONS.load(reservations, {}):
            entry.reservations[reservation.nonce] = reservation
            state.reserved[entry.owner, reservation.nonce] = entry
        entry.client_ids = {name: orders[place] for name, place in names}
    heapq.heapify(state.disarms)


def _write_orders(_: State, links: _Links) -> object:
    return ORDERS.dump(
        links.orders,
        {
            "account": lambda entry: entry.key,
            "venue": lambda venue: venue.id,
            "stage": int,
            "status": str,
            "self_trade": str,
        },
    )


def _read_orders(state: State, links: _Links, data: Row) -> None:
    accounts = state.accounts
    links.orders = ORDERS.load(
        data,
        {
            "account": lambda key: accounts[key[0], key[1]],
            "venue": state.venues.__getitem__,
            "stage": Stage,
            "status": Status,
            "self_trade": SelfTrade,
            "first_answer": tuple,
        },
    )
    for order in links.orders:
        order.level = order.before = order.after = order.lineage = None
        order.watch_above, order.watch_price = False, 0
        is_plain = order.stage is Stage.NONE and not (order.oco or order.parent or order.amend_waits)
        if not is_plain and order.is_live:
            state.waiting.link(order)
            state.waiting.file(order)
    state.orders = {order.id: order for order in links.orders}


def _write_lineages(_: State, links: _Links) -> object:
    """The newest revision and all that are known, for each order that was amended. When the newest is forgotten, no
    fill of the others can come undone.
    """
    revisions: dict[int, list[int]] = {}
    for place, order in enumerate(links.orders):
        newest = links.places.get(order.newest.id)
        if order.lineage is not None and newest is not None:
            revisions.setdefault(newest, []).append(place)
    return list(revisions.items())


def _read_lineages(_: State, links: _Links, data: Row) -> None:
    for newest, places in data:
        lineage = Lineage(links.orders[newest])
        lineage.live_fills = sum(links.orders[place].live_fills for place in places)
        for place in places:
            links.orders[place].lineage = lineage


def _write_books(state: State, links: _Links) -> object:
    return [[_queues(side, links) for side in (venue.book.bids, venue.book.asks)] for venue in state.venues.values()]


def _queues(side: BookSide, links: _Links) -> list[int]:
    """The places of the resting orders, best price first, oldest first."""
    places = links.places
    found: list[int] = []
    for level in side:
        order = level.first
        while order is not None:
            found.append(places[order.id])
            order = order.after
    return found


def _read_books(state: State, links: _Links, data: Row) -> None:
    for venue, sides in zip(state.venues.values(), data, strict=True):
        for side, places in zip((venue.book.bids, venue.book.asks), sides, strict=True):
            side.fill(map(links.orders.__getitem__, places))


def _write_slots(state: State, _: _Links) -> object:
    places: dict[str, int] = {}
    signers = [places.setdefault(signer, len(places)) for signer, _ in state.slots]
    uses = SLOTS.dump(list(state.slots.values()), {})
    refused = list(state.refused_amends.items())
    return list(places), signers, [slot for _, slot in state.slots], uses, list(state.early_amends.items()), refused


def _read_slots(state: State, _: _Links, data: Row) -> None:
    names, signers, slots, uses, early, refused = data
    state.early_amends = {(signer, slot): (generation, revision) for (signer, slot), (generation, revision) in early}
    state.refused_amends = dict(refused)
    state.slots = dict(zip(zip(map(names.__getitem__, signers), slots, strict=True), SLOTS.load(uses, {}), strict=True))


def _write_fills(state: State, links: _Links) -> object:
    fills = FILLS.dump(
        list(state.fills.values()),
        {"venue": lambda venue: venue.id, "taker": links.place, "maker": links.place, "status": str},
    )
    return fills, [fill.id for fill in state.queue], list(state.unsettled)


def _read_fills(state: State, links: _Links, data: Row) -> None:
    rows, queued, unsettled = data
    order_at = links.orders.__getitem__
    fills = FILLS.load(
        rows, {"venue": state.venues.__getitem__, "taker": order_at, "maker": order_at, "status": FillStatus}
    )
    state.fills = {fill.id: fill for fill in fills}
    for fill_id in queued:
        state.queue.add(state.fills[fill_id])
    for fill_id in unsettled:
        state.hold(state.fills[fill_id])


def _write_batches(state: State, _: _Links) -> object:
    return BATCHES.dump(list(state.batches.values()), {}), list(state.heads)


def _read_batches(state: State, _: _Links, data: Row) -> None:
    rows, heads = data
    for batch in BATCHES.load(rows, {"fill_ids": tuple}):
        state.batches[batch.number] = batch
    state.heads = dict.fromkeys(heads)


def _write_signers(state: State, _: _Links) -> object:
    signers = [sorted(table.items()) for table in (state.nonces, state.spent, state.key_reserved)]
    return [*signers, list(state.refused_withdrawals.items())]


def _read_signers(state: State, _: _Links, data: Row) -> None:
    nonces, spent, reserved, refused = data
    state.nonces = dict(nonces)
    state.spent = {(owner, key): amount for (owner, key), amount in spent}
    state.key_reserved = {(owner, key): amount for (owner, key), amount in reserved}
    state.refused_withdrawals = {(owner, nonce): (ms, deadline) for (owner, nonce), (ms, deadline) in refused}


def _write_timers(state: State, links: _Links) -> object:
    """Timers that can still do something. When others are swept out is nobody's business."""
    window = state.config.settle_window_s
    open_places = {order_id: place for order_id, place in links.places.items() if links.orders[place].is_live}
    return (
        _timers(state.expiries, [order.expiry - window for order in links.orders], open_places),
        _timers(state.forgettings, [order.expiry + 1 for order in links.orders], links.places),
    )


def _timers(
    timers: Iterable[tuple[int, int, bytes]], usual: Sequence[int], places: Mapping[bytes, int]
) -> tuple[bytes, object]:
    """A byte per order, 1 if it has its usual timer, and the others as (place, time)."""
    has_usual = bytearray(len(usual))
    others: set[tuple[int, int]] = set()
    for at_s, _, order_id in timers:
        if order_id in places:
            place = places[order_id]
            if at_s == usual[place]:
                has_usual[place] = 1
            else:
                others.add((place, at_s))
    return bytes(has_usual), sorted(others)


def _read_timers(state: State, links: _Links, data: Row) -> None:
    window = state.config.settle_window_s
    orders = links.orders
    (expiring, expiring_others), (forgotten, forgotten_others) = data
    state.expiries = [
        (order.expiry - window, order.placed, order.id) for order, has in zip(orders, expiring, strict=True) if has
    ]
    state.forgettings = [
        (order.expiry + 1, order.placed, order.id) for order, has in zip(orders, forgotten, strict=True) if has
    ]
    for heap, others in ((state.expiries, expiring_others), (state.forgettings, forgotten_others)):
        heap.extend((at_s, orders[place].placed, orders[place].id) for place, at_s in others)
        heapq.heapify(heap)


def _write_shadow(state: State, _: _Links) -> object:
    return state.shadow.time_s, sorted(state.shadow.pending.items())


def _read_shadow(state: State, _: _Links, data: Row) -> None:
    shadow = state.shadow
    shadow.ledger = state.chain.head.ledger
    shadow.time_s = data[0]
    shadow.pending = {(owner, subaccount): amount for (owner, subaccount), amount in data[1]}


_SECTIONS = (
    _Section(_write_clock, _read_clock),
    _Section(_write_chain, _read_chain),
    _Section(_write_venues, _read_venues),
    _Section(lambda state, _: list(state.accounts), _read_account_keys),
    _Section(_write_orders, _read_orders),
    _Section(_write_lineages, _read_lineages),
    _Section(_write_accounts, _read_accounts),
    _Section(_write_books, _read_books),
    _Section(_write_slots, _read_slots),
    _Section(_write_fills, _read_fills),
    _Section(_write_batches, _read_batches),
    _Section(_write_signers, _read_signers),
    _Section(_write_timers, _read_timers),
    _Section(_write_shadow, _read_shadow),
)
"""In this order, since orders need accounts and venues, and all else needs orders."""
