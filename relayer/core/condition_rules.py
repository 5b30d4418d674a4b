# SPDX-License-Identifier: AGPL-3.0-only
"""What orders with conditions must satisfy when they are placed; whatever depends on the market is asked when they
become live.
"""

from __future__ import annotations

from ouro.orders import Order, Trigger
from ouro.units import MAX_PRICE
from relayer.core.errors import RefusedError
from relayer.core.inputs import Place
from relayer.core.orders import LiveOrder
from relayer.core.state import State
from relayer.core.waiting import group_of

MAX_NAME = 64
MAX_GROUP = 10
"""Orders that one fill may end."""
MAX_CHILDREN = 10
MAX_AMENDS = 50
"""Amends of one order that may wait."""


def check_form(item: Place, order: Order, window_s: int) -> None:
    """Rules that need nothing but the order and what was asked beside it."""
    if (order.trigger is Trigger.NONE) != (order.trigger_price == 0) or order.trigger_price > MAX_PRICE:
        raise RefusedError(
            400,
            "bad_trigger",
            f"trigger {order.trigger} and triggerPrice {order.trigger_price} do not go together: NONE has price 0, "
            f"AT_OR_ABOVE and AT_OR_BELOW one from 1 to {MAX_PRICE}",
            "triggerPrice",
        )
    if order.is_one_shot and (
        order.trigger_price or item.immediate or item.not_before_ms or item.parent or item.oco or item.arm_price
    ):
        raise RefusedError(
            400,
            "conditional_one_shot",
            f"an {order.time_in_force} order cannot wait: a newer one of the same position would kill it on chain; "
            "sign GTT with a slot, and ask for immediate to trade at once or not at all",
            "timeInForce",
        )
    check_immediate(item.immediate, order.post_only)
    if len(item.oco) > MAX_NAME:
        raise RefusedError(400, "bad_oco", f"oco is longer than {MAX_NAME} characters", "oco")
    if item.not_before_ms and not 0 < item.not_before_ms < (order.expiry - window_s) * 1000:
        raise RefusedError(
            400,
            "bad_not_before",
            f"notBefore {item.not_before_ms} must be a time in milliseconds at least {window_s} s before the signed "
            f"expiry of {order.expiry} s",
            "notBefore",
        )
    if item.arm_price and not item.replaces:
        raise RefusedError(
            400,
            "arm_without_replaces",
            "armPrice says when an amend is carried out: name the order that it replaces",
            "armPrice",
        )
    if not 0 <= item.arm_price <= MAX_PRICE:
        raise RefusedError(400, "bad_arm_price", f"armPrice must be from 1 to {MAX_PRICE}", "armPrice")
    if item.parent and not order.reduce_only:
        raise RefusedError(
            400,
            "child_not_reduce_only",
            "an order that waits for a parent closes what the parent opened: sign it reduce-only",
            "reduceOnly",
        )


def check_immediate(immediate: bool, post_only: bool) -> None:
    """An order cannot be both."""
    if immediate and post_only:
        raise RefusedError(
            400, "post_only_immediate", "an immediate order takes liquidity, a post-only one never does", "postOnly"
        )


def arms_later(old: LiveOrder, new: LiveOrder) -> bool:
    """Whether an amend is to wait: for its arm price, or for the one before it."""
    if not new.arm_price:
        return False
    index_price = new.venue.index_price
    return old.amend_waits or not (index_price >= new.arm_price if new.sell else index_price <= new.arm_price)


def check_waiting_amend(old: LiveOrder, new: LiveOrder, expected_filled: int, state: State) -> None:
    """Rules on an amend that waits for the index price."""
    if expected_filled >= 0:
        raise RefusedError(
            400,
            "expected_filled_waits",
            "expectedFilled is asked now, an amend with an armPrice comes later: leave one of them out",
            "expectedFilled",
        )
    waiting = state.waiting.successors
    if old.id in waiting:
        raise RefusedError(
            409,
            "amend_waits",
            f"another amend of {old.hex_id} waits already: name {waiting[old.id].hex_id}, or cancel that one first",
            "replaces",
        )
    if old.amend_waits and (new.arm_price <= old.arm_price if new.sell else new.arm_price >= old.arm_price):
        raise RefusedError(
            400,
            "bad_arm_price",
            f"armPrice {new.arm_price} must be reached after {old.arm_price}, that of the amend before it: a "
            f"{'higher' if new.sell else 'lower'} one",
            "armPrice",
        )
    count, before = 1, old
    while before.amend_waits:
        count, before = count + 1, state.orders[before.replaces]
    if count > MAX_AMENDS:
        raise RefusedError(
            422, "too_many_amends", f"{MAX_AMENDS} amends of one order wait already: cancel some first", "replaces"
        )
    if len(new.account.open_orders) >= state.config.max_open_orders:
        raise RefusedError(
            422,
            "too_many_orders",
            f"the subaccount already has {len(new.account.open_orders)} open orders, amends in waiting among them: "
            "cancel some first",
            "account",
        )


def check_links(order: LiveOrder, state: State) -> None:
    """Rules on the orders that an order names."""
    if order.parent:
        _check_parent(order, state)
    if order.oco and len(state.waiting.groups.get(group_of(order), ())) >= MAX_GROUP:
        raise RefusedError(
            422, "oco_group_full", f"{MAX_GROUP} open orders already share the oco name {order.oco}", "oco"
        )


def _check_parent(order: LiveOrder, state: State) -> None:
    parent = state.orders.get(order.parent)
    hex_id = "0x" + order.parent.hex()
    if parent is None or parent.account is not order.account:
        raise RefusedError(
            404,
            "parent_not_found",
            f"this subaccount has no order {hex_id}: place the parent first",
            "parent",
        )
    if parent.venue is not order.venue or parent.sell == order.sell:
        raise RefusedError(
            400,
            "child_mismatch",
            f"the parent {hex_id} is a {'sell' if parent.sell else 'buy'} in {parent.venue.ticker}: sign the child for "
            "the other side of the same market",
            "parent",
        )
    if not parent.is_live and (not parent.filled or parent.reason == "replaced"):
        raise RefusedError(
            409,
            "parent_ended",
            f"the parent {hex_id} ended without a fill ({parent.reason}): there is nothing to close",
            "parent",
        )
    if len(state.waiting.children.get(order.parent, ())) >= MAX_CHILDREN:
        raise RefusedError(
            422, "too_many_children", f"{MAX_CHILDREN} orders already wait for the parent {hex_id}", "parent"
        )
