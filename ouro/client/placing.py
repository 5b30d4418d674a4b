# SPDX-License-Identifier: Apache-2.0
"""Sending orders, alone and in batches, and waiting for what becomes of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeAlias, Unpack

import msgspec

from ouro.client.account_reads import fills, positions
from ouro.client.amounts import Amount, decimal_of
from ouro.client.building import (
    DEFAULT_SLIPPAGE,
    OrderOptions,
    SignedOrder,
    build_limit_order,
    build_market_order,
    build_stop_limit,
    build_stop_market,
    build_take_profit_limit,
    build_take_profit_market,
    sign_message,
)
from ouro.client.calls import Call, Flow, Pause, one
from ouro.client.errors import (
    NoPositionError,
    NotFilledError,
    NotFoundError,
    RefusedError,
    SlotTakenError,
    UnreachableError,
    refusal,
)
from ouro.client.models import BatchAnswer, BatchItem, OrderRecord, PlacedOrder, Verification
from ouro.client.order_reads import get_order
from ouro.client.session import Session
from ouro.orders import Side

P = ParamSpec("P")

MAX_BATCH = 50
"""Orders that one request takes."""

ATTEMPTS = 2
"""How often an order is signed, when its slot was in use or it came too late. Each signature is good on chain, and only
the exchange knows whether it had to refuse the first: more would let it settle one order many times over.
"""

POLL_S = 0.25

Outcome: TypeAlias = PlacedOrder | RefusedError
"""What became of one order of several: as the exchange took it, or its refusal (a value here, not raised)."""


def submit(session: Session, signed: SignedOrder) -> Flow[PlacedOrder]:
    """Send a signed order. Sending the same one again is harmless: the exchange knows it by its id."""
    placed = yield from one(Call("POST", "/v4/orders", PlacedOrder, body=signed.body()))
    return (yield from in_base_asset(session, signed, placed))


def in_base_asset(session: Session, signed: SignedOrder, placed: PlacedOrder) -> Flow[PlacedOrder]:
    """The relayer counts lots, people the base asset."""
    config = yield from session.config()
    return msgspec.structs.replace(placed, filled=config.market(signed.order.market).size(int(placed.filled)))


def _placed(
    build: Callable[Concatenate[Session, P], Flow[SignedOrder]],
) -> Callable[Concatenate[Session, P], Flow[PlacedOrder]]:
    """Sign and send what `build` signs; signed again for another slot while the drawn one is in use."""

    @functools.wraps(build)
    def place(session: Session, /, *args: P.args, **options: P.kwargs) -> Flow[PlacedOrder]:
        signed = yield from build(session, *args, **options)
        for _ in range(ATTEMPTS - 1):
            try:
                return (yield from submit(session, signed))
            except SlotTakenError as refused:
                if not signed.order.slot:
                    raise
                signed = yield from for_another_slot(session, signed, refused)
        return (yield from submit(session, signed))

    place.__name__ = build.__name__.replace("build_", "place_")
    first, _, rest = (build.__doc__ or "").partition("\n")
    place.__doc__ = f"{first.replace(' without sending it', '').replace('Sign ', 'Sign and send ', 1)}\n{rest}"
    signature = inspect.signature(build).replace(return_annotation="Flow[PlacedOrder]")
    place.__signature__ = signature  # type: ignore[attr-defined]
    return place


place_limit_order = _placed(build_limit_order)
place_market_order = _placed(build_market_order)
place_stop_limit = _placed(build_stop_limit)
place_stop_market = _placed(build_stop_market)
place_take_profit_limit = _placed(build_take_profit_limit)
place_take_profit_market = _placed(build_take_profit_market)


def close_position(
    session: Session,
    market: str,
    size: Amount | None = None,
    max_slippage: Amount = DEFAULT_SLIPPAGE,
    **options: Unpack[OrderOptions],
) -> Flow[PlacedOrder]:
    """Close the settled position in a market, or `size` of it, by a reduce-only market order. Raises `NoPositionError`
    when there is none, `RefusedError` when the exchange says no.
    """
    held = yield from positions(session, subaccount=options.get("subaccount", 0))
    found = next((position for position in held if position.market == market.upper()), None)
    if found is None:
        raise NoPositionError(f"there is no open position in {market.upper()}")
    side = Side.SELL if found.size > 0 else Side.BUY
    wanted = abs(found.size) if size is None else min(decimal_of(size, "size"), abs(found.size))
    options["reduce_only"] = True
    return (yield from place_market_order(session, market, side, wanted, max_slippage, **options))


def verify(_session: Session, signed: SignedOrder) -> Flow[Verification]:
    """Ask the exchange whom it recovers from the signature and which digest it expects. Places nothing."""
    return (yield from one(Call("POST", "/v4/orders/verify", Verification, body=signed.signed_body())))


def wait_for_fill(
    session: Session, order_id: str, *, timeout_seconds: float = 30, settled: bool = False
) -> Flow[OrderRecord]:
    """Wait until an order is filled whole, with `settled` also until all of it is on chain. The order as it is then.

    Raises `NotFilledError` (with the order) when it ends before, or the time is over.
    """
    found: OrderRecord | None = None
    waited = 0.0
    while True:
        try:
            found = yield from get_order(session, order_id)
        except NotFoundError:
            found = None  # not shown yet, or waiting for its trigger
        if found is not None and found.status == "FILLED":
            if not settled or (yield from _is_settled(session, found)):
                return found
        elif found is not None and found.status == "CANCELED":
            raise NotFilledError(
                f"the order ended with {found.total_filled} of {found.size} filled ({found.removal_reason})", found
            )
        if waited >= timeout_seconds:
            state = "not shown yet" if found is None else f"{found.status}, {found.total_filled} filled"
            raise NotFilledError(f"the order is not filled after {timeout_seconds:g} s: it is {state}", found)
        yield Pause(POLL_S)
        waited += POLL_S


def _is_settled(session: Session, filled: OrderRecord) -> Flow[bool]:
    address = filled.subaccount_id.partition("/")[0] or session.address
    found = yield from fills(session, address=address, subaccount=filled.subaccount_number, market=filled.ticker)
    return sum(fill.size for fill in found if fill.order_id == filled.id) >= filled.size


def submit_batch(session: Session, orders: Sequence[SignedOrder]) -> Flow[tuple[Outcome, ...]]:
    """Send signed orders, 50 to a request; they are applied in this order. One that is refused stops no other.

    Raises `RefusedError` when a whole request is refused; those before it stand.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(orders), MAX_BATCH):
        part = orders[start : start + MAX_BATCH]
        body = {"orders": [signed.body() for signed in part]}
        answer = yield from one(Call("POST", "/v4/orders/batch", BatchAnswer, body=body))
        if len(answer.results) != len(part):
            raise UnreachableError(f"the exchange answered {len(answer.results)} of {len(part)} orders")
        for signed, item in zip(part, answer.results, strict=True):
            outcome = _outcome(item)
            if isinstance(outcome, PlacedOrder):
                outcome = yield from in_base_asset(session, signed, outcome)
            outcomes.append(outcome)
    return tuple(outcomes)


