# SPDX-License-Identifier: AGPL-3.0-only
"""The event log: long poll and stream, both with a place of the consumer's own."""

import json
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World


def _place(world: World, relayer: RelayerProcess, times: int = 1) -> int:
    """Orders of a fresh maker; the number of the last record."""
    maker = world.trader("maker")
    relayer.catch_up()
    seq = 0
    for _ in range(times):
        seq = relayer.http.post("/v4/orders", json=world.signed(maker, "BUY", 1, BTC_PRICE - 10_000)).json()["seq"]
    return seq


def test_a_poll_waits_for_news(shared: World, relayer: RelayerProcess) -> None:
    seq = _place(shared, relayer)
    maker = shared.trader("maker")
    body = shared.signed(maker, "BUY", 1, BTC_PRICE - 10_000)
    relayer.catch_up()
    later = threading.Timer(0.5, lambda: relayer.http.post("/v4/orders", json=body))
    later.start()
    started = time.monotonic()
    answer = relayer.http.get("/events", params={"from": seq + 1, "wait": 10})
    waited = time.monotonic() - started
    later.join()
    assert 0.3 < waited < 5
    assert json.loads(answer.text.splitlines()[0])["seq"] == seq + 1


def test_a_poll_without_news_ends(shared: World, relayer: RelayerProcess) -> None:
    seq = _place(shared, relayer)
    answer = relayer.http.get("/events", params={"from": seq + 1_000, "wait": 0.2})
    assert (answer.status_code, answer.text) == (200, "")


def test_pages(shared: World, relayer: RelayerProcess) -> None:
    seq = _place(shared, relayer, 3)
    read: list[int] = []
    while len(read) < seq:
        lines = relayer.http.get("/events", params={"from": len(read) + 1, "limit": 2}).text.splitlines()
        assert 0 < len(lines) <= 2
        read += [json.loads(line)["seq"] for line in lines]
    assert read == list(range(1, seq + 1))


def test_the_stream_goes_on_where_a_consumer_left(shared: World, relayer: RelayerProcess) -> None:
    seq = _place(shared, relayer)
    url = relayer.url.replace("http", "ws") + "/events/stream"
    with connect(f"{url}?from={seq}") as stream:
        assert json.loads(stream.recv(timeout=60))["seq"] == seq
        later = _place(shared, relayer)
        numbers = [json.loads(stream.recv(timeout=60))["seq"] for _ in range(later - seq)]
    assert numbers == list(range(seq + 1, later + 1))
    with connect(f"{url}?from={later}") as stream:
        assert json.loads(stream.recv(timeout=60))["seq"] == later


def test_the_stream_refuses_nonsense(relayer: RelayerProcess) -> None:
    url = relayer.url.replace("http", "ws") + "/events/stream?from=x"
    with connect(url) as stream, pytest.raises(ConnectionClosed) as closed:
        stream.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4000


def test_metrics_count(shared: World, relayer: RelayerProcess) -> None:
    _place(shared, relayer)
    text = relayer.http.get("/metrics").text
    assert 'ouro_relayer_answers_total{command="place",status="201"}' in text
    assert "ouro_relayer_ready 1.0" in text
