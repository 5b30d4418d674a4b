# SPDX-License-Identifier: AGPL-3.0-only
"""The whole loop under power cuts and kills: core, journal, event log, snapshots, follower, submission of batches.

A day's inputs are known beforehand, and with them every state, answer and public record there can be. A life recovers,
goes on where the journal ends and dies somewhere; whatever anybody outside heard meanwhile must still be true in the
next one. Outside are: clients with answers, a consumer of the event log, and a chain that records what is broadcast.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from relayer.core import CORE_VERSION, Core, CoreConfig
from relayer.core.inputs import BatchBuilt, Input
from relayer.core.outputs import Output, encode_json, is_public
from relayer.engine import Engine, StoppedError
from relayer.event_files import EventFiles
from relayer.event_log import EventLog
from relayer.follower import Follower, FollowerPolicy
from relayer.journal import Identity, Journal, JournalCorruptError, JournalError, Snapshots
from relayer.metrics import Metrics
from tests.crash.disk import ForgetfulDisk, PowerOffError
from tests.unit.relayer_core.scenario import Day

SEGMENT_BYTES = 12_000
EVENT_BYTES = 24_000
POLICY = FollowerPolicy(snapshot_records=25, snapshot_s=1e9, journal_s=0, events_s=0)


class BrokenPromiseError(AssertionError):
    """Somebody outside was told what is not so."""


class Expected:
    """A day as it goes if nobody ever dies: per number of inputs the state, the outputs and the public lines."""

    def __init__(self, seed: int, steps: int) -> None:
        day = Day(Random(seed))
        for _ in range(steps):
            day.step()
        self.config: CoreConfig = day.venue.config
        self.items: list[Input] = day.venue.inputs
        self.states: list[bytes] = []
        self.answers: list[list[Output]] = []
        self.lines: list[bytes] = []
        self.line_counts = [0]
        core = Core(self.config)
        self.states.append(core.state_hash())
        for item in self.items:
            self.answers.append(core.apply(item))
            self.states.append(core.state_hash())
            self.lines.extend(encode_json(each) for each in self.answers[-1] if is_public(each))
            self.line_counts.append(len(self.lines))

    @property
    def identity(self) -> Identity:
        return Identity(
            core_version=CORE_VERSION,
            chain_id=self.config.chain_id,
            contract=self.config.exchange,
            config=self.config.encode(),
        )


class Outside:
    """What others were told."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.broadcast: dict[tuple[int, bytes], int] = {}
        """Per batch number and raw transaction the place of its record in the day."""
        self.consumed: list[bytes] = []


class Campaign:
    """Days on a disk, life after life."""

    def __init__(self, seed: int, *, honest: bool = True, steps: int = 120, days: Sequence[int] = (1, 2, 3, 4)) -> None:
        self.rng = Random(seed)
        self.counts: Counter[str] = Counter()
        self._honest = honest
        self._days = [Expected(day, steps) for day in days]
        self._begin()

    def _begin(self) -> None:
        self.counts["days"] += 1
        self.day = self._days[self.counts["days"] % len(self._days)]
        self.disk = ForgetfulDisk(self.rng, honest=self._honest)
        self.outside = Outside()

    @property
    def deaths(self) -> int:
        """Lives that ended by a power cut or a kill."""
        return self.counts["power_cuts"] + self.counts["kills"]

    def run(self, deaths: int) -> None:
        """Raises BrokenPromiseError."""
        while self.deaths < deaths:
            self.disk.fuse = self.disk.operations + self.rng.randrange(1, 60)
            self.live(power=self.rng.random() < 0.6)

    def live(self, *, power: bool) -> None:
        """One life, and its end: by a power cut, or by a signal that leaves the page cache."""
        self.counts["lives"] += 1
        done = asyncio.run(_Life(self).run())
        if done:
            self.counts["whole_days"] += 1
            self._begin()
        elif power:
            self.counts["power_cuts"] += 1
            self.disk.power_on()
        else:
            self.counts["kills"] += 1
            self.disk.start_again()


