# SPDX-License-Identifier: AGPL-3.0-only
"""Streams of records: what the wire's snapshots and updates become."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ouro.client import ClientError
from ouro.client.stream_core import StreamEvent
from ouro.client.ws import _book_reader, _concerns, _read_account, _read_candles, _read_index_prices, _read_tape

AT = "2026-01-01T00:00:00.000Z"


def event(kind: Any, contents: Any, channel: str = "x", subject: str = "") -> StreamEvent:
    return StreamEvent(kind, channel, subject, contents)


def test_a_book_follows_its_updates():
    read = _book_reader("btc-usd", 1)
    first = event("subscribed", {"bids": [{"price": "5", "size": "1"}], "asks": []}, "v4_orderbook", "BTC-USD")
    [book] = read(first)
    assert book.bids == ((Decimal(5), Decimal(1)),)
    [book] = read(event("update", {"bids": [["5", "0"], ["4", "2"]]}, "v4_orderbook", "BTC-USD"))
    assert book.bids == ((Decimal(4), Decimal(2)),)
    assert list(read(event("update", {"bids": []}, "v4_orderbook", "ETH-USD"))) == []


def test_a_tape_is_told_in_the_order_of_time():
    print_ = {"side": "BUY", "size": "1", "price": "5", "createdAt": AT}
    [update] = _read_tape(event("subscribed", {"trades": [{**print_, "id": "2"}, {**print_, "id": "1"}]}))
    assert [trade.id for trade in update.trades] == ["1", "2"]
    [update] = _read_tape(event("update", {"trades": [], "reverted": ["2"]}))
    assert update.reverted == ("2",)


def test_candles_are_a_list_first_and_bare_then():
    candle = {"startedAt": AT, "ticker": "BTC-USD", "resolution": "1MIN", "baseTokenVolume": "1"}
    candle |= dict.fromkeys(("open", "high", "low", "close"), "5")
    [newest] = _read_candles(event("subscribed", {"candles": [candle, {**candle, "close": "4"}]}))
    [update] = _read_candles(event("update", {**candle, "close": "6"}))
    assert (newest.close, update.close) == (5, 6)


def test_index_prices():
    [price] = _read_index_prices(
        event("update", {"oraclePrices": {"BTC-USD": {"oraclePrice": "5.5", "effectiveAt": AT}}})
    )
    assert (price.market, price.price) == ("BTC-USD", Decimal("5.5"))
    assert list(_read_index_prices(event("update", {"trading": {}}))) == []


def test_an_read_account():
    position = {"market": "BTC-USD", "status": "OPEN", "side": "LONG", "size": "1"}
    standing = {"equity": "10", "freeCollateral": "9", "openPerpetualPositions": {"BTC-USD": position}}
    [snapshot] = _read_account(event("subscribed", {"subaccount": standing, "orders": [], "seq": 4, "epoch": "7"}))
    assert (snapshot.is_snapshot, snapshot.equity, snapshot.seq, len(snapshot.positions)) == (True, 10, 4, 1)
    [nobody] = _read_account(event("subscribed", {}))
    assert (nobody.equity, nobody.positions) == (None, ())

    fill = {"id": "1", "side": "BUY", "liquidity": "MAKER", "ticker": "BTC-USD", "price": "5", "size": "1", "fee": "-1"}
    transfer = {
        "id": "t",
        "sender": {"address": "0x1"},
        "recipient": {"address": "0x2"},
        "size": "3",
        "type": "DEPOSIT",
    }
    contents = {
        "fills": [{**fill, "createdAt": AT}],
        "transfers": {**transfer, "createdAt": AT},
        "perpetualPositions": [position],
        "reverted": {"fills": ["0"], "transfers": []},
        "freeCollateral": "8",
        "seq": "5",
    }
    [update] = _read_account(event("update", contents))
    assert not update.is_snapshot
    assert (update.fills[0].market, update.fills[0].fee) == ("BTC-USD", -1)
    assert (update.transfers[0].size, update.positions[0].size, update.reverted_fills) == (3, 1, ("0",))
    assert (update.equity, update.free_collateral, update.seq) == (None, 8, 5)


def test_a_refused_subscription_is_raised():
    assert _concerns(event("update", {}), "x")
    assert not _concerns(event("resumed", {}), "x")
    assert not _concerns(event("error", {"message": "no"}, "y"), "x")
    with pytest.raises(ClientError, match="the stream refused x: no"):
        _concerns(event("error", {"message": "no"}), "x")
