# SPDX-License-Identifier: AGPL-3.0-only
"""A small JSON-RPC client for a node: single calls and batches."""

from collections.abc import Sequence
from itertools import count
from typing import Any, TypeAlias

import httpx
import msgspec
from prometheus_client import Counter

Call: TypeAlias = tuple[str, Sequence[Any]]


class RpcError(Exception):
    """The node answered with an error."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.method = method
        self.code = code
        self.message = message


class RpcUnreachableError(Exception):
    """The node did not answer, or not with JSON-RPC."""


class Rpc:
    """A connection to one node. Values are as on the wire: hex strings."""

    def __init__(self, url: str, errors: Counter, *, timeout_s: float = 10.0) -> None:
        self._client = httpx.AsyncClient(timeout=timeout_s, limits=httpx.Limits(max_connections=8))
        self._url = url
        # Node URLs often hold a key in their path: it must not get into logs.
        self._host = httpx.URL(url).host
        self._errors = errors
        self._ids = count(1)

    async def call(self, method: str, *params: Any) -> Any:
        """One call. Raises `RpcError` and `RpcUnreachableError`."""
        [answer] = await self._exchange([(method, params)])
        return answer

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Several calls in one request, answers in their order. The first error answered is raised."""
        return await self._exchange(calls) if calls else []

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _exchange(self, calls: Sequence[Call]) -> list[Any]:
        requests = [
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
            for method, params in calls
        ]
        body = msgspec.json.encode(requests[0] if len(requests) == 1 else requests)
        try:
            response = await self._client.post(self._url, content=body, headers={"content-type": "application/json"})
            decoded = msgspec.json.decode(response.content)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            self._errors.inc()
            raise RpcUnreachableError(f"the node at {self._host} does not answer: {error!r}") from error
        answers = decoded if isinstance(decoded, list) else [decoded]
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        results: list[Any] = []
        for request in requests:
            answer = by_id.get(request["id"])
            if answer is None:
                self._errors.inc()
                raise RpcUnreachableError(f"the node at {self._host} left out the answer to {request['method']}")
            fault = answer.get("error")
            if fault is not None:
                raise RpcError(str(request["method"]), int(fault.get("code", 0)), str(fault.get("message", "")))
            results.append(answer.get("result"))
        return results
