# SPDX-License-Identifier: AGPL-3.0-only
"""The outbox: whoever comes back with `fromSeq` misses nothing and gets nothing twice, through reorgs too."""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest
from eth_account import Account
from sqlalchemy import Engine, insert, select

from indexer.chain.rpc import Header
from indexer.orders.records import decode_record
from indexer.reads.catalog import catalog
from indexer.reads.health import healths
from indexer.reads.text import usd
from indexer.store import order_schema, outbox, schema
from indexer.store.chain_store import ChainStore, Limits
from indexer.store.engine import open_engine
from indexer.store.order_store import OrderStore
from indexer.store.query import rows
from indexer.stream.gate import Gate
from indexer.stream.hub import QUEUE_LIMIT, Hub, Session
from indexer.stream.letters import Letters
from indexer.stream.snapshots import REPLAYED
from indexer.stream.socket import _Connection, _Request
from indexer.stream.tail import Tail
from ouro.deployment import Deployment
from ouro.reading import ReadProof
from tests.unit.client.conftest import CONFIG
from tests.unit.indexer.chain import LONG_SIDE, hash_of
from tests.unit.indexer.front import context_over
from tests.unit.indexer.market import PRICE, Market
from tests.unit.indexer.test_orders import STOP, order

DEPLOYMENT = Deployment.from_record(CONFIG)
KEY = Account.from_key("0x" + "c3" * 32)
DOOR = "v4_subaccounts"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url, writes=True)
    yield opened
    opened.dispose()


@pytest.fixture
def readers(database_url: str) -> Iterator[list[Engine]]:
    opened = [open_engine(database_url, writes=False) for _ in range(2)]
    yield opened
    for each in opened:
        each.dispose()


class Writer:
    """A following process, played: blocks, reorgs, records of the relayer, pruning."""

    def __init__(self, engine: Engine, dice: random.Random) -> None:
        self.engine, self.dice = engine, dice
        self.chain = ChainStore(engine, "31337:0xaa", 1, Letters())
        self.chain.open()
        self.market = Market(self.chain)
        self.past: list[Market] = []
        self.orders = OrderStore(engine, Letters())
        self.cursor = self.orders.open()
        self.live: list[tuple[str, bool]] = []
        self._forks = 0

    def act(self) -> None:
        move = self.dice.randrange(100)
        if move < 45:
            self.block()
        elif move < 60:
            self.reorg()
        elif move < 95:
            self.record()
        elif move < 98:
            self.prune()
        else:
            with self.engine.begin() as connection:
                outbox.lock(connection)
                outbox.begin_epoch(connection)

    def block(self) -> None:
        self.past = [*self.past[-5:], copy.deepcopy(self.market, {id(self.chain): self.chain})]
        market = self.market
        market.push(PRICE + self.dice.randrange(-50, 50) * 1_000)
        for _ in range(self.dice.randrange(3)):
            market.fill(self.dice.choice([1, -1]) * self.dice.randrange(1, 5_000))
        if self.dice.randrange(4) == 0:
            market.deposit(LONG_SIDE, self.dice.randrange(1, 10**9))
        market.apply(self.dice.choice([10, 60, 900, 3_600]))

    def reorg(self) -> None:
        """Some blocks are taken back, and others come in their place."""
        depth = self.dice.randrange(1, 4)
        if depth > len(self.past):
            return
        earlier = self.past[-depth]
        self.past = self.past[:-depth]
        number = earlier.blocks.number - 1
        above = Header(number, hash_of(number), hash_of(number - 1), earlier.blocks.time_s)
        self.chain.revert(above)
        self._forks += 1
        earlier.blocks.fork = self._forks
        self.market = earlier
        for _ in range(self.dice.randrange(3)):
            self.block()

    def record(self) -> None:
        """Orders come, wait, fire and go."""
        lines = []
        for _ in range(self.dice.randrange(1, 4)):
            seq = self.cursor.seq + len(lines) + 1
            if self.live and self.dice.randrange(2):
                id_, waits = self.live.pop(self.dice.randrange(len(self.live)))
                if waits and self.dice.randrange(2):
                    lines.append(order(seq, id_, status="OPEN", **STOP))
                    self.live.append((id_, False))
                else:
                    lines.append(order(seq, id_, status="CANCELED", private=waits))
            else:
                id_, waits = f"0x{seq:064x}", self.dice.randrange(2) == 0
                state: dict[str, Any] = {"status": "UNTRIGGERED", "private": True, **STOP} if waits else {}
                lines.append(order(seq, id_, **state))
                self.live.append((id_, waits))
        self.cursor = self.orders.apply([decode_record(line) for line in lines], lines[-1], self.cursor)

    def prune(self) -> None:
        with self.engine.begin() as connection:
            outbox.lock(connection)
            outbox.prune(connection, before_ms=0, keep=self.dice.randrange(40))


