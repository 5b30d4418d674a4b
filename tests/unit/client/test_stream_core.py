# SPDX-License-Identifier: AGPL-3.0-only
"""Frames of the stream: subscriptions, gaps, batches, and the local book."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

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


def test_addresses_and_waits():
    assert stream_url("http://127.0.0.1:8000/") == "ws://127.0.0.1:8000/v4/ws"
    assert stream_url("https://example.org") == "wss://example.org/v4/ws"
    waits = [backoff(attempt) for attempt in range(50)]
    assert waits[:3] == [0.5, 1, 2]
    assert max(waits) == 10
