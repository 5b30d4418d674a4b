# SPDX-License-Identifier: AGPL-3.0-only
"""Closing a position, waiting for a fill, cancels in batches, amends by id, what a refusal tells."""

from __future__ import annotations

from typing import Any

import pytest

from ouro.client import amends, cancelling, money, order_reads, placing
from ouro.client.contracts import Sent
from ouro.client.errors import (
    NoPositionError,
    NotFilledError,
    RateLimitedError,
    RefusedError,
    UnavailableError,
    UnreachableError,
    refusal,
)
from ouro.client.session import Session
from ouro.client.signers import CallbackSigner
from ouro.orders import Trigger

ID = "0x" + "5a" * 32
NOT_FOUND = (404, {"errors": [{"msg": "no order"}], "errorCode": "unknown_order"})
PLACED = (201, {"id": "0x01", "clientId": "7", "status": "FILLED", "filled": "25", "seq": 5})
NO_BOOK = (200, {"bids": [], "asks": []})
MARKET = {"ticker": "BTC-USD", "status": "ACTIVE", "tickSize": "1", "stepSize": "0.0001", "oraclePrice": "20000"}
INDEX = (200, {"markets": {"BTC-USD": MARKET}})


def positions(*sizes: str) -> tuple[int, Any]:
    held = [{"market": "BTC-USD", "status": "OPEN", "side": "SHORT", "size": size} for size in sizes]
    return 200, {"positions": held}


def shown(status: str, filled: str = "0", **more: Any) -> tuple[int, Any]:
    return 200, {
        "id": ID,
        "side": "BUY",
        "size": "0.5",
        "price": "20000",
        "status": status,
        "ticker": "BTC-USD",
        "totalFilled": filled,
        **more,
    }


@pytest.mark.parametrize(
    ("held", "size", "side", "lots"),
    [
        ("-0.5", None, "BUY", 5_000),
        ("0.5", None, "SELL", 5_000),
        ("0.5", "0.2", "SELL", 2_000),
        ("0.5", "9", "SELL", 5_000),
    ],
)
def test_a_position_is_closed_by_a_reduce_only_market_order(session, run_flow, held, size, side, lots):
    flow = placing.close_position(session, "btc-usd", size, max_slippage="0.02")
    _, [asked, _, _, call] = run_flow(flow, [positions(held), NO_BOOK, INDEX, PLACED])
    order = call.body["order"]
    assert asked.query["status"] == "OPEN"
    assert (order["side"], order["size"], order["reduceOnly"], order["timeInForce"]) == (side, lots, True, "IOC")


def test_nothing_to_close(session, run_flow):
    with pytest.raises(NoPositionError, match="BTC-USD"):
        run_flow(placing.close_position(session, "BTC-USD"), [positions()])


def test_waiting_for_a_fill(session, run_flow):
    answers = [NOT_FOUND, shown("UNTRIGGERED"), shown("OPEN", "0.1"), shown("FILLED", "0.5")]
    found, calls = run_flow(placing.wait_for_fill(session, ID), answers)
    assert (found.status, len(calls)) == ("FILLED", 4)


def test_waiting_until_it_is_settled(session, run_flow):
    fill = {"side": "BUY", "liquidity": "TAKER", "market": "BTC-USD", "price": "1", "fee": "0", "orderId": ID}
    parts = [
        {**fill, "id": str(number), "size": size, "createdAt": "2026-01-01T00:00:00Z"}
        for number, size in enumerate(("0.2", "0.3"))
    ]
    filled = shown("FILLED", "0.5", subaccountId="0xabc/2", subaccountNumber=2)
    answers = [filled, (200, {"fills": parts[:1]}), filled, (200, {"fills": parts})]
    _, calls = run_flow(placing.wait_for_fill(session, ID, settled=True), answers)
    assert (calls[1].query["address"], calls[1].query["subaccountNumber"]) == ("0xabc", "2")


def test_an_order_that_ends_or_stays_is_not_filled(session, run_flow):
    with pytest.raises(NotFilledError, match=r"0\.1 of 0\.5 filled \(user_cancelled\)") as ended:
        run_flow(placing.wait_for_fill(session, ID), [shown("CANCELED", "0.1", removalReason="user_cancelled")])
    assert ended.value.order.status == "CANCELED"
    with pytest.raises(NotFilledError, match=r"after 0\.5 s: it is OPEN"):
        run_flow(placing.wait_for_fill(session, ID, timeout_seconds=0.5), [shown("OPEN")] * 3)
    with pytest.raises(NotFilledError, match="not shown yet"):
        run_flow(placing.wait_for_fill(session, ID, timeout_seconds=0), [NOT_FOUND])