@dataclass
class Server:
    """A serving process, played: its own hub and place in the outbox."""

    engine: Engine
    hub: Hub = field(default_factory=Hub)

    def __post_init__(self) -> None:
        self.context = context_over(self.engine, DEPLOYMENT)
        self.tail = Tail(self.engine, self.hub, 0.01)
        self.tail._renewed_s = float("-inf")

    async def pass_on(self) -> None:
        while await self.tail.step():
            pass
        self.tail._renewed_s = float("-inf")


def client_of(server: Server) -> _Connection:
    """A connection whose messages are read from its session, not from a socket."""
    return _Connection(cast("Any", None), server.context, server.hub, Gate(None), "")


class Client:
    """Listens to an account, loses its connection again and again, and checks what it is told."""

    def __init__(self, auth: str | None) -> None:
        self.auth = auth
        self.epoch, self.seq = "", -1
        self.letters: list[tuple[str, int]] = []
        self.since: tuple[str, int] = ("", -1)
        self.fills: set[str] = set()
        self.orders: dict[str, str] = {}
        self.equity, self.positions = "0", dict[str, str]()
        self.resumed = self.fresh = 0
        self._server: Server | None = None
        self._connection: _Connection | None = None

    def connect(self, server: Server) -> None:
        self._server = server
        self._connection = client_of(server)
        server.hub.join(self._connection.session)
        request = _Request("subscribe", DOOR, f"{LONG_SIDE}/0", auth=self.auth)
        if self.epoch:
            request.from_seq, request.epoch = self.seq, self.epoch
        self._connection._handle(request)

    async def settled(self) -> None:
        """Until no snapshot is in the making."""
        assert self._connection is not None
        while self._connection.snapshots:
            await asyncio.wait(self._connection.snapshots)

    def read(self, at_most: int = 10**6) -> None:
        """Take in so many of the messages that wait."""
        assert self._connection is not None
        waiting = self._connection.session.outgoing
        while at_most and not waiting.empty():
            at_most -= 1
            self._take(msgspec.json.decode(waiting.get_nowait() or b""))

    def lose(self) -> None:
        """The connection breaks, with whatever was not read."""
        assert self._connection is not None
        assert self._server is not None
        self._server.hub.leave(self._connection.session)

    def _take(self, message: dict[str, Any]) -> None:
        contents = message["contents"]
        assert message["type"] in ("subscribed", "channel_data"), message
        if message["type"] == "subscribed" and contents.get("resumed"):
            assert (contents["epoch"], contents["seq"]) == (self.epoch, self.seq)
            self.resumed += 1
            return
        if message["type"] == "subscribed":
            self.fresh += 1
            self.epoch, self.seq = contents["epoch"], contents["seq"]
            self.letters, self.since, self.fills = [], (self.epoch, self.seq), set()
            self.orders = {order["id"]: order["status"] for order in contents["orders"]}
            self.equity = contents["subaccount"]["equity"]
            opened = contents["subaccount"]["openPerpetualPositions"]
            self.positions = {ticker: each["size"] for ticker, each in opened.items()}
            return
        assert contents["epoch"] == self.epoch
        assert contents["seq"] > self.seq, "told twice, or out of order"
        assert {"relayerSeq", "height", "status"} <= contents.keys()
        self.seq = contents["seq"]
        self.letters.append((self.epoch, self.seq))
        gone = contents.get("reverted", {}).get("fills", ())
        self.fills -= set(gone)
        for fill in contents.get("fills", ()):
            assert fill["id"] not in self.fills, "a fill was told twice"
            self.fills.add(fill["id"])
        for each in contents.get("orders", ()):
            self.orders[each["id"]] = each["status"]
        self.equity = contents.get("equity", self.equity)
        if "reverted" in contents:
            self.positions = {}
        for each in contents.get("perpetualPositions", ()):
            self.positions[each["market"]] = each["size"] if each["status"] == "OPEN" else "0"


