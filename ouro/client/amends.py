# SPDX-License-Identifier: Apache-2.0
"""Changing an order in one step: the next revision is signed and takes the old one's place, or nothing changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ouro.client.calls import Call, Flow, one
from ouro.client.models import PlacedOrder
from ouro.client.session import Session
from ouro.client.trading import Conditions, SignedOrder, decimal_of, sign_message


def build_amend(
    session: Session,
    signed: SignedOrder,
    *,
    size: Decimal | str | int | None = None,
    price: Decimal | str | int | None = None,
    post_only: bool | None = None,
    reduce_only: bool | None = None,
    max_fee_ppm: int | None = None,
    trigger_price: Decimal | str | int | None = None,
    revision: int | None = None,
) -> Flow[SignedOrder]:
    """Sign the next revision of an order without sending it; what is not given stays. `trigger_price` is that of a stop
    or take-profit. `revision` is one more than that of the order, unless a refusal `stale_revision` has named another.

    `size` is the total, what is filled included. Raises `ValueError` for a size that is not whole lots or a price that
    is not on the tick.
    """
    config = yield from session.config()
    old = signed.order
    listed = config.market(old.market)
    changes: dict[str, Any] = {"revision": old.revision + 1 if revision is None else revision}
    if size is not None:
        changes["size"] = listed.lots(decimal_of(size, "size"))
    if price is not None:
        changes["limit_price"] = listed.price_units(decimal_of(price, "price"))
        if changes["limit_price"] % listed.tick:
            raise ValueError(f"the price of {listed.ticker} moves in steps of {format(listed.price(listed.tick), 'f')}")
    if trigger_price is not None:
        if not old.trigger_price:
            raise ValueError("the order has no trigger that could move")
        changes["trigger_price"] = listed.price_units(decimal_of(trigger_price, "trigger_price"))
    others = {"post_only": post_only, "reduce_only": reduce_only, "max_fee_ppm": max_fee_ppm}
    changes |= {name: value for name, value in others.items() if value is not None}
    order = msgspec.structs.replace(old, **changes)
    return sign_message(session, config.order_domain(), order, signed.client_id, Conditions(replaces=signed.id))


def submit_amend(
    session: Session, newer: SignedOrder, *, expected_filled: Decimal | str | int | None = None
) -> Flow[PlacedOrder]:
    """Send what `build_amend` signed. With `expected_filled` (base asset) it is refused, as a `ConflictError`, when the
    old order has filled another amount by then.
    """
    config = yield from session.config()
    listed = config.market(newer.order.market)
    body = newer.signed_body()
    if expected_filled is not None:
        wanted = decimal_of(expected_filled, "expected_filled")
        body["expectedFilled"] = str(listed.lots(wanted)) if wanted else "0"
    path = f"/v4/orders/{newer.conditions.replaces}"
    placed = yield from one(Call("PATCH", path, PlacedOrder, body=body))
    # The relayer counts lots, people the base asset.
    return msgspec.structs.replace(placed, filled=listed.size(int(placed.filled)))
