# SPDX-License-Identifier: AGPL-3.0-only
"""The relayer's log: records to tables and books, the cursor, another log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Engine, select

from indexer.orders.book import Book
from indexer.orders.consumer import RelayerFollower
from indexer.orders.event_log import EventLog
from indexer.orders.records import BookRecord, OrderRecord, decode_record
from indexer.parts import steady
from indexer.progress import Progress
from indexer.reads import orders as reads
from indexer.reads.catalog import Catalog, Listing
from indexer.store import order_schema
from indexer.store.engine import open_engine
from indexer.store.order_store import OrderStore
from indexer.store.query import rows
from relayer.core import outputs

OWNER = "0x" + "1" * 40


def order(seq: int, id_: str, filled: int = 0, status: str = "OPEN", **more: Any) -> bytes:
    state = outputs.OrderState(
        id=id_,
        client_id="7",
        account=OWNER,
        subaccount=0,
        market="BTC-USD",
        side="BUY",
        size=10,
        limit_price=100,
        time_in_force="GTT",
        post_only=False,
        reduce_only=False,
        expiry=2_000,
        generation=1_000,
        slot=1,
        revision=0,
        signer=OWNER,
        filled=filled,
        status=status,
        reason="",
        **more,
    )
    return outputs.encode_json(outputs.OrderOutput(seq=seq, time_ms=seq * 1_000, order=state))


def book(seq: int, book_seq: int, bids: Sequence[tuple[int, int]]) -> bytes:
    record = outputs.BookOutput(
        seq=seq, time_ms=seq * 1_000, market="BTC-USD", bids=tuple(bids), asks=(), book_seq=book_seq
    )
    return outputs.encode_json(record)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url, writes=True)
    yield opened
    opened.dispose()


def test_the_relayers_records_are_read_as_it_writes_them() -> None:
    record = decode_record(order(3, "0xaa"))
    assert isinstance(record, OrderRecord)
    assert (record.seq, record.order.limit_price, record.order.client_id) == (3, 100, "7")
    assert isinstance(decode_record(book(4, 1, [(100, 10)])), BookRecord)


def test_a_book_takes_absolute_sizes() -> None:
    held = Book()
    for line in (book(1, 1, [(100, 10), (99, 5)]), book(2, 2, [(100, 4)]), book(3, 3, [(99, 0)])):
        record = decode_record(line)
        assert isinstance(record, BookRecord)
        held.apply(record)
    assert held.top(10) == ([(100, 4)], [])
    assert held.seq == 3


def test_records_and_cursor_are_one(engine: Engine) -> None:
    store = OrderStore(engine)
    cursor = store.open()
    lines = [order(1, "0xaa"), book(2, 1, [(100, 10)]), order(3, "0xaa", 4), book(4, 2, [(100, 6), (90, 0)])]
    cursor = store.apply([decode_record(line) for line in lines], lines[-1], cursor)
    assert store.open() == cursor
    assert cursor.seq == 4
    assert store.books() == {"BTC-USD": Book(bids={100: 6}, seq=2)}
    cursor = store.apply([decode_record(order(5, "0xaa", 10, "FILLED"))], order(5, "0xaa", 10, "FILLED"), cursor)
    with engine.begin() as connection:
        [row] = rows(connection, select(order_schema.orders))
    assert (row["filled"], row["status"], row["created_seq"], row["updated_seq"]) == (10, "FILLED", 1, 5)
    fresh = store.restart(cursor)
    assert (fresh.seq, fresh.epoch) == (0, 2)
    assert store.books() == {}


CATALOG = Catalog(
    by_id={1: Listing(1, "BTC-USD", 4, 2, {})},
    by_ticker={"BTC-USD": Listing(1, "BTC-USD", 4, 2, {})},
    height=0,
    time_s=0,
    final=0,
    version=0,
    seq=0,
    epoch=1,
)
STOP = {"type": "STOP_MARKET", "trigger": "AT_OR_BELOW", "trigger_price": 1_900_000, "immediate": True}


def served(engine: Engine, **wanted: Any) -> list[dict[str, Any]]:
    with engine.begin() as connection:
        return reads.orders(connection, CATALOG, reads.OrderFilter(OWNER, [0], **wanted))


def test_an_order_that_was_never_live_is_for_its_owner_alone(engine: Engine) -> None:
    store = OrderStore(engine)
    lines = [
        order(1, "0xaa", status="UNTRIGGERED", private=True, **STOP),
        order(2, "0xbb", status="UNTRIGGERED", private=True, **STOP),
        order(3, "0xbb", status="CANCELED", private=True, **STOP),
        order(4, "0xcc"),
    ]
    cursor = store.apply([decode_record(line) for line in lines], lines[-1], store.open())
    assert [each["id"] for each in served(engine)] == ["0xcc"]
    assert [each["id"] for each in served(engine, private=True)] == ["0xcc", "0xbb", "0xaa"]

    fired = order(5, "0xaa", status="OPEN", **STOP)
    store.apply([decode_record(fired)], fired, cursor)
    [shown] = served(engine, types=["STOP_MARKET"])
    assert (shown["id"], shown["status"], shown["type"], shown["orderFlags"]) == ("0xaa", "OPEN", "STOP_MARKET", "32")
    assert (shown["triggerPrice"], shown["trigger"], shown["immediate"]) == ("19000", "AT_OR_BELOW", True)


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        ({}, "64"),
        ({"type": "STOP_LIMIT", "trigger": "AT_OR_BELOW", "trigger_price": 5}, "32"),
        ({"type": "LIMIT", "parent": "0xaa"}, "32"),
        ({"type": "TWAP_SUBORDER", "not_before": 5}, "128"),
        ({"type": "MARKET", "immediate": True}, "64"),
    ],
)
def test_order_flags(engine: Engine, more: dict[str, Any], flags: str) -> None:
    store = OrderStore(engine)
    line = order(1, "0xaa", **more)
    store.apply([decode_record(line)], line, store.open())
    assert [each["orderFlags"] for each in served(engine)] == [flags]
    kind = more.get("type", "LIMIT")
    assert len(served(engine, types=[kind])) == 1
    assert served(engine, excluded_types=[kind]) == []


class Log:
    """A relayer's `GET /events` over HTTP; `lines` may be replaced by those of another log."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        log = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = parse_qs(urlsplit(self.path).query)
                first = int(asked["from"][0])
                found = [line for line in log.lines if json.loads(line)["seq"] >= first][: int(asked["limit"][0])]
                body = b"".join(line + b"\n" for line in found)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Heard:
    """What a listener was told."""

    def __init__(self) -> None:
        self.books: list[int] = []
        self.orders = 0
        self.restarts = 0

    def book_changed(self, record: BookRecord, book: Book) -> None:
        assert book.seq == record.book_seq
        self.books.append(record.seq)

    def orders_changed(self) -> None:
        self.orders += 1

    def log_restarted(self) -> None:
        self.restarts += 1


