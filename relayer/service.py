# SPDX-License-Identifier: AGPL-3.0-only
"""One relayer: its parts put together, started in order and stopped in order."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from relayer.api.intake import Intake
from relayer.api.limits import Limits
from relayer.api.venue import Venue
from relayer.api.verifying import Verifier
from relayer.chain_watch import ChainWatcher, Rpc
from relayer.config import RelayerConfig
from relayer.core import CORE_VERSION, Core
from relayer.engine import Engine, StoppedError
from relayer.event_files import EventFiles
from relayer.event_log import EventLog
from relayer.journal import Identity, Journal, OsFiles, SealedGroup, Snapshots
from relayer.logs import logger
from relayer.metrics import Metrics
from relayer.publication import Publisher
from relayer.receipts import HeadSigner, Receipts
from relayer.risk import RiskMonitor
from relayer.settlement import Operator, OperatorKeyError, Settler

log = logger("service")

_FIRING_TICK_S = 0.002
"""Pause between two inputs while triggered orders wait for their turn."""


class Relayer:
    """The parts of a running relayer. `failed` is set when only a restart can help."""

    def __init__(self, config: RelayerConfig) -> None:
        """Opens the journal. Raises its errors, and OperatorKeyError."""
        self.config = config
        settings = config.settings
        operator = self._operator = Operator.load(
            settings.operator_key,
            settings.password(),
            config.deployment.chain_id,
            signer_url=settings.operator_signer_url,
            address=config.deployment.operator,
        )
        if operator.address != config.deployment.operator:
            raise OperatorKeyError(
                f"the operator key is of {operator.address}, the deployment's operator is {config.deployment.operator}"
            )
        self.receipts = Receipts(config.deployment.domain(), _head_signer(config, operator))
        core_config = config.core()
        identity = Identity(
            core_version=CORE_VERSION,
            chain_id=core_config.chain_id,
            contract=core_config.exchange,
            config=msgspec.json.encode(core_config),
        )
        self._snapshots = Snapshots(OsFiles(config.snapshots_dir))
        journal = Journal.open(
            OsFiles(config.journal_dir),
            identity,
            marks=[snapshot.mark for snapshot in self._snapshots.all()],
            upgrade=True,
            segment_bytes=settings.relayer_segment_mb * 2**20,
            reserve_bytes=settings.relayer_reserve_mb * 2**20,
        )
        publisher = Publisher(config.journal_dir, settings.relayer_publish_delay_s, journal.seq)

        def sealed(group: SealedGroup, records: Sequence[bytes]) -> None:
            self.receipts.seal(group, records)
            publisher.sealed(group.last_seq)

        journal.on_sealed = sealed
        metrics = Metrics()
        event_log = EventLog(EventFiles(OsFiles(config.events_dir)))
        self.engine = Engine(Core(core_config), journal, event_log, metrics)
        contracts = config.deployment.contracts
        self._rpc = Rpc(settings.rpc_urls(), metrics.rpc_errors)
        self.watcher = ChainWatcher(
            self.engine,
            self._rpc,
            [contracts.exchange, contracts.vault, contracts.oracle],
            start_block=config.deployment.start_block,
            poll_s=settings.relayer_poll_s,
            stale_s=settings.relayer_stale_s,
            max_ahead_s=config.max_ahead_s,
            verify_blocks=settings.relayer_verify_blocks,
        )
        self.settler = Settler(self.engine, self.watcher, self._rpc, operator, config.settler())
        verifier = Verifier(config.deployment)
        limits = Limits(config.limits())
        self._intake = Intake(
            self.engine, verifier, limits, threads=settings.relayer_verify_threads, look=self.watcher.look
        )
        self.venue = Venue(
            self.engine,
            self._intake,
            verifier,
            operator,
            self.receipts,
            publisher,
            limits,
            self.why_not_ready,
            self.settler.warnings,
            settings.events_token,
        )
        self.failed = asyncio.Event()
        self._replayed = False
        self._stopping = False
        self._main: asyncio.Task[None] | None = None

    def why_not_ready(self) -> str:
        """Why no orders are taken; empty when they are."""
        if self.failed.is_set() or self.engine.failed.is_set():
            return "the relayer has failed and ends"
        if self._stopping:
            return "the relayer is stopping"
        if not self._replayed:
            return "the journal is being replayed"
        if self.watcher.broken:
            return self.watcher.broken
        if not self.watcher.in_sight:
            return "the relayer is not at the head of the chain"
        return self.settler.fenced

    async def start(self) -> None:
        """Begins to replay; everything else follows by itself."""
        self._main = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Takes nothing more, lets what was decided reach the disk, ends."""
        self._stopping = True
        if self._main is not None:
            self._main.cancel()
            with suppress(asyncio.CancelledError):
                await self._main
        with suppress(StoppedError):
            await self.engine.stop()
        self._intake.close()
        await self._rpc.close()
        await self._operator.close()
        log.info("stopped", records=self.engine.journal.seq)

    def wake_consumers(self) -> None:
        """Ends long polls and streams, so that the server can stop."""
        self._stopping = True
        self.engine.event_log.close()

    async def _run(self) -> None:
        try:
            started = time.monotonic()
            # In a thread, so that health is answered meanwhile; nothing else touches the core yet.
            records = await asyncio.to_thread(self.engine.replay, self._snapshots)
            core = self.engine.core
            gc.freeze()  # what came back stays: the collector need not look through it again and again
            log.info(
                "replayed",
                records=records,
                seconds=round(time.monotonic() - started, 3),
                seq=core.seq,
                block=core.chain_number,
                unsettled=core.unsettled,
                pending_batches=len(core.pending_batches()),
            )
            self.engine.start()
            self._replayed = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self.watcher.run())
                group.create_task(self.settler.run())
                group.create_task(self._tick())
                group.create_task(RiskMonitor(self.engine, every_s=self.config.settings.relayer_risk_s).run())
                group.create_task(_until(self.engine.failed))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # Whatever it was: the process must not live on half alive.
            log.critical("failed", error=repr(error), exc_info=error)
        self.failed.set()

    async def _tick(self) -> None:
        while self.engine.running:
            # Between two inputs of a price move that fires many orders others get their turn.
            due = self.engine.core.is_firing
            await asyncio.sleep(_FIRING_TICK_S if due else self.config.settings.relayer_tick_s)
            with suppress(StoppedError):
                self.engine.tick()


def _head_signer(config: RelayerConfig, operator: Operator) -> HeadSigner:
    """The key that signs heads. Raises OperatorKeyError when it is not the one that clients are told of."""
    settings = config.settings
    if settings.receipt_key:
        chain_id = config.deployment.chain_id
        signer = Operator.load(settings.receipt_key, settings.password(), chain_id).head_signer()
    else:
        signer = operator.head_signer()
    if signer.address != config.receipt_signer:
        raise OperatorKeyError(
            f"journal heads are signed by {signer.address}, clients are told {config.receipt_signer}: "
            "set OURO_RECEIPT_SIGNER to the address of OURO_RECEIPT_KEY"
        )
    return signer


async def _until(event: asyncio.Event) -> None:
    """Ends the group when the event comes."""
    await event.wait()
    raise StoppedError("the engine has failed")
