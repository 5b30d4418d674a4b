# SPDX-License-Identifier: AGPL-3.0-only
"""Follows the chain: new blocks and reorgs become inputs of the core, in order and without gaps.

Logs are asked for by block hash, so they belong to the very block whose header was seen; what the node no longer knows
is asked for again after looking at the chain anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import tenacity

from relayer.chain_watch.rpc import Call, Rpc, RpcError, RpcUnreachableError
from relayer.core.inputs import ChainBlock, ChainRevert, logs_from_rpc
from relayer.engine import Engine, StoppedError
from relayer.logs import logger

log = logger("chain")

CHUNK = 64
LOOK_S = 2.0
_NO_LOGS = "0x" + "00" * 256


class DeepReorgError(Exception):
    """The chain left the blocks that were final: this journal belongs to another chain, or the chain broke its word."""


class ChainWatcher:
    """Keeps the core at the head of the chain."""

    def __init__(
        self, engine: Engine, rpc: Rpc, addresses: Sequence[str], *, start_block: int, poll_s: float, stale_s: float
    ) -> None:
        """`addresses` are the contracts whose logs matter; `start_block` is where an empty journal begins to look.

        `poll_s` is the pause between looks; after `stale_s` without an answer the chain counts as out of sight.
        """
        self._engine = engine
        self._rpc = rpc
        self._addresses = list(addresses)
        self._start_block = start_block
        self._poll_s = poll_s
        self._stale_s = stale_s
        self._seen_at = 0.0
        self._caught_up = False
        self._begun = 0
        self._done = 0
        self._looked = asyncio.Event()
        self.moved = asyncio.Event()
        """Set whenever the core's view of the chain has changed."""
        self.broken = ""
        """Why the chain cannot be followed any more, empty while it can."""

    @property
    def in_sight(self) -> bool:
        """Whether the core was at the chain's head when the node last answered, and that is not long ago."""
        return self._caught_up and not self.broken and time.monotonic() - self._seen_at < self._stale_s

    async def look(self) -> None:
        """Returns after a look at the chain that began later than now; after `LOOK_S` in any case."""
        wanted = self._begun + 1
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                while self._done < wanted:
                    await self._looked.wait()

    async def run(self) -> None:
        """Follows until cancelled, or until the chain contradicts what was final."""
        retry = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type((RpcError, RpcUnreachableError)),
            wait=tenacity.wait_exponential_jitter(multiplier=self._poll_s, max=5, jitter=self._poll_s),
            before_sleep=_complain,
        )
        try:
            while True:
                async for attempt in retry:
                    with attempt:
                        await self.follow()
                await asyncio.sleep(self._poll_s)
        except DeepReorgError as error:
            self.broken = str(error)
            log.critical("chain_contradicts_itself", reason=str(error))
        except StoppedError:
            return

    async def follow(self) -> None:
        """Takes the core to the chain's head as the node sees it now. Raises what the node connection raises."""
        self._begun += 1
        latest, final = await self._heads()
        if not await self._on_their_chain(latest):
            await self._return_to_their_chain()
            latest, final = await self._heads()
        last = int(latest["number"], 16)
        while self._next_number() <= last:
            if not await self._take(last, final):
                await self._return_to_their_chain()
                return
        self._engine.metrics.chain_lag.set(0)
        if not self._caught_up:
            log.info("caught_up", block=self._engine.core.chain_number)
            self.moved.set()
        self._caught_up = True
        self._seen_at = time.monotonic()
        self._done = self._begun
        self._looked.set()
        self._looked.clear()

    def _next_number(self) -> int:
        return self._engine.core.chain_number + 1 if self._engine.core.chain_number else self._start_block

    async def _heads(self) -> tuple[dict[str, Any], int]:
        """The newest header, and the number of the newest final block (0: the node does not say)."""
        latest = await self._rpc.call("eth_getBlockByNumber", "latest", False)
        try:
            final = await self._rpc.call("eth_getBlockByNumber", "finalized", False)
        except RpcError:
            final = None
        if latest is None:
            raise RpcUnreachableError("the node has no newest block")
        return latest, int(final["number"], 16) if final else 0

    async def _on_their_chain(self, latest: dict[str, Any]) -> bool:
        """Whether our newest block is in the node's chain, or the node merely lags behind it."""
        core = self._engine.core
        if not core.chain_number or int(latest["number"], 16) > core.chain_number:
            return True  # the next block's parent tells
        known = dict(core.chain_blocks)
        theirs = int(latest["number"], 16)
        return theirs < core.chain_blocks[0][0] or known.get(theirs) == bytes.fromhex(latest["hash"][2:])

    async def _return_to_their_chain(self) -> None:
        """Reverts the core to the newest block that the node still has."""
        for number, known in reversed(self._engine.core.chain_blocks):
            block = await self._rpc.call("eth_getBlockByNumber", hex(number), False)
            if block is not None and bytes.fromhex(block["hash"][2:]) == known:
                if number != self._engine.core.chain_number:
                    log.warning("reorg", to=number, dropped=self._engine.core.chain_number - number)
                    self._engine.metrics.reorgs.inc()
                    await self._engine.apply([ChainRevert(number, known)])
                    self.moved.set()
                return
        raise DeepReorgError(
            "the node does not know the newest final block of the journal: "
            "it serves another chain, or this journal belongs to another one"
        )

    async def _take(self, last: int, final: int) -> bool:
        """Follows the next blocks up to `last`. False when they are not children of ours."""
        core = self._engine.core
        first = self._next_number()
        numbers = range(first, min(last, first + CHUNK - 1) + 1)
        headers = await self._rpc.batch([("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
        wanted: list[dict[str, Any]] = []
        parent = "0x" + core.chain_hash.hex() if core.chain_number else None
        for header in headers:
            if header is None or (parent is not None and header["parentHash"] != parent):
                break
            wanted.append(header)
            parent = header["hash"]
        if not wanted:
            return False
        noisy = [header for header in wanted if header.get("logsBloom") != _NO_LOGS]
        calls: list[Call] = [
            ("eth_getLogs", ({"blockHash": header["hash"], "address": self._addresses},)) for header in noisy
        ]
        logs = dict(zip((header["hash"] for header in noisy), await self._rpc.batch(calls), strict=True))
        if any(log.get("blockHash") != block_hash for block_hash, found in logs.items() for log in found):
            raise RpcUnreachableError("the node answered with logs of another block than was asked for")
        blocks = [
            ChainBlock(
                number=int(header["number"], 16),
                hash=bytes.fromhex(header["hash"][2:]),
                parent_hash=bytes.fromhex(header["parentHash"][2:]),
                time_s=int(header["timestamp"], 16),
                logs=logs_from_rpc(logs.get(header["hash"], ())),
                final_number=final,
            )
            for header in wanted
        ]
        await self._engine.apply(blocks)
        self._engine.metrics.chain_block.set(core.chain_number)
        self._engine.metrics.chain_lag.set(last - core.chain_number)
        self.moved.set()
        return True


def _complain(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    log.warning("node_trouble", attempt=state.attempt_number, error=str(error))
