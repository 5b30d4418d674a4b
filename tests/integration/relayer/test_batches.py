# SPDX-License-Identifier: AGPL-3.0-only
"""Many orders or cancels in one request: an answer each, in order, and one that fails spoils no other."""

import math
import time

import pytest
from eth_account.signers.local import LocalAccount

from relayer.api.limits import REFUSED_BYTES
from tests.integration.relayer.harness import BTC_PRICE, Json, RelayerProcess, World
from tests.support.wire import wallet


@pytest.fixture(scope="module")
def maker(shared: World, relayer: RelayerProcess) -> LocalAccount:
    key = shared.trader("maker")
    relayer.catch_up()
    return key


def _resting(shared: World, key: LocalAccount, count: int) -> list[Json]:
    return [shared.signed(key, "BUY", 10, BTC_PRICE - 1_000 - 100 * at) for at in range(count)]


def _place(relayer: RelayerProcess, orders: list[Json]) -> list[Json]:
    response = relayer.http.post("/v4/orders/batch", json={"orders": orders})
    assert response.status_code == 200, response.text
    results: list[Json] = response.json()["results"]
    return results


def _cancel(relayer: RelayerProcess, cancels: list[Json]) -> list[Json]:
    response = relayer.http.request("DELETE", "/v4/orders/batch", json={"cancels": cancels})
    assert response.status_code == 200, response.text
    results: list[Json] = response.json()["results"]
    return results


def test_fifty_at_once(shared: World, relayer: RelayerProcess, maker: LocalAccount) -> None:
    orders = _resting(shared, maker, 50)
    inputs = relayer.metric("ouro_relayer_verify_batch_count")
    results = _place(relayer, orders)
    assert [result["status"] for result in results] == [201] * 50
    assert [result["body"]["id"] for result in results] == [shared.order_id(order) for order in orders]
    assert {result["body"]["status"] for result in results} == {"OPEN"}
    assert relayer.metric("ouro_relayer_verify_batch_count") == inputs + 1
    again = _place(relayer, orders)
    assert [result["body"]["id"] for result in again] == [result["body"]["id"] for result in results]
    gone = _cancel(relayer, [shared.cancel(maker, result["body"]["id"]) for result in results])
    assert [result["status"] for result in gone] == [200] * 50
    assert [result["body"]["cancelled"] for result in gone] == [[result["body"]["id"]] for result in results]


def test_an_answer_each(shared: World, relayer: RelayerProcess, maker: LocalAccount) -> None:
    good = _resting(shared, maker, 2)
    stranger = shared.signed(wallet("nobody of note"), "BUY")
    forged = {**good[0], "signature": stranger["signature"]}
    orders: list[Json] = [
        good[0],
        {"order": 7},
        {"order": {}, "signature": "0x"},
        forged,
        stranger,
        shared.signed(maker, "BUY", 10, BTC_PRICE + 1),
        {**good[1], "clientId": "\u202e"},
        good[1],
    ]
    results = _place(relayer, orders)
    told = [(result["status"], result["body"].get("errorCode", "")) for result in results]
    assert told == [
        (201, ""),
        (400, "invalid_body"),
        (400, "invalid_order"),
        (401, "bad_signature"),
        (422, "insufficient_margin"),
        (400, "off_tick"),
        (400, "bad_client_id"),
        (201, ""),
    ]
    first, last = results[0]["body"]["id"], results[-1]["body"]["id"]
    cancels: list[Json] = [
        shared.cancel(maker, first),
        {"signature": "0x"},
        shared.cancel(wallet("nobody of note"), last),
        {**shared.cancel(maker, last), "cancelAll": {}},
        shared.cancel_by_client_id(maker, "no such name"),
        shared.cancel(maker, first),
        shared.cancel_all(maker),
    ]
    results = _cancel(relayer, cancels)
    told = [(result["status"], result["body"].get("errorCode", "")) for result in results]
    assert told == [
        (200, ""),
        (400, "invalid_body"),
        (401, "not_authorised"),
        (400, "invalid_body"),
        (404, "order_not_found"),
        (409, "order_not_open"),
        (200, ""),
    ]
    assert results[-1]["body"]["cancelled"] == [last]


