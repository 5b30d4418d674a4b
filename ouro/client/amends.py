# SPDX-License-Identifier: Apache-2.0
"""Changing an order in one step: the next revision is signed and takes the old one's place, or nothing changes."""

from __future__ import annotations

from typing import Any

import msgspec

from ouro.client.amounts import Amount, decimal_of, lots_of, price_of
from ouro.client.building import Conditions, SignedOrder, sign_message
from ouro.client.calls import Call, Flow, one
from ouro.client.models import PlacedOrder
from ouro.client.placing import in_base_asset
from ouro.client.session import Session


def build_amend(
    session: Session,
    signed: SignedOrder,
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
    or take-profit. `revision` is one more than that of the order, unless a refusal `stale_revision` has named another.

    `size` is the total, what is filled included. Raises `ValueError` as `build_limit_order` does.
    """
    config = yield from session.config()
    old = signed.order
    listed = config.market(old.market)
    changes: dict[str, Any] = {"revision": old.revision + 1 if revision is None else revision}
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
    order = msgspec.structs.replace(old, **changes)
    return (yield from sign_message(session, config, order, signed.client_id, Conditions(replaces=signed.id)))


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
    placed = yield from one(Call("PATCH", path, PlacedOrder, body=body))
    return (yield from in_base_asset(session, newer, placed))
