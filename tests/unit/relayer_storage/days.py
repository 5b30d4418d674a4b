# SPDX-License-Identifier: AGPL-3.0-only
"""A trading day in the files of a relayer, without a relayer: what followers and restarts are tested on."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec

from relayer.core import CORE_VERSION, Core, CoreConfig, inputs
from relayer.core.inputs import Input
from relayer.engine import Engine
from relayer.event_files import EventFiles
from relayer.event_log import EventLog
from relayer.journal import Identity, Journal, OsFiles, Snapshots
from relayer.metrics import Metrics
from tests.unit.relayer_core.scenario import Day


def identity_of(config: CoreConfig) -> Identity:
    return Identity(
        core_version=CORE_VERSION, chain_id=config.chain_id, contract=config.exchange, config=config.encode()
    )


def day_of(seed: int, steps: int) -> Day:
    day = Day(Random(seed))
    for _ in range(steps):
        day.step()
    return day


class Storage:
    """The folders of a relayer."""

    def __init__(self, folder: Path, *, segment_bytes: int = 2**26, event_bytes: int = 2**24) -> None:
        self.folder = folder
        self.snapshots = Snapshots(OsFiles(folder / "snapshots"))
        self._segment_bytes = segment_bytes
        self._event_bytes = event_bytes

    def events(self) -> EventFiles:
        return EventFiles(OsFiles(self.folder / "events"), segment_bytes=self._event_bytes)

    def journal(self, config: CoreConfig) -> Journal:
        return Journal.open(
            OsFiles(self.folder / "journal"),
            identity_of(config),
            marks=[snapshot.mark for snapshot in self.snapshots.all()],
            upgrade=True,
            segment_bytes=self._segment_bytes,
        )

    def engine(self, config: CoreConfig) -> tuple[Engine, int]:
        """A restarted relayer's engine, and how many records it had to replay."""
        engine = Engine(Core(config), self.journal(config), EventLog(self.events()), Metrics())
        return engine, engine.replay(self.snapshots)

    def write(self, config: CoreConfig, items: Sequence[Input], *, group: int = 5) -> Core:
        """What a relayer does with inputs, in groups."""
        engine, _ = self.engine(config)
        append(engine, items, group=group)
        close(engine)
        return engine.core


def append(engine: Engine, items: Sequence[Input], *, group: int = 5) -> None:
    """Applies, journals and publishes."""
    for at in range(0, len(items), group):
        outputs = [engine.core.apply(item) for item in items[at : at + group]]
        records = [inputs.encode(item) for item in items[at : at + group]]
        engine.journal.append(records, engine.core.trail_hash()).result(timeout=60)
        for each in outputs:
            engine._publish(each)


def close(engine: Engine) -> None:
    engine.journal.close()
    engine.event_log.close()


def cheaper(config: CoreConfig) -> CoreConfig:
    """The same venue with another fee."""
    return msgspec.structs.replace(config, taker_fee_ppm=config.taker_fee_ppm - 100)
