# SPDX-License-Identifier: AGPL-3.0-only
"""The auditor's own node: the chain as somebody else sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, TypeAlias

import httpx
import msgspec
import tenacity

from ouro.eip712 import keccak
from ouro.markets import readable_price
from relayer.audit.errors import AuditError
from relayer.core.inputs import Log, logs_from_rpc

Header: TypeAlias = dict[str, Any]

LOG_RANGE = 2_000
ORACLE = "0x" + keccak(b"oracle()")[:4].hex()
PRICE = "0x" + keccak(b"price(uint256)")[:4].hex()


class Node:
    """JSON-RPC over HTTP, blocking, in batches."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        self._url = url
        # Node URLs often hold a key in their path: it must not get into reports.
        self._host = httpx.URL(url).host
        self._client = httpx.Client(timeout=timeout_s)
        self._ids = count(1)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def call(self, method: str, *params: Any) -> Any:
        """One call. Raises AuditError."""
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Several calls, answers in their order. Raises AuditError."""
        if not calls:
            return []
        requests = [
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
            for method, params in calls
        ]
        try:
            answers = self._post(requests)
            by_id = {answer["id"]: answer for answer in answers}
            found = [by_id[request["id"]] for request in requests]
        except (httpx.HTTPError, msgspec.DecodeError, KeyError, TypeError) as error:
            raise AuditError(f"the node at {self._host} does not answer: {error!r}") from None
        for request, answer in zip(requests, found, strict=True):
            if answer.get("error") is not None:
                raise AuditError(f"the node at {self._host} refuses {request['method']}: {answer['error']}")
        return [answer.get("result") for answer in found]

    def headers(self, numbers: Sequence[int]) -> list[Header | None]:
        """The blocks of the chain by number, without transactions."""
        return self.batch([("eth_getBlockByNumber", (hex(number), False)) for number in numbers])

    def logs(self, hashes: Sequence[str], addresses: Sequence[str]) -> list[tuple[Log, ...]]:
        """The logs of our contracts in blocks by their hashes, each in log order."""
        wanted = [("eth_getLogs", ({"blockHash": each, "address": list(addresses)},)) for each in hashes]
        return [logs_from_rpc(found) for found in self.batch(wanted)]

    def prices(
        self, exchange: str, markets: Sequence[int], block_hash: bytes, time_s: int
    ) -> list[tuple[int, int, int]]:
        """Market, price and time of publication, as the exchange took them from its oracle at a block.

        Raises AuditError when the node has the block's state no more.
        """
        at = {"blockHash": "0x" + block_hash.hex()}
        oracle = "0x" + self.call("eth_call", {"to": exchange, "data": ORACLE}, at)[-40:]
        asked = [("eth_call", ({"to": oracle, "data": PRICE + market.to_bytes(32).hex()}, at)) for market in markets]
        found: list[tuple[int, int, int]] = []
        for market, answer in zip(markets, self.batch(asked), strict=True):
            raw = bytes.fromhex(answer[2:])
            price, published_at = (int.from_bytes(raw[:32]), int.from_bytes(raw[32:])) if len(raw) == 64 else (0, 0)
            found.append((market, *readable_price(price, published_at, time_s)))
        return found

    def logs_since(self, first: int, last: int, address: str) -> Iterator[dict[str, Any]]:
        """One contract's logs in a range of blocks, as the node answers them, in order."""
        for begin in range(first, last + 1, LOG_RANGE):
            end = min(last, begin + LOG_RANGE - 1)
            found = self.call("eth_getLogs", {"fromBlock": hex(begin), "toBlock": hex(end), "address": address})
            yield from sorted(found, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(httpx.TransportError),
        stop=tenacity.stop_after_attempt(4),
        wait=tenacity.wait_exponential(multiplier=0.5, max=4),
        reraise=True,
    )
    def _post(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        body = msgspec.json.encode(requests[0] if len(requests) == 1 else requests)
        response = self._client.post(self._url, content=body, headers={"content-type": "application/json"})
        decoded = msgspec.json.decode(response.content)
        return decoded if isinstance(decoded, list) else [decoded]
