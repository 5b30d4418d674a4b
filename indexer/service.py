# SPDX-License-Identifier: AGPL-3.0-only
"""The indexer as a process: a thread that follows the chain, a task that follows the relayer, and the front door. The
parts that write and the door may be processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from sqlalchemy import Engine, make_url

from indexer.api.app import create_app, create_operations
from indexer.api.context import Context, LiveMarkets
from indexer.api.forward import Forwarder
from indexer.chain.follower import Follower
from indexer.chain.rpc import Node
from indexer.chain.source import BlockSource
from indexer.keeping import Keeping
from indexer.observer import ChainObserver, Moved, Silent, listings
from indexer.orders.book import Book
from indexer.orders.consumer import RelayerFollower
from indexer.orders.event_log import EventLog
from indexer.orders.records import BookRecord
from indexer.orders.replica import BookReplica
from indexer.parts import Well, raise_failure, steady
from indexer.progress import Progress
from indexer.reconcile import Result
from indexer.reconcile import reconcile as compare
from indexer.replica import POLL_S, TableWatcher
from indexer.store import outbox
from indexer.store.chain_store import ChainStore
from indexer.store.engine import open_engine
from indexer.store.migrate import check_migrated, migrate
from indexer.store.order_store import OrderStore
from indexer.stream.hub import Hub
from indexer.stream.letters import Letters
from indexer.stream.proofs import watch
from indexer.stream.tail import Tail
from indexer.stream.updates import of_book, of_height
from ouro.deployment import Deployment

_log = structlog.get_logger(__name__)

_FLUSH_S = 0.25
_GRACE_S = 5
_MAX_FRAME = 1 << 16
_NOT_FOLLOWED = ("usdc", "desk", "office", "exit")
"""The collateral's transfers are everybody's; the parts of the exchange log at its own address."""
_CHAIN, _DOOR = "chain follower", "front door"
LOCAL_POLL_S = 0.25
"""How often a process that follows looks at its own outbox, though it is told of every letter."""


@dataclass(frozen=True)
class Options:
    """Where everything is. `host` and `port` are the front door's; port 0 takes a free one.

    `public_rpc_url` is the node that clients are told of; by default ours, if its URL cannot hold a key.
    `faucet_url` is the service that gives test money away, if there is one.
    A node whose newest block is older than `stale_s` is not to be relied on. What account streams said is kept for
    `outbox_hours`, and no more than `outbox_letters` of it.
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
    stale_s: int = 120
    outbox_hours: int = 24
    outbox_letters: int = 1_000_000


class Indexer:
    """All parts of one indexer process; `run` until `stop`. It follows (writes the tables), serves, or does both."""

    def __init__(self, options: Options, *, follows: bool = True, serves: bool = True) -> None:
        """Opens the database, and migrates it if it follows. Raises `DeploymentError`, `WrongDeploymentError`, or
        `NotMigratedError` if somebody else has to migrate it first.
        """
        self._options = options
        self._serves = serves
        self.deployment = Deployment.load(options.deployment_path)
        self.reader = open_engine(options.database_url, writes=False)
        self.hub = Hub()
        self.progress = Progress()
        self._live = LiveMarkets()
        self._log = EventLog(options.relayer_url, options.events_token)
        self._tail = Tail(self.reader, self.hub, LOCAL_POLL_S if follows else POLL_S)
        self._following: _Following | None = None
        if follows:
            self._following = _Following(self, options)
            self.relayer: RelayerFollower | BookReplica = self._following.relayer
        else:
            check_migrated(self.reader)
            self.relayer = BookReplica(self._log, self.reader, self)
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
            stale_s=options.stale_s,
        )
        self._stopping = asyncio.Event()

    def app(self) -> FastAPI:
        """The front door, or what tells of a process that only follows."""
        if not self._serves:
            return create_operations(self.context)
        return create_app(self.context, self.hub, self._forwarder, self._faucet, ip_weight=self._options.ip_weight)

    def stop(self) -> None:
        """Ask `run` to return; call on the event loop."""
        self._stopping.set()

    async def run(self, listening: Callable[[str], None] | None = None) -> None:
        """Serve until stopped; `listening` hears the base URL. Raises what ended a part that should not have ended."""
        await self.relayer.open()
        await self._tail.open()
        parts: dict[asyncio.Task[Any], str] = {}

        def start(name: str, part: Coroutine[Any, Any, Any]) -> None:
            parts[asyncio.create_task(part)] = name

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
            if self._following is not None:
                await self._following.open()
                start(_CHAIN, self._steady(_CHAIN, self._follow_chain))
                start("keeping", self._steady("keeping", self._following.keeping.run))
            elif isinstance(self.relayer, BookReplica):
                watcher = TableWatcher(self.reader, self.hub, self.progress, self._live, self.relayer)
                await watcher.look()
                start("tables", self._steady("tables", watcher.run))
            start("relayer's log", self._steady("relayer's log", self.relayer.run))
            if self._serves:
                start("outbox", self._steady("outbox", self._tail.run))
                start("batches", self._flush())
                start("proofs", self._steady("proofs", partial(watch, self.hub, self.context)))
            start("stop", self._stopping.wait())
            start(_DOOR, server.serve(sockets=[listener]))
            _log.info("serving", url=f"http://{host}:{port}", database=_without_password(self._options.database_url))
            if listening is not None:
                listening(f"http://{host}:{port}")
            try:
                done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await self._shut(server, parts)
        for task in done:
            raise_failure(parts[task], task.exception())

    def _steady(self, part: str, run: Callable[[Well], Awaitable[None]]) -> Coroutine[Any, Any, None]:
        return steady(part, run, self.progress.troubles)

    async def _follow_chain(self, well: Well) -> None:
        """In a thread of its own, which says on the event loop that all is well."""
        assert self._following is not None
        loop = asyncio.get_running_loop()

        def tell() -> None:
            loop.call_soon_threadsafe(well)

        thread = asyncio.ensure_future(asyncio.to_thread(self._following.chain.run, tell))
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            # It was asked to stop: what it is writing must be done before the database is closed.
            await asyncio.gather(thread, return_exceptions=True)
            raise

    async def _shut(self, server: uvicorn.Server, parts: dict[asyncio.Task[Any], str]) -> None:
        if self._following is not None:
            self._following.chain.stop()
        self.hub.close()
        server.should_exit = True
        for task, name in parts.items():
            if name != _DOOR:
                task.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await self._forwarder.close()
        if self._faucet is not None:
            await self._faucet.close()
        if self._following is not None:
            self._following.close()
        self.reader.dispose()
        _log.info("stopped", block=self.progress.height, seq=self.progress.seq)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            self.hub.flush()

    def chain_moved(self, moved: Moved) -> None:
        """On the event loop, after the follower's transaction."""
        position = moved.position
        if (position.number, position.final) != (self.progress.height, self.progress.final):
            self.hub.publish([of_height(position.number, position.time_s, position.final, position.version)])
        self.progress.chain(position.number, position.time_s, position.final, moved.head)
        if moved.listings is not None:
            self._live.by_ticker = moved.listings
        self._tail.poke()

    # What the relayer's log tells.

    def book_changed(self, record: BookRecord, book: Book) -> None:
        listing = self._live.by_ticker.get(record.market)
        if listing is not None and self.hub.listened_to(("v4_orderbook", listing.ticker)):
            self.hub.publish([of_book(record, book, listing)])

    def orders_changed(self) -> None:
        self._tail.poke()

    def log_restarted(self) -> None:
        """Another log: accounts begin anew with the outbox's next epoch, books now."""
        self.hub.renew("v4_orderbook")
        self._tail.poke()


