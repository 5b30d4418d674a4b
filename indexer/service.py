# SPDX-License-Identifier: AGPL-3.0-only
"""The indexer as a process: a thread that follows the chain, a task that follows the relayer, and the front door."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from sqlalchemy import Engine

from indexer.api.app import create_app
from indexer.api.context import Context, LiveMarkets
from indexer.api.forward import Forwarder
from indexer.chain.follower import Follower
from indexer.chain.rpc import Node
from indexer.chain.source import BlockSource
from indexer.orders.consumer import RelayerFollower
from indexer.orders.records import BookRecord, FillRecord, OrderRecord
from indexer.progress import Progress
from indexer.reads.catalog import Listing, catalog
from indexer.reconcile import Result
from indexer.reconcile import reconcile as compare
from indexer.store import schema
from indexer.store.chain_store import ChainStore, Position, Reversal
from indexer.store.engine import open_engine
from indexer.store.migrate import migrate
from indexer.store.order_store import OrderStore
from indexer.store.unit import BlockUnit
from indexer.stream.hub import Hub, Update
from indexer.stream.proofs import watch
from indexer.stream.updates import Wanted, of_block, of_book, of_height, of_records, of_reversal
from indexer.views.block import Block
from ouro.deployment import Deployment

_log = structlog.get_logger(__name__)

_FLUSH_S = 0.25
_GRACE_S = 5
_MAX_FRAME = 1 << 16
_NOT_FOLLOWED = ("usdc", "desk", "office", "exit")
"""The collateral's transfers are everybody's; the parts of the exchange log at its own address."""


@dataclass(frozen=True)
class Options:
    """Where everything is. `host` and `port` are the front door's; port 0 takes a free one.

    `public_rpc_url` is the node that clients are told of; by default ours, if its URL cannot hold a key.
    `faucet_url` is the service that gives test money away, if there is one.
    `receipt_signer` is the address that signs the relayer's receipts; by default the operator's. `ip_weight` is what
    reads from one network address may weigh in ten seconds; 0: anything.
    """

    rpc_url: str
    relayer_url: str
    database_url: str
    deployment_path: Path
    host: str = "127.0.0.1"
    port: int = 8000
    poll_s: float = 0.2
    public_rpc_url: str = ""
    receipt_signer: str = ""
    events_token: str = field(default="", repr=False)
    ip_weight: int = 0
    faucet_url: str = ""


class Indexer:
    """All parts of one indexer process; `run` until `stop`."""

    def __init__(self, options: Options) -> None:
        """Opens and migrates the database. Raises `DeploymentError` or `WrongDeploymentError`."""
        self._options = options
        self.deployment = Deployment.load(options.deployment_path)
        self._writer = open_engine(options.database_url, writes=True)
        self.reader = open_engine(options.database_url, writes=False)
        migrate(self._writer)
        self._node = Node(options.rpc_url)
        self.hub = Hub()
        self.progress = Progress()
        self._live = LiveMarkets()
        self.relayer = RelayerFollower(
            options.relayer_url, OrderStore(self._writer), self.progress, self, options.events_token
        )
        self._observer = _ChainObserver(self.reader, self.hub, self._chain_moved)
        store = chain_store(self._writer, self.deployment)
        self._follower = Follower(
            self._node,
            BlockSource(self._node, addresses_of(self.deployment)),
            store,
            self._observer,
            chain_id=self.deployment.chain_id,
            poll_s=options.poll_s,
        )
        self._forwarder = Forwarder(options.relayer_url)
        self._faucet = Forwarder(options.faucet_url, "faucet", "look at the balance") if options.faucet_url else None
        self.context = Context(
            engine=self.reader,
            progress=self.progress,
            books=self.relayer.books,
            live=self._live,
            deployment=self.deployment,
            record=json.loads(options.deployment_path.read_text()),
            relayer_url=options.relayer_url,
            rpc_url=options.public_rpc_url or announced(options.rpc_url),
            receipt_signer=options.receipt_signer or self.deployment.operator,
            faucet=self._faucet is not None,
        )
        self._stopping = asyncio.Event()

    def app(self) -> FastAPI:
        """The front door."""
        return create_app(self.context, self.hub, self._forwarder, self._faucet, ip_weight=self._options.ip_weight)

    def stop(self) -> None:
        """Ask `run` to return; call on the event loop."""
        self._stopping.set()

    async def run(self, listening: Callable[[str], None] | None = None) -> None:
        """Serve until stopped; `listening` hears the base URL. Raises what ended a part that should not have ended."""
        await self.relayer.open()
        position = self._follower.position
        self.progress.chain(position.number, position.time_s, position.final)
        self._live.by_ticker = await asyncio.to_thread(listings, self.reader)
        self._observer.loop = asyncio.get_running_loop()

        with socket.create_server((self._options.host, self._options.port), backlog=2048) as listener:
            host, port = listener.getsockname()[:2]
            config = uvicorn.Config(
                self.app(),
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="websockets-sansio",
                ws_ping_interval=30.0,
                ws_ping_timeout=10.0,
                ws_max_size=_MAX_FRAME,
                timeout_graceful_shutdown=_GRACE_S,
            )
            server = _Server(config)
            parts = {
                asyncio.create_task(server.serve(sockets=[listener])): "front door",
                asyncio.create_task(asyncio.to_thread(self._follower.run)): "chain follower",
                asyncio.create_task(self.relayer.run()): "relayer follower",
                asyncio.create_task(self._flush()): "stream",
                asyncio.create_task(watch(self.hub, self.context)): "proofs",
                asyncio.create_task(self._stopping.wait()): "stop",
            }
            _log.info("serving", url=f"http://{host}:{port}", database=self._options.database_url)
            if listening is not None:
                listening(f"http://{host}:{port}")
            try:
                done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await self._shut(server, parts)
        for task in done:
            failure = task.exception()
            if failure is not None:
                _log.error("a part failed", part=parts[task], error=repr(failure))
                raise failure

    async def _shut(self, server: uvicorn.Server, parts: dict[asyncio.Task[Any], str]) -> None:
        self._follower.stop()
        self.hub.close()
        server.should_exit = True
        for task, name in parts.items():
            if name not in ("front door", "chain follower"):
                task.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await self._forwarder.close()
        if self._faucet is not None:
            await self._faucet.close()
        self._node.close()
        self._writer.dispose()
        self.reader.dispose()
        _log.info("stopped", block=self._follower.position.number, seq=self.progress.seq)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            self.hub.flush()

    def _chain_moved(self, moved: _Moved) -> None:
        """On the event loop, after the follower's transaction."""
        position = moved.position
        self.progress.chain(position.number, position.time_s, position.final, moved.head)
        if moved.listings is not None:
            self._live.by_ticker = moved.listings
        self.hub.publish(moved.updates)

    # What the relayer's follower tells.

    def book_changed(self, record: BookRecord) -> None:
        listing = self._live.by_ticker.get(record.market)
        if listing is not None:
            self.hub.publish([of_book(record, listing)])

    async def orders_changed(self, records: Sequence[OrderRecord | FillRecord]) -> None:
        wanted = Wanted.of(self.hub)
        if wanted.accounts or wanted.parents:
            self.hub.publish(await asyncio.to_thread(self._read_records, records, wanted))

    async def log_restarted(self) -> None:
        """Another log, another epoch: whoever listens must begin again with snapshots."""
        self.hub.close()

    def _read_records(self, records: Sequence[OrderRecord | FillRecord], wanted: Wanted) -> list[Update]:
        with self.reader.begin() as connection:
            return of_records(connection, records, wanted)


