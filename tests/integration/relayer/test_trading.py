# SPDX-License-Identifier: AGPL-3.0-only
"""Orders from the signature to the settled position."""

import time

from tests.integration.relayer.harness import BTC_PRICE, CANCEL_ALL_TYPE, RelayerProcess, World
from tests.support.waiting import eventually
from tests.support.wire import wallet


def test_a_signed_order_becomes_a_settled_position(shared: World, relayer: RelayerProcess) -> None:
    maker, taker = shared.trader("maker"), shared.trader("taker")
    relayer.catch_up()
    offer = shared.signed(maker, "SELL", 100)
    placed = relayer.http.post("/v4/orders", json=offer)
    assert placed.status_code == 201
    assert placed.json()["id"] == shared.order_id(offer)
    assert placed.json()["status"] == "OPEN"

    taken = relayer.http.post("/v4/orders", json=shared.signed(taker, "BUY", 40, time_in_force="IOC"))
    assert taken.json() | {"seq": 0, "receipt": {}} == {
        "id": taken.json()["id"],
        "clientId": taken.json()["clientId"],
        "status": "FILLED",
        "filled": "40",
        "seq": 0,
        "receipt": {},
    }
    eventually(lambda: shared.size_of(taker) == 40, "the settlement")
    assert shared.size_of(maker) == -40
    fill_id = max(relayer.fills())
    eventually(lambda: relayer.fills()[fill_id] == ["matched", "submitted", "confirmed"], "the settlement")
    for _ in range(4):
        shared.node.rpc.request("evm_mine")
    eventually(lambda: relayer.fills()[fill_id][-1] == "final", "finality")
    order = relayer.order(placed.json()["id"])
    assert (order["filled"], order["status"]) == (40, "OPEN")


def test_a_session_key_trades_for_its_account(shared: World, relayer: RelayerProcess) -> None:
    maker, owner, key = shared.trader("maker"), shared.trader("owner"), wallet("a session key")
    body = shared.body(key, shared.order(owner, "BUY", 30, time_in_force="IOC"))
    unknown = relayer.http.post("/v4/orders", json=body)
    assert (unknown.status_code, unknown.json()["errorCode"]) == (401, "bad_signature")
    assert relayer.http.post("/v4/orders/verify", json=body).json()["valid"] is False

    expiry = shared.node.rpc.now + 86_400
    terms = (owner.address, key.address, [1], 10**9, expiry, 1, b"")
    shared.system.exchange.send(owner.address).register_session_key(*terms)
    relayer.catch_up()
    assert relayer.http.post("/v4/orders", json=shared.signed(maker, "SELL", 100)).status_code == 201
    assert relayer.http.post("/v4/orders/verify", json=body).json()["valid"] is True
    taken = relayer.http.post("/v4/orders", json=shared.body(key, shared.order(owner, "BUY", 30, time_in_force="IOC")))
    assert (taken.status_code, taken.json()["status"]) == (201, "FILLED"), taken.text
    resting = shared.body(key, shared.order(owner, "BUY", 10, BTC_PRICE - 1_000))
    assert relayer.http.post("/v4/orders", json=resting).status_code == 201
    eventually(lambda: shared.size_of(owner) == 30, "the settlement")
    assert shared.system.exchange.call.session_key(owner.address, key.address)[2] == 10**9 - 30 * BTC_PRICE

    shared.system.exchange.send(owner.address).revoke_session_key(owner.address, key.address)
    relayer.catch_up()
    assert relayer.order(shared.order_id(resting))["reason"] == "key_revoked"

    # Whoever has stolen the key uses up nothing of its owner's: what he sends is not even written down.
    late = shared.body(key, shared.order(owner, "BUY", 10, BTC_PRICE - 1_000))
    cancel = shared.command(key, "cancelAll", CANCEL_ALL_TYPE, account=owner.address, market="")
    for answer in (
        relayer.http.post("/v4/orders", json=late),
        relayer.http.request("DELETE", "/v4/orders", json=cancel),
    ):
        assert (answer.status_code, answer.json()["errorCode"]) == (401, "key_revoked")
        assert "receipt" not in answer.json()


def test_an_order_right_behind_its_deposit_is_taken(shared: World, relayer: RelayerProcess) -> None:
    """The deposit is in a block that the relayer may not have read yet: an owner's first, and a later one."""
    for _ in range(5):
        maker = shared.trader("maker", usdc=100)
        first = relayer.http.post("/v4/orders", json=shared.signed(maker, "BUY", 10, BTC_PRICE - 5_000))
        assert first.status_code == 201, first.text
        shared.system.fund(maker.address, 100_000 * 10**6)
        larger = relayer.http.post("/v4/orders", json=shared.signed(maker, "BUY", 10_000, BTC_PRICE - 5_000, slot=2))
        assert larger.status_code == 201, larger.text


