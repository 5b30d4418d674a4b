# SPDX-License-Identifier: AGPL-3.0-only
"""Instant withdrawals: the operator co-signs what free collateral allows, once the amount is set aside on disk."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from relayer.api.bodies import WithdrawalBody, decode_body, read_body
from relayer.api.errors import ApiError, answer, refusal_of
from relayer.api.venue import Venue, meter_of, venue_of
from relayer.core.inputs import ReserveWithdrawal
from relayer.settlement import SignerError

router = APIRouter()

MAX_AHEAD_S = 600
CLOCK_SKEW_S = 15

_withdrawal = msgspec.json.Decoder(WithdrawalBody)


@router.post("/v4/withdrawals")
async def cosign(request: Request) -> Response:
    """Co-sign an instant withdrawal. Its amount is unavailable until it lands or its deadline has passed."""
    venue = venue_of(request)
    body = decode_body(await read_body(request), _withdrawal, '{"withdrawal": {...}, "signature": "0x..."}')
    venue.need_ready()
    item, _ = venue.verifier.withdrawal(body.withdrawal, body.signature)
    if not venue.engine.core.has_deposited(item.account):
        raise ApiError(422, "not_withdrawable", f"{item.account} has never had a deposit", "account")
    now_s = venue.engine.now_ms() // 1000
    if item.deadline > now_s + MAX_AHEAD_S + CLOCK_SKEW_S:
        raise ApiError(
            400,
            "bad_deadline",
            f"the deadline {item.deadline} is more than {MAX_AHEAD_S} s after {now_s}: sign an earlier one",
            "deadline",
        )
    venue.limits.order(item.account, meter_of(request))
    ack = await venue.engine.command(item)
    if not ack.ok:
        venue.limits.refused(item.account)
    venue.engine.metrics.answers.labels("withdrawal", ack.http_status).inc()
    if not ack.ok:
        raise refusal_of(ack, venue.receipt(ack))
    done = {"cosignature": await _cosign(venue, item), "seq": ack.seq}
    return answer(200, done | venue.receipt(ack))


async def _cosign(venue: Venue, item: ReserveWithdrawal) -> str:
    try:
        return await venue.operator.cosign(venue.verifier.vault_domain, item)
    except SignerError as error:
        # The amount stays set aside: the same request again is answered with the signature.
        raise ApiError(503, "signer_unavailable", f"{error}; ask again with the same message") from None