class _Life:
    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._rng = campaign.rng
        self._day = campaign.day
        self._outside = campaign.outside
        disk = campaign.disk
        self._journal_files = disk.folder("journal")
        self._snapshots = Snapshots(disk.folder("snapshots"))
        self._event_folder = disk.folder("events")
        self._died = False

    async def run(self) -> bool:
        """Until death (False), or until the day is over."""
        asyncio.get_running_loop().set_exception_handler(self._on_exception)
        journal: Journal | None = None
        try:
            journal = self._open()
            engine = Engine(
                Core(self._day.config),
                journal,
                EventLog(EventFiles(self._event_folder, segment_bytes=EVENT_BYTES), tail=50),
                Metrics(),
                wall_ms=lambda: 0,
            )
            replayed = engine.replay(self._snapshots)
            self._campaign.counts["records_replayed"] += replayed
            self._check(engine)
            engine.start()
            await self._trade(engine)
            return not self._died
        except (PowerOffError, StoppedError):
            return False
        except JournalError as error:
            raise BrokenPromiseError(f"the journal does not open: {error}") from error
        finally:
            if journal is not None:
                with suppress(PowerOffError):
                    await asyncio.to_thread(journal.close)

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if isinstance(context.get("exception"), PowerOffError):
            self._died = True
        else:
            loop.default_exception_handler(context)

    def _open(self) -> Journal:
        return Journal.open(
            self._journal_files,
            self._day.identity,
            marks=[snapshot.mark for snapshot in self._snapshots.all()],
            upgrade=True,
            segment_bytes=SEGMENT_BYTES,
        )

    def _check(self, engine: Engine) -> None:
        """Everything that was ever said still holds."""
        day, outside, count = self._day, self._outside, engine.core.input_seq
        if count < outside.acknowledged:
            raise BrokenPromiseError(f"{outside.acknowledged} inputs were acknowledged, {count} are there")
        if engine.core.state_hash() != day.states[count]:
            raise BrokenPromiseError(f"another state after {count} inputs")
        for (number, _), place in outside.broadcast.items():
            if place >= count:
                raise BrokenPromiseError(f"batch {number} was broadcast, its record is not on disk")
        lines = day.lines[: day.line_counts[count]]
        if outside.consumed != lines[: len(outside.consumed)]:
            raise BrokenPromiseError("a public record was taken back")
        self._consume(engine)
        if outside.consumed != lines:
            raise BrokenPromiseError("the event log does not say what happened, or says it twice")

    async def _trade(self, engine: Engine) -> None:
        day, rng, follower = self._day, self._rng, self._new_follower()
        while engine.core.input_seq < len(day.items) and not self._died:
            under_way = [self._next(engine) for _ in range(rng.randrange(1, 4))]
            told = [self._submit(engine, *each) for each in under_way]
            for result in await asyncio.gather(*told, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
            if rng.random() < 0.5:
                self._consume(engine)
            if rng.random() < 0.5:
                engine.event_log.flush()
            if rng.random() < 0.05:
                follower = self._new_follower()
                self._campaign.counts["followers_killed"] += 1
            if rng.random() < 0.6:
                self._follow(follower)

    def _next(self, engine: Engine) -> tuple[int, list[Input], asyncio.Future[list[list[Output]]] | None]:
        """Decides the next inputs at once, in their order."""
        start = engine.core.input_seq
        items = self._day.items[start : start + self._rng.randrange(1, 6)]
        return start, items, engine.apply(items) if items and engine.running else None

    async def _submit(
        self, engine: Engine, start: int, items: list[Input], decided: asyncio.Future[list[list[Output]]] | None
    ) -> None:
        """What the service does: it answers, and broadcasts, once the record is on disk."""
        if decided is None:
            return  # the day is over, or death came with the group before
        if await decided != self._day.answers[start : start + len(items)]:
            raise BrokenPromiseError(f"other answers than expected to the inputs from {start}")
        self._outside.acknowledged = max(self._outside.acknowledged, start + len(items))
        self._campaign.counts["inputs"] += len(items)
        for place, item in enumerate(items, start):
            if isinstance(item, BatchBuilt):
                self._outside.broadcast[item.batch_no, item.raw_tx] = place
                self._campaign.counts["broadcasts"] += 1
        assert engine.journal.seq >= start + len(items)

    def _consume(self, engine: Engine) -> None:
        seen = self._outside.consumed
        while lines := engine.event_log.read(len(seen) + 1, 40):
            seen.extend(lines)

    def _new_follower(self) -> Follower:
        events = EventFiles(self._event_folder, segment_bytes=EVENT_BYTES)
        return Follower(self._journal_files, self._snapshots, events, POLICY, clock_s=lambda: 0.0)

    def _follow(self, follower: Follower) -> None:
        before = len(self._snapshots.all())
        try:
            follower.step()
        except JournalCorruptError as error:
            raise BrokenPromiseError(f"the follower cannot read the journal: {error}") from error
        count = follower.seq
        if follower.replica is not None and follower.replica.core.state_hash() != self._day.states[count]:
            raise BrokenPromiseError(f"the follower has another state after {count} inputs")
        self._campaign.counts["snapshots"] += len(self._snapshots.all()) != before
