# SPDX-License-Identifier: AGPL-3.0-only
"""Health, readiness, metrics: for whoever runs the service."""

import time
from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from indexer.api.answer import NEVER, Json
from indexer.api.context import Context, Ctx

router = APIRouter(tags=["service"])

READY_LAG_BLOCKS = 5
READY_SILENCE_S = 30.0


@router.get("/health")
def health() -> Response:
    """The process is up."""
    return Json({"status": "ok"}, cache=NEVER)


@router.get("/ready")
def ready(context: Ctx) -> Response:
    """200 when caught up with the chain and in touch with node and relayer, else 503 with what is missing."""
    problems = problems_of(context)
    body = {"status": "not ready" if problems else "ready", "problems": problems, **position(context)}
    return Json(body, 503 if problems else 200, cache=NEVER)


@router.get("/metrics")
def metrics() -> Response:
    """For Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def problems_of(context: Context) -> list[str]:
    """What keeps the tables from being up to date."""
    progress = context.progress
    now = time.monotonic()
    problems = []
    if progress.head < 0 or now - progress.chain_seen_s > READY_SILENCE_S:
        problems.append("the node does not answer")
    elif progress.stale_s() > context.stale_s:
        problems.append(f"the node has had no new block for {progress.stale_s():.0f} s")
    elif progress.lag() > READY_LAG_BLOCKS:
        problems.append(f"{progress.lag()} blocks behind the chain")
    if now - progress.relayer_seen_s > READY_SILENCE_S:
        problems.append("the relayer's log does not answer")
    return list(dict.fromkeys([*problems, *progress.troubles.lasting()]))


def position(context: Context) -> dict[str, Any]:
    """How far the tables are, and behind what."""
    progress = context.progress
    return {
        "finalHeight": str(progress.final),
        "headHeight": str(progress.head),
        "lag": progress.lag(),
        "seq": str(progress.seq),
        "epoch": str(progress.epoch),
    }
