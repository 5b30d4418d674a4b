# SPDX-License-Identifier: AGPL-3.0-only
"""Drives the core: decide in memory, write down, and only then let anything out.

All inputs pass through `Engine.apply`, on the event loop. It runs the core inline and queues the journal record;
answers and public records are released when the record is on disk, in the order of the decisions. Whatever reads the
core for an answer waits for `durable()` first, so that nobody sees a decision that a crash could take back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from relayer.core import Core, InputRefusedError, inputs
from relayer.core.inputs import ChainBlock, Input, Tick
from relayer.core.outputs import Ack, FillOutput, Output, PublicRecord, WantSettlement
from relayer.event_log import EventLog
from relayer.journal import (
    START,
    Journal,
    JournalCorruptError,
    Mark,
    SegmentHeader,
    SnapshotDamagedError,
    Snapshots,
)
from relayer.logs import logger
from relayer.metrics import Metrics
from relayer.replica import Replica, config_of, snapshot_of, without_collector

log = logger("engine")

Outputs = list[Output]


class StoppedError(Exception):
    """The relayer takes nothing more: it is shutting down, or has failed."""


class Engine:
    """Owner of core, journal and event log. Everything but `replay` belongs to the event loop's thread."""

    def __init__(
        self,
        core: Core,
        journal: Journal,
        event_log: EventLog,
        metrics: Metrics,
        *,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.core = core
        self.journal = journal
        self.event_log = event_log
        self.metrics = metrics
        self.settlement_wanted = asyncio.Event()
        self.failed = asyncio.Event()
        self._wall_ms = wall_ms
        self._ahead_ms = 0  # by how much the newest block was ahead of the clock
        self._newest: asyncio.Future[None] | None = None
        self._open = False

    def replay(self, snapshots: Snapshots | None = None) -> int:
        """Brings the core to where the journal ends, from the newest good snapshot that is in it; makes the event log
        say the same; goes over to another configuration if there is one. Answers the number of records applied.

        May run in a thread of its own while nothing else uses the engine. Raises the journal's errors.
        """
        replica, after = self._newest_replica(snapshots)
        if after != START:
            log.info("from_snapshot", seq=after.seq, head=after.head.hex())
        self.event_log.begin(replica.core.seq)
        count = 0
        with without_collector():
            for item in self.journal.items(after):
                count += replica.follow(item, lambda _, outputs: self._publish(outputs))
        self.core = replica.core
        if self.journal.needs_upgrade:
            self._upgrade(snapshots)
        self._ahead_ms = max(0, self.core.chain_time_s * 1000 - self._wall_ms())
        self.event_log.flush()
        return count

    def _newest_replica(self, snapshots: Snapshots | None) -> tuple[Replica, Mark]:
        start, identities = self.journal.start, self.journal.identities()
        usable = [] if snapshots is None or start == START else snapshots.all()
        for snapshot in usable:
            identity = identities.get(snapshot.identity)
            if snapshot.seq > start.seq or identity is None:
                continue
            try:
                assert snapshots is not None
                return Replica.load(identity, snapshots, snapshot), snapshot.mark
            except SnapshotDamagedError as error:
                log.error("snapshot_damaged", error=str(error))
        first = next(item for item in self.journal.items() if isinstance(item, SegmentHeader))
        if first.first_seq != 1:
            raise JournalCorruptError("journal", 0, "its beginning was removed, and no snapshot is good")
        return Replica(first.identity), START

    def _upgrade(self, snapshots: Snapshots | None) -> None:
        """The same state under the configuration of this start."""
        before, identity = config_of(self.journal.identity), self.journal.wanted
        config = config_of(identity)
        with without_collector():
            state = self.core.dump()
            self.core = Core.restore(config, state) if self.core.input_seq else Core(config)
        mark = self.journal.upgrade(sha256(state).digest())
        if snapshots is not None and mark.seq:
            snapshots.write(snapshot_of(self.core, identity, mark.head, state), state)
        changed = [name for name in config.__struct_fields__ if getattr(config, name) != getattr(before, name)]
        log.warning("configuration_changed", seq=mark.seq, changed=changed)

    def start(self) -> None:
        """Begins to take inputs."""
        self._open = True

    @property
    def running(self) -> bool:
        """Whether inputs are taken."""
        return self._open

    def apply(self, items: Sequence[Input]) -> asyncio.Future[list[Outputs]]:
        """Decides `items` now; the future gives the outputs of each once all of them are on disk.

        Raises `InputRefusedError` for an input that the core cannot take (those before it stand) and `StoppedError`.
        """
        if not self._open:
            raise StoppedError("the relayer is stopping")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Outputs]] = loop.create_future()
        future.add_done_callback(_retrieve)  # a caller may have gone away
        decided: list[Outputs] = []
        records: list[bytes] = []
        refused: InputRefusedError | None = None
        try:
            now_ms = self.now_ms()
            if now_ms > self.core.now_ms:
                tick = Tick(now_ms, self._ahead_ms)
                records.append(inputs.encode(tick))
                decided.append(self.core.apply(tick))
            ticks = len(records)
            for item in items:
                try:
                    outputs = self.core.apply(item)
                except InputRefusedError as error:
                    refused = error
                    break
                if isinstance(item, ChainBlock):
                    self._ahead_ms = max(0, item.time_s * 1000 - self._wall_ms())
                records.append(inputs.encode(item))
                decided.append(outputs)
            if records:
                self._write(records, decided, ticks, future)
        except Exception as error:
            # The core may be half-way through a change: only a replay from the disk gives a state to stand on.
            self._fail(error)
            raise StoppedError("the relayer has failed") from error
        if refused is not None:
            raise refused
        if not records:
            future.set_result([])
        return future

    def tick(self) -> None:
        """Lets the core know what time it is, and the event log's files what it said."""
        self.apply(())
        self.event_log.flush()

    async def command(self, item: Input) -> Ack:
        """Applies one command and answers its acknowledgement, which is on disk."""
        [outputs] = await self.apply([item])
        return ack_of(outputs)

    async def durable(self) -> None:
        """Returns when every decision made so far is on disk."""
        if self._newest is not None:
            await asyncio.shield(self._newest)
        if self.failed.is_set():
            raise StoppedError("the journal could not be written")

    def now_ms(self) -> int:
        """The core's next time: the clock, set forward by as much as the newest block was ahead of it."""
        return self._wall_ms() + self._ahead_ms

    async def stop(self) -> None:
        """Takes no more inputs, writes what was decided, closes journal and event log."""
        self._open = False
        if not self.failed.is_set():
            await self.durable()
        await asyncio.to_thread(self.journal.close)
        self.event_log.close()

    def _write(
        self, records: list[bytes], decided: list[Outputs], ticks: int, future: asyncio.Future[list[Outputs]]
    ) -> None:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        ticket = self.journal.append(records, self.core.trail_hash())
        # Apart from `future`, which goes away with its caller.
        written: asyncio.Future[None] = loop.create_future()
        self._newest = written

        def on_disk() -> None:
            error = ticket.exception()
            written.set_result(None)
            if error is not None:
                self._fail(error)
                if not future.done():
                    future.set_exception(StoppedError("the journal could not be written"))
                return
            self.metrics.commit_seconds.observe(time.perf_counter() - started)
            self.metrics.inputs.inc(len(records))
            try:
                for outputs in decided:
                    self._publish(outputs)
            except Exception as problem:  # noqa: BLE001  (whatever it was, nobody may wait for ever)
                # Records that nobody can read: what came after them must not be answered either.
                self._fail(problem)
                if not future.done():
                    future.set_exception(StoppedError("the event log has failed"))
                return
            self.metrics.unsettled.set(self.core.unsettled)
            if not future.done():
                future.set_result(decided[ticks:])

        ticket.add_done_callback(lambda _: loop.call_soon_threadsafe(on_disk))

    def _publish(self, outputs: Outputs) -> None:
        public: list[PublicRecord] = []
        for output in outputs:
            if isinstance(output, WantSettlement):
                self.settlement_wanted.set()
            elif not isinstance(output, Ack):
                public.append(output)
                if isinstance(output, FillOutput):
                    self.metrics.fills.labels(output.status).inc()
        self.event_log.append(public)
        self.metrics.records.set(self.event_log.seq)

    def _fail(self, error: BaseException) -> None:
        """No way on but a restart: the disk, not the memory, is the truth."""
        if not self.failed.is_set():
            log.critical("failed", error=repr(error), exc_info=error)
        self._open = False
        self.failed.set()


def _retrieve(future: asyncio.Future[list[Outputs]]) -> None:
    if not future.cancelled():
        future.exception()


def ack_of(outputs: Outputs) -> Ack:
    """The acknowledgement among a command's outputs."""
    last = outputs[-1]
    if not isinstance(last, Ack):
        raise TypeError("the core gave no acknowledgement for a command")
    return last
