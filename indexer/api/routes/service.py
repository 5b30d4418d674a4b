# SPDX-License-Identifier: AGPL-3.0-only
"""Time, height, configuration, test money: about the service itself."""

import time

from fastapi import APIRouter, Request
from starlette.responses import Response

from indexer.api.answer import HOT, NEVER, Json
from indexer.api.context import Ctx
from indexer.api.errors import ApiError
from indexer.api.routes.operations import position, problems_of
from indexer.reads.text import iso, iso_ms
from ouro import eip712

router = APIRouter(tags=["service"])


@router.get("/v4/time")
def server_time() -> Response:
    """The server's clock: ISO and seconds since 1970."""
    now_ms = time.time_ns() // 1_000_000
    return Json({"iso": iso_ms(now_ms), "epoch": now_ms / 1000}, cache=NEVER)


@router.get("/v4/height")
def height(context: Ctx) -> Response:
    """The newest applied block, the newest final one, the node's head, and the relayer's record."""
    return Json(
        {"height": str(context.progress.height), "time": iso(context.progress.time_s), **position(context)}, cache=HOT
    )


@router.get("/v4/status")
async def status(request: Request, context: Ctx) -> Response:
    """Whether orders are taken, and whether what is read is up to date. Always 200: the answer is the news."""
    refusal = await request.app.state.forward.refusal()
    problems = problems_of(context)
    return Json(
        {"orders": {"taken": not refusal, "reason": refusal}, "problems": problems, **position(context)}, cache=NEVER
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