class Truth:
    """What was written, letter by letter, whether or not it was pruned since."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._letters: dict[int, tuple[str, bool]] = {}

    def look(self) -> None:
        with self._engine.begin() as connection:
            newest = max(self._letters, default=0)
            query = select(outbox.outbox).where(outbox.outbox.c.seq > newest, outbox.outbox.c.owner == LONG_SIDE)
            for row in connection.execute(query):
                self._letters[row.seq] = (row.epoch, '{"owners"' not in row.body[:10])

    def after(self, since: tuple[str, int], *, owners: bool) -> list[tuple[str, int]]:
        """What a client must have been told since."""
        epoch, seq = since
        return [
            (found, number)
            for number, (found, public) in sorted(self._letters.items())
            if number > seq and found == epoch and (public or owners)
        ]


def register(engine: Engine) -> None:
    """A session key that may read for LONG_SIDE."""
    far = int(time.time()) + 10**6
    row = {"owner": LONG_SIDE, "key": KEY.address, "markets": "", "budget": 1, "nonce": 1, "expiry": far}
    with engine.begin() as connection:
        connection.execute(insert(schema.session_keys), [{**row, "revoked_at": None}])


def proof() -> str:
    expiry = int(time.time()) + 3_600
    return str(ReadProof.sign(DEPLOYMENT.domain(), LONG_SIDE, expiry, bytes(KEY.key)))


@pytest.mark.parametrize("seed", range(2))
def test_whoever_comes_back_misses_nothing_and_hears_nothing_twice(
    engine: Engine, readers: list[Engine], seed: int
) -> None:
    asyncio.run(_storm(engine, readers, random.Random(seed)))


async def _storm(engine: Engine, readers: list[Engine], dice: random.Random) -> None:
    writer, truth = Writer(engine, random.Random(dice.random())), Truth(engine)
    register(engine)
    servers = [Server(each) for each in readers]
    for server in servers:
        await server.tail.open()
    clients = [Client(proof() if number == 0 else None) for number in range(4)]
    for client in clients:
        client.connect(dice.choice(servers))
    for _ in range(50):
        acting = asyncio.create_task(asyncio.to_thread(writer.act))
        for _ in range(dice.randrange(3)):
            await asyncio.gather(*(server.pass_on() for server in servers if dice.randrange(3)))
        await acting
        truth.look()
        for client in clients:
            client.read(dice.randrange(4))
            if dice.randrange(4) == 0:
                client.lose()
                client.connect(dice.choice(servers))
    # Whoever still makes a snapshot for a client that had to begin anew is waited for.
    for _ in range(3):
        for server in servers:
            await server.pass_on()
        for client in clients:
            await client.settled()
    for number, client in enumerate(clients):
        client.read()
        assert client.letters == truth.after(client.since, owners=number == 0)
        _equals_tables(engine, client, owners=number == 0)
    assert sum(client.resumed for client in clients) > 10
    assert sum(client.fresh for client in clients) >= len(clients)


def _equals_tables(engine: Engine, client: Client, *, owners: bool) -> None:
    """What a client made of snapshot and messages is what a read says."""
    with engine.begin() as connection:
        known = catalog(connection)
        [health] = healths(connection, known, LONG_SIDE, [0])
        orders = rows(connection, select(order_schema.orders))
        fills = {row["id"] for row in rows(connection, select(schema.fills).where(schema.fills.c.owner == LONG_SIDE))}
    shown = {row["id"]: row["status"] for row in orders if owners or not row["private"]}
    for id_, status in shown.items():
        assert client.orders.get(id_, "CANCELED") == status
    assert client.orders.keys() <= shown.keys()
    assert client.fills <= fills
    sizes = {
        ticker: known.by_ticker[ticker].size(health.holdings[1].size) for ticker in ("BTC-USD",) if health.holdings
    }
    assert {ticker: size for ticker, size in client.positions.items() if size != "0"} == sizes
    if known.height == health.updated_block:
        assert client.equity == usd(health.equity)


def plain(engine: Engine) -> Writer:
    return Writer(engine, random.Random(1))


def ask(engine: Engine, epoch: str, seq: int) -> dict[str, Any]:
    """How a subscription begins that goes on from there, and how many messages follow at once."""

    async def scene() -> dict[str, Any]:
        server = Server(engine)
        connection = client_of(server)
        connection._handle(_Request("subscribe", DOOR, f"{LONG_SIDE}/0", from_seq=seq, epoch=epoch))
        while connection.snapshots:
            await asyncio.wait(connection.snapshots)
        waiting = connection.session.outgoing
        first = msgspec.json.decode(waiting.get_nowait() or b"")
        return {**first["contents"], "followed": waiting.qsize()}

    return asyncio.run(scene())


def test_another_epoch_a_pruned_or_a_future_letter_means_a_snapshot(engine: Engine) -> None:
    writer = plain(engine)
    for _ in range(6):
        writer.block()
    with engine.begin() as connection:
        head = outbox.head(connection)
    again = ask(engine, head.epoch, 0)
    assert again["resumed"]
    assert again["followed"] > 0
    assert ask(engine, head.epoch, head.seq) == {**again, "seq": head.seq, "followed": 0}
    for epoch, seq in (("another", 0), ("", 0), (head.epoch, head.seq + 1), (head.epoch, -1)):
        fresh = ask(engine, epoch, seq)
        assert "resumed" not in fresh
        assert (fresh["seq"], fresh["epoch"], fresh["followed"]) == (head.seq, head.epoch, 0)
        assert fresh["subaccount"]["equity"]
    with engine.begin() as connection:
        outbox.lock(connection)
        outbox.prune(connection, before_ms=0, keep=3)
        assert outbox.head(connection).pruned == head.seq - 3
    assert "resumed" not in ask(engine, head.epoch, head.seq - 4)
    assert ask(engine, head.epoch, head.seq - 3)["resumed"]
    with engine.begin() as connection:
        outbox.lock(connection)
        outbox.prune(connection, before_ms=time.time_ns() // 10**6 + 1_000, keep=10**6)
    assert "resumed" not in ask(engine, head.epoch, head.seq - 1)
    assert ask(engine, head.epoch, head.seq)["resumed"]


def test_who_missed_very_much_begins_anew(engine: Engine) -> None:
    """Replays are bounded: a long absence costs a snapshot, not a queue."""
    plain(engine)
    with engine.begin() as connection:
        outbox.lock(connection)
        head = outbox.head(connection)
        outbox.append(connection, [outbox.Draft(LONG_SIDE, 0, {"fills": []})] * (REPLAYED + 1))
    assert "resumed" not in ask(engine, head.epoch, head.seq)
    assert ask(engine, head.epoch, head.seq + 1)["followed"] == REPLAYED


def test_a_rebuild_a_backfill_and_another_log_begin_an_epoch(engine: Engine) -> None:
    writer = plain(engine)

    def epoch() -> str:
        with engine.begin() as connection:
            return outbox.head(connection).epoch

    seen = [epoch()]
    writer.block()
    writer.record()
    assert epoch() == seen[0], "what is written down goes on"
    market = writer.market
    market.push(PRICE)
    block = market.blocks.done()
    header = Header(block.number, block.hash, block.parent_hash, block.time_s)
    writer.chain.apply_final([block], header, Limits(block.number, block.number))
    seen.append(epoch())
    writer.orders.restart(writer.cursor)
    seen.append(epoch())
    writer.chain.clear()
    seen.append(epoch())
    with engine.begin() as connection:
        connection.execute(outbox.outbox_head.update().values(origin="a restored copy"))
    with engine.begin() as connection:
        outbox.claim(connection)
    seen.append(epoch())
    with engine.begin() as connection:
        outbox.claim(connection)
    assert epoch() == seen[-1], "the same database is the same"
    assert len(set(seen)) == len(seen)


def test_a_failing_transaction_leaves_no_letter(engine: Engine) -> None:
    writer = plain(engine)
    with engine.begin() as connection:
        before = outbox.head(connection)
    market = writer.market
    market.push(PRICE + 1_000)

    def fail(_unit: object) -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        writer.chain.apply(market.blocks.done(), market.limits, fail)
    with engine.begin() as connection:
        assert outbox.head(connection) == before
        assert outbox.after(connection, before.seq, [LONG_SIDE, outbox.PUBLIC], 10) == []


def test_what_waits_for_a_snapshot_is_bounded(engine: Engine, readers: list[Engine]) -> None:
    """A snapshot that takes too long is taken again, rather than let updates pile up."""

    async def scene() -> None:
        writer, server = plain(engine), Server(readers[0])
        await server.tail.open()
        connection = client_of(server)
        server.hub.join(connection.session)
        connection._handle(_Request("subscribe", DOOR, f"{LONG_SIDE}/0"))
        [subscription] = connection.session.subscriptions.values()
        with engine.begin() as begun:
            outbox.lock(begun)
            outbox.append(begun, [outbox.Draft(LONG_SIDE, 0, {"fills": []})] * (QUEUE_LIMIT + 5))
        # The hub is told while the snapshot is still in the making: nothing awaits between.
        with readers[1].begin() as connected:
            letters = outbox.after(connected, 0, [LONG_SIDE], 10**6)
        for letter in letters:
            server.hub.publish(server.tail._updates(letter))
        assert subscription.waiting is not None
        assert len(subscription.waiting) <= QUEUE_LIMIT
        assert subscription.stale
        while connection.snapshots:
            await asyncio.wait(connection.snapshots)
        first = msgspec.json.decode(connection.session.outgoing.get_nowait() or b"")
        assert first["contents"]["seq"] == letters[-1].seq
        assert connection.session.outgoing.empty()
        assert writer.market is not None

    asyncio.run(scene())


def test_a_session_that_begins_anew_keeps_its_filter_and_proof() -> None:
    hub, asked = Hub(), list[tuple[str, str]]()
    session = Session(asked.append)
    hub.join(session)
    hub.subscribe(session, ("v4_trades", "BTC-USD"), batched=True)
    hub.started(session, ("v4_trades", "BTC-USD"), {"trades": []}, {})
    hub.renew("v4_candles")
    assert asked == []
    hub.renew("v4_trades")
    hub.renew("v4_trades")
    assert asked == [("v4_trades", "BTC-USD")], "one snapshot in the making is enough"
    assert session.subscriptions["v4_trades", "BTC-USD"].stale


def test_who_comes_while_letters_are_read_gets_them(engine: Engine, readers: list[Engine]) -> None:
    """Letters are asked for by owner: somebody's first snapshot may be older than what was read without him in mind."""

    async def scene() -> None:
        plain(engine)
        server, client = Server(readers[0]), Client(None)
        await server.tail.open()
        loop, read = asyncio.get_running_loop(), server.tail._read

        async def come() -> None:
            client.connect(server)
            await client.settled()

        def late(owners: Collection[str] | None) -> Any:
            if owners is not None and not owners:
                asyncio.run_coroutine_threadsafe(come(), loop).result()
                with engine.begin() as connection:
                    outbox.lock(connection)
                    where = {"relayerSeq": "0", "height": "0", "status": "confirmed"}
                    outbox.append(connection, [outbox.Draft(LONG_SIDE, 0, {"fills": [], **where})])
            return read(owners)

        server.tail._read = late  # type: ignore[method-assign]
        await server.pass_on()
        client.read()
        assert len(client.letters) == 1

    asyncio.run(scene())


def test_found_strangers_who_keep_coming_do_not_keep_letters_from_others(engine: Engine, readers: list[Engine]) -> None:
    """Somebody new while letters were read made them be read again, for ever if somebody new came each time."""

    async def scene() -> None:
        plain(engine)
        server, client = Server(readers[0]), Client(None)
        await server.tail.open()
        client.connect(server)
        await client.settled()
        with engine.begin() as connection:
            outbox.lock(connection)
            where = {"relayerSeq": "0", "height": "0", "status": "confirmed"}
            outbox.append(connection, [outbox.Draft(LONG_SIDE, 0, {"fills": [], **where})])
        read, stranger = server.tail._read, Session()
        server.hub.join(stranger)
        count = 0

        def crowded(owners: Collection[str] | None) -> Any:
            nonlocal count
            found = read(owners)
            count += 1
            server.hub.subscribe(stranger, (DOOR, f"0x{count:040x}/0"), batched=False)
            return found

        server.tail._read = crowded  # type: ignore[method-assign]
        for _ in range(4):
            await server.tail.step()
        client.read()
        assert len(client.letters) == 1

    asyncio.run(scene())
