# SPDX-License-Identifier: AGPL-3.0-only
"""Health (the process is up), readiness (it takes orders), metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from relayer.api.errors import answer
from relayer.api.venue import venue_of

router = APIRouter()


@router.get("/health")
async def health() -> Response:
    """The process is up."""
    return answer(200, {"status": "ok"})


@router.get("/ready")
async def ready(request: Request) -> Response:
    """Replayed, caught up with the chain, and settling; 503 with the reason otherwise."""
    venue = venue_of(request)
    engine, reason = venue.engine, venue.why_not_ready()
    body: dict[str, Any] = {"ready": not reason}
    if reason:
        body["reason"] = reason
    if warnings := venue.warnings():
        body["warnings"] = warnings
    if engine.running:
        core = engine.core
        body |= {
            "height": str(core.chain_number),
            "seq": engine.event_log.seq,
            "unsettledFills": core.unsettled,
            "maxUnsettledFills": core.max_unsettled,
            "batchesInFlight": len(core.pending_batches()),
        }
    return answer(503 if reason else 200, body)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    venue = venue_of(request)
    venue.engine.metrics.queued.set(venue.intake.queued)
    venue.engine.metrics.journal_seq.set(venue.engine.journal.seq)
    venue.engine.metrics.ready.set(0 if venue.why_not_ready() else 1)
    return Response(venue.engine.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
