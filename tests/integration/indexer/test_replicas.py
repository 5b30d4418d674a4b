# SPDX-License-Identifier: AGPL-3.0-only
"""One process follows, two serve from its database: a client that loses one goes on at the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.indexer.process import IndexerProcess, Stream
from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World, world
from tests.support.databases import PostgresDatabases
from tests.support.postgres import Server
from tests.support.waiting import eventually

DOOR = "v4_subaccounts"
BOOK = "/v4/orderbooks/perpetualMarket/BTC-USD"


class Deployment:
    """A chain, a relayer, one process that follows and two that serve."""

    def __init__(self, made: World, relayer: RelayerProcess, database_url: str, folder: Path) -> None:
        self.world, self.relayer = made, relayer

        def process(name: str, command: str) -> IndexerProcess:
            return IndexerProcess(
                made.node.rpc_url,
                relayer.url,
                made.deployment,
                folder / name,
                command=command,
                OURO_DATABASE_URL=database_url,
            )

        self.follower = process("follower", "follow")
        self.doors = [process(f"door {number}", "serve") for number in range(2)]

    @property
    def processes(self) -> list[IndexerProcess]:
        return [self.follower, *self.doors]

    def place(self, door: IndexerProcess, body: dict[str, Any]) -> dict[str, Any]:
        answer = door.http.post("/v4/orders", json=body)
        assert answer.status_code == 201, answer.text
        placed: dict[str, Any] = answer.json()
        return placed

    def synced(self) -> None:
        height = str(int(self.world.node.rpc.request("eth_blockNumber"), 16))
        for door in self.doors:
            eventually(lambda door=door: door.get("/v4/height")["height"] == height, "the newest block")
        self.relayer.catch_up()


@pytest.fixture
def deployed(tmp_path: Path, postgres_server: Server) -> Iterator[Deployment]:
    databases = PostgresDatabases(postgres_server)
    url = databases.new(migrated=False)
    with world(tmp_path) as made, made.relayer() as relayer:
        found = Deployment(made, relayer, url, tmp_path)
        try:
            yield found
        finally:
            for process in found.processes:
                process.close()
            databases.drop(url)


class Listener:
    """Follows one account wherever a door is open, and keeps what it was told."""

    def __init__(self, id_: str) -> None:
        self._id = id_
        self.epoch, self.seq = "", 0
        self.told: list[dict[str, Any]] = []
        self.snapshots = 0
        self._stream: Stream | None = None

    def connect(self, door: IndexerProcess) -> None:
        self._stream = door.stream()
        more = {"fromSeq": self.seq, "epoch": self.epoch} if self.epoch else {}
        contents = self._stream.subscribe(DOOR, self._id, **more)
        if not contents.get("resumed"):
            self.snapshots += 1
            self.epoch, self.seq = contents["epoch"], contents["seq"]

    def until(self, wanted: Any) -> None:
        """Take in messages until one of them is wanted."""
        assert self._stream is not None
        while True:
            message = self._stream.receive(60)
            contents = message["contents"]
            assert contents["epoch"] == self.epoch
            assert contents["seq"] > self.seq
            self.seq = contents["seq"]
            self.told.append(contents)
            if wanted(contents):
                return

    def lose(self) -> None:
        assert self._stream is not None
        self._stream.close()

    def cut_off(self) -> None:
        """Read until the other end is gone."""
        assert self._stream is not None
        with suppress(ConnectionClosed):
            while self._stream.receive(60):
                pass


def test_two_doors_over_one_database(deployed: Deployment) -> None:
    made, (one, other) = deployed.world, deployed.doors
    refused = one.start_refused()
    assert "start `ouro indexer follow`" in refused
    deployed.follower.start()
    for door in deployed.doors:
        door.start()
    assert deployed.follower.http.get("/v4/height").status_code == 404
    assert "ouro_indexer_outbox" in one.http.get("/metrics").text
    maker, taker = made.trader("maker"), made.trader("taker")
    made.push()
    deployed.synced()

    listener = Listener(f"{taker.address}/0")
    listener.connect(one)
    # A write through one door is read through the other, as of its own record.
    resting = deployed.place(one, made.signed(maker, "SELL", 100, BTC_PRICE + 1_000))
    book = other.get(BOOK, atSeq=resting["seq"])
    assert book["asks"] == [{"price": "23010", "size": "0.01"}]
    assert other.get(f"/v4/orders/{resting['id']}", atSeq=resting["seq"])["status"] == "OPEN"
    with other.stream() as stream, other.stream() as clock:
        snapshot = stream.subscribe("v4_orderbook", "BTC-USD")
        assert (snapshot["asks"], snapshot["checksum"]) == (book["asks"], book["checksum"])
        trades = stream.subscribe("v4_trades", "BTC-USD")
        height = clock.subscribe("v4_block_height")["height"]
        first = deployed.place(other, made.signed(taker, "BUY", 30, BTC_PRICE + 1_000, time_in_force="IOC"))
        update = stream.until("v4_orderbook", lambda contents: "asks" in contents)
        assert (update["asks"], update["prevSeq"]) == ([["23010", "0.007"]], snapshot["seq"])
        printed = stream.until("v4_trades", lambda contents: contents["trades"])
        assert printed["trades"][0]["id"] not in {trade["id"] for trade in trades["trades"]}
        assert int(clock.until("v4_block_height", lambda _: True)["blockHeight"]) > int(height)
    listener.until(lambda contents: "fills" in contents)
    assert listener.told[-1]["fills"][0]["orderId"] == first["id"]

    # The door dies; what happens before the client has found the other one is told there.
    one.kill()
    listener.cut_off()
    second = deployed.place(other, made.signed(taker, "BUY", 20, BTC_PRICE + 1_000, time_in_force="IOC"))
    eventually(lambda: len(other.get("/v4/fills", address=taker.address)["fills"]) == 2, "the second fill")
    listener.connect(other)
    listener.until(lambda contents: "fills" in contents)
    fills = [fill["orderId"] for contents in listener.told for fill in contents.get("fills", ())]
    assert fills == [first["id"], second["id"]]
    assert listener.snapshots == 1

    # The follower dies: doors go on with what there is, and catch up when it is back, in the same epoch.
    deployed.follower.kill()
    listener.lose()
    assert other.get(f"/v4/orders/{second['id']}")["status"] == "FILLED"
    third = deployed.place(other, made.signed(taker, "BUY", 10, BTC_PRICE + 1_000, time_in_force="IOC"))
    behind = other.http.get(f"/v4/orders/{third['id']}", params={"atSeq": third["seq"]})
    assert (behind.status_code, behind.json()["errorCode"], behind.headers["retry-after"]) == (503, "behind", "1")
    deployed.follower.start()
    one.start()
    listener.connect(one)
    listener.until(lambda contents: "fills" in contents)
    fills = [fill["orderId"] for contents in listener.told for fill in contents.get("fills", ())]
    assert fills == [first["id"], second["id"], third["id"]]
    assert listener.snapshots == 1
    listener.lose()
    for process in deployed.processes:
        assert process.stop() == 0