class _Following:
    """The parts that write."""

    def __init__(self, indexer: Indexer, options: Options) -> None:
        self._writer = open_engine(options.database_url, writes=True)
        migrate(self._writer)
        with self._writer.begin() as connection:
            outbox.claim(connection)
        self._node = Node(options.rpc_url)
        letters = Letters()
        self.relayer = RelayerFollower(indexer._log, OrderStore(self._writer, letters), indexer.progress, indexer)
        self._indexer = indexer
        self._observer = ChainObserver(indexer.reader, indexer.chain_moved)
        self.chain = Follower(
            self._node,
            BlockSource(self._node, addresses_of(indexer.deployment)),
            chain_store(self._writer, indexer.deployment, letters),
            self._observer,
            chain_id=indexer.deployment.chain_id,
            poll_s=options.poll_s,
        )
        self.keeping = Keeping(
            self._writer, indexer.progress, hours=options.outbox_hours, letters=options.outbox_letters
        )

    async def open(self) -> None:
        """Say where the tables stand, before anything moves."""
        self._observer.loop = asyncio.get_running_loop()
        listed = await asyncio.to_thread(listings, self._indexer.reader)
        self._indexer.chain_moved(Moved(self.chain.position, None, listed))

    def close(self) -> None:
        self._node.close()
        self._writer.dispose()


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def chain_store(engine: Engine, deployment: Deployment, letters: Letters | None = None) -> ChainStore:
    """The chain tables of one deployment. `letters` writes down what changes for whoever listens."""
    name = f"{deployment.chain_id}:{deployment.contracts.exchange}"
    return ChainStore(engine, name, deployment.start_block, letters)


def _without_password(database_url: str) -> str:
    return make_url(database_url).render_as_string(hide_password=True)


def announced(rpc_url: str) -> str:
    """A node's URL if everyone may see it; empty when it has a login, a path or a query, where providers put keys."""
    parts = urlsplit(rpc_url)
    return "" if parts.username or parts.path.strip("/") or parts.query else rpc_url


def addresses_of(deployment: Deployment) -> list[str]:
    """The contracts whose events are indexed."""
    return [address for name, address in deployment.addresses.items() if name not in _NOT_FOLLOWED]


def run(
    options: Options,
    listening: Callable[[str], None] | None = None,
    *,
    follows: bool = True,
    serves: bool = True,
) -> None:
    """Run an indexer until SIGTERM or SIGINT: one that follows, one that serves, or one that does both."""

    async def main() -> None:
        indexer = Indexer(options, follows=follows, serves=serves)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, indexer.stop)
        await indexer.run(listening)

    uvloop.run(main())


def new_epoch(database_url: str) -> str:
    """Begin a new epoch of the outbox, and return it. Raises `NotMigratedError`."""
    engine = open_engine(database_url, writes=True)
    try:
        check_migrated(engine)
        with engine.begin() as connection:
            outbox.lock(connection)
            outbox.begin_epoch(connection)
            return outbox.head(connection).epoch
    finally:
        engine.dispose()


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
        follower = Follower(node, source, store, Silent(), chain_id=deployment.chain_id)
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