def test_cancels_go_fifty_to_a_request(session, run_flow):
    done = {"status": 200, "body": {"id": ID, "seq": 5}}
    gone = {"status": 409, "body": {"errors": [{"msg": "it has ended"}], "errorCode": "order_not_open"}}
    answers = [(200, {"results": [done] * 49 + [gone]}), (200, {"results": [done]})]
    outcomes, calls = run_flow(cancelling.cancel_batch(session, [ID] * 51), answers)
    assert [len(call.body["cancels"]) for call in calls] == [50, 1]
    assert [isinstance(each, RefusedError) for each in outcomes].count(True) == 1
    nonces = [body["cancel"]["nonce"] for call in calls for body in call.body["cancels"]]
    assert len(set(nonces)) == 51


def test_an_order_is_amended_by_its_id(session, run_flow):
    stop = shown(
        "UNTRIGGERED",
        goodTilBlockTime="2026-03-01T00:00:00Z",
        slot=9,
        generation=1_700_000_000_000,
        revision=2,
        trigger="AT_OR_ABOVE",
        triggerPrice="21000",
        reduceOnly=True,
        selfTrade="DECREMENT",
        clientId="7",
    )
    newer, [asked] = run_flow(amends.build_amend(session, ID, trigger_price="21500"), [stop])
    order = newer.order
    assert asked.path == f"/v4/orders/{ID}"
    assert (order.slot, order.generation, order.revision) == (9, 1_700_000_000_000, 3)
    assert (order.trigger, order.trigger_price, order.limit_price) == (Trigger.AT_OR_ABOVE, 2_150_000, 2_000_000)
    assert (order.reduce_only, order.self_trade, order.expiry) == (True, "DECREMENT", 1_772_323_200)
    assert (newer.conditions.replaces, newer.client_id) == (ID, "7")
    with pytest.raises(ValueError, match="at once or never"):
        run_flow(amends.build_amend(session, ID, size="1"), [shown("OPEN")])


def test_a_wallet_is_not_asked_for_the_owners_proof_unseen(account, config, run_flow):
    asked: list[str] = []

    def sign(typed: dict[str, Any]) -> bytes:
        asked.append(typed["primaryType"])
        return bytes(account.sign_typed_data(full_message=typed).signature)

    session = Session(signer=CallbackSigner(account.address, sign), known_config=config)
    _, [call] = run_flow(order_reads.get_order(session, ID), [shown("OPEN")])
    assert (asked, dict(call.headers)) == ([], {})
    proof, _ = run_flow(order_reads.read_proof(session))
    _, [call] = run_flow(order_reads.list_orders(session), [(200, [])])
    assert (asked, call.headers["Ouro-Read"]) == (["ReadAccount"], proof)


@pytest.mark.parametrize(
    ("status", "code", "header", "wait", "hint"),
    [
        (429, "rate_limited", "3", 3, "wait retry_after seconds"),
        (429, "rate_limited", None, 1, "wait retry_after seconds"),
        (503, "busy", "7", 7, "very same signed order"),
        (409, "filled_changed", None, None, "decide anew"),
        (422, "reduce_only_no_position", None, None, ""),
    ],
)
def test_what_a_refusal_tells(status, code, header, wait, hint):
    error = refusal(status, {"errors": [{"msg": "No.", "param": "size"}], "errorCode": code}, header)
    assert (error.code, error.message, str(error), error.param) == (code, "No.", "No.", "size")
    assert error.retry_after == wait
    assert hint in error.hint
    assert bool(hint) == bool(error.hint)
    assert isinstance(error, {429: RateLimitedError, 503: UnavailableError}.get(status, RefusedError))


def test_a_refusal_without_a_body():
    assert "500 without giving a reason" in refusal(500, None).message


def test_a_transaction_is_seen_when_indexer_and_relayer_have_its_block(session, run_flow):
    sent = Sent("0x1", 7, 21_000, ())

    def indexer(height: int) -> tuple[int, Any]:
        return 200, {"height": str(height), "time": "2026-01-01T00:00:00Z"}

    behind, starting, there = (200, {"height": "6"}), (503, {"reason": "replaying"}), (200, {"height": "7"})
    answers = [indexer(6), there, indexer(7), behind, indexer(7), starting, indexer(7), there]
    _, calls = run_flow(money.wait_until_seen(session, sent), answers)
    assert calls[1].path == "http://127.0.0.1:8001/ready"
    with pytest.raises(UnreachableError, match="does not show block 7 after 0 s"):
        run_flow(money.wait_until_seen(session, sent, timeout_seconds=0), [indexer(6), there])
