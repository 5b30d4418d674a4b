# SPDX-License-Identifier: AGPL-3.0-only
"""Receipts after the fact, for whoever lost the answer that carried one."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ouro.receipts import to_json
from relayer.api.errors import ApiError, answer
from relayer.api.venue import venue_of

router = APIRouter()


@router.get("/v4/receipts/{seq}")
async def receipt(request: Request, seq: str) -> Response:
    """The receipt for an input by its number, showing only the record's hash: what an order says is its trader's."""
    if not seq.isascii() or not seq.isdigit() or len(seq) > 18:
        raise ApiError(400, "bad_seq", "a receipt is named by the number of its record, as in /v4/receipts/17", "seq")
    found = venue_of(request).receipts.of(int(seq))
    if found is None:
        raise ApiError(
            404, "no_receipt", f"record {seq} is not among the newest ones: receipts come with the answers", "seq"
        )
    return answer(200, {"receipt": to_json(msgspec.structs.replace(found, record=b""))})