def place_all(session: Session, orders: Sequence[SignedOrder]) -> Flow[tuple[Outcome, ...]]:
    """Send orders that do not name one another. Those whose slot is in use are signed again for another one, those that
    were signed too long ago (many may wait for their turn) anew.
    """
    waiting = dict(enumerate(orders))
    outcomes: dict[int, Outcome] = {}
    for _ in range(ATTEMPTS):
        answers = yield from submit_batch(session, list(waiting.values()))
        taken: dict[int, SignedOrder] = {}
        for (place, signed), outcome in zip(waiting.items(), answers, strict=True):
            outcomes[place] = outcome
            if isinstance(outcome, SlotTakenError) and signed.order.slot:
                taken[place] = yield from for_another_slot(session, signed, outcome)
            elif isinstance(outcome, RefusedError) and outcome.code == "signed_too_long_ago":
                taken[place] = yield from signed_anew(session, signed, signed.order.slot)
        waiting = taken
        if not waiting:
            break
    return tuple(outcomes[place] for place in range(len(orders)))


def place_chain(
    session: Session, build: Callable[[], Flow[Sequence[SignedOrder]]]
) -> Flow[tuple[PlacedOrder, tuple[Outcome, ...]]]:
    """Sign and send orders of which the later name earlier ones: what became of the first, and of the others.

    All are built anew while the first one's slot is in use. Raises `RefusedError` when the first is refused: then
    nothing of it stands.
    """
    for attempt in range(ATTEMPTS):
        first, *others = yield from submit_batch(session, (yield from build()))
        if isinstance(first, PlacedOrder):
            return first, tuple(others)
        if not isinstance(first, SlotTakenError) or attempt + 1 == ATTEMPTS:
            raise first
    raise AssertionError("unreachable: the last attempt returns or raises")


def for_another_slot(session: Session, signed: SignedOrder, refused: SlotTakenError) -> Flow[SignedOrder]:
    """The same order signed for a slot that is free."""
    return (yield from signed_anew(session, signed, session.slots.draw(refused.free_slots)))


def signed_anew(session: Session, signed: SignedOrder, slot: int) -> Flow[SignedOrder]:
    """The same order signed at another time; it expires as much later."""
    config = yield from session.config()
    old, generation = signed.order, session.clock.next()
    later_s = generation // 1000 - old.generation // 1000
    order = msgspec.structs.replace(old, slot=slot, generation=generation, expiry=old.expiry + later_s)
    return (yield from sign_message(session, config, order, signed.client_id, signed.conditions))


def _outcome(item: BatchItem) -> Outcome:
    if item.status >= 400:
        return refusal(item.status, item.body)
    try:
        return msgspec.convert(item.body, PlacedOrder, strict=False)
    except msgspec.ValidationError as error:
        raise UnreachableError(f"the answer to an order of the batch has another shape: {error}") from None