@dataclass(frozen=True)
class _Moved:
    """What the follower's thread hands to the event loop."""

    position: Position
    head: int | None
    updates: Sequence[Update]
    listings: dict[str, Listing] | None = None


class _ChainObserver:
    """In the follower's thread: turn what was committed into messages, for those who listen."""

    def __init__(self, reader: Engine, hub: Hub, moved: Callable[[_Moved], None]) -> None:
        self._reader = reader
        self._hub = hub
        self._moved = moved
        self._height = -1
        self.loop: asyncio.AbstractEventLoop | None = None

    def applied(self, block: Block, unit: BlockUnit, position: Position) -> None:  # noqa: ARG002
        wanted = Wanted.of(self._hub)
        with self._reader.begin() as connection:
            updates = of_block(connection, unit, position.version, wanted)
        found = listings(self._reader) if unit.changed(schema.markets) else None
        self._tell(_Moved(position, None, updates, found))

    def advanced(self, position: Position, head: int) -> None:
        updates = []
        if position.number != self._height:
            self._height = position.number
            updates.append(of_height(position.number, position.time_s, position.version))
        self._tell(_Moved(position, head, updates))

    def reverted(self, reversal: Reversal, position: Position) -> None:
        wanted = Wanted.of(self._hub)
        with self._reader.begin() as connection:
            updates = of_reversal(connection, reversal, position.version, wanted)
        self._tell(_Moved(position, None, updates, listings(self._reader)))

    def _tell(self, moved: _Moved) -> None:
        loop = self.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._moved, moved)


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def chain_store(engine: Engine, deployment: Deployment) -> ChainStore:
    """The chain tables of one deployment."""
    name = f"{deployment.chain_id}:{deployment.contracts.exchange}"
    return ChainStore(engine, name, deployment.start_block)


