# SPDX-License-Identifier: AGPL-3.0-only
"""Amending: a newer revision takes the place of an order that rests or waits at once, or nothing changes.

On chain an amend is an order like any other, in the slot of the one before, of the same generation: its size is the
total of all revisions, and their fills count. So here too: it takes over what is filled, settled or not, and a fill of
an earlier revision that is undone later gives its lots to the newest. Conditions that it does not name stay.
"""

from __future__ import annotations

from collections.abc import Callable

from ouro.orders import Order
from relayer.core import condition_rules, conditional, rules
from relayer.core.errors import RefusedError
from relayer.core.inputs import Place
from relayer.core.orders import LiveOrder, Status
from relayer.core.state import State
from relayer.core.waiting import Stage

REPLACED = "replaced"

Enter = Callable[[State, LiveOrder], None]


def amend(state: State, new: LiveOrder, expected_filled: int, enter: Enter) -> None:
    """Replaces an order; `enter` is the ordinary path into the book. Raises RefusedError with all as it was."""
    old = find(state, new)
    _check_revision(state, old, new)
    if condition_rules.arms_later(old, new):
        condition_rules.check_waiting_amend(old, new, expected_filled, state)
        rules.check_key(new, state)
        rules.check_to_wait(new, state)
        wait_to_amend(state, old, new)
        return
    if old.amend_waits:
        raise RefusedError(
            409,
            "amend_waits",
            f"the order {old.hex_id} is itself an amend in waiting: cancel it and sign another one",
            "replaces",
        )
    _check_expected(old, expected_filled)
    _amend_now(state, old, new, enter)


def wait_to_amend(state: State, old: LiveOrder, new: LiveOrder) -> None:
    """Files an amend that is to be carried out once the index price has reached its arm price. It ends when the order
    that it amends does.
    """
    new.amend_waits = True
    state.remember(new)
    conditional.wait_hidden(state, new)
    if not old.trails:
        old.trails = True
        state.recorder.order(old)


def carry_out(state: State, new: LiveOrder, enter: Enter) -> None:
    """Carries out an amend that has waited; one that is refused now ends with that reason, and those after it too."""
    waiting = state.waiting
    waiting.unlink(new)
    new.amend_waits = False
    new.status = Status.OPEN
    del new.account.open_orders[new.id]
    try:
        _amend_now(state, find(state, new), new, enter)
    except RefusedError as refusal:
        if refusal.code == "settlement_backlog":
            new.amend_waits = True
            state.wait(new, Stage.BACKLOG)
        else:
            state.cancel(new, refusal.code)
        return
    successor = waiting.successors.get(new.id)
    if successor is not None:
        conditional.advance(state, successor)


def _amend_now(state: State, old: LiveOrder, new: LiveOrder, enter: Enter) -> None:
    inherit(state, old, new)
    if old.level is not None:
        state.set_aside(old)
    try:
        _check(state, old, new)
    finally:
        if old.level is not None:
            state.take_back(old)
    replace(state, old, new, enter)


def find(state: State, new: LiveOrder) -> LiveOrder:
    """The order that an amend replaces. Raises RefusedError if there is none that it may."""
    old = state.orders.get(new.replaces)
    name = "0x" + new.replaces.hex()
    if old is None or old.account.key != new.account.key:
        raise RefusedError(404, "order_not_found", f"the subaccount has no order {name} to amend", "replaces")
    if not old.is_live:
        newest = old.newest
        is_known = newest is not old and newest.id in state.orders
        now = f"was replaced by {newest.hex_id}: amend that one" if is_known else f"is {old.status}"
        raise RefusedError(409, "order_not_open", f"the order {name} {now}", "replaces")
    for field, is_same in (
        ("signature", new.signer == old.signer),
        ("market", new.venue is old.venue),
        ("side", new.sell == old.sell),
        ("timeInForce", not new.one_shot),
        ("slot", new.slot == old.slot),
        ("generation", new.generation == old.generation),
        ("parent", new.parent in (b"", old.parent)),
        ("oco", new.oco in ("", old.oco)),
    ):
        if not is_same:
            raise RefusedError(
                422,
                "amend_mismatch",
                f"{field} is another than that of {name}: an amend keeps signer, market, side, timeInForce GTT, slot, "
                "generation, parent and oco; cancel and place anew to change these",
                field,
            )
    return old


def use_up(state: State, item: Place, order: Order) -> None:
    """A refused amend has used up its revision: the journal shows it with its signature in time, and nobody may send it
    again. One that came before the order which it amends does so for when that one comes. Until it may be published the
    very same amend gets another chance. What is signed does not say what is amended, so that a revision above 0 without
    `replaces` counts as well.
    """
    if not state.config.max_order_age_ms or item.order_id in state.orders or order.is_one_shot:
        return
    if not rules.may_sign(order, state, item.signer):
        return
    state.refused_amends.setdefault(item.order_id, state.signing_ms)
    name = (item.signer, order.slot)
    use = state.slots.get(name)
    if use is not None and order.generation <= use.generation:
        if order.generation == use.generation:
            use.revision = max(use.revision, order.revision)
    elif _may_come(state, order.generation) and order.generation <= state.now_ms + rules.MAX_SIGNED_AHEAD_MS:
        # The largest of several generations: for which of them a revision was used up is not worth remembering.
        generation, revision = state.early_amends.pop(name, (0, 0))
        state.early_amends[name] = (max(generation, order.generation), max(revision, order.revision))


