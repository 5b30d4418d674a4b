# SPDX-License-Identifier: Apache-2.0
"""Changing an order in one step: the next revision is signed and takes the old one's place, or nothing changes."""

from __future__ import annotations

from typing import Any

import msgspec

from ouro.client.amounts import Amount, decimal_of, lots_of, price_of
from ouro.client.building import DEFAULT_MAX_FEE_PPM, Conditions, SignedOrder, sign_message
from ouro.client.calls import Call, Flow, one
from ouro.client.errors import RefusedError
from ouro.client.models import PlacedOrder
from ouro.client.order_reads import get_order
from ouro.client.placing import in_base_asset
from ouro.client.session import Session
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger


def build_amend(
    session: Session,
    order: SignedOrder | str,
    *,
    size: Amount | None = None,
    price: Amount | None = None,
    post_only: bool | None = None,
    reduce_only: bool | None = None,
    max_fee_ppm: int | None = None,
    trigger_price: Amount | None = None,
    revision: int | None = None,
) -> Flow[SignedOrder]:
    """Sign the next revision of an order without sending it; what is not given stays. `trigger_price` is that of a stop
    or take-profit. `revision` is one more than that of the order and of what was refused to this client, unless
    a refusal `stale_revision` has named another (`nextRevision`).
    `size` is the total, what is filled included. Raises `ValueError` as `build_limit_order` does.

    `order` is what was signed, or the id of an order that the exchange shows: of these nobody knows fee cap and
    referrer, so they are the usual cap (unless given) and nobody.
    """
    config = yield from session.config()
    signed = (yield from _as_signed(session, order)) if isinstance(order, str) else order
    old = signed.order
    listed = config.market(old.market)
    changes: dict[str, Any] = {"revision": session.next_revision(old) if revision is None else revision}
    if size is not None:
        changes["size"] = lots_of(session, listed, size)
    if price is not None:
        changes["limit_price"] = price_of(session, listed, old.side, price)
    if trigger_price is not None:
        if not old.trigger_price:
            raise ValueError("the order has no trigger that could move")
        changes["trigger_price"] = price_of(session, listed, old.side, trigger_price, "trigger_price")
    others = {"post_only": post_only, "reduce_only": reduce_only, "max_fee_ppm": max_fee_ppm}
    changes |= {name: value for name, value in others.items() if value is not None}
    newer = msgspec.structs.replace(old, **changes)
    return (yield from sign_message(session, config, newer, signed.client_id, Conditions(replaces=signed.id)))


def _as_signed(session: Session, order_id: str) -> Flow[SignedOrder]:
    """An order of the client's own as it was signed, as far as the exchange shows it, without the signature."""
    config = yield from session.config()
    shown = yield from get_order(session, order_id)
    listed = config.market(shown.ticker)
    if shown.good_til_block_time is None or not shown.slot:
        raise ValueError("this order cannot be amended: it trades at once or never")
    order = Order(
        market=listed.ticker,
        side=Side(shown.side),
        size=listed.lots(shown.size),
        limit_price=listed.price_units(shown.price),
        time_in_force=TimeInForce(shown.time_in_force),
        post_only=shown.post_only,
        reduce_only=shown.reduce_only,
        trigger=Trigger(shown.trigger),
        trigger_price=listed.price_units(shown.trigger_price) if shown.trigger_price else 0,
        max_fee_ppm=DEFAULT_MAX_FEE_PPM,
        expiry=int(shown.good_til_block_time.timestamp()),
        account=session.address,
        subaccount=shown.subaccount_number,
        self_trade=SelfTrade(shown.self_trade),
        slot=shown.slot,
        generation=shown.generation,
        revision=shown.revision,
        referrer=0,
    )
    return SignedOrder(order, "", order_id, shown.client_id)


def submit_amend(session: Session, newer: SignedOrder, *, expected_filled: Amount | None = None) -> Flow[PlacedOrder]:
    """Send what `build_amend` signed. With `expected_filled` (base asset) it is refused, as a `ConflictError`, when the
    old order has filled another amount by then.
    """
    config = yield from session.config()
    body = newer.signed_body()
    if expected_filled is not None:
        wanted = decimal_of(expected_filled, "expected_filled")
        body["expectedFilled"] = str(config.market(newer.order.market).lots(wanted)) if wanted else "0"
    path = f"/v4/orders/{newer.conditions.replaces}"
    try:
        placed = yield from one(Call("PATCH", path, PlacedOrder, body=body))
    except RefusedError as refused:
        # The exchange has published it in time, and so takes that revision from nobody any more.
        told = int(refused.body.get("nextRevision") or 0) - 1
        session.use_revision(newer.order, max(newer.order.revision, told))
        raise
    return (yield from in_base_asset(session, newer, placed))
