# SPDX-License-Identifier: AGPL-3.0-only
"""JSON-RPC to one node or several: what one node does not answer, or answers with nonsense, the next one is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, TypeAlias, TypeVar

import httpx
import msgspec
from prometheus_client import Counter

from ouro.async_http import AsyncClient
from ouro.node_answers import NonsenseError
from relayer.logs import logger

log = logger("node")

Call: TypeAlias = tuple[str, Sequence[Any]]
T = TypeVar("T")

REST_S = 10.0
"""A node that failed is asked last for so long."""
MOST_BYTES = 64 * 1024 * 1024


class RpcError(Exception):
    """The node answered with an error."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.method = method
        self.code = code
        self.message = message


class RpcUnreachableError(Exception):
    """No node answered, or none with anything that can be true."""


class Node:
    """A connection to one node. Values are as on the wire: hex strings."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._client = AsyncClient(timeout=timeout_s, limits=httpx.Limits(max_connections=8))
        self._url = url
        # Node URLs often hold a key in their path: it must not get into logs.
        self.host = httpx.URL(url).host
        self.rests_until = 0.0
        self._ids = count(1)

    async def ask(self, calls: Sequence[Call]) -> list[Any]:
        """Several calls in one request, answers in their order. The first error answered is raised."""
        requests = [
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
            for method, params in calls
        ]
        body = msgspec.json.encode(requests[0] if len(requests) == 1 else requests)
        try:
            decoded = msgspec.json.decode(await self._post(body))
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            # ValueError: no JSON, or no text at all.
            raise RpcUnreachableError(f"the node at {self.host} does not answer: {error!r}") from error
        answers = decoded if isinstance(decoded, list) else [decoded]
        by_id = {
            answer["id"]: answer
            for answer in answers
            if isinstance(answer, dict) and isinstance(answer.get("id"), int | str)
        }
        results: list[Any] = []
        for request in requests:
            method = str(request["method"])
            answer = by_id.get(request["id"])
            if answer is None:
                raise RpcUnreachableError(f"the node at {self.host} left out the answer to {method}")
            fault = answer.get("error")
            if isinstance(fault, dict):
                code = fault.get("code")
                raise RpcError(method, code if isinstance(code, int) else 0, str(fault.get("message", ""))[:500])
            if fault is not None or "result" not in answer:
                raise RpcUnreachableError(f"the node at {self.host} answered {method} with neither result nor error")
            results.append(answer["result"])
        return results

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _post(self, body: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            got = bytearray()
            async for part in response.aiter_bytes():
                got += part
                if len(got) > MOST_BYTES:
                    raise RpcUnreachableError(f"the node at {self.host} answered with more than {MOST_BYTES} bytes")
            return bytes(got)


def as_is(value: Any) -> Any:
    """A reader that believes everything."""
    return value


class Rpc:
    """The nodes, the first one preferred. `read` turns a result into what is wanted and raises `NonsenseError`."""

    def __init__(self, urls: Sequence[str], errors: Counter, *, timeout_s: float = 10.0) -> None:
        if not urls:
            raise ValueError("no node: set OURO_RPC_URL")
        self._nodes = [Node(url, timeout_s=timeout_s) for url in urls]
        self._errors = errors

    def __len__(self) -> int:
        return len(self._nodes)

    async def call(self, method: str, *params: Any, read: Callable[[Any], T] = as_is) -> T:
        """One call. Raises `RpcError` and `RpcUnreachableError`."""
        [answer] = await self.batch([(method, params)], read=read)
        return answer

    async def batch(self, calls: Sequence[Call], *, read: Callable[[Any], T] = as_is) -> list[T]:
        """Several calls in one request, answers in their order, from one node. Raises as `call` does."""
        if not calls:
            return []
        trouble: RpcError | RpcUnreachableError | None = None
        for node in self._by_preference():
            try:
                return await self._from(node, calls, read)
            except (RpcError, RpcUnreachableError) as error:
                # What the preferred node says of a call is worth more than that others are away.
                if trouble is None or not isinstance(trouble, RpcError):
                    trouble = error
        assert trouble is not None
        raise trouble

    async def from_each(
        self, method: str, *params: Any, read: Callable[[Any], T] = as_is
    ) -> list[T | RpcError | RpcUnreachableError]:
        """The same call of every node, the preferred one's answer first; what went wrong stands in its place."""
        return list(
            await asyncio.gather(*(self._tried(node, [(method, params)], read) for node in self._by_preference()))
        )

    def distrust(self, reason: str) -> None:
        """Asks the node that was preferred last from now on, for a while."""
        node = self._by_preference()[0]
        log.warning("node_distrusted", node=node.host, reason=reason)
        self._blame(node)

    async def close(self) -> None:
        """Closes the connections."""
        for node in self._nodes:
            await node.close()

    def _by_preference(self) -> list[Node]:
        now = time.monotonic()
        return sorted(self._nodes, key=lambda node: node.rests_until if node.rests_until > now else 0.0)

    def _blame(self, node: Node) -> None:
        self._errors.inc()
        node.rests_until = time.monotonic() + REST_S

    async def _tried(
        self, node: Node, calls: Sequence[Call], read: Callable[[Any], T]
    ) -> T | RpcError | RpcUnreachableError:
        try:
            [answer] = await self._from(node, calls, read)
        except (RpcError, RpcUnreachableError) as error:
            return error
        return answer

    async def _from(self, node: Node, calls: Sequence[Call], read: Callable[[Any], T]) -> list[T]:
        try:
            return [read(result) for result in await node.ask(calls)]
        except NonsenseError as error:
            self._blame(node)
            methods = ", ".join(sorted({method for method, _ in calls}))
            raise RpcUnreachableError(f"the node at {node.host} answered {methods} with nonsense: {error}") from error
        except RpcUnreachableError:
            self._blame(node)
            raise
