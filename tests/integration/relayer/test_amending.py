# SPDX-License-Identifier: AGPL-3.0-only
"""Amends, self-trades, cancels and fees of a relayer whose fills settle on a chain."""

import re

from eth_account.signers.local import LocalAccount

from ouro.codec import FeeTier
from tests.integration.relayer.harness import (
    BTC_PRICE,
    CANCEL_ALL_TYPE,
    CANCEL_BY_CLIENT_ID_TYPE,
    Json,
    RelayerProcess,
    World,
)
from tests.support.waiting import eventually
from tests.support.wire import Order, wallet


def order_of(body: Json) -> Order:
    """The order in a request."""
    return Order(
        **{re.sub("[A-Z]", lambda at: "_" + at[0].lower(), name): value for name, value in body["order"].items()}
    )


def amend(world: World, relayer: RelayerProcess, key: LocalAccount, old: Json, **changes: object) -> Json:
    """Sends the next revision of an order as its amend; the new body."""
    expected = changes.pop("expected_filled", None)
    order = order_of(old).but(**changes)
    body = world.body(key, order, client_id=old["clientId"])
    if expected is not None:
        body["expectedFilled"] = expected
    answer = relayer.http.patch(f"/v4/orders/{world.order_id(old)}", json=body)
    assert (answer.status_code, answer.json()["id"]) == (200, world.order_id(body)), answer.text
    return body


def take(world: World, relayer: RelayerProcess, key: LocalAccount, size: int, price: int = BTC_PRICE) -> Json:
    """Buys at once."""
    body = world.signed(key, "BUY", size, price, time_in_force="IOC")
    answer: Json = relayer.http.post("/v4/orders", json=body).json()
    assert answer["status"] == "FILLED", answer
    return answer


def test_revisions_of_an_order_settle_on_chain(shared: World, relayer: RelayerProcess) -> None:
    maker, taker = shared.trader("maker"), shared.trader("taker")
    relayer.catch_up()
    first = shared.signed(maker, "SELL", 100)
    assert relayer.http.post("/v4/orders", json=first).status_code == 201
    take(shared, relayer, taker, 40)
    second = amend(shared, relayer, maker, first, size=90, revision=1, expected_filled="40")
    take(shared, relayer, taker, 20)
    eventually(lambda: shared.size_of(taker) == 60, "the settlement of both revisions")
    third = amend(shared, relayer, maker, second, size=120, revision=2, limit_price=BTC_PRICE + 100)
    take(shared, relayer, taker, 60, BTC_PRICE + 100)
    eventually(lambda: shared.size_of(taker) == 120, "the settlement of the third")
    assert shared.size_of(maker) == -120
    assert "rejected" not in {status for said in relayer.fills().values() for status in said}
    assert relayer.order(shared.order_id(first))["reason"] == "replaced"
    newest = relayer.order(shared.order_id(third))
    assert (newest["status"], newest["filled"], newest["replaces"]) == ("FILLED", 120, shared.order_id(second))

    late = relayer.http.patch(
        f"/v4/orders/{shared.order_id(third)}",
        json=shared.body(maker, order_of(third).but(size=200, revision=3)),
    )
    assert (late.status_code, late.json()["errorCode"]) == (409, "order_not_open")


def test_an_amend_that_expects_another_fill_changes_nothing(shared: World, relayer: RelayerProcess) -> None:
    maker, taker = shared.trader("maker"), shared.trader("taker")
    relayer.catch_up()
    old = shared.signed(maker, "SELL", 100)
    relayer.http.post("/v4/orders", json=old)
    take(shared, relayer, taker, 30)
    body = shared.body(maker, order_of(old).but(size=50, revision=1)) | {"expectedFilled": "0"}
    refused = relayer.http.patch(f"/v4/orders/{shared.order_id(old)}", json=body)
    assert (refused.status_code, refused.json()["errorCode"]) == (409, "filled_changed")
    assert relayer.order(shared.order_id(old))["status"] == "OPEN"
    relayer.http.request("DELETE", "/v4/orders", json=shared.cancel_all(maker))


def test_a_decremented_order_settles_for_what_is_left(shared: World, relayer: RelayerProcess) -> None:
    maker, taker = shared.trader("maker"), shared.trader("taker")
    relayer.catch_up()
    resting = shared.signed(maker, "SELL", 100)
    relayer.http.post("/v4/orders", json=resting)
    crossing = shared.signed(maker, "BUY", 30, self_trade="DECREMENT")
    answer = relayer.http.post("/v4/orders", json=crossing).json()
    assert (answer["status"], answer["reason"], answer["filled"]) == ("CANCELED", "self_trade", "0")
    take(shared, relayer, taker, 70)
    order = relayer.order(shared.order_id(resting))
    assert (order["status"], order["filled"], order["withheld"]) == ("FILLED", 70, 30)
    eventually(lambda: shared.size_of(taker) == 70, "the settlement")
    assert shared.size_of(maker) == -70


def test_a_session_key_cancels_its_own_orders(shared: World, relayer: RelayerProcess) -> None:
    owner, key = shared.trader("owner"), wallet("a key that cancels")
    terms = (owner.address, key.address, [1], 10**12, shared.node.rpc.now + 86_400, 1, b"")
    shared.system.exchange.send(owner.address).register_session_key(*terms)
    relayer.catch_up()
    by_owner = shared.signed(owner, "BUY", 10, BTC_PRICE - 1_000)
    by_key = [shared.body(key, shared.order(owner, "BUY", 10, BTC_PRICE - 2_000), f"key-{n}") for n in range(2)]
    for body in (by_owner, *by_key):
        assert relayer.http.post("/v4/orders", json=body).status_code == 201

    named = shared.command(key, "cancelByClientId", CANCEL_BY_CLIENT_ID_TYPE, account=owner.address, clientId="key-0")
    assert relayer.http.request("DELETE", "/v4/orders", json=named).json()["cancelled"] == [shared.order_id(by_key[0])]
    everything = shared.command(key, "cancelAll", CANCEL_ALL_TYPE, account=owner.address, market="")
    answer = relayer.http.request("DELETE", "/v4/orders", json=everything)
    assert (answer.status_code, answer.json()["cancelled"]) == (200, [shared.order_id(by_key[1])])
    assert relayer.order(shared.order_id(by_owner))["status"] == "OPEN"


def test_fees_follow_the_schedule_on_chain(shared: World, relayer: RelayerProcess) -> None:
    maker, taker = shared.trader("maker"), shared.trader("taker")
    tiers = [FeeTier(0, 400, 100), FeeTier(200, 300, 50)]
    words = [tier.volume << 32 | tier.taker_ppm << 16 | tier.maker_ppm for tier in tiers]
    office = shared.system.exchange.send(shared.system.keys.governance.address)
    office.set_fee_tiers(words)
    try:
        relayer.catch_up()
        relayer.http.post("/v4/orders", json=shared.signed(maker, "SELL", 200))
        take(shared, relayer, taker, 100)
        eventually(lambda: shared.size_of(taker) == 100, "the settlement at the first tier")
        relayer.catch_up()
        take(shared, relayer, taker, 100)
        eventually(lambda: shared.size_of(taker) == 200, "the settlement at the second")
        said = [entry for entry in relayer.events() if entry["type"] == "fill" and entry["taker"] == taker.address]
        charged = {entry["fillId"]: (entry["takerFeePpm"], entry["makerFeePpm"]) for entry in said}
        assert list(charged.values()) == [(400, 100), (300, 50)]
    finally:
        office.set_fee_tiers([])
        relayer.catch_up()
