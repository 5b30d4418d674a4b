# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer's event log, as one reads it over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec

from indexer import metrics
from indexer.orders.records import Record, decode_record
from indexer.store.order_store import RelayerCursor, digest_of
from ouro.async_http import AsyncClient

WAIT_S = 15
"""How long a request waits for the next record."""

_LIMIT = 1_000


class LogGapError(Exception):
    """The log skipped a record."""


class RelayerLogError(Exception):
    """The log cannot be followed for the moment."""


class EventLog:
    """The relayer's event log over HTTP. `token` is what it asks for, if it does."""

    def __init__(self, relayer_url: str, token: str = "") -> None:
        self._url = relayer_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[httpx.AsyncClient]:
        """A connection to it. What may be wrong with the log for a while becomes a `RelayerLogError` outside."""
        try:
            async with AsyncClient(base_url=self._url, timeout=WAIT_S + 10, headers=self._headers) as client:
                yield client
        except (httpx.HTTPError, msgspec.DecodeError, LogGapError) as error:
            metrics.relayer_errors.inc()
            raise RelayerLogError(f"the relayer's log does not answer: {error!r}") from error

    @staticmethod
    async def lines(client: httpx.AsyncClient, first: int, limit: int, wait_s: int) -> list[bytes]:
        """Records from number `first` on; waits so long for the first of them."""
        answer = await client.get("/events", params={"from": first, "limit": limit, "wait": wait_s})
        answer.raise_for_status()
        return [line for line in answer.content.split(b"\n") if line.strip()]

    async def holds(self, client: httpx.AsyncClient, cursor: RelayerCursor) -> bool:
        """Whether it is still the log that was followed up to the cursor."""
        if cursor.seq == 0:
            return True
        lines = await self.lines(client, cursor.seq, 1, 0)
        return bool(lines) and digest_of(lines[0]) == cursor.digest

    async def after(self, client: httpx.AsyncClient, seq: int, wait_s: int) -> tuple[list[Record], bytes]:
        """The records after `seq`, and the last of them as it arrived. Raises `LogGapError`."""
        lines = await self.lines(client, seq + 1, _LIMIT, wait_s)
        records = [decode_record(line) for line in lines]
        if [record.seq for record in records] != list(range(seq + 1, seq + 1 + len(records))):
            raise LogGapError(f"records {records[0].seq} to {records[-1].seq} do not follow {seq}")
        return records, lines[-1] if lines else b""
