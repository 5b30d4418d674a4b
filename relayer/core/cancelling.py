# SPDX-License-Identifier: AGPL-3.0-only
"""Cancels: one order, all of a subaccount or of a session key, the dead man's switch, and what the clock takes away."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from relayer.core.accounts import AccountEntry
from relayer.core.errors import RefusedError
from relayer.core.inputs import AnyCancel, Cancel, CancelAll, CancelAllAfter, CancelByClientId
from relayer.core.orders import LiveOrder
from relayer.core.outputs import Ack
from relayer.core.state import State

MAX_TIMEOUT_S = 24 * 3600


def cancel(state: State, item: Cancel) -> Ack:
    """Cancels one order for its signer or the owner of its account."""
    _use_nonce(state, item.signer, item.nonce)
    order = state.orders.get(item.order_id)
    if order is None or order.account.key != (item.account, item.subaccount):
        raise RefusedError(
            404,
            "order_not_found",
            f"subaccount {item.subaccount} of {item.account} has no order 0x{item.order_id.hex()}",
            "orderId",
        )
    return _cancel_one(state, order, item.signer, "orderId")


def cancel_by_client_id(state: State, item: CancelByClientId) -> Ack:
    """Cancels the order that has a client id, for its signer or the owner of its account."""
    _use_nonce(state, item.signer, item.nonce)
    entry = state.accounts.get((item.account, item.subaccount))
    order = None if entry is None else entry.client_ids.get(item.client_id)
    if order is None:
        raise RefusedError(
            404,
            "order_not_found",
            f"subaccount {item.subaccount} of {item.account} has no order with the clientId {item.client_id!r}",
            "clientId",
        )
    return _cancel_one(state, order, item.signer, "clientId")


def _cancel_one(state: State, order: LiveOrder, signer: str, param: str) -> Ack:
    if signer not in (order.signer, order.account.owner):
        raise _not_authorised(signer)
    if not order.is_live:
        raise RefusedError(
            409, "order_not_open", f"the order {order.hex_id} is {order.status}: there is nothing to cancel", param
        )
    state.cancel(order, "user_cancelled")
    return _answer([order], order)


def cancel_all(state: State, item: CancelAll) -> Ack:
    """Cancels every open order of a subaccount, in one market or in all; for a session key those that it signed."""
    _use_nonce(state, item.signer, item.nonce)
    _check_authority(state, item.account, item.signer)
    if item.market and all(venue.ticker != item.market for venue in state.venues.values()):
        raise RefusedError(
            404, "unknown_market", f"there is no market {item.market}: leave it empty for all markets", "market"
        )
    entry = state.accounts.get((item.account, item.subaccount))
    orders = [] if entry is None else _of_signer(entry, item.signer)
    orders = [order for order in orders if item.market in ("", order.venue.ticker)]
    _cancel_each(state, orders, "user_cancelled")
    return _answer(orders)


def cancel_all_after(state: State, item: CancelAllAfter) -> Ack:
    """Arms, renews or (timeout 0) disarms the switch that cancels what its signer could cancel when nobody renews it.

    A switch each for the owner and for every session key.
    """
    _use_nonce(state, item.signer, item.nonce)
    _check_authority(state, item.account, item.signer)
    if not 0 <= item.timeout_s <= MAX_TIMEOUT_S:
        raise RefusedError(
            400, "bad_timeout", f"timeoutSeconds must be from 0 (off) to {MAX_TIMEOUT_S}", "timeoutSeconds"
        )
    if (item.account, item.subaccount) not in state.chain.head.ledger.accounts:
        raise RefusedError(
            404,
            "unknown_account",
            f"subaccount {item.subaccount} of {item.account} has never had a deposit: there is nothing to guard",
            "subaccount",
        )
    entry = state.account(item.account, item.subaccount)
    state.keep(entry)
    if not item.timeout_s:
        entry.disarms.pop(item.signer, None)
        return _answer([])
    at_ms = state.now_ms + item.timeout_s * 1000
    if entry.disarms.get(item.signer) != at_ms:
        entry.disarms[item.signer] = at_ms
        heapq.heappush(state.disarms, (at_ms, entry.owner, entry.subaccount, item.signer))
    return _answer([])


def _of_signer(entry: AccountEntry, signer: str) -> list[LiveOrder]:
    """The open orders that a signer may cancel: the owner all, a session key its own."""
    return [order for order in entry.open_orders.values() if signer in (entry.owner, order.signer)]


def _check_authority(state: State, account: str, signer: str) -> None:
    if signer == account:
        return
    key = state.chain.head.keys.get((account, signer))
    if key is None or key.is_revoked:
        raise _not_authorised(signer)


def takes_away(state: State, item: AnyCancel) -> bool:
    """Whether a cancel would end an order. Changes nothing."""
    entry = state.accounts.get((item.account, item.subaccount))
    if entry is None or item.nonce <= state.nonces.get(item.signer, 0) or isinstance(item, CancelAllAfter):
        return False
    if isinstance(item, CancelAll):
        signer, market = item.signer, item.market
        return any(
            signer in (entry.owner, order.signer) and market in ("", order.venue.ticker)
            for order in entry.open_orders.values()
        )
    if isinstance(item, Cancel):
        named = entry.open_orders.get(item.order_id)
    else:
        known = entry.client_ids.get(item.client_id)
        named = None if known is None else entry.open_orders.get(known.id)
    return named is not None and item.signer in (entry.owner, named.signer)


def on_time(state: State) -> None:
    """What the passing of time does: switches fire, orders near their expiry leave, old orders are forgotten."""
    while state.disarms and state.disarms[0][0] <= state.now_ms:
        at_ms, owner, subaccount, signer = heapq.heappop(state.disarms)
        entry = state.accounts[owner, subaccount]
        if entry.disarms.get(signer) == at_ms:
            del entry.disarms[signer]
            _cancel_each(state, _of_signer(entry, signer), "cancel_all_after")
    state.sweep_timers()
    time_s = state.time_s
    while state.expiries and state.expiries[0][0] <= time_s:
        order = state.orders.get(heapq.heappop(state.expiries)[2])
        if order is not None and order.is_live:
            state.cancel(order, "expired")
    while state.forgettings and state.forgettings[0][0] <= time_s:
        _, placed, order_id = heapq.heappop(state.forgettings)
        order = state.orders.get(order_id)
        if order is None or (order.is_live and order.expiry >= time_s):
            continue
        if order.has_live_fills:
            # Its fills are not final yet: look again after another window.
            heapq.heappush(state.forgettings, (time_s + state.config.settle_window_s, placed, order_id))
            continue
        # Expired, or older than its slot's generation: it would be refused if it came again.
        del state.orders[order_id]
        if order.account.client_ids.get(order.client_id) is order:
            del order.account.client_ids[order.client_id]


def on_chain_cancels(state: State) -> None:
    """Honours stamps on chain at once: everything signed until the stamp leaves the book."""
    head = state.chain.head
    for order in [order for entry in state.accounts.values() for order in entry.open_orders.values()]:
        stamp = max(
            head.slot_stamps.get((order.signer, order.slot), 0),
            head.account_stamps.get(order.account.key, 0),
        )
        if order.generation <= stamp * 1000:
            state.cancel(order, "cancelled_on_chain")


def _cancel_each(state: State, orders: Iterable[LiveOrder], reason: str) -> None:
    for order in orders:
        state.cancel(order, reason)


def _use_nonce(state: State, signer: str, nonce: int) -> None:
    last = state.nonces.get(signer, 0)
    if nonce <= last:
        raise RefusedError(
            409,
            "stale_nonce",
            f"nonce {nonce} is not above {last}, the last one of this signer: use the time in milliseconds",
            "nonce",
        )
    # Keys cost nothing: only those whose commands could do something are remembered.
    if signer in state.chain.head.owners or signer in state.chain.head.key_signers:
        state.nonces[signer] = nonce


def _not_authorised(signer: str) -> RefusedError:
    return RefusedError(
        401,
        "not_authorised",
        f"{signer} may not cancel this: sign with the account's own key, or with the session key that signed the order",
        "signature",
    )


def _answer(cancelled: list[LiveOrder], order: LiveOrder | None = None) -> Ack:
    return Ack(
        input_seq=0,
        ok=True,
        http_status=200,
        seq=0,
        order_id="" if order is None else order.hex_id,
        client_id="" if order is None else order.client_id,
        order_status="" if order is None else order.status.value,
        filled=0 if order is None else order.filled,
        reason="" if order is None else order.reason,
        cancelled=tuple(each.hex_id for each in cancelled),
    )
