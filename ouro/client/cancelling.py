# SPDX-License-Identifier: Apache-2.0
"""Cancels at the relayer. They bind an honest operator; those of `chain` bind everyone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from ouro.client.calls import Call, Flow, one
from ouro.client.errors import ConflictError, RefusedError, UnreachableError, refusal
from ouro.client.models import Acknowledged, BatchAnswer
from ouro.client.placing import MAX_BATCH
from ouro.client.session import Session

ATTEMPTS = 5
"""How often a command is signed with a newer nonce."""

CancelOutcome: TypeAlias = Acknowledged | RefusedError
"""What became of one cancel of several: a refusal is a value here, not raised."""


def cancel(session: Session, order_id: str, *, subaccount: int = 0) -> Flow[Acknowledged]:
    """Cancel one resting or waiting order. Binds an honest operator; `chain.cancel_slot` binds everyone."""
    message = {"account": session.address, "subaccount": subaccount, "orderId": order_id}
    return (yield from _signed_command(session, "DELETE", f"/v4/orders/{order_id}", "cancel", "CancelOrder", message))


def cancel_by_client_id(session: Session, client_id: str, *, subaccount: int = 0) -> Flow[Acknowledged]:
    """Cancel the order that has this client id, as `cancel` does."""
    message = {"account": session.address, "subaccount": subaccount, "clientId": client_id}
    key, primary_type = "cancelByClientId", "CancelByClientId"
    return (yield from _signed_command(session, "DELETE", "/v4/orders", key, primary_type, message))


def cancel_batch(session: Session, order_ids: Sequence[str], *, subaccount: int = 0) -> Flow[tuple[CancelOutcome, ...]]:
    """Cancel several orders, 50 to a request. One that is refused (it has ended, say) stops no other."""
    config = yield from session.config()
    outcomes: list[CancelOutcome] = []
    for start in range(0, len(order_ids), MAX_BATCH):
        bodies: list[dict[str, Any]] = []
        for order_id in order_ids[start : start + MAX_BATCH]:
            message = {
                "account": session.address,
                "subaccount": subaccount,
                "orderId": order_id,
                "nonce": session.clock.next(),
            }
            signature = yield from session.sign(config.order_domain(), "CancelOrder", message)
            bodies.append({"cancel": message, "signature": signature})
        answer = yield from one(Call("DELETE", "/v4/orders/batch", BatchAnswer, body={"cancels": bodies}))
        if len(answer.results) != len(bodies):
            raise UnreachableError(f"the exchange answered {len(answer.results)} of {len(bodies)} cancels")
        for item in answer.results:
            if item.status >= 400:
                outcomes.append(refusal(item.status, item.body))
            else:
                outcomes.append(msgspec.convert(item.body, Acknowledged, strict=False))
    return tuple(outcomes)


def cancel_all(session: Session, market: str | None = None, *, subaccount: int = 0) -> Flow[Acknowledged]:
    """Cancel every order of a subaccount, or those in one market; with a session key those that it signed."""
    ticker = ""
    if market:
        config = yield from session.config()
        ticker = config.market(market).ticker
    message = {"account": session.address, "subaccount": subaccount, "market": ticker}
    return (yield from _signed_command(session, "DELETE", "/v4/orders", "cancelAll", "CancelAll", message))


def cancel_all_after(session: Session, timeout_seconds: int, *, subaccount: int = 0) -> Flow[Acknowledged]:
    """Arm a dead man's switch: every order is cancelled after `timeout_seconds` unless armed again; 0 disarms."""
    message = {"account": session.address, "subaccount": subaccount, "timeoutSeconds": timeout_seconds}
    path = "/v4/orders/cancelAllAfter"
    return (yield from _signed_command(session, "POST", path, "cancelAllAfter", "CancelAllAfter", message))


def _signed_command(
    session: Session, method: str, path: str, key: str, primary_type: str, message: dict[str, Any]
) -> Flow[Acknowledged]:
    """Sign and send a relayer command; takes a newer nonce when another process with the same key was ahead."""
    config = yield from session.config()
    for attempt in range(ATTEMPTS):
        numbered = {**message, "nonce": session.clock.next()}
        signature = yield from session.sign(config.order_domain(), primary_type, numbered)
        call = Call(method, path, Acknowledged, body={key: numbered, "signature": signature})
        try:
            return (yield from one(call))
        except ConflictError as refused:
            if refused.code != "stale_nonce" or attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")
