# SPDX-License-Identifier: AGPL-3.0-only
"""Readiness, and what a process that only serves knows of the one that follows."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from indexer.api.app import create_app, create_operations
from indexer.api.context import AT_SEQ_WAITERS, Context, LiveMarkets
from indexer.api.forward import Forwarder
from indexer.chain.rpc import NodeError
from indexer.keeping import Keeping
from indexer.orders.event_log import EventLog
from indexer.orders.replica import BookReplica
from indexer.parts import PartFailedError, raise_failure, reason_of, steady, words_of
from indexer.progress import Progress
from indexer.replica import TableWatcher
from indexer.store import outbox
from indexer.store.engine import ReplacedDatabaseError, open_engine
from indexer.store.heartbeat import Heartbeat, beat
from indexer.store.migrate import migrate
from indexer.store.order_store import OrderStore
from indexer.stream.hub import Hub
from indexer.troubles import Troubles
from tests.unit.indexer.front import NOBODY, context_over
from tests.unit.indexer.market import played
from tests.unit.indexer.test_orders import Heard


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("operations")
    engine = open_engine(f"sqlite:///{folder / 'index.sqlite'}", writes=True)
    migrate(engine)
    OrderStore(engine).open()
    played(engine, seed=5, steps=5)
    yield engine
    engine.dispose()


def ask(context: Context, path: str, *, whole: bool = True) -> httpx.Response:
    async def get() -> httpx.Response:
        forward = Forwarder(NOBODY)
        app = create_app(context, Hub(), forward) if whole else create_operations(context)
        try:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://front") as client:
                return await client.get(path)
        finally:
            await forward.close()

    return asyncio.run(get())


def followed(engine: Engine, *, head: int, height: int, block_s: float) -> Context:
    """A process that has just heard of both sources; the newest block is of `block_s` ago."""
    context = context_over(engine)
    context.progress.chain(height, int(time.time() - block_s), height, head)
    context.progress.relayer_alive()
    return context


def problems(context: Context) -> list[str]:
    answer = ask(context, "/ready", whole=False)
    body: dict[str, Any] = answer.json()
    assert (answer.status_code == 200) == (body["status"] == "ready") == (body["problems"] == [])
    found: list[str] = body["problems"]
    return found


def test_ready_means_caught_up_with_sources_that_answer(engine: Engine) -> None:
    assert problems(followed(engine, head=10, height=8, block_s=1)) == []
    assert problems(followed(engine, head=20, height=8, block_s=1)) == ["12 blocks behind the chain"]
    assert problems(context_over(engine)) == ["the node does not answer", "the relayer's log does not answer"]


def test_the_status_says_whether_orders_are_taken(engine: Engine) -> None:
    told = ask(followed(engine, head=20, height=8, block_s=1), "/v4/status")
    assert told.status_code == 200
    assert told.json()["orders"] == {"taken": False, "reason": "the relayer does not answer"}
    assert told.json()["problems"] == ["12 blocks behind the chain"]


def test_a_node_that_stands_still_is_not_relied_on(engine: Engine) -> None:
    context = followed(engine, head=8, height=8, block_s=10_000)
    assert problems(context) == [], "its head has only just been heard of"
    context.progress.head_moved_s -= 121
    context.progress.node_answered(8)
    [problem] = problems(context)
    assert re.fullmatch(r"the node has had no new block for 1[2-9]\d s", problem), "121, and what this test took"
    context.progress.node_answered(9)
    assert problems(context) == []
    context = followed(engine, head=8, height=8, block_s=5)
    context.progress.head_moved_s -= 121
    assert problems(context) == [], "a block of five seconds ago is new, whenever it was heard of"


def test_a_trouble_that_lasts_is_told(engine: Engine) -> None:
    context = followed(engine, head=8, height=8, block_s=1)
    troubles = context.progress.troubles
    troubles.tell("outbox", "the database does not answer")
    troubles.tell("keeping", "the database does not answer")
    assert problems(context) == [], "a moment is nothing"
    troubles._clock = lambda: time.monotonic() + 4
    troubles.tell("outbox", "the database does not answer")
    assert problems(context) == ["the database does not answer"]
    for part in ("outbox", "keeping"):
        troubles.clear(part)
    assert problems(context) == []


@pytest.mark.parametrize(
    ("error", "outside"),
    [
        (OperationalError("SELECT 1", {}, Exception("server closed the connection")), True),
        (OperationalError("SELECT 1", {}, Exception("database or disk is full")), True),
        (OperationalError("SELECT 1", {}, Exception("no such table: fills")), False),
        (ProgrammingError("SELECT 1", {}, Exception("relation does not exist")), False),
        (IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed")), False),
        (NodeError("it is away"), True),
        (ConnectionRefusedError(), True),
        (KeyError("market"), False),
    ],
)
def test_parts_outlive_only_what_is_outside(error: Exception, outside: bool) -> None:
    """A part that fails twice goes on the third time; a fault of its own ends it at once."""
    runs: list[str] = []

    async def run(well: Callable[[], None]) -> None:
        runs.append("; ".join(reason for _, reason in troubles._known.values()))
        if len(runs) < 3:
            raise error
        well()

    troubles = Troubles()
    task = steady("part", run, troubles)
    if not outside:
        with pytest.raises(type(error)):
            asyncio.run(task)
        assert len(runs) == 1
        with pytest.raises(PartFailedError, match="part failed: "):
            raise_failure("part", error)
        return
    asyncio.run(task)
    assert runs == ["", reason_of(error), reason_of(error)]
    assert not troubles._known
    assert "SELECT" not in words_of(error)


def test_only_so_many_may_wait_for_a_record(engine: Engine) -> None:
    context = followed(engine, head=8, height=8, block_s=1)
    context.progress.waiters = AT_SEQ_WAITERS
    refused = ask(context, "/v4/height?atSeq=6")
    assert (refused.status_code, refused.json()["errorCode"]) == (503, "too_many_waiting")
    assert refused.headers["retry-after"] == "1"
    assert ask(context, "/v4/height?atSeq=-1").status_code == 400


def test_another_file_in_the_database_s_place_is_noticed(tmp_path: Path) -> None:
    """An older copy that is moved over it: whoever writes ends, and who begins with it begins a new epoch."""
    path, copy = tmp_path / "index.sqlite", tmp_path / "copy.sqlite"
    engine = open_engine(f"sqlite:///{path}", writes=True)
    migrate(engine)
    with engine.begin() as connection:
        outbox.claim(connection)
        epoch = outbox.head(connection).epoch
        outbox.claim(connection)
        assert outbox.head(connection).epoch == epoch
    keeping = Keeping(engine, Progress(), hours=1, letters=10)
    keeping.beat()
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(f"VACUUM INTO '{copy}'")
    copy.replace(path)
    with pytest.raises(ReplacedDatabaseError, match="replaced while it was in use"):
        keeping.beat()
    engine.dispose()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    engine = open_engine(f"sqlite:///{path}", writes=True)
    with engine.begin() as connection:
        outbox.claim(connection)
        assert outbox.head(connection).epoch != epoch
    engine.dispose()


def test_answers_say_how_far_they_are(engine: Engine) -> None:
    context = followed(engine, head=8, height=7, block_s=1)
    context.progress.seq = 5
    told = ask(context, "/v4/addresses/0x1111111111111111111111111111111111111111")
    assert (told.json()["height"], told.json()["seq"]) == ("7", "5")
    assert (told.headers["ouro-height"], told.headers["ouro-seq"]) == ("7", "5")
    assert int(told.headers["content-length"]) == len(told.content)
    height = ask(context, "/v4/height").json()
    assert (height["height"], height["seq"], height["lag"]) == ("7", "5", 1)
    for path in ("/health", "/v4/sparklines", "/v4/orders?address=0x1111111111111111111111111111111111111111"):
        answer = ask(context, path)
        assert answer.status_code == 200
        assert "height" not in answer.json(), path
        assert answer.headers["ouro-seq"] == "5"
    refused = ask(context, "/v4/height?atSeq=6")
    assert (refused.status_code, refused.json()["errorCode"], refused.headers["retry-after"]) == (503, "behind", "1")
    assert "height" not in refused.json()


def test_who_serves_knows_what_the_follower_last_said(engine: Engine) -> None:
    async def scene() -> None:
        following = Progress()
        following.chain(9, 1, 9, 12)
        Keeping(engine, following, hours=1, letters=10).beat()
        progress, live = Progress(), LiveMarkets()
        books = BookReplica(EventLog(NOBODY), engine, Heard())
        await books.open()
        watcher = TableWatcher(engine, Hub(), progress, live, books)
        await watcher.look()
        assert (progress.head, progress.seq) == (12, 0)
        assert progress.height > 1
        assert set(live.by_ticker) == {"BTC-USD"}
        now = time.monotonic()
        assert 0 <= now - progress.chain_seen_s < 30
        assert now - progress.relayer_seen_s > 10**6, "the relayer has not been heard of"

        minute_ago = int((time.time() - 60) * 1_000)
        with engine.begin() as connection:
            beat(connection, Heartbeat(12, minute_ago, minute_ago, minute_ago))
        await watcher.look()
        assert 59 < time.monotonic() - progress.chain_seen_s < 90
        assert 59 < time.monotonic() - progress.relayer_seen_s < 90

    asyncio.run(scene())


def test_old_letters_are_dropped(engine: Engine) -> None:
    with engine.begin() as connection:
        drafts = [outbox.Draft("0x1", 0, {"fills": []})] * 30
        outbox.append(connection, drafts)
        newest = outbox.head(connection).seq
    Keeping(engine, Progress(), hours=1, letters=10).prune()
    with engine.begin() as connection:
        assert outbox.head(connection).pruned == newest - 10
        assert [letter.seq for letter in outbox.after(connection, 0, ["0x1"], 100)] == list(
            range(newest - 9, newest + 1)
        )
