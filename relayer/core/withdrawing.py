# SPDX-License-Identifier: AGPL-3.0-only
"""Promising an instant withdrawal: the co-signature may be given once its amount has left free collateral."""

from __future__ import annotations

from ouro.units import from_micro, plain
from relayer.core.accounts import Reservation
from relayer.core.errors import RefusedError
from relayer.core.inputs import ReserveWithdrawal
from relayer.core.outputs import Ack
from relayer.core.state import State

MAX_AHEAD_S = 3600
MAX_PENDING = 32
"""Promises of a subaccount that have neither landed nor lapsed for good; each block walks them all."""


def reserve(state: State, item: ReserveWithdrawal) -> Ack:
    """Takes the amount out of free collateral until it lands on chain or its deadline has passed."""
    try:
        return _reserve(state, item)
    except RefusedError:
        _use_up(state, item)
        raise


def forget_refused(state: State) -> None:
    """Refused withdrawals whose deadline has passed are dead without being remembered."""
    refused, time_s = state.refused_withdrawals, state.time_s
    while refused and refused[first := next(iter(refused))][1] <= time_s:
        del refused[first]


def _use_up(state: State, item: ReserveWithdrawal) -> None:
    """The journal shows a refused withdrawal with its signature in time, and nobody may send it then: its nonce is used
    up, but for as long as it is secret.
    """
    if item.signer != item.account or not state.config.max_order_age_ms:
        return
    if state.time_s < item.deadline <= state.time_s + MAX_AHEAD_S:
        name = (item.account, item.nonce)
        first_ms, deadline = state.refused_withdrawals.get(name, (state.signing_ms, 0))
        state.refused_withdrawals[name] = (first_ms, max(deadline, item.deadline))


def _is_used_up(state: State, item: ReserveWithdrawal) -> bool:
    refused = state.refused_withdrawals.get((item.account, item.nonce))
    return refused is not None and state.signing_ms - refused[0] > state.config.max_order_age_ms


def _reserve(state: State, item: ReserveWithdrawal) -> Ack:
    if item.signer != item.account:
        raise RefusedError(
            401,
            "bad_signature",
            f"the withdrawal is signed by {item.signer}, not by its account {item.account}",
            "signature",
        )
    entry = state.account(item.account, item.subaccount)
    earlier = entry.reservations.get(item.nonce)
    if earlier is not None and (earlier.amount, earlier.to, earlier.deadline) == (item.amount, item.to, item.deadline):
        return Ack(input_seq=0, ok=True, http_status=200, seq=0)
    taken = (item.account, item.nonce) in state.chain.head.used_nonces
    if taken or (item.account, item.nonce) in state.reserved:
        raise RefusedError(
            409, "nonce_used", f"nonce {item.nonce} was already used by a withdrawal: use another one", "nonce"
        )
    if _is_used_up(state, item):
        raise RefusedError(
            409, "nonce_used", f"a withdrawal of nonce {item.nonce} was refused too long ago: use another one", "nonce"
        )
    if item.amount <= 0:
        raise RefusedError(400, "bad_amount", "the amount must be above zero", "amount")
    time_s = state.time_s
    if not time_s < item.deadline <= time_s + MAX_AHEAD_S:
        raise RefusedError(
            400,
            "bad_deadline",
            f"the deadline must be within the {MAX_AHEAD_S} s after {time_s} s: sign another one",
            "deadline",
        )
    if len(entry.reservations) >= MAX_PENDING:
        raise RefusedError(
            422,
            "too_many_withdrawals",
            f"{MAX_PENDING} co-signed withdrawals of this subaccount are still open: submit them, or wait until their "
            "deadlines are final",
            "nonce",
        )
    most = state.shadow.withdrawable(entry)
    if item.amount > most:
        raise RefusedError(
            422,
            "not_withdrawable",
            f"{plain(from_micro(item.amount))} USDC are asked, {plain(from_micro(most))} can be withdrawn now: cash "
            "less what positions and open orders need; cancel orders, close positions, or ask for less",
            "amount",
        )
    state.keep(entry)
    entry.reservations[item.nonce] = Reservation(item.amount, item.to, item.nonce, item.deadline)
    state.reserved[item.account, item.nonce] = entry
    state.shadow.pending[entry.key] = state.shadow.promised(entry) + item.amount
    return Ack(input_seq=0, ok=True, http_status=200, seq=0)
