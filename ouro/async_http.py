# SPDX-License-Identifier: Apache-2.0
"""Asynchronous HTTP whose failures are all `httpx.HTTPError`s."""

from __future__ import annotations

from typing import Any

import httpx


class AsyncClient(httpx.AsyncClient):
    """httpx's client. Of a peer that is gone at the moment it was connected to, it raises `httpx.ConnectError`.

    The layers below ask the connection for its peer's name before anything is sent, and on uvloop a connection that
    was reset by then has no socket left to ask: an `AttributeError`, which no caller would take for a failure outside.
    """

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx's."""
        try:
            return await super().send(request, **options)
        except AttributeError as error:
            if error.name != "getpeername":
                raise
            raise httpx.ConnectError("the peer reset the connection at once", request=request) from error