def test_the_answer_names_a_record_that_consumers_can_read(shared: World, relayer: RelayerProcess) -> None:
    maker = shared.trader("maker")
    relayer.catch_up()
    seq = relayer.http.post("/v4/orders", json=shared.signed(maker, "SELL", 10, BTC_PRICE + 5_000)).json()["seq"]
    assert [record["seq"] for record in relayer.events()] == list(range(1, seq + 1))


def test_cancels(shared: World, relayer: RelayerProcess) -> None:
    maker = shared.trader("maker")
    relayer.catch_up()
    ids = []
    for step in range(3):
        body = shared.signed(maker, "BUY", 10, BTC_PRICE - 1_000 * (step + 1))
        ids.append(relayer.http.post("/v4/orders", json=body).json()["id"])

    one = relayer.http.request("DELETE", f"/v4/orders/{ids[0]}", json=shared.cancel(maker, ids[0]))
    assert (one.status_code, one.json()["cancelled"]) == (200, [ids[0]])
    assert relayer.order(ids[0])["status"] == "CANCELED"
    again = relayer.http.request("DELETE", f"/v4/orders/{ids[0]}", json=shared.cancel(maker, ids[0]))
    assert (again.status_code, again.json()["errorCode"]) == (409, "order_not_open")

    rest = relayer.http.request("DELETE", "/v4/orders", json=shared.cancel_all(maker, "BTC-USD"))
    assert (rest.status_code, rest.json()["cancelled"]) == (200, ids[1:])


def test_only_the_owner_cancels(shared: World, relayer: RelayerProcess) -> None:
    maker, non_owner = shared.trader("maker"), shared.trader("non_owner", usdc=0)
    relayer.catch_up()
    order_id = relayer.http.post("/v4/orders", json=shared.signed(maker, "BUY", 10, BTC_PRICE - 900)).json()["id"]
    body = shared.cancel(non_owner, order_id)
    body["cancel"]["account"] = maker.address
    refused = relayer.http.request("DELETE", f"/v4/orders/{order_id}", json=body)
    assert refused.status_code == 401
    assert relayer.order(order_id)["status"] == "OPEN"


def test_the_dead_mans_switch(shared: World, relayer: RelayerProcess) -> None:
    maker = shared.trader("maker")
    relayer.catch_up()
    order_id = relayer.http.post("/v4/orders", json=shared.signed(maker, "BUY", 10, BTC_PRICE - 800)).json()["id"]
    armed = relayer.http.post("/v4/orders/cancelAllAfter", json=shared.cancel_all_after(maker, 1))
    assert armed.status_code == 200
    eventually(lambda: relayer.order(order_id)["status"] == "CANCELED", "the cancel")
    assert relayer.order(order_id)["reason"] == "cancel_all_after"


def test_the_same_order_again_gets_the_same_answer(shared: World, relayer: RelayerProcess) -> None:
    maker = shared.trader("maker")
    relayer.catch_up()
    body = shared.signed(maker, "BUY", 10, BTC_PRICE - 700)
    first, second = (relayer.http.post("/v4/orders", json=body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]

    other = shared.body(maker, shared.order(maker, "BUY", 11, BTC_PRICE - 700), client_id=body["clientId"])
    refused = relayer.http.post("/v4/orders", json=other)
    assert (refused.status_code, refused.json()["errorCode"]) == (409, "client_id_reused")


def test_a_taken_slot_is_refused_with_free_ones(shared: World, relayer: RelayerProcess) -> None:
    maker = shared.trader("maker")
    relayer.catch_up()
    relayer.http.post("/v4/orders", json=shared.signed(maker, "BUY", 10, BTC_PRICE - 600, slot=77))
    refused = relayer.http.post("/v4/orders", json=shared.signed(maker, "BUY", 10, BTC_PRICE - 600, slot=77))
    assert (refused.status_code, refused.json()["errorCode"]) == (409, "slot_taken")
    assert refused.json()["freeSlots"][0] == 1


def test_many_orders_at_once_settle_in_batches(shared: World, relayer: RelayerProcess) -> None:
    maker, taker = shared.trader("maker"), shared.trader("taker")
    relayer.catch_up()
    before = len(shared.batches())
    assert relayer.http.post("/v4/orders", json=shared.signed(maker, "SELL", 80)).status_code == 201
    started = time.monotonic()
    for _ in range(40):
        answer = relayer.http.post("/v4/orders", json=shared.signed(taker, "BUY", 2, time_in_force="IOC"))
        assert (answer.status_code, answer.json()["status"]) == (201, "FILLED")
    eventually(lambda: shared.size_of(taker) == 80, "the settlement")
    batches = len(shared.batches()) - before
    assert batches <= 4 + (time.monotonic() - started) / 0.25
    assert len(set(shared.settled_fill_ids())) == len(shared.settled_fill_ids())
