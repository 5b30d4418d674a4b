# SPDX-License-Identifier: AGPL-3.0-only
"""The way of an order into the core: signatures are recovered in threads, in batches; a verified batch is decided and
written down as one.

While a batch is verified the next one piles up, so batches grow with the load and a lone order never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from relayer.api.bodies import PlaceBody
from relayer.api.errors import ApiError
from relayer.api.verifying import Verifier
from relayer.core.inputs import Place
from relayer.core.outputs import Ack
from relayer.engine import Engine, StoppedError, ack_of

MAX_BATCH = 64
MAX_WAITING = 8_192

T = TypeVar("T")


class Intake:
    """Orders of the API on their way to the engine."""

    def __init__(self, engine: Engine, verifier: Verifier, *, threads: int) -> None:
        self._engine = engine
        self._verifier = verifier
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._busy = 0
        self._waiting: list[tuple[PlaceBody, asyncio.Future[Ack]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def place(self, body: PlaceBody) -> Ack:
        """The core's answer, on disk. Raises ApiError for what the core never gets to see, and `StoppedError`."""
        if len(self._waiting) >= MAX_WAITING:
            raise ApiError(503, "overloaded", "too many orders are waiting to be verified: try again shortly")
        answered: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, answered))
        self._pump()
        return await answered

    async def verified(self, check: Callable[[], T]) -> T:
        """Runs a check of the verifier in the thread pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, check)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _pump(self) -> None:
        while self._waiting and self._busy < self._threads:
            taken = self._waiting[:MAX_BATCH]
            del self._waiting[:MAX_BATCH]
            self._busy += 1
            task = asyncio.ensure_future(self._take(taken))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _take(self, taken: Sequence[tuple[PlaceBody, asyncio.Future[Ack]]]) -> None:
        try:
            bodies = [body for body, _ in taken]
            results = await asyncio.get_running_loop().run_in_executor(self._pool, self._verify, bodies)
        finally:
            self._busy -= 1
            self._pump()
        self._engine.metrics.verify_batch.observe(len(taken))
        accepted: list[tuple[Place, asyncio.Future[Ack]]] = []
        for result, (_, answered) in zip(results, taken, strict=True):
            if isinstance(result, Place):
                accepted.append((result, answered))
            elif not answered.done():
                answered.set_exception(result)
        if not accepted:
            return
        try:
            decided = await self._engine.apply([item for item, _ in accepted])
        except StoppedError as error:
            for _, answered in accepted:
                if not answered.done():
                    answered.set_exception(error)
            return
        for outputs, (_, answered) in zip(decided, accepted, strict=True):
            if not answered.done():
                answered.set_result(ack_of(outputs))

    def _verify(self, bodies: Sequence[PlaceBody]) -> list[Place | ApiError]:
        results: list[Place | ApiError] = []
        for body in bodies:
            try:
                results.append(self._verifier.place(body.order, body.signature, body.label))
            except ApiError as error:
                results.append(error)
        return results
