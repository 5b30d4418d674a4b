# SPDX-License-Identifier: Apache-2.0
"""Many signed orders in few requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from ouro.client.calls import Call, Flow, one
from ouro.client.errors import RefusedError, SlotTakenError, UnreachableError, refusal
from ouro.client.models import BatchAnswer, BatchItem, PlacedOrder
from ouro.client.session import Session
from ouro.client.trading import SignedOrder, sign_message
from ouro.orders import Order

MAX_BATCH = 50
"""Orders that one request takes."""

ATTEMPTS = 5

Outcome: TypeAlias = PlacedOrder | RefusedError
"""What became of one order of several: as the exchange took it, or its refusal (a value here, not raised)."""


def submit_batch(session: Session, orders: Sequence[SignedOrder]) -> Flow[tuple[Outcome, ...]]:
    """Send signed orders, 50 to a request; they are applied in this order. One that is refused stops no other.

    Raises `RefusedError` when a whole request is refused; those before it stand.
    """
    config = yield from session.config()
    outcomes: list[Outcome] = []
    for start in range(0, len(orders), MAX_BATCH):
        part = orders[start : start + MAX_BATCH]
        body = {"orders": [signed.body() for signed in part]}
        answer = yield from one(Call("POST", "/v4/orders/batch", BatchAnswer, body=body))
        if len(answer.results) != len(part):
            raise UnreachableError(f"the exchange answered {len(answer.results)} of {len(part)} orders")
        for signed, item in zip(part, answer.results, strict=True):
            market = config.market(signed.order.market)
            outcome = _outcome(item)
            if isinstance(outcome, PlacedOrder):
                # The relayer counts lots, people the base asset.
                outcome = msgspec.structs.replace(outcome, filled=market.size(int(outcome.filled)))
            outcomes.append(outcome)
    return tuple(outcomes)


def place_all(session: Session, orders: Sequence[SignedOrder]) -> Flow[tuple[Outcome, ...]]:
    """Send orders that do not name one another. Those whose slot is in use are signed again for another one, those that
    were signed too long ago (many may wait for their turn) anew.
    """
    config = yield from session.config()
    waiting = dict(enumerate(orders))
    outcomes: dict[int, Outcome] = {}
    for _ in range(ATTEMPTS):
        answers = yield from submit_batch(session, list(waiting.values()))
        taken: dict[int, SignedOrder] = {}
        for (place, signed), outcome in zip(waiting.items(), answers, strict=True):
            outcomes[place] = outcome
            slot = signed.order.slot
            if isinstance(outcome, SlotTakenError):
                slot = session.slots.draw(outcome.free_slots)
            if slot != signed.order.slot or _is_too_old(outcome):
                order = anew(signed.order, slot, session.clock.next())
                taken[place] = sign_message(session, config.order_domain(), order, signed.client_id, signed.conditions)
        waiting = taken
        if not waiting:
            break
    return tuple(outcomes[place] for place in range(len(orders)))


def place_chain(session: Session, orders: Sequence[SignedOrder]) -> Flow[tuple[Outcome, ...]]:
    """Send orders of which the later name earlier ones.

    Raises `RefusedError` when the first is refused: then nothing of it stands.
    """
    outcomes = yield from submit_batch(session, orders)
    if isinstance(outcomes[0], RefusedError):
        raise outcomes[0]
    return outcomes


def anew(order: Order, slot: int, generation: int) -> Order:
    """The same order signed at another time for another slot; it expires as much later."""
    later_s = generation // 1000 - order.generation // 1000
    return msgspec.structs.replace(order, slot=slot, generation=generation, expiry=order.expiry + later_s)


def _is_too_old(outcome: Outcome) -> bool:
    return isinstance(outcome, RefusedError) and outcome.error_code == "signed_too_long_ago"


def _outcome(item: BatchItem) -> Outcome:
    if item.status >= 400:
        return refusal(item.status, item.body)
    try:
        return msgspec.convert(item.body, PlacedOrder, strict=False)
    except msgspec.ValidationError as error:
        raise UnreachableError(f"the answer to an order of the batch has another shape: {error}") from None
