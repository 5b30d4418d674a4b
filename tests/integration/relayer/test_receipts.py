# SPDX-License-Identifier: AGPL-3.0-only
"""Every answer to a write carries the operator's signed word that it stands in the journal."""

from typing import Any

from ouro import receipts
from ouro.eip712 import Domain
from ouro.receipts import Receipt
from tests.integration.relayer.harness import BTC_PRICE, Json, RelayerProcess, World


def receipt_of(shared: World, body: Json) -> Receipt:
    """The receipt of an answer, which is sound."""
    receipt = receipts.from_json(body["receipt"])
    domain = Domain(shared.system.domain.chain_id, shared.system.domain.contract)
    receipts.verify(receipt, shared.operator.address, domain)
    return receipt


def post(relayer: RelayerProcess, body: Json) -> Any:
    return relayer.http.post("/v4/orders", json=body)


def test_orders_cancels_and_refusals_carry_receipts(shared: World, relayer: RelayerProcess) -> None:
    key = shared.trader("keeper of receipts")
    relayer.catch_up()
    signed = shared.signed(key, "BUY", price=BTC_PRICE - 1_000)
    order_id = shared.order_id(signed)
    placed = post(relayer, signed)
    assert placed.status_code == 201, placed.text
    receipt = receipt_of(shared, placed.json())
    assert receipt.order_id() == order_id

    refused = post(relayer, shared.signed(key, "BUY", size=10_000_000_000))
    assert refused.status_code == 422, refused.text
    assert receipt_of(shared, refused.json()).seq > receipt.seq

    cancel = shared.cancel(key, order_id)
    cancelled = relayer.http.request("DELETE", f"/v4/orders/{order_id}", json=cancel)
    last = receipt_of(shared, cancelled.json())
    assert last.order_id() == order_id
    assert receipts.contradictions([receipt, last]) == []

    found = relayer.http.get(f"/v4/receipts/{receipt.seq}").json()
    assert "record" not in found["receipt"]
    again = receipt_of(shared, found)
    assert (again.leaf, again.head, again.signature) == (receipt.leaf, receipt.head, receipt.signature)


def test_there_is_no_receipt_for_what_is_not_there(relayer: RelayerProcess) -> None:
    missing = relayer.http.get("/v4/receipts/999999999")
    assert (missing.status_code, missing.json()["errorCode"]) == (404, "no_receipt")
    for wrong in ("x", "-1", "1" * 40, "٣"):
        answer = relayer.http.get(f"/v4/receipts/{wrong}")
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "bad_seq")


def test_a_key_of_its_own_may_sign_receipts(shared: World) -> None:
    key = "0x" + "42" * 32
    address = receipts.eip712.recover(bytes(32), receipts.eip712.sign(bytes(32), bytes.fromhex(key[2:])))
    trader = shared.trader("other")
    with shared.relayer("own key", OURO_RECEIPT_KEY=key, OURO_RECEIPT_SIGNER=address) as relayer:
        relayer.catch_up()
        placed = post(relayer, shared.signed(trader, "BUY", price=BTC_PRICE - 1_000)).json()
        receipt = receipts.from_json(placed["receipt"])
        domain = Domain(shared.system.domain.chain_id, shared.system.domain.contract)
        assert receipts.verify(receipt, address, domain)
