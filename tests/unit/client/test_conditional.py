# SPDX-License-Identifier: AGPL-3.0-only
"""Stops, take-profits and orders made of several: what is signed, in which units, and how they are sent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ouro import eip712
from ouro.client import building, composed, placing
from ouro.client.errors import RefusedError, SlotTakenError
from ouro.client.parts import place_scaled, place_twap
from ouro.orders import SelfTrade, Side, TimeInForce, Trigger

OK = {"id": "0x01", "clientId": "7", "status": "UNTRIGGERED", "filled": "0", "seq": 5}
MARKET = {
    "ticker": "BTC-USD",
    "status": "ACTIVE",
    "tickSize": "1",
    "stepSize": "0.0001",
    "oraclePrice": "20000.55",
}
INDEX = (200, {"markets": {"BTC-USD": MARKET}})
NO_BOOK = (200, {"bids": [], "asks": []})


def took(*statuses: str) -> tuple[int, object]:
    return 200, {"results": [{"status": 201, "body": {**OK, "status": status}} for status in statuses]}


def refused(code: str, status: int = 409, **more: object) -> dict[str, object]:
    return {"status": status, "body": {"errors": [{"msg": "no"}], "errorCode": code, **more}}


@pytest.mark.parametrize(
    ("build", "side", "trigger", "immediate", "limit"),
    [
        (building.build_stop_limit, "SELL", Trigger.AT_OR_BELOW, False, 1_890_000),
        (building.build_stop_limit, "BUY", Trigger.AT_OR_ABOVE, False, 1_890_000),
        (building.build_stop_market, "SELL", Trigger.AT_OR_BELOW, True, 1_805_000),
        (building.build_stop_market, "BUY", Trigger.AT_OR_ABOVE, True, 1_995_000),
        (building.build_take_profit_limit, "SELL", Trigger.AT_OR_ABOVE, False, 1_890_000),
        (building.build_take_profit_limit, "BUY", Trigger.AT_OR_BELOW, False, 1_890_000),
        (building.build_take_profit_market, "SELL", Trigger.AT_OR_ABOVE, True, 1_805_000),
        (building.build_take_profit_market, "BUY", Trigger.AT_OR_BELOW, True, 1_995_000),
    ],
)
def test_what_is_signed(session, run_flow, build, side, trigger, immediate, limit):
    prices = ["19000"] if immediate else ["19000", "18900"]
    signed, calls = run_flow(build(session, "BTC-USD", side, "0.5", *prices, reduce_only=True, oco="exit"), [])
    order = signed.order
    assert calls == []
    assert (order.trigger, order.trigger_price, order.limit_price) == (trigger, 1_900_000, limit)
    assert (order.size, order.reduce_only, order.time_in_force) == (5_000, True, TimeInForce.GTT)
    assert order.self_trade is SelfTrade.CANCEL_MAKER
    assert order.slot > 0
    assert signed.body()["conditions"] == {"oco": "exit"}
    assert signed.body().get("immediate", False) is immediate


@pytest.mark.parametrize(
    ("side", "at", "slippage", "limit"),
    [
        ("SELL", "19001", "0.00005", 1_900_100),
        ("BUY", "19001", "0.00005", 1_900_100),
        ("SELL", "19001", "0.01", 1_881_100),
        ("BUY", "19001", "0.01", 1_919_100),
    ],
)
def test_a_market_stop_is_never_worse_than_asked(session, run_flow, side, at, slippage, limit):
    signed, _ = run_flow(building.build_stop_market(session, "BTC-USD", side, "1", at, slippage), [])
    assert signed.order.limit_price == limit


def test_verifying_sends_only_what_is_signed(session, run_flow):
    signed, _ = run_flow(building.build_stop_market(session, "BTC-USD", "SELL", "1", "19000"), [])
    verdict = {"valid": True, "expectedSigner": "0x", "recovered": "0x", "digest": "0x"}
    _, [call] = run_flow(placing.verify(session, signed), [(200, verdict)])
    assert set(call.body) == {"order", "signature", "clientId"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"trigger_price": "19000.5"}, "trigger_price .* steps of 1"),
        ({"trigger_price": "0"}, "above zero"),
        ({"price": "18900.01"}, "price .* steps of 1"),
        ({"size": "0.00001"}, "."),
    ],
)
def test_impossible_stops_are_not_signed(strict, run_flow, changes, complaint):
    wanted = {"market": "BTC-USD", "side": "SELL", "size": "1", "trigger_price": "19000", "price": "18900", **changes}
    with pytest.raises(ValueError, match=complaint):
        run_flow(building.build_stop_limit(strict, **wanted), [])


def test_a_taken_slot_is_changed_and_signed_again(session, run_flow):
    taken = 409, {"errors": [{"msg": "taken"}], "errorCode": "slot_taken", "freeSlots": [41]}
    _, [first, second] = run_flow(
        placing.place_stop_market(session, "BTC-USD", "SELL", "1", "19000"), [taken, (201, OK)]
    )
    assert second.body["order"]["slot"] == 41
    assert second.body["order"]["generation"] > first.body["order"]["generation"]
    assert second.body["signature"] != first.body["signature"]
    assert second.body["immediate"] is True


class TestBrackets:
    def test_the_exits_name_the_entry(self, session, run_flow):
        bracket, [call] = run_flow(
            composed.place_bracket(
                session, "BTC-USD", "BUY", "0.5", price="20000", take_profit="21000", stop_loss="19000"
            ),
            [took("OPEN", "UNTRIGGERED", "UNTRIGGERED")],
        )
        entry, target, guard = call.body["orders"]
        assert call.path == "/v4/orders/batch"
        assert "conditions" not in entry
        assert target["conditions"] == guard["conditions"]
        assert target["conditions"]["oco"].startswith("bracket-")
        assert [each["order"]["triggerPrice"] for each in (target, guard)] == [2_100_000, 1_900_000]
        assert [each["order"]["trigger"] for each in (target, guard)] == ["AT_OR_ABOVE", "AT_OR_BELOW"]
        assert {(each["order"]["side"], each["order"]["reduceOnly"]) for each in (target, guard)} == {("SELL", True)}
        domain = session.known_config.order_domain()
        assert target["conditions"]["parent"] == "0x" + eip712.digest(domain, "Order", entry["order"]).hex()
        assert (bracket.entry.status, bracket.stop_loss.status) == ("OPEN", "UNTRIGGERED")

    def test_a_market_entry(self, session, run_flow):
        _, calls = run_flow(
            composed.place_bracket(session, "BTC-USD", "SELL", "0.5", take_profit="19000", stop_loss="21000"),
            [NO_BOOK, INDEX, took("FILLED", "UNTRIGGERED", "UNTRIGGERED")],
        )
        entry, target, guard = calls[-1].body["orders"]
        assert entry["order"]["timeInForce"] == "IOC"
        assert [each["order"]["trigger"] for each in (target, guard)] == ["AT_OR_BELOW", "AT_OR_ABOVE"]

    def test_a_refused_entry_is_raised_a_refused_exit_is_told(self, session, run_flow):
        place = {"price": "20000", "take_profit": "21000", "stop_loss": "19000"}
        dead = 200, {"results": [refused("insufficient_margin", 422), refused("x", 404), refused("x", 404)]}
        with pytest.raises(RefusedError, match="no"):
            run_flow(composed.place_bracket(session, "BTC-USD", "BUY", "0.5", **place), [dead])
        half = 200, {"results": [{"status": 201, "body": OK}, refused("slot_taken"), {"status": 201, "body": OK}]}
        bracket, _ = run_flow(composed.place_bracket(session, "BTC-USD", "BUY", "0.5", **place), [half])
        assert isinstance(bracket.take_profit, SlotTakenError)

    def test_a_taken_slot_of_the_entry_signs_all_anew(self, session, run_flow):
        taken = 200, {"results": [refused("slot_taken", freeSlots=[5]), refused("x", 404), refused("x", 404)]}
        _, [first, second] = run_flow(
            composed.place_bracket(
                session, "BTC-USD", "BUY", "0.5", price="20000", take_profit="21000", stop_loss="19000"
            ),
            [taken, took("OPEN", "UNTRIGGERED", "UNTRIGGERED")],
        )
        parents = [call.body["orders"][1]["conditions"]["parent"] for call in (first, second)]
        assert parents[0] != parents[1]

    def test_exits_on_the_wrong_sides(self, session, run_flow):
        with pytest.raises(ValueError, match="takes profit above its stop"):
            run_flow(
                composed.place_bracket(
                    session, "BTC-USD", "BUY", "0.5", price="20000", take_profit="19000", stop_loss="21000"
                ),
                [],
            )


class TestTrailingStops:
    @pytest.mark.parametrize(("side", "sign"), [("SELL", 1), ("BUY", -1)])
    def test_a_chain_of_revisions(self, session, run_flow, side, sign):
        trailing, [_, call] = run_flow(
            composed.place_trailing_stop(session, "BTC-USD", side, "0.5", "500", step="100", revisions=3),
            [INDEX, took(*["UNTRIGGERED"] * 4)],
        )
        bodies = call.body["orders"]
        orders = [body["order"] for body in bodies]
        start = 2_000_000 if side == "SELL" else 2_000_100
        assert [order["triggerPrice"] for order in orders] == [
            start - sign * 50_000 + sign * 10_000 * step for step in range(4)
        ]
        assert [body.get("conditions", {}).get("armPrice") for body in bodies] == [
            None,
            *(start + sign * 10_000 * step for step in range(1, 4)),
        ]
        assert len({(order["slot"], order["generation"], order["expiry"], order["size"]) for order in orders}) == 1
        assert [order["revision"] for order in orders] == [0, 1, 2, 3]
        assert {order["trigger"] for order in orders} == {"AT_OR_BELOW" if side == "SELL" else "AT_OR_ABOVE"}
        domain = session.known_config.order_domain()
        ids = ["0x" + eip712.digest(domain, "Order", order).hex() for order in orders]
        assert [body.get("replaces") for body in bodies] == [None, *ids[:3]]
        assert all(body["immediate"] for body in bodies)
        assert trailing.triggers[0] == Decimal(start - sign * 50_000) / 100
        assert len(trailing.revisions) == 3

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"revisions": 51}, "between 1 and 50"),
            ({"revisions": 0}, "between 1 and 50"),
            ({"distance": "0.5"}, "distance must be at least one step"),
            ({"distance": "20001"}, "price of zero"),
        ],
    )
    def test_impossible_ones(self, session, run_flow, changes, complaint):
        wanted = {"market": "BTC-USD", "side": "SELL", "size": "1", "distance": "500", **changes}
        with pytest.raises(ValueError, match=complaint):
            run_flow(composed.place_trailing_stop(session, **wanted), [INDEX])


class TestParts:
    def test_a_twap(self, session, run_flow):
        outcomes, [_, call] = run_flow(
            place_twap(session, "BTC-USD", "BUY", "0.001", parts=3, duration_seconds=60),
            [INDEX, took("CANCELED", "UNTRIGGERED", "UNTRIGGERED")],
        )
        bodies = call.body["orders"]
        assert [body["order"]["size"] for body in bodies] == [4, 3, 3]
        times = [body["conditions"]["notBefore"] for body in bodies]
        assert [at - times[0] for at in times] == [0, 30_000, 60_000]
        assert {body["order"]["limitPrice"] for body in bodies} == {2_100_000}, "5% over 20000.55, down to the tick"
        assert all(body["immediate"] and body["order"]["slot"] for body in bodies)
        assert len({body["order"]["slot"] for body in bodies}) == 3
        assert bodies[-1]["order"]["expiry"] * 1000 > times[-1] + 3_600_000
        assert [each.status for each in outcomes] == ["CANCELED", "UNTRIGGERED", "UNTRIGGERED"]

    def test_parts_have_client_ids_and_slots_of_their_own(self, session, run_flow):
        named = {"parts": 2, "client_id": "grid", "slot": 5}
        _, [call] = run_flow(
            place_scaled(session, "BTC-USD", "BUY", "1", "19000", "20000", **named), [took("OPEN", "OPEN")]
        )
        assert [body["clientId"] for body in call.body["orders"]] == ["grid-0", "grid-1"]
        assert len({body["order"]["slot"] for body in call.body["orders"]}) == 2

    @pytest.mark.parametrize(("side", "prices"), [("BUY", [19_000, 19_333, 19_666, 20_000]), ("SELL", [0] * 4)])
    def test_scaled(self, session, run_flow, side, prices):
        _, [call] = run_flow(
            place_scaled(session, "BTC-USD", side, "1", "19000", "20000", parts=4, post_only=True),
            [took(*["OPEN"] * 4)],
        )
        found = [body["order"]["limitPrice"] // 100 for body in call.body["orders"]]
        assert found == (prices if side == "BUY" else [19_000, 19_334, 19_667, 20_000])
        assert all(body["order"]["postOnly"] and "conditions" not in body for body in call.body["orders"])

    def test_more_than_fifty_go_in_several_requests(self, session, run_flow):
        outcomes, calls = run_flow(
            place_scaled(session, "BTC-USD", "BUY", "1", "19000", "20000", parts=120),
            [took(*["OPEN"] * 50), took(*["OPEN"] * 50), took(*["OPEN"] * 20)],
        )
        assert [len(call.body["orders"]) for call in calls] == [50, 50, 20]
        assert len(outcomes) == 120

    def test_those_that_waited_too_long_for_their_turn_are_signed_again(self, session, run_flow):
        late = 200, {"results": [{"status": 201, "body": OK}, refused("signed_too_long_ago", 400)]}
        outcomes, [first, second] = run_flow(
            place_scaled(session, "BTC-USD", "BUY", "1", "19000", "20000", parts=2), [late, took("OPEN")]
        )
        old, [again] = first.body["orders"][1]["order"], second.body["orders"]
        assert again["order"]["generation"] > old["generation"]
        assert again["order"]["slot"] == old["slot"]
        assert [outcome.status for outcome in outcomes] == ["UNTRIGGERED", "OPEN"]

    def test_only_those_with_a_taken_slot_are_signed_again(self, session, run_flow):
        first = 200, {"results": [{"status": 201, "body": OK}, refused("slot_taken", freeSlots=[9])]}
        outcomes, [_, again] = run_flow(
            place_scaled(session, "BTC-USD", "BUY", "1", "19000", "20000", parts=2),
            [first, took("OPEN")],
        )
        assert [body["order"]["slot"] for body in again.body["orders"]] == [9]
        assert [each.status for each in outcomes] == ["UNTRIGGERED", "OPEN"]

    def test_refusals_are_answers(self, session, run_flow):
        mixed = 200, {"results": [{"status": 201, "body": OK}, refused("insufficient_margin", 422)]}
        outcomes, _ = run_flow(place_scaled(session, "BTC-USD", "BUY", "1", "19000", "20000", parts=2), [mixed])
        assert isinstance(outcomes[1], RefusedError)

    @pytest.mark.parametrize("parts", [0, 501, 11])
    def test_impossible_parts(self, session, run_flow, parts):
        with pytest.raises(ValueError, match="parts"):
            run_flow(place_scaled(session, "BTC-USD", "BUY", "0.001", "1", "2", parts=parts), [])


def test_a_limit_order_may_be_one_of_a_group(session, run_flow):
    _, [call] = run_flow(placing.place_limit_order(session, "BTC-USD", "BUY", "1", "20000", oco="entry"), [(201, OK)])
    assert call.body["conditions"] == {"oco": "entry"}


def test_the_filled_size_is_human(session, run_flow):
    signed, _ = run_flow(building.build_limit_order(session, "BTC-USD", Side.BUY, "1", "20000"), [])
    answer = 200, {"results": [{"status": 201, "body": {**OK, "filled": "25"}}]}
    outcomes, _ = run_flow(placing.submit_batch(session, [signed]), [answer])
    assert outcomes[0].filled == Decimal("0.0025")
