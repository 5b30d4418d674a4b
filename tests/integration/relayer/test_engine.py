# SPDX-License-Identifier: AGPL-3.0-only
"""Nothing leaves before it is on disk, and a disk that fails ends it all: the engine on a disk that a test holds up."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ouro.markets import Market
from relayer.core import CORE_VERSION, Core, CoreConfig, InputRefusedError
from relayer.core.inputs import CancelAll, ChainBlock
from relayer.engine import Engine, StoppedError
from relayer.event_log import EventLog
from relayer.journal import AppendFile, Identity, Journal, OsFiles
from relayer.metrics import Metrics

ADDRESS = "0x" + "11" * 20
MARKET = Market(1, "BTC-USD", 4, 2, 100, 50_000, 30_000, 100_000, 10**8, 120, 5_000)
CONFIG = CoreConfig(
    chain_id=31_337, exchange=ADDRESS, vault=ADDRESS, oracle=ADDRESS, operator=ADDRESS, markets=(MARKET,)
)


class _HeldFile:
    """A file whose syncs wait for the test, or fail."""

    def __init__(self, file: AppendFile, disk: "HeldDisk") -> None:
        self._file = file
        self._disk = disk

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def sync(self) -> None:
        self._disk.gate.wait(10)
        if self._disk.broken:
            raise OSError("input/output error")
        self._file.sync()

    def close(self) -> None:
        self._file.close()


class HeldDisk(OsFiles):
    """A real folder; syncs pass while `gate` is open."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False

    def append_to(self, name: str) -> Any:
        return _HeldFile(super().append_to(name), self)


def _engine(disk: OsFiles, wall_ms: Callable[[], int] = lambda: 1_700_000_000_000) -> Engine:
    identity = Identity(
        core_version=CORE_VERSION, chain_id=31_337, contract=ADDRESS, config=msgspec.json.encode(CONFIG)
    )
    engine = Engine(Core(CONFIG), Journal.open(disk, identity), EventLog(), Metrics(), wall_ms=wall_ms)
    engine.replay()
    engine.start()
    return engine


def _command(nonce: int) -> CancelAll:
    return CancelAll(ADDRESS, 0, "", ADDRESS, nonce)


def test_answers_wait_for_the_disk(tmp_path: Path) -> None:
    async def run() -> None:
        disk = HeldDisk(tmp_path)
        engine = _engine(disk)
        disk.gate.clear()
        answer = asyncio.ensure_future(engine.command(_command(1)))
        durable = asyncio.ensure_future(engine.durable())
        done, _ = await asyncio.wait((answer, durable), timeout=0.3)
        assert not done
        disk.gate.set()
        assert (await answer).ok
        await durable
        assert engine.journal.seq == engine.core.input_seq
        await engine.stop()

    asyncio.run(run())


def test_a_failed_sync_answers_nobody_and_stops_everything(tmp_path: Path) -> None:
    async def run() -> None:
        disk = HeldDisk(tmp_path)
        engine = _engine(disk)
        disk.broken = True
        with pytest.raises(StoppedError):
            await engine.command(_command(1))
        assert engine.failed.is_set()
        with pytest.raises(StoppedError):
            engine.apply([_command(2)])
        with pytest.raises(StoppedError):
            await engine.durable()
        await engine.stop()

    asyncio.run(run())


def test_a_caller_that_leaves_disturbs_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        disk = HeldDisk(tmp_path)
        engine = _engine(disk)
        disk.gate.clear()
        leaving = asyncio.ensure_future(engine.command(_command(1)))
        staying = asyncio.ensure_future(engine.command(_command(2)))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        disk.gate.set()
        assert (await staying).ok
        await engine.durable()
        await engine.stop()

    asyncio.run(run())


def test_a_refused_input_is_not_written_down_but_those_before_it_are(tmp_path: Path) -> None:
    async def run() -> None:
        engine = _engine(OsFiles(tmp_path))
        await engine.apply([ChainBlock(1, b"\1" * 32, bytes(32), 1)])
        stranger = ChainBlock(3, b"\3" * 32, b"\2" * 32, 3)
        with pytest.raises(InputRefusedError):
            engine.apply([_command(1), stranger])
        await engine.durable()
        assert engine.journal.seq == engine.core.input_seq
        await engine.stop()

        again = _engine(OsFiles(tmp_path))
        assert again.core.state_hash() == engine.core.state_hash()
        await again.stop()

    asyncio.run(run())


def test_time_goes_on_between_the_blocks_of_a_chain_that_is_ahead_of_the_clock(tmp_path: Path) -> None:
    async def run() -> None:
        wall_ms = 1_000_000
        engine = _engine(OsFiles(tmp_path), lambda: wall_ms)
        await engine.apply([ChainBlock(1, b"\1" * 32, bytes(32), 1_203)])
        assert engine.now_ms() == 1_203_000
        wall_ms += 250
        assert engine.now_ms() == 1_203_250
        await engine.apply([ChainBlock(2, b"\2" * 32, b"\1" * 32, 999)])
        assert engine.now_ms() == wall_ms
        await engine.stop()

    asyncio.run(run())


def test_a_consumer_is_woken_by_the_record_it_waits_for() -> None:
    async def run() -> None:
        log = EventLog()
        waiting = asyncio.ensure_future(log.wait(1))
        await asyncio.sleep(0)
        assert not waiting.done()
        log.close()
        await waiting
        assert log.closed

    asyncio.run(run())