async def follow(log: Log, engine: Engine, heard: Heard, until: int) -> RelayerFollower:
    """Follow until record `until` is applied."""
    progress = Progress()
    follower = RelayerFollower(EventLog(log.url), OrderStore(engine), progress, heard)
    await follower.open()
    task = asyncio.create_task(steady("relayer's log", follower.run, progress.troubles))
    try:
        assert await progress.reaches(until, 10)
        await asyncio.sleep(0.05)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return follower


def test_another_log_is_noticed_and_starts_an_epoch(engine: Engine) -> None:
    """A relayer that lost its journal tells another story: what the old one said is forgotten."""
    log, heard = Log(), Heard()
    try:
        log.lines = [order(1, "0xaa"), book(2, 1, [(100, 10)])]
        asyncio.run(follow(log, engine, heard, 2))
        assert (heard.orders > 0, heard.books, heard.restarts) == (True, [2], 0)
        log.lines.append(order(3, "0xaa", 10, "FILLED"))
        asyncio.run(follow(log, engine, heard, 3))
        assert heard.restarts == 0

        log.lines = [order(1, "0xbb"), order(2, "0xcc"), order(3, "0xdd"), book(4, 1, [(90, 1)])]
        follower = asyncio.run(follow(log, engine, heard, 4))
        assert heard.restarts == 1
        assert follower.books == {"BTC-USD": Book(bids={90: 1}, seq=1)}
        with engine.begin() as connection:
            found = {row["id"] for row in rows(connection, select(order_schema.orders))}
        assert found == {"0xbb", "0xcc", "0xdd"}
    finally:
        log.close()
