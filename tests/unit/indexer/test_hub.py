# SPDX-License-Identifier: AGPL-3.0-only
"""The stream's bookkeeping: numbering, snapshots before updates, batches, slow readers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from indexer.stream.filters import TradeFilter
from indexer.stream.hub import QUEUE_BYTES, QUEUE_LIMIT, Hub, Session, Stamp, Update

KEY = ("v4_trades", "BTC-USD")


def update(at: int) -> Update:
    return Update(*KEY, {"at": at}, Stamp("chain", at))


def sent(session: Session) -> list[dict[str, Any]]:
    found = []
    while not session.outgoing.empty():
        frame = session.outgoing.get_nowait()
        assert frame is not None
        found.append(msgspec.json.decode(frame))
    return found


def listening(hub: Hub, *, batched: bool = False) -> Session:
    session = Session()
    hub.join(session)
    hub.subscribe(session, KEY, batched=batched)
    return session


def test_updates_wait_for_the_snapshot_and_those_in_it_are_dropped() -> None:
    hub = Hub()
    session = listening(hub)
    for at in (4, 5, 6):
        hub.publish([update(at)])
    assert sent(session) == []
    hub.started(session, KEY, {"trades": []}, {"chain": 5})
    hub.publish([update(7)])
    messages = sent(session)
    assert [message["type"] for message in messages] == ["subscribed", "channel_data", "channel_data"]
    assert [message["contents"].get("at") for message in messages] == [None, 6, 7]
    assert [message["message_id"] for message in messages] == [0, 1, 2]
    assert {message["connection_id"] for message in messages} == {session.id}
    assert (messages[1]["channel"], messages[1]["id"], messages[1]["version"]) == (*KEY, "2.1.0")


def test_batches_are_sent_when_flushed() -> None:
    hub = Hub()
    session = listening(hub, batched=True)
    hub.started(session, KEY, {}, {})
    hub.publish([update(1), update(2)])
    assert [message["type"] for message in sent(session)] == ["subscribed"]
    hub.flush()
    hub.flush()
    [batch] = sent(session)
    assert (batch["type"], batch["contents"]) == ("channel_batch_data", [{"at": 1}, {"at": 2}])


def test_a_slow_reader_is_cut_off_instead_of_losing_a_message() -> None:
    hub = Hub()
    session = listening(hub)
    hub.started(session, KEY, {}, {})
    hub.publish([update(at) for at in range(QUEUE_LIMIT + 5)])
    assert session.too_slow
    assert session.outgoing.qsize() == QUEUE_LIMIT


def test_who_never_reads_binds_no_more_than_so_many_bytes() -> None:
    session = Session()
    large = "x" * (QUEUE_BYTES // 8)
    for _ in range(20):
        session.say("error", message=large)
    assert session.too_slow
    assert sum(len(session.outgoing.get_nowait() or b"") for _ in range(session.outgoing.qsize())) <= QUEUE_BYTES


def test_a_snapshot_larger_than_the_bound_still_goes_out() -> None:
    session = Session()
    session.say("subscribed", *KEY, contents="x" * (QUEUE_BYTES + 1))
    assert not session.too_slow


def test_who_leaves_hears_nothing() -> None:
    hub = Hub()
    session = listening(hub)
    assert hub.listened_to(KEY)
    hub.leave(session)
    hub.publish([update(1)])
    assert not hub.listened_to(KEY)
    assert sent(session) == []


def trade(side: str, size: str) -> dict[str, str]:
    return {"id": size, "side": side, "type": "LIMIT", "price": "23000", "size": size}


def test_a_filter_leaves_out_what_is_not_wanted() -> None:
    hub, session = Hub(), Session()
    hub.join(session)
    wanted = msgspec.json.decode(b'{"side":"buy","sizeMin":"0.5","type":"limit,liquidated"}', type=TradeFilter)
    hub.subscribe(session, KEY, batched=False, wanted=wanted)

    def publish(at: int, *trades: dict[str, str], **more: Any) -> None:
        hub.publish([Update(*KEY, {"trades": list(trades), **more}, Stamp("chain", at))])

    publish(2, trade("BUY", "0.6"), trade("SELL", "0.7"))
    hub.started(session, KEY, {"trades": [trade("BUY", "0.5"), trade("BUY", "0.4")]}, {"chain": 1})
    publish(3, trade("BUY", "0.1"))
    publish(4, trade("BUY", "0.8"))
    publish(5, reverted=["0.8", "0.1"])
    contents = [message["contents"] for message in sent(session)]
    assert [[row["id"] for row in part["trades"]] for part in contents] == [["0.5"], ["0.6"], ["0.8"], []]
    assert contents[-1]["reverted"] == ["0.8", "0.1"]


@pytest.mark.parametrize("text", ['{"sizeMin":"big"}', '{"priceMax":"NaN"}', '{"side":"LONG"}', '{"sise":"1"}'])
def test_a_filter_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=TradeFilter)
