# SPDX-License-Identifier: AGPL-3.0-only
"""Frames of the stream: subscriptions, gaps, batches, and the local book."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.orders.book import Book as ServedBook
from indexer.orders.records import BookRecord
from indexer.reads import books
from indexer.reads.catalog import Listing
from ouro.client.errors import StreamGapError
from ouro.client.stream_core import LocalBook, StreamCore, StreamEvent, backoff, stream_url


def frame(number: int, kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "connection_id": "c", "message_id": number, **fields})


def book_event(kind: str, **contents: object) -> StreamEvent:
    return StreamEvent(kind, "v4_orderbook", "BTC-USD", contents)


def test_subscription_frames():
    core = StreamCore()
    assert json.loads(core.subscribe("v4_markets")) == {"type": "subscribe", "channel": "v4_markets"}
    assert json.loads(core.subscribe("v4_trades", "BTC-USD", batched=True)) == {
        "type": "subscribe",
        "channel": "v4_trades",
        "id": "BTC-USD",
        "batched": True,
    }


def test_reconnect_subscribes_again_and_counts_from_zero():
    core = StreamCore()
    core.subscribe("v4_markets")
    core.subscribe("v4_trades", "BTC-USD")
    core.unsubscribe("v4_markets")
    list(core.receive(frame(0, "connected")))
    assert [json.loads(text)["channel"] for text in core.opening_frames()] == ["v4_trades"]
    assert [event.kind for event in core.receive(frame(0, "connected"))] == ["connected"]


def test_an_account_goes_on_where_it_was_lost():
    proofs = iter(("1:0xaa", "2:0xbb", "3:0xcc"))
    core = StreamCore()
    first = json.loads(core.subscribe("v4_subaccounts", "0x1/0", auth=lambda: next(proofs)))
    core.subscribe("v4_trades", "BTC-USD")
    assert (first["auth"], "fromSeq" in first) == ("1:0xaa", False)
    account = {"channel": "v4_subaccounts", "id": "0x1/0"}
    list(core.receive(frame(0, "subscribed", **account, contents={"epoch": "7", "seq": 3})))
    list(core.receive(frame(1, "channel_batch_data", **account, contents=[{"epoch": "7", "seq": n} for n in (4, 5)])))
    list(core.receive(frame(2, "channel_data", channel="v4_trades", id="BTC-USD", contents={"epoch": "7", "seq": 9})))
    account_frame, trades_frame = (json.loads(text) for text in core.opening_frames())
    assert (account_frame["epoch"], account_frame["fromSeq"], account_frame["auth"]) == ("7", 5, "2:0xbb")
    assert "fromSeq" not in trades_frame
    [event] = core.receive(frame(0, "subscribed", **account, contents={"resumed": True, "epoch": "7", "seq": 5}))
    assert event.kind == "resumed"
    assert json.loads(core.opening_frames()[0])["auth"] == "3:0xcc"


def test_a_lost_message_is_noticed():
    core = StreamCore()
    list(core.receive(frame(0, "connected")))
    with pytest.raises(StreamGapError, match="from message 0 to 2"):
        list(core.receive(frame(2, "channel_data", channel="v4_trades", id="BTC-USD", contents={})))


def test_batches_come_one_by_one_and_unknown_kinds_only_count():
    core = StreamCore()
    assert list(core.receive(frame(0, "pong"))) == []
    events = list(
        core.receive(frame(1, "channel_batch_data", channel="v4_trades", id="BTC-USD", contents=[{"a": 1}, {}]))
    )
    assert events == [
        StreamEvent("update", "v4_trades", "BTC-USD", {"a": 1}),
        StreamEvent("update", "v4_trades", "BTC-USD", {}),
    ]


def test_errors_are_events():
    [event] = StreamCore().receive(frame(0, "error", message="already subscribed", channel="v4_trades", id="BTC-USD"))
    assert (event.kind, event.contents["message"]) == ("error", "already subscribed")


def test_local_book_follows_snapshot_and_updates():
    book = LocalBook("BTC-USD")
    snapshot = {
        "bids": [{"price": "9", "size": "1"}, {"price": "8", "size": "2"}],
        "asks": [{"price": "11", "size": "1"}],
    }
    assert book.apply(book_event("subscribed", **snapshot))
    assert book.apply(book_event("update", bids=[["9", "0"], ["8.0", "3"]], asks=[["10", "4"]]))
    assert book.book() == (((Decimal(8), Decimal(3)),), ((Decimal(10), Decimal(4)), (Decimal(11), Decimal(1))))
    assert book.book(depth=1).asks == ((Decimal(10), Decimal(4)),)


def test_local_book_starts_over_with_a_snapshot():
    book = LocalBook("BTC-USD")
    book.apply(book_event("subscribed", bids=[{"price": "9", "size": "1"}], asks=[]))
    book.apply(book_event("subscribed", bids=[], asks=[{"price": "12", "size": "1"}]))
    assert book.book().bids == ()
    assert not book.apply(StreamEvent("update", "v4_orderbook", "ETH-USD", {"bids": [["1", "1"]]}))


LISTING = Listing(1, "BTC-USD", 4, 2, {})


class Served:
    """A book as the indexer keeps it, and the frames that it sends of it."""

    def __init__(self) -> None:
        self.book = ServedBook()
        self._number = -1

    def frame(self, kind: str, **contents: object) -> str:
        self._number += 1
        return frame(self._number, kind, channel="v4_orderbook", id="BTC-USD", contents=contents)

    def snapshot(self) -> str:
        return self.frame("subscribed", **books.snapshot(self.book, LISTING))

    def change(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> str:
        record = BookRecord(1, 1, "BTC-USD", tuple(bids), tuple(asks), self.book.seq + 1)
        self.book.apply(record)
        return self.frame("channel_data", **books.update(record, self.book, LISTING))


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 30), st.integers(0, 3).map(lambda size: size * 10_001)), max_size=60
    )
)
def test_the_checksum_is_the_servers(changes):
    served, core, mine = Served(), StreamCore(), LocalBook("BTC-USD")
    core.subscribe("v4_orderbook", "BTC-USD")
    for event in core.receive(served.snapshot()):
        mine.apply(event)
    for is_bid, price, size in changes:
        level = [(price if is_bid else price + 100, size)]
        for event in core.receive(served.change(level if is_bid else [], [] if is_bid else level)):
            mine.apply(event)
        mine.check()
        assert mine.checksum() == books.checksum(served.book, LISTING)


def test_a_book_that_lacks_a_change_or_differs_is_taken_anew():
    served, core = Served(), StreamCore()
    core.subscribe("v4_orderbook", "BTC-USD")
    list(core.receive(served.snapshot()))
    list(core.receive(served.change([(100, 5)], [])))
    served.book.apply(BookRecord(1, 1, "BTC-USD", ((99, 5),), (), served.book.seq + 1))
    with pytest.raises(StreamGapError, match="change 2 is missing: the book is at 1"):
        list(core.receive(served.change([(98, 5)], [])))

    served = Served()
    core.opening_frames()
    list(core.receive(served.snapshot()))
    served.book.bids[97] = 5
    with pytest.raises(StreamGapError, match="differs from the exchange's"):
        list(core.receive(served.change([(96, 5)], [])))


def test_a_subscription_goes_on_with_another_proof():
    proofs = iter(["1:0xaa", "2:0xbb", "2:0xbb"])
    core = StreamCore()
    first = json.loads(core.subscribe("v4_subaccounts", "0x1/0", auth=lambda: next(proofs)))
    assert first["auth"] == "1:0xaa"
    about = {"channel": "v4_subaccounts", "id": "0x1/0"}
    list(core.receive(frame(0, "subscribed", **about, contents={"epoch": "e", "seq": 5})))
    ended = {**about, "message": "over", "errorCode": "read_proof_expired"}
    assert [event.kind for event in core.receive(frame(1, "error", **ended))] == ["error"]
    [again] = core.to_send
    assert json.loads(again) == {
        "type": "subscribe",
        **about,
        "auth": "2:0xbb",
        "epoch": "e",
        "fromSeq": 5,
    }
    core.to_send.clear()
    list(core.receive(frame(2, "error", **ended)))
    assert core.to_send == [], "the same proof would be refused again"


def test_addresses_and_waits():
    assert stream_url("http://127.0.0.1:8000/") == "ws://127.0.0.1:8000/v4/ws"
    assert stream_url("https://example.org") == "wss://example.org/v4/ws"
    waits = [backoff(attempt) for attempt in range(50)]
    assert waits[:3] == [0.5, 1, 2]
    assert max(waits) == 10
