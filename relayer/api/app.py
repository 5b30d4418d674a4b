# SPDX-License-Identifier: AGPL-3.0-only
"""The HTTP application: routes, and errors in one shape."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from relayer.api import events, health, orders, withdrawals
from relayer.api.errors import ApiError
from relayer.api.venue import Venue
from relayer.engine import StoppedError

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Service(Protocol):
    """What stands behind the API."""

    venue: Venue

    async def start(self) -> None:
        """Begins to work."""

    async def stop(self) -> None:
        """Finishes what was begun."""


def create_app(service: Service) -> FastAPI:
    """The write API of one relayer; the service starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(title="Ouro relayer", version="1", lifespan=lifespan, docs_url="/docs", redoc_url=None)
    app.state.venue = service.venue
    app.add_exception_handler(ApiError, _on_refusal)
    app.add_exception_handler(StoppedError, _on_stopped)
    app.add_exception_handler(HTTPException, _on_http)
    app.include_router(orders.router)
    app.include_router(withdrawals.router)
    app.include_router(events.router)
    app.include_router(health.router)
    return app


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    venue: Venue = request.app.state.venue
    venue.engine.metrics.refusals.labels(error.code).inc()
    return error.response()


async def _on_stopped(_: Request, error: Exception) -> Response:
    return ApiError(503, "not_ready", f"{error}: try again when it is back").response()


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "unknown_path", 405: "wrong_method"}.get(error.status_code, "bad_request")
    return ApiError(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}").response()
