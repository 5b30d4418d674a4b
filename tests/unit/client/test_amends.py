# SPDX-License-Identifier: AGPL-3.0-only
"""Amends: what is signed, and where it is sent."""

from decimal import Decimal

import pytest

from ouro import eip712
from ouro.client import amends, building
from ouro.client.errors import RefusedError
from ouro.orders import SelfTrade


def signed_order(session, run_flow):
    fields = {"client_id": "7", "self_trade": "decrement", "referrer": 4}
    signed, _ = run_flow(building.build_limit_order(session, "BTC-USD", "BUY", "0.01", "20000", **fields))
    return signed


def test_an_amend_is_the_next_revision_of_the_same_order(session, account, config, run_flow):
    old = signed_order(session, run_flow)
    assert (old.order.self_trade, old.order.referrer) == (SelfTrade.DECREMENT, 4)
    newer, _ = run_flow(amends.build_amend(session, old, size="0.02", price="20001", post_only=True))
    assert (newer.order.size, newer.order.limit_price, newer.order.post_only) == (200, 2_000_100, True)
    same = {"revision": 0, "size": 100, "limitPrice": 2_000_000, "postOnly": False}
    assert newer.order.message() | same == old.order.message()
    assert newer.order.revision == 1
    digest = eip712.order_digest(config.order_domain(), newer.order)
    assert eip712.recover(digest, bytes.fromhex(newer.signature[2:])) == account.address
    assert newer.body()["replaces"] == old.id
    third, _ = run_flow(amends.build_amend(session, newer, size="0.03"))
    assert (third.order.revision, third.conditions.replaces) == (2, newer.id)


def test_an_amend_is_sent_to_the_order_that_it_replaces(session, run_flow):
    old = signed_order(session, run_flow)
    newer, _ = run_flow(amends.build_amend(session, old, size="0.02"))
    answer = (200, {"id": newer.id, "clientId": "7", "status": "OPEN", "filled": "30", "seq": 9})
    placed, [call] = run_flow(amends.submit_amend(session, newer, expected_filled="0.003"), [answer])
    assert (call.method, call.path) == ("PATCH", f"/v4/orders/{old.id}")
    assert call.body["expectedFilled"] == "30"
    assert "replaces" not in call.body
    assert placed.filled == Decimal("0.003")
    _, [call] = run_flow(amends.submit_amend(session, newer, expected_filled=0), [answer])
    assert call.body["expectedFilled"] == "0"
    _, [call] = run_flow(amends.submit_amend(session, newer), [answer])
    assert "expectedFilled" not in call.body


def test_an_amend_off_the_tick_is_not_signed(strict, run_flow):
    old = signed_order(strict, run_flow)
    with pytest.raises(ValueError, match="steps of 1"):
        run_flow(amends.build_amend(strict, old, price="20000.5"))


def test_an_amend_may_be_given_the_revision_that_the_relayer_asked_for(session, run_flow):
    newer, _ = run_flow(amends.build_amend(session, signed_order(session, run_flow), size="0.02", revision=7))
    assert newer.order.revision == 7


def test_what_was_refused_is_not_signed_again(session, run_flow):
    old = signed_order(session, run_flow)
    newer, _ = run_flow(amends.build_amend(session, old, size="20"))
    poor = 422, {"errors": [{"msg": "too little"}], "errorCode": "insufficient_margin"}
    with pytest.raises(RefusedError, match="too little"):
        run_flow(amends.submit_amend(session, newer), [poor])
    again, _ = run_flow(amends.build_amend(session, old, size="0.02"))
    assert (again.order.revision, again.conditions.replaces) == (2, old.id)
    stale = 409, {"errors": [{"msg": "sign 9"}], "errorCode": "stale_revision", "nextRevision": 9}
    with pytest.raises(RefusedError, match="sign 9"):
        run_flow(amends.submit_amend(session, again), [stale])
    last, _ = run_flow(amends.build_amend(session, old, size="0.02"))
    assert last.order.revision == 9
    other = signed_order(session, run_flow)
    assert run_flow(amends.build_amend(session, other, size="0.02"))[0].order.revision == 1