def announced(rpc_url: str) -> str:
    """A node's URL if everyone may see it; empty when it has a login, a path or a query, where providers put keys."""
    parts = urlsplit(rpc_url)
    return "" if parts.username or parts.path.strip("/") or parts.query else rpc_url


def addresses_of(deployment: Deployment) -> list[str]:
    """The contracts whose events are indexed."""
    return [address for name, address in deployment.addresses.items() if name not in _NOT_FOLLOWED]


def listings(engine: Engine) -> dict[str, Listing]:
    """The markets as the tables have them now."""
    with engine.begin() as connection:
        return dict(catalog(connection).by_ticker)


def run(options: Options, listening: Callable[[str], None] | None = None) -> None:
    """Run an indexer until SIGTERM or SIGINT."""

    async def main() -> None:
        indexer = Indexer(options)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, indexer.stop)
        await indexer.run(listening)

    uvloop.run(main())


def rebuild(options: Options) -> int:
    """Empty the chain tables and fill them up to the node's present head. Returns the block they end at."""
    deployment = Deployment.load(options.deployment_path)
    engine = open_engine(options.database_url, writes=True)
    node = Node(options.rpc_url)
    try:
        migrate(engine)
        store = chain_store(engine, deployment)
        store.clear()
        source = BlockSource(node, addresses_of(deployment))
        follower = Follower(node, source, store, _Silent(), chain_id=deployment.chain_id)
        while follower.step():
            pass
        return follower.position.number
    finally:
        node.close()
        engine.dispose()


def reconcile(options: Options) -> Result:
    """Compare the tables with the contracts' storage. Raises `ReconcileError`, `NodeError` or `DeploymentError`."""
    deployment = Deployment.load(options.deployment_path)
    engine = open_engine(options.database_url, writes=False)
    node = Node(options.rpc_url)
    try:
        migrate(engine)
        return compare(engine, node, deployment)
    finally:
        node.close()
        engine.dispose()


class _Silent:
    """Nobody listens to a rebuild."""

    def applied(self, block: Block, unit: BlockUnit, position: Position) -> None:
        pass

    def advanced(self, position: Position, head: int) -> None:
        pass

    def reverted(self, reversal: Reversal, position: Position) -> None:
        pass