def forget_refused(state: State) -> None:
    """Amends that were refused so long ago that they may be published soon get no other chance, and those whose order
    comes no more are forgotten.
    """
    refused, most = state.refused_amends, state.config.max_order_age_ms
    while refused and state.signing_ms - refused[first := next(iter(refused))] > most:
        del refused[first]
    early = state.early_amends
    while early and not _may_come(state, early[name := next(iter(early))][0]):
        del early[name]


def _may_come(state: State, generation: int) -> bool:
    """Whether a new order that was signed then is not yet too old."""
    return state.signing_ms - generation <= state.config.max_order_age_ms


def _check_revision(state: State, old: LiveOrder, new: LiveOrder) -> None:
    """Above that of the order, and above those of amends that have ended or were refused: whoever has seen one could
    send it again.
    """
    newest = old.revision
    if new.id not in state.refused_amends:
        newest = max(newest, state.slots[old.signer, old.slot].revision)
    if new.revision <= newest:
        raise RefusedError(
            409,
            "stale_revision",
            f"revision {new.revision} is not above {newest}, the newest of {old.hex_id}: sign {newest + 1}",
            "revision",
            next_revision=newest + 1,
        )


def inherit(state: State, old: LiveOrder, new: LiveOrder) -> None:
    """Gives the new order what it takes over. Raises RefusedError when that leaves nothing of its size."""
    new.client_id = new.client_id or old.client_id
    new.filled = old.filled
    new.oco, new.immediate = old.oco, new.immediate or old.immediate
    condition_rules.check_immediate(new.immediate, new.post_only)
    new.not_before_ms = new.not_before_ms or old.not_before_ms
    new.parent, new.parent_met = old.parent, old.parent_met
    parent = state.orders.get(new.parent)
    if parent is None:
        new.withheld = old.withheld
    else:
        # What the parent leaves room for goes by the new size; what else was withheld stays so.
        new.withheld = max(0, old.withheld - conditional.beyond_parent(old, parent))
        conditional.attach(state, new)
    if not new.remaining:
        withheld = f" ({new.withheld} of them withheld without a fill)" if new.withheld else ""
        raise RefusedError(
            422,
            "amend_below_filled",
            f"size {new.size} is the total of all revisions, of which {new.filled + new.withheld} lots are taken"
            f"{withheld}: sign more than that, or cancel the order",
            "size",
            filled=old.filled,
        )


def replace(state: State, old: LiveOrder, new: LiveOrder, enter: Enter) -> None:
    """Carries out an amend that the rules let through."""
    waits = conditional.must_wait(state, new)
    keeps = not waits and keeps_place(old, new)
    new.succeed(old)
    if new.placed:
        state.occupy(new)
    else:
        state.remember(new)
    if keeps and (not new.reduce_only or state.fit_to_position(new)):
        new.hidden = False
        state.replace(old, new)
        state.close(old, Status.CANCELED, REPLACED)
        _adopt(state, old, new)
        state.recorder.order(new)
        return
    state.close(old, Status.CANCELED, REPLACED)
    _adopt(state, old, new)
    if not waits:
        enter(state, new)
    else:
        conditional.wait_hidden(state, new)


def _adopt(state: State, old: LiveOrder, new: LiveOrder) -> None:
    for child in state.waiting.adopt(old, new):
        state.recorder.order(child)


def keeps_place(old: LiveOrder, new: LiveOrder) -> bool:
    """Whether whoever stands behind loses nothing if the new one takes the old one's place."""
    return (
        old.level is not None
        and new.limit_price == old.limit_price
        and new.size <= old.size
        and not new.immediate
        and (new.self_trade, new.referrer, new.max_fee_ppm) == (old.self_trade, old.referrer, old.max_fee_ppm)
        and (new.trigger, new.trigger_price) == (old.trigger, old.trigger_price)
    )


def _check_expected(old: LiveOrder, expected_filled: int) -> None:
    if expected_filled not in (-1, old.filled):
        raise RefusedError(
            409,
            "filled_changed",
            f"the order {old.hex_id} has filled {old.filled} lots, not {expected_filled}: look at it and sign again",
            "expectedFilled",
            filled=old.filled,
        )


def _check(state: State, old: LiveOrder, new: LiveOrder) -> None:
    """The rules of placing, while nothing of the old order counts."""
    rules.check_key(new, state)
    rules.check_slot(new, state)
    rules.check_count(new, state)
    if conditional.must_wait(state, new):
        rules.check_to_wait(new, state)
        return
    rules.check_budget(new, state)
    rules.check_market(new, state)
    if keeps_place(old, new) and new.reduce_only == old.reduce_only:
        # It asks for nothing that the old one has not got.
        rules.check_least_size(new, state)
    else:
        rules.check_account(new, state)