@pytest.mark.parametrize(("method", "name"), [("POST", "orders"), ("DELETE", "cancels")])
def test_size_of_a_batch(relayer: RelayerProcess, method: str, name: str) -> None:
    for count in (0, 51):
        response = relayer.http.request(method, "/v4/orders/batch", json={name: [{}] * count})
        assert (response.status_code, response.json()["errorCode"]) == (400, "bad_batch")
    for wrong in (b"[]", b"{}", b'{"%s": {}}' % name.encode(), b'{"%s": [1' % name.encode()):
        assert relayer.http.request(method, "/v4/orders/batch", content=wrong).status_code == 400
    huge = b'{"%s": ["%s"]}' % (name.encode(), b"x" * 300_000)
    assert relayer.http.request(method, "/v4/orders/batch", content=huge).status_code == 413


def test_by_client_id(shared: World, relayer: RelayerProcess, maker: LocalAccount) -> None:
    [order] = _resting(shared, maker, 1)
    placed = relayer.http.post("/v4/orders", json=order).json()
    where = {"address": maker.address.lower(), "clientId": order["clientId"]}
    assert relayer.http.get("/v4/orders", params=where).json()["id"] == placed["id"]
    missing = relayer.http.get("/v4/orders", params={**where, "subaccountNumber": 1})
    assert (missing.status_code, missing.json()["errorCode"]) == (404, "order_not_found")
    for wrong in ({"address": "x"}, {**where, "clientId": "\u202e"}, {**where, "subaccountNumber": "1" * 90}):
        assert relayer.http.get("/v4/orders", params=wrong).status_code == 400
    assert relayer.http.request("DELETE", "/v4/orders", json=shared.cancel_by_client_id(maker, "x")).status_code == 404
    gone = relayer.http.request("DELETE", "/v4/orders", json=shared.cancel_by_client_id(maker, order["clientId"]))
    assert gone.json()["cancelled"] == [placed["id"]]


def test_a_batch_of_cancels_of_one_order_counts_as_cancels_of_nothing(shared: World) -> None:
    key = shared.trader("canceller")
    with shared.relayer("batched", OURO_RELAYER_REFUSED_BYTES=str(20 * REFUSED_BYTES)) as relayer:
        relayer.catch_up()
        [placed] = _place(relayer, _resting(shared, key, 1))
        order_id = placed["body"]["id"]
        first = _cancel(relayer, [shared.cancel(key, order_id) for _ in range(50)])
        assert [result["status"] for result in first] == [200] + [409] * 49
        # Those 49 are in the journal, so its owner has used up what it may hold of them.
        assert [result["status"] for result in _cancel(relayer, [shared.cancel(key, order_id)])] == [429]


def test_cancels_by_strangers_and_broken_ones_weigh_ten(shared: World) -> None:
    stranger, order_id = wallet("a stranger"), "0x" + "11" * 32
    with shared.relayer("unasked", OURO_RELAYER_IP_WEIGHT="30") as relayer:
        relayer.catch_up()
        began = time.monotonic()
        first = _cancel(relayer, [shared.cancel(stranger, order_id)] * 20 + [{"signature": "0x"}] * 8)
        assert {result["status"] for result in first} == {400, 401}
        one = shared.cancel(stranger, order_id)
        answers: list[int] = []
        while 429 not in answers and len(answers) < 40:
            answers.append(relayer.http.request("DELETE", f"/v4/orders/{order_id}", json=one).status_code)
        seconds = math.ceil(time.monotonic() - began)
    # 300 of weight at once, and 30 more in each second that it took
    assert set(answers[:-1]) == {401}
    assert 3 <= len(answers) <= 3 + 3 * seconds
    assert answers[-1] == 429 or seconds > 10
