# SPDX-License-Identifier: Apache-2.0
"""Reads about orders, and the owner's proof that lets one see one's waiting orders."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ouro.client.calls import Call, Flow, one, query
from ouro.client.models import OrderRecord
from ouro.client.session import Session
from ouro.client.signers import CallbackSigner
from ouro.reading import HEADER, ReadProof

PROOF_GOOD_FOR_S = 3_600


def list_orders(
    session: Session,
    *,
    address: str | None = None,
    subaccount: int = 0,
    market: str | None = None,
    status: str | Sequence[str] | None = None,
    side: str | None = None,
    client_id: str | None = None,
    limit: int | None = None,
    at_seq: int | None = None,
) -> Flow[list[OrderRecord]]:
    """Orders of a subaccount, newest first; `status` is one or more of OPEN, FILLED, CANCELED, UNTRIGGERED.

    Of the client's own account these are all of them, also those that wait and were never live; of another account only
    what everybody may see. `at_seq` makes it wait until that record is applied.
    """
    whose = session.address_or(address)
    parameters = query(
        {
            "address": whose,
            "subaccountNumber": subaccount,
            "ticker": market.upper() if market else None,
            "status": status,
            "side": side.upper() if side else None,
            "clientId": client_id,
            "limit": limit,
            "atSeq": at_seq,
        }
    )
    headers = yield from _proven(session, whose)
    return (yield from one(Call("GET", "/v4/orders", list[OrderRecord], parameters, headers=headers)))


def get_order(session: Session, order_id: str, *, at_seq: int | None = None) -> Flow[OrderRecord]:
    """One order by its id, if everybody may see it or it is the client's own. Raises `NotFoundError`."""
    headers = yield from _proven(session, None)
    path = f"/v4/orders/{order_id}"
    return (yield from one(Call("GET", path, OrderRecord, query({"atSeq": at_seq}), headers=headers)))


def read_proof(session: Session) -> Flow[str]:
    """The account's signed proof that its owner reads, good for half an hour at least: the header `Ouro-Read` or a
    stream's `auth`. Reads of the client's own account send it by themselves; a wallet that asks its user
    (`CallbackSigner`) is asked by this call only.
    """
    config = yield from session.config()
    now_s = int(time.time())
    if session.proof is None or session.proof.expiry - now_s < PROOF_GOOD_FOR_S // 2:
        expiry = now_s + PROOF_GOOD_FOR_S
        message = {"account": session.address, "expiry": expiry}
        signature = yield from session.sign(config.order_domain(), "ReadAccount", message)
        session.proof = ReadProof(expiry, bytes.fromhex(signature[2:]))
    return str(session.proof)


def own_proof(session: Session, whose: str | None = None) -> Flow[str]:
    """The proof if the account is the client's own and its signer may be asked unseen, else ""."""
    if session.signer is None or (whose is not None and whose.lower() != session.address.lower()):
        return ""
    if isinstance(session.signer, CallbackSigner):
        is_good = session.proof is not None and session.proof.expiry > time.time() + 5
        return str(session.proof) if is_good else ""
    return (yield from read_proof(session))


def _proven(session: Session, whose: str | None) -> Flow[dict[str, str]]:
    """The header that shows what only the owner may see."""
    proof = yield from own_proof(session, whose)
    return {HEADER: proof} if proof else {}
