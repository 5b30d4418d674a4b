# SPDX-License-Identifier: AGPL-3.0-only
"""The front door: every read, the stream, and writes passed on."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from indexer.api.answer import NEVER, Json
from indexer.api.context import Context, at_seq
from indexer.api.errors import ApiError
from indexer.api.forward import Forwarder
from indexer.api.headers import DESCRIPTION_PATH, Guarded
from indexer.api.limits import LIMIT, REMAINING, RESET, Allowance, Limited
from indexer.api.observe import HEIGHT_HEADER, SEQ_HEADER, Observed
from indexer.api.rankings import Rankings
from indexer.api.routes import accounts, history, markets, operations, orders, query, service, venue
from indexer.api.site import BUILD, Site
from indexer.parts import is_outside, reason_of
from indexer.stream import socket
from indexer.stream.gate import Gate
from indexer.stream.hub import Hub

#: Bytes. Candles, histories and files are worth packing; what bots ask for many times a second is not.
_PACKED_FROM = 8_192


def create_app(
    context: Context,
    hub: Hub,
    forward: Forwarder,
    faucet: Forwarder | None = None,
    *,
    ip_weight: int = 0,
    site: Path = BUILD,
) -> FastAPI:
    """The ASGI application. Whoever runs it closes `forward` and `faucet`.

    `ip_weight` limits reads and the stream (0: it does not); `site` is the build of the trading app, which may be
    missing.
    """
    app = FastAPI(
        title="Ouro",
        description="Reads in the shapes of the dYdX v4 indexer; writes are EIP-712 messages for the relayer.",
        dependencies=[Depends(at_seq)],
        docs_url=DESCRIPTION_PATH,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.context = context
    app.state.hub = hub
    app.state.forward = forward
    app.state.faucet = faucet
    app.state.rankings = Rankings()
    allowance = Allowance(ip_weight) if ip_weight else None
    app.state.gate = Gate(allowance)
    parts = (operations, service, markets, accounts, history, venue, query, orders)
    for router in (part.router for part in parts):
        app.include_router(router)
    app.add_api_websocket_route("/v4/ws", socket.serve)
    app.router.default = Site(site, context.rpc_url)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in (DBAPIError, PoolTimeoutError):
        app.add_exception_handler(kind, _database_error)
    if allowance is not None:
        app.add_middleware(Limited, allowance=allowance)
    app.add_middleware(Observed, progress=context.progress)
    app.add_middleware(Guarded)
    app.add_middleware(GZipMiddleware, minimum_size=_PACKED_FROM, compresslevel=1)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[HEIGHT_HEADER, SEQ_HEADER, query.CURSOR_HEADER, LIMIT, REMAINING, RESET, "Retry-After"],
    )
    return app


def create_operations(context: Context) -> FastAPI:
    """For a process without a front door: health, readiness and metrics."""
    app = FastAPI(title="Ouro indexer")
    app.state.context = context
    app.include_router(operations.router)
    return app


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    headers = {"Retry-After": "1"} if error.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    answer = Json(error.body(), error.status, cache=NEVER)
    answer.headers.update(headers)
    return answer


async def _database_error(request: Request, error: Exception) -> Response:
    """The database is away: nothing is known, and asking again helps. What it refuses for another reason is a fault."""
    if not is_outside(error):
        raise error
    message = f"{reason_of(error)}: ask again in a moment"
    return await _api_error(request, ApiError(503, "database_unavailable", message))


async def _invalid(_request: Request, error: Exception) -> Response:
    """What the framework itself refuses, in our shape."""
    assert isinstance(error, RequestValidationError)
    problems = [
        {"msg": problem["msg"], "param": str(problem["loc"][-1]), "location": str(problem["loc"][0])}
        for problem in error.errors()
    ]
    return Json({"errors": problems, "errorCode": "bad_parameter"}, 400, cache=NEVER)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    message = "there is nothing at this path" if error.status_code == HTTPStatus.NOT_FOUND else str(error.detail)
    return Json({"errors": [{"msg": message}], "errorCode": code}, error.status_code, cache=NEVER)
