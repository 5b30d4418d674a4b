# SPDX-License-Identifier: AGPL-3.0-only
"""Orders that wait, on a real chain: a price is pushed, the relayer fires, the contract asks the trigger again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from ouro.client import ClientConfig, OuroClient
from ouro.client.models import PlacedOrder
from tests.integration.relayer.harness import BTC_PRICE, Json, RelayerProcess, World, world
from tests.support.waiting import eventually

P = BTC_PRICE


@pytest.fixture(autouse=True)
def calm(shared: World, relayer: RelayerProcess) -> Iterator[None]:
    """The index price is the usual one before and after a test."""
    at_price(shared, relayer, P)
    yield
    at_price(shared, relayer, P)


def at_price(chain: World, relayer: RelayerProcess, price: int) -> None:
    chain.push(price)
    relayer.catch_up()


def client(on: World, relayer: RelayerProcess, account: LocalAccount) -> OuroClient:
    """The SDK, with the relayer for an exchange."""
    config = ClientConfig.from_record(json.loads(on.deployment.read_text()))
    return OuroClient(relayer.url, account, config=config)


def long(on: World, relayer: RelayerProcess, role: str, size: int) -> LocalAccount:
    """Somebody with a settled position."""
    maker, taker = on.trader("maker"), on.trader(role)
    relayer.catch_up()
    relayer.http.post("/v4/orders", json=on.signed(maker, "SELL", size)).raise_for_status()
    relayer.http.post("/v4/orders", json=on.signed(taker, "BUY", size, time_in_force="IOC")).raise_for_status()
    eventually(lambda: on.size_of(taker) == size, "the position")
    return taker


def bids(on: World, relayer: RelayerProcess, size: int, price: int) -> LocalAccount:
    """Somebody who buys."""
    maker = on.trader("bidder")
    relayer.catch_up()
    relayer.http.post("/v4/orders", json=on.signed(maker, "BUY", size, price)).raise_for_status()
    return maker


def human(price: int) -> Decimal:
    return Decimal(price) / 100


def last_status(relayer: RelayerProcess, order_id: str) -> str:
    status: str = relayer.order(order_id)["status"]
    return status


def test_a_stop_fires_after_a_pushed_price_and_settles(shared: World, relayer: RelayerProcess) -> None:
    holder = long(shared, relayer, "holder", 100)
    bids(shared, relayer, 100, P - 30_000)
    with client(shared, relayer, holder) as sdk:
        placed = sdk.orders.place_stop_market("BTC-USD", "SELL", "0.01", human(P - 20_000), reduce_only=True)
        assert placed.status == "UNTRIGGERED"
        at_price(shared, relayer, P - 19_900)
        assert last_status(relayer, placed.id) == "UNTRIGGERED"
        at_price(shared, relayer, P - 20_000)
        eventually(lambda: shared.size_of(holder) == 0, "the settlement of the stop")
    state = relayer.order(placed.id)
    assert (state["status"], state["type"], state["private"]) == ("FILLED", "STOP_MARKET", False)
    told = [
        entry["order"] for entry in relayer.events() if entry["type"] == "order" and entry["order"]["id"] == placed.id
    ]
    assert [(each["status"], each["private"]) for each in told] == [("UNTRIGGERED", True), ("FILLED", False)]


def test_the_contract_asks_the_trigger_again(tmp_path: Path) -> None:
    """The price moves back before the batch lands: the contract rejects the fill. Later it is there again, and the same
    order settles.
    """
    with world(tmp_path) as own, own.relayer() as relayer:
        holder = long(own, relayer, "holder", 100)
        bids(own, relayer, 100, P - 30_000)
        with client(own, relayer, holder) as sdk:
            placed = sdk.orders.place_stop_market("BTC-USD", "SELL", "0.01", human(P - 20_000), reduce_only=True)
        own.node.rpc.request("evm_setAutomine", False)
        push_unmined(own, P - 20_000)
        own.node.rpc.warp(1)
        eventually(lambda: last_status(relayer, placed.id) == "FILLED", "the match")
        eventually(lambda: pending(own) == 1, "the batch in the pool")
        # It pays more, so that it comes before the batch in the next block.
        push_unmined(own, P, tip=10**12)
        own.node.rpc.warp(1)
        relayer.catch_up()
        fill_id = max(relayer.fills())
        told = [entry for entry in relayer.events() if entry["type"] == "fill" and entry["fillId"] == fill_id]
        assert told[-1]["reason"] == "not triggered"
        assert own.size_of(holder) == 100

        own.node.rpc.request("evm_setAutomine", True)
        own.push(P - 20_000)
        for _ in range(5):
            own.node.rpc.request("evm_mine")
        eventually(lambda: own.size_of(holder) == 0, "the settlement")
        assert last_status(relayer, placed.id) == "FILLED"


def push_unmined(on: World, price: int, tip: int = 10**9) -> None:
    """Puts a price update of the next second into the pool."""
    at = on.node.rpc.now + 1
    data = on.system.oracle.data("push", [on.system.price_update(1, price, at)])
    transaction = {
        "from": on.system.keys.price_signer.address,
        "to": on.system.oracle.address,
        "data": "0x" + data.hex(),
        "gas": hex(1_000_000),
        "maxPriorityFeePerGas": hex(tip),
        "maxFeePerGas": hex(tip + 10**11),
    }
    on.node.rpc.request("eth_sendTransaction", transaction)


def pending(on: World) -> int:
    """Transactions that wait in the pool."""
    return int(on.node.rpc.request("txpool_status")["pending"], 16)


def test_a_bracket(shared: World, relayer: RelayerProcess) -> None:
    trader, maker = shared.trader("bracket"), shared.trader("maker")
    relayer.catch_up()
    with client(shared, relayer, trader) as sdk:
        made = sdk.orders.place_bracket(
            "BTC-USD",
            "BUY",
            "0.005",
            price=human(P),
            take_profit=human(P + 20_000),
            stop_loss=human(P - 20_000),
        )
    assert isinstance(made.take_profit, PlacedOrder)
    assert isinstance(made.stop_loss, PlacedOrder)
    assert [made.entry.status, made.take_profit.status, made.stop_loss.status] == ["OPEN", "UNTRIGGERED", "UNTRIGGERED"]
    sold = relayer.http.post("/v4/orders", json=shared.signed(maker, "SELL", 50, time_in_force="IOC"))
    assert sold.json()["status"] == "FILLED"
    eventually(lambda: shared.size_of(trader) == 50, "the entry")
    bids(shared, relayer, 50, P + 15_000)
    at_price(shared, relayer, P + 20_000)
    eventually(lambda: shared.size_of(trader) == 0, "the take-profit")
    assert relayer.order(made.take_profit.id)["type"] == "TAKE_PROFIT_MARKET"
    assert (last_status(relayer, made.stop_loss.id), relayer.order(made.stop_loss.id)["reason"]) == ("CANCELED", "oco")


def trailing(on: World, holder: LocalAccount, size: int, revisions: int) -> list[Json]:
    """A stop 20,000 behind and its revisions in steps of 5,000, signed without the SDK."""
    stop = on.order(
        holder,
        "SELL",
        size,
        P - 60_000,
        trigger="AT_OR_BELOW",
        trigger_price=P - 20_000,
        reduce_only=True,
    )
    bodies = [on.body(holder, stop) | {"immediate": True}]
    for number in range(1, revisions + 1):
        order = stop.but(revision=number, trigger_price=P - 20_000 + number * 5_000)
        before = on.order_id(bodies[-1])
        conditions = {"armPrice": str(P + number * 5_000)}
        bodies.append(on.body(holder, order) | {"immediate": True, "replaces": before, "conditions": conditions})
    return bodies


def test_a_trailing_stop_follows_and_fires(shared: World, relayer: RelayerProcess) -> None:
    holder = long(shared, relayer, "holder", 100)
    bodies = trailing(shared, holder, 100, 4)
    answer = relayer.http.post("/v4/orders/batch", json={"orders": bodies}).json()
    assert [each["status"] for each in answer["results"]] == [201, 200, 200, 200, 200], answer
    ids = [shared.order_id(body) for body in bodies]
    at_price(shared, relayer, P + 12_000)
    assert [relayer.order(each)["reason"] for each in ids[:3]] == ["replaced", "replaced", ""]
    bids(shared, relayer, 100, P - 20_000)
    at_price(shared, relayer, P - 9_000)
    assert last_status(relayer, ids[2]) == "UNTRIGGERED"
    at_price(shared, relayer, P - 10_000)
    eventually(lambda: shared.size_of(holder) == 0, "the settlement of the trailing stop")
    assert last_status(relayer, ids[2]) == "FILLED"
    assert [relayer.order(each)["reason"] for each in ids[3:]] == ["amended_order_ended"] * 2


def test_a_twap(shared: World, relayer: RelayerProcess) -> None:
    trader, maker = shared.trader("twap"), shared.trader("maker")
    relayer.catch_up()
    relayer.http.post("/v4/orders", json=shared.signed(maker, "SELL", 60)).raise_for_status()
    # The relayer's clock: this chain is ahead of ours.
    now_ms = relayer.events()[-1]["timeMs"]
    bodies = [
        shared.signed(trader, "BUY", 20) | {"immediate": True, "conditions": {"notBefore": now_ms + 1_000 * part}}
        for part in range(1, 4)
    ]
    answer = relayer.http.post("/v4/orders/batch", json={"orders": bodies}).json()
    assert [each["body"]["status"] for each in answer["results"]] == ["UNTRIGGERED"] * 3
    ids = [shared.order_id(body) for body in bodies]
    eventually(lambda: shared.size_of(trader) == 60, "all parts")
    states = [relayer.order(each) for each in ids]
    assert [(each["status"], each["filled"], each["type"]) for each in states] == [("FILLED", 20, "TWAP_SUBORDER")] * 3
    matched = [
        entry["timeMs"]
        for entry in relayer.events()
        if entry["type"] == "fill" and entry["status"] == "matched" and entry["takerOrderId"] in ids
    ]
    assert len(matched) == 3
    assert all(at_ms >= now_ms + 1_000 * part for part, at_ms in enumerate(matched, 1))


def test_waiting_orders_survive_a_restart(tmp_path: Path) -> None:
    with world(tmp_path) as own, own.relayer() as relayer:
        trader = own.trader("waiting")
        relayer.catch_up()
        bodies = trailing(own, trader, 100, 2)
        answer = relayer.http.post("/v4/orders/batch", json={"orders": bodies}).json()
        assert all(each["status"] < 300 for each in answer["results"]), answer
        relayer.kill()
        relayer.start()
        ids = [own.order_id(body) for body in bodies]
        assert {last_status(relayer, each) for each in ids} == {"UNTRIGGERED"}
        at_price(own, relayer, P + 6_000)
        eventually(lambda: relayer.order(ids[0])["reason"] == "replaced", "the new leg")
