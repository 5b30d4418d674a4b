# SPDX-License-Identifier: AGPL-3.0-only
"""Time, height, configuration, health: about the service itself."""

import time
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from indexer.api.answer import HOT, NEVER, Json
from indexer.api.context import Ctx
from indexer.api.errors import ApiError
from indexer.reads.text import iso, iso_ms
from ouro import eip712

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
    progress = context.progress
    now = time.monotonic()
    problems = []
    if progress.head < 0 or now - progress.chain_seen_s > READY_SILENCE_S:
        problems.append("the node does not answer")
    elif progress.lag() > READY_LAG_BLOCKS:
        problems.append(f"{progress.lag()} blocks behind the chain")
    if now - progress.relayer_seen_s > READY_SILENCE_S:
        problems.append("the relayer's log does not answer")
    body = {"status": "not ready" if problems else "ready", "problems": problems, **_position(context)}
    return Json(body, 503 if problems else 200, cache=NEVER)


@router.get("/metrics")
def metrics() -> Response:
    """For Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/v4/time")
def server_time() -> Response:
    """The server's clock: ISO and seconds since 1970."""
    now_ms = time.time_ns() // 1_000_000
    return Json({"iso": iso_ms(now_ms), "epoch": now_ms / 1000}, cache=NEVER)


@router.get("/v4/height")
def height(context: Ctx) -> Response:
    """The newest applied block, the newest final one, the node's head, and the relayer's record."""
    return Json(
        {"height": str(context.progress.height), "time": iso(context.progress.time_s), **_position(context)}, cache=HOT
    )


@router.get("/v4/config")
def config(context: Ctx) -> Response:
    """What a client must know before it signs."""
    deployment = context.deployment
    return Json(
        {
            **context.record,
            "domain": deployment.domain().message(),
            "vaultDomain": deployment.vault_domain().message(),
            "types": {"EIP712Domain": eip712.DOMAIN_TYPE, **eip712.TYPES},
            "relayerUrl": context.relayer_url,
            "rpcUrl": context.rpc_url,
            "receiptSigner": context.receipt_signer,
            "faucet": context.faucet,
        },
        cache=HOT,
    )


@router.post("/v4/faucet")
async def faucet(request: Request) -> Response:
    """Test money, where `/v4/config` announces a faucet: forwarded to it, as is its answer."""
    forward = request.app.state.faucet
    if forward is None:
        raise ApiError(404, "no_faucet", "there is no faucet here: /v4/config says whether there is one")
    answer: Response = await forward(request)
    return answer


def _position(context: Ctx) -> dict[str, Any]:
    progress = context.progress
    return {
        "finalHeight": str(progress.final),
        "headHeight": str(progress.head),
        "lag": progress.lag(),
        "seq": str(progress.seq),
        "epoch": str(progress.epoch),
    }
