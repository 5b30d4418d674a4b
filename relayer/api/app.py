# SPDX-License-Identifier: AGPL-3.0-only
"""The HTTP application: routes, and errors in one shape."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeAlias

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relayer.api import cancels, events, health, journal, openapi, orders, receipts, withdrawals
from relayer.api.errors import ApiError
from relayer.api.limits import Meter
from relayer.api.venue import Venue
from relayer.engine import StoppedError
from relayer.logs import logger

log = logger("api")

Handler: TypeAlias = tuple[str, Callable[[Request], Awaitable[Response]]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Service(Protocol):
    """What stands behind the API."""

    venue: Venue

    async def start(self) -> None:
        """Begins to work."""

    async def stop(self) -> None:
        """Finishes what was begun."""


def create_app(service: Service) -> ASGIApp:
    """The write API of one relayer; the service starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = _Described(lifespan=lifespan, docs_url="/docs", redoc_url=None)
    app.state.venue = service.venue
    app.add_exception_handler(ApiError, _on_refusal)
    app.add_exception_handler(StoppedError, _on_refusal)
    app.add_exception_handler(HTTPException, _on_http)
    app.include_router(cancels.router)
    app.include_router(orders.router)
    app.include_router(withdrawals.router)
    app.include_router(receipts.router)
    app.include_router(journal.router)
    app.include_router(events.router)
    app.include_router(health.router)
    return FastPath(app)


class _Described(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Ours: FastAPI cannot see the bodies and answers, which msgspec reads and writes."""
        return openapi.document()


class FastPath:
    """Counts requests against their limits, and takes the write routes past FastAPI's machinery, which costs more than
    verifying a signature does.

    The routes stand in the FastAPI application too: they are the same functions, and its description shows them.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNCOUNTED:
            await self._app(scope, receive, send)
            return
        venue: Venue = self._app.state.venue
        meter = scope["ouro.meter"] = venue.limits.meter(
            scope["client"][0] if scope["client"] else "", scope["headers"]
        )
        is_cancel = scope["method"] == "DELETE" or scope["path"] == _CANCEL_ALL_AFTER
        scope["app"] = self._app
        request = Request(scope, receive)
        started = time.perf_counter()
        fast = _fast_handler(scope)
        try:
            venue.limits.request(meter, 1, cancels=is_cancel)
            response = None if fast is None else await _handled(fast, request)
        except (ApiError, StoppedError) as error:
            if is_cancel and isinstance(error, ApiError) and error.status in cancels.FAILED:
                venue.limits.failed_cancels(meter, 1)
            response = await _on_refusal(request, error)
        if response is None:
            await self._app(scope, receive, _with_headers(send, meter))
            return
        if fast is not None:
            venue.engine.metrics.request_seconds.labels(fast[0]).observe(time.perf_counter() - started)
        response.raw_headers.extend(meter.headers())
        await response(scope, receive, send)


async def _handled(fast: Handler, request: Request) -> Response:
    name, handler = fast
    try:
        return await handler(request)
    except (ApiError, StoppedError):
        raise
    except Exception as error:
        # A mistake of ours: the log says which, the outside only that there was one.
        log.error("unhandled", command=name, error=repr(error), exc_info=error)
        raise ApiError(
            500, "internal", "the relayer made a mistake: read what became of the command before sending it again"
        ) from error


def _with_headers(send: Send, meter: Meter) -> Send:
    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *meter.headers()]
        await send(message)

    return told


_CANCEL_ALL_AFTER = "/v4/orders/cancelAllAfter"
_UNCOUNTED = frozenset(("/health", "/ready", "/metrics"))
_FAST: dict[tuple[str, str], Handler] = {
    ("POST", "/v4/orders"): ("place", orders.place),
    ("DELETE", "/v4/orders"): ("cancelAny", cancels.cancel_any),
    ("POST", "/v4/orders/batch"): ("placeBatch", orders.place_batch),
    ("DELETE", "/v4/orders/batch"): ("cancelBatch", cancels.cancel_batch),
    ("POST", "/v4/orders/verify"): ("verify", orders.verify),
    ("POST", _CANCEL_ALL_AFTER): ("cancelAllAfter", cancels.cancel_all_after),
    ("POST", "/v4/withdrawals"): ("withdrawal", withdrawals.cosign),
}
_FAST_BY_ID: dict[str, tuple[str, Callable[[Request, str], Awaitable[Response]]]] = {
    "PATCH": ("amend", orders.amend),
    "DELETE": ("cancel", cancels.cancel),
}
_ORDERS = "/v4/orders/"


def _fast_handler(scope: Scope) -> Handler | None:
    method, path = scope["method"], scope["path"]
    fast = _FAST.get((method, path))
    if fast is not None or not path.startswith(_ORDERS):
        return fast
    order_id = path[len(_ORDERS) :]
    by_id = _FAST_BY_ID.get(method)
    if by_id is None or not order_id or "/" in order_id:
        return None
    name, handler = by_id
    return name, lambda request: handler(request, order_id)


async def _on_refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        error = ApiError(503, "not_ready", f"{error}: try again when it is back")
    venue: Venue = request.app.state.venue
    venue.engine.metrics.refusals.labels(error.code).inc()
    return error.response()


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "unknown_path", 405: "wrong_method"}.get(error.status_code, "bad_request")
    return ApiError(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}").response()
