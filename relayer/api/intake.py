# SPDX-License-Identifier: AGPL-3.0-only
"""The way of an order into the core: verified, then decided and written down together with those that came with it.

Requests that arrive in one turn of the event loop make a batch. Recovering a signature takes about as long as handing
it to a thread, so a few are verified on the spot; a larger batch goes to the thread pool, where recovery runs beside
the loop. While a batch is verified the next one piles up: batches grow with the load, and a lone order never waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from relayer.api.bodies import PlaceBody
from relayer.api.errors import ApiError
from relayer.api.limits import Limits, Meter
from relayer.api.verifying import (
    Verifier,
    account_of,
    generation_of,
    revoked_key,
    signed_in_future,
    wrong_signer,
)
from relayer.core.inputs import Place
from relayer.core.outputs import Ack
from relayer.core.rules import MAX_SIGNED_AHEAD_MS
from relayer.engine import Engine, Outputs, StoppedError, ack_of

ON_THE_SPOT = 4
MAX_BATCH = 64
MAX_WAITING = 8_192
INSUFFICIENT = "insufficient_margin"

T = TypeVar("T")


class Group:
    """Orders that came in one request: verified together, decided one after the other by one call of the engine."""

    __slots__ = ("answered", "bodies", "meter")

    def __init__(
        self, bodies: Sequence[PlaceBody], meter: Meter | None, answered: asyncio.Future[list[Ack | ApiError]]
    ) -> None:
        self.bodies = bodies
        self.meter = meter
        self.answered = answered


class Intake:
    """Orders of the API on their way to the engine."""

    def __init__(
        self,
        engine: Engine,
        verifier: Verifier,
        limits: Limits,
        *,
        threads: int,
        look: Callable[[], Awaitable[None]],
    ) -> None:
        """`look` returns when the core knows every block that the chain has now."""
        self._engine = engine
        self._look = look
        self._verifier = verifier
        self._limits = limits
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._busy = 0
        self._waiting: deque[Group] = deque()
        self._queued = 0
        self._scheduled = False
        self._running: set[asyncio.Task[None]] = set()
        self._cancel_pool = ThreadPoolExecutor(1, thread_name_prefix="cancels")

    async def place(self, body: PlaceBody, meter: Meter | None = None) -> Ack:
        """The core's answer, on disk. Raises ApiError for what the core never gets to see, and StoppedError."""
        [result] = await self.place_all((body,), meter)
        if isinstance(result, ApiError):
            raise result
        return result

    async def place_all(self, bodies: Sequence[PlaceBody], meter: Meter | None = None) -> list[Ack | ApiError]:
        """An answer for each, in order; what was decided is on disk. Raises ApiError 503 and StoppedError.

        Whoever lacks money may have deposited in a block that the core has not read yet: such an order, and what was
        refused after it, gets a second chance after the next look at the chain, if that brought a block.
        """
        block = self._engine.core.chain_hash
        results = await self._place(bodies, meter)
        poor = next((at for at, result in enumerate(results) if _code(result) == INSUFFICIENT), None)
        if poor is not None and await self._moves_on_from(block):
            again = [at for at in range(poor, len(bodies)) if _code(results[at])]
            for at, result in zip(again, await self._place([bodies[at] for at in again], meter), strict=True):
                results[at] = result
        return results

    async def in_cancel_thread(self, work: Callable[[], T]) -> T:
        """Runs `work` beside the event loop in the thread that orders do not use, so that cancels wait for none."""
        return await asyncio.get_running_loop().run_in_executor(self._cancel_pool, work)

    @property
    def queued(self) -> int:
        """Orders that wait to be verified."""
        return self._queued

    async def _moves_on_from(self, block: bytes) -> bool:
        await self._look()
        return self._engine.core.chain_hash != block

    async def _place(self, bodies: Sequence[PlaceBody], meter: Meter | None) -> list[Ack | ApiError]:
        if not bodies:
            return []
        if self._queued + len(bodies) > MAX_WAITING:
            self._engine.metrics.shed.labels("intake").inc(len(bodies))
            raise ApiError(503, "busy", "too many orders are waiting to be verified: try again shortly; cancels pass")
        loop = asyncio.get_running_loop()
        group = Group(bodies, meter, loop.create_future())
        self._waiting.append(group)
        self._queued += len(bodies)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._drain)
        return await group.answered

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._cancel_pool.shutdown(wait=False, cancel_futures=True)

    def _drain(self) -> None:
        self._scheduled = False
        if 0 < self._queued <= ON_THE_SPOT and not self._busy:
            taken = self._take()
            self._decide(taken, self._verify(taken))
        while self._waiting and self._busy < self._threads:
            taken = self._take()
            self._busy += 1
            task = asyncio.ensure_future(self._in_thread(taken))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take(self) -> list[Group]:
        """The oldest groups, as many as make a batch of `MAX_BATCH`; a group is never parted."""
        taken: list[Group] = []
        orders = 0
        while self._waiting and (not taken or orders + len(self._waiting[0].bodies) <= MAX_BATCH):
            group = self._waiting.popleft()
            orders += len(group.bodies)
            taken.append(group)
        self._queued -= orders
        return taken

    async def _in_thread(self, taken: Sequence[Group]) -> None:
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._pool, self._verify, taken)
        except BaseException as error:
            _break(taken, error)
            raise
        finally:
            self._busy -= 1
        self._decide(taken, results)
        self._drain()

    def _verify(self, taken: Sequence[Group]) -> list[list[Place | ApiError]]:
        return [[self._verified(body) for body in group.bodies] for group in taken]

    def _verified(self, body: PlaceBody) -> Place | ApiError:
        try:
            return self._verifier.place(body)
        except ApiError as error:
            return error

    def _decide(self, taken: Sequence[Group], results: Sequence[list[Place | ApiError]]) -> None:
        """Hands the verified orders to the core in one go; the answers follow when they are on disk."""
        items: list[Place] = []
        answers: list[list[Ack | ApiError | None]] = []
        count = 0
        for group, verified in zip(taken, results, strict=True):
            count += len(verified)
            admitted = [
                self._admitted(result, group.meter) if isinstance(result, Place) else result for result in verified
            ]
            items += [result for result in admitted if isinstance(result, Place)]
            answers.append([None if isinstance(result, Place) else result for result in admitted])
        self._engine.metrics.verify_batch.observe(count)
        try:
            decided = self._engine.apply(items) if items else None
        except StoppedError as error:
            _break(taken, error)
            return
        if decided is None:
            _answer(taken, answers, iter(()))
            return

        def on_disk(future: asyncio.Future[list[Outputs]]) -> None:
            error = future.exception()
            if error is not None:
                _break(taken, error)
                return
            acks = [ack_of(outputs) for outputs in future.result()]
            for item, ack in zip(items, acks, strict=True):
                if not ack.ok:
                    self._limits.refused(account_of(item))
            _answer(taken, answers, iter(acks))

        decided.add_done_callback(on_disk)

    def _admitted(self, item: Place, meter: Meter | None) -> Place | ApiError:
        """The order again if its signer may sign for its account, and that account has ever held anything and is within
        its limits. What comes after this is written down: so nothing does that is refused now and would be good once it
        is published.
        """
        account, core = account_of(item), self._engine.core
        if not core.may_sign(account, item.signer):
            return wrong_signer(item.signer, account, item.order_id)
        if core.is_revoked(account, item.signer):
            return revoked_key(item.signer)
        if not core.has_deposited(account):
            return _without_deposit(account)
        if generation_of(item) > self._engine.now_ms() + MAX_SIGNED_AHEAD_MS:
            return signed_in_future(generation_of(item), self._engine.now_ms())
        try:
            self._limits.order(account, meter)
        except ApiError as error:
            self._engine.metrics.shed.labels("account").inc()
            return error
        return item


def _without_deposit(signer: str) -> ApiError:
    """Said before the journal: whoever makes keys must not be able to fill the disk with them."""
    return ApiError(422, INSUFFICIENT, f"{signer} has never had a deposit: deposit first, then sign again", "account")


def _code(result: Ack | ApiError) -> str:
    return result.code if isinstance(result, ApiError) else result.error_code


def _answer(taken: Sequence[Group], answers: Sequence[list[Ack | ApiError | None]], acks: Iterator[Ack]) -> None:
    """Gives each group its answers, with those of the core (`acks`) in the places that are left open."""
    for group, known in zip(taken, answers, strict=True):
        full = [next(acks) if result is None else result for result in known]
        if not group.answered.done():
            group.answered.set_result(full)


def _break(taken: Sequence[Group], error: BaseException) -> None:
    for group in taken:
        if not group.answered.done():
            group.answered.set_exception(error)
