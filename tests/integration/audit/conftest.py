# SPDX-License-Identifier: AGPL-3.0-only
"""One run of a real relayer on a real chain, to be audited as it is and forged in every way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from ouro.client import OuroClient
from ouro.client.config import ClientConfig
from ouro.deployment import Deployment
from tests.integration.relayer.harness import BTC_PRICE, Json, RelayerProcess, World, world
from tests.support.waiting import eventually

STEP = 1_000


@dataclass(frozen=True)
class Run:
    """What is left of it: the chain, which still runs, the journal's folder, and a trader's receipts."""

    world: World
    journal: Path
    deployment: Path
    receipts: Path
    fills: int

    @property
    def rpc_url(self) -> str:
        return self.world.node.rpc_url


def post(relayer: RelayerProcess, body: Json) -> Json:
    """An accepted order's answer."""
    answer = relayer.http.post("/v4/orders", json=body)
    assert answer.status_code == 201, answer.text
    placed: Json = answer.json()
    return placed


def play(exchange: World, relayer: RelayerProcess, receipts: Path) -> int:
    """Trades of every sort; the number of fills."""
    maker, taker = exchange.trader("maker"), exchange.trader("taker")
    relayer.catch_up()
    config = ClientConfig(Deployment.load(exchange.deployment))
    fills = 0
    with OuroClient(relayer.url, maker, config=config, receipts=receipts) as client:
        for turn in range(4):
            price = BTC_PRICE + turn * STEP
            placed = client.orders.place_limit_order("BTC-USD", "SELL", "0.01", f"{price / 100:.2f}")
            assert placed.status == "OPEN"
            post(relayer, exchange.signed(taker, "BUY", 60, price, time_in_force="IOC"))
            fills += 1
            if turn == 1:
                exchange.push(btc=BTC_PRICE + STEP)
                relayer.catch_up()
            if turn == 2:
                client.orders.cancel(placed.id)
            else:
                post(relayer, exchange.signed(taker, "BUY", 40, price, time_in_force="FOK"))
                fills += 1
            _settled(exchange, relayer, fills)
        asked = relayer.http.post("/v4/withdrawals", json=exchange.withdrawal(maker, 25 * 10**6))
        assert asked.status_code == 200, asked.text
        # What is open, refused and cancelled at the end.
        client.orders.place_limit_order("BTC-USD", "SELL", "0.05", "25000")
        assert relayer.http.post("/v4/orders", json=exchange.signed(taker, "BUY", 10**9)).status_code == 422
        client.orders.cancel_all()
    return fills


def _settled(exchange: World, relayer: RelayerProcess, count: int) -> None:
    eventually(lambda: len(exchange.settled_fill_ids()) == count, f"{count} fills on chain")
    relayer.catch_up()


def trader_of(exchange: World, relayer: RelayerProcess, role: str) -> LocalAccount:
    """Somebody with money whom the relayer knows."""
    key = exchange.trader(role)
    relayer.catch_up()
    return key


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The relayer is stopped, the chain goes on."""
    folder = tmp_path_factory.mktemp("audited")
    with world(folder) as exchange:
        receipts = folder / "receipts.jsonl"
        with exchange.relayer() as relayer:
            fills = play(exchange, relayer, receipts)
            assert relayer.stop() == 0
        yield Run(exchange, relayer.state / "journal", exchange.deployment, receipts, fills)
