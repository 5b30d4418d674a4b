# SPDX-License-Identifier: AGPL-3.0-only
"""The way of an order into the core: verified, then decided and written down together with those that came with it.

Requests that arrive in one turn of the event loop make a batch. Recovering a signature takes about as long as handing
it to a thread, so a few are verified on the spot; a larger batch goes to the thread pool, where recovery runs beside
the loop. While a batch is verified the next one piles up: batches grow with the load, and a lone order never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from relayer.api.bodies import PlaceBody
from relayer.api.errors import ApiError
from relayer.api.verifying import Verifier, account_of, wrong_signer
from relayer.core.inputs import Place
from relayer.core.outputs import Ack
from relayer.engine import Engine, Outputs, StoppedError, ack_of

ON_THE_SPOT = 4
MAX_BATCH = 64
MAX_WAITING = 8_192
INSUFFICIENT = "insufficient_margin"

Waiting: TypeAlias = tuple[PlaceBody, "asyncio.Future[Ack]"]


class Intake:
    """Orders of the API on their way to the engine."""

    def __init__(
        self, engine: Engine, verifier: Verifier, *, threads: int, look: Callable[[], Awaitable[None]]
    ) -> None:
        """`look` returns when the core knows every block that the chain has now."""
        self._engine = engine
        self._look = look
        self._verifier = verifier
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._busy = 0
        self._waiting: list[Waiting] = []
        self._scheduled = False
        self._running: set[asyncio.Task[None]] = set()

    async def place(self, body: PlaceBody) -> Ack:
        """The core's answer, on disk. Raises ApiError for what the core never gets to see, and StoppedError.

        Whoever lacks money may have deposited in a block that the core has not read yet: such an order gets a second
        chance after the next look at the chain, if that brought a block.
        """
        block = self._engine.core.chain_hash
        try:
            ack = await self._place(body)
        except ApiError as error:
            if error.code != INSUFFICIENT or not await self._moves_on_from(block):
                raise
            return await self._place(body)
        if ack.error_code == INSUFFICIENT and await self._moves_on_from(block):
            return await self._place(body)
        return ack

    async def _moves_on_from(self, block: bytes) -> bool:
        await self._look()
        return self._engine.core.chain_hash != block

    async def _place(self, body: PlaceBody) -> Ack:
        if len(self._waiting) >= MAX_WAITING:
            raise ApiError(503, "overloaded", "too many orders are waiting to be verified: try again shortly")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Ack] = loop.create_future()
        self._waiting.append((body, answered))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._drain)
        return await answered

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _drain(self) -> None:
        self._scheduled = False
        if len(self._waiting) <= ON_THE_SPOT and not self._busy:
            taken = self._waiting
            self._waiting = []
            self._decide(taken, self._verify(taken))
        while self._waiting and self._busy < self._threads:
            taken = self._waiting[:MAX_BATCH]
            del self._waiting[:MAX_BATCH]
            self._busy += 1
            task = asyncio.ensure_future(self._in_thread(taken))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _in_thread(self, taken: Sequence[Waiting]) -> None:
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._pool, self._verify, taken)
        finally:
            self._busy -= 1
        self._decide(taken, results)
        self._drain()

    def _verify(self, taken: Sequence[Waiting]) -> list[Place | ApiError]:
        results: list[Place | ApiError] = []
        for body, _ in taken:
            try:
                results.append(self._verifier.place(body.order, body.signature, body.label))
            except ApiError as error:
                results.append(error)
        return results

    def _decide(self, taken: Sequence[Waiting], results: Sequence[Place | ApiError]) -> None:
        """Hands the verified orders to the core in one go; the answers follow when they are on disk."""
        self._engine.metrics.verify_batch.observe(len(taken))
        items: list[Place] = []
        answers: list[asyncio.Future[Ack]] = []
        for result, (_, answered) in zip(results, taken, strict=True):
            if isinstance(result, Place):
                result = self._admitted(result)
            if isinstance(result, Place):
                items.append(result)
                answers.append(answered)
            elif not answered.done():
                answered.set_exception(result)
        if not items:
            return
        try:
            decided = self._engine.apply(items)
        except StoppedError as error:
            _break(answers, error)
            return

        def on_disk(future: asyncio.Future[list[Outputs]]) -> None:
            error = future.exception()
            if error is not None:
                _break(answers, error)
                return
            for outputs, answered in zip(future.result(), answers, strict=True):
                if not answered.done():
                    answered.set_result(ack_of(outputs))

        decided.add_done_callback(on_disk)

    def _admitted(self, item: Place) -> Place | ApiError:
        """The order again if its signer may sign for its account, and that account has ever held anything."""
        account, core = account_of(item), self._engine.core
        if not core.may_sign(account, item.signer):
            return wrong_signer(item.signer, account, item.order_id)
        return item if core.has_deposited(account) else _without_deposit(account)


def _without_deposit(signer: str) -> ApiError:
    """Said before the journal: whoever makes keys must not be able to fill the disk with them."""
    return ApiError(422, INSUFFICIENT, f"{signer} has never had a deposit: deposit first, then sign again", "account")


def _break(answers: Sequence[asyncio.Future[Ack]], error: BaseException) -> None:
    for answered in answers:
        if not answered.done():
            answered.set_exception(error)
