# SPDX-License-Identifier: AGPL-3.0-only
"""Every refusal has a stable code, a status and a sentence that helps."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from ouro.units import SETTLE_WINDOW_S
from relayer.core.inputs import Place
from tests.unit.relayer_core.exchange_model import BTC, BTC_PRICE, ETH, START_MS, USDC, Venue, address, market_of

P = BTC_PRICE
NOW_S = START_MS // 1000

FORM: list[tuple[dict[str, Any], str]] = [
    ({"size": 0}, "bad_size"),
    ({"size": 2**46 + 1}, "bad_size"),
    ({"limit_price": 0}, "bad_price"),
    ({"limit_price": P + 1}, "off_tick"),
    ({"trigger": "AT_OR_ABOVE"}, "bad_trigger"),
    ({"trigger_price": P}, "bad_trigger"),
    ({"trigger": "AT_OR_BELOW", "trigger_price": 2**40 + 1}, "bad_trigger"),
    ({"trigger": "AT_OR_BELOW", "trigger_price": P, "time_in_force": "IOC", "slot": 0}, "conditional_one_shot"),
    ({"revision": 1}, "replaces_missing"),
    ({"time_in_force": "IOC", "slot": 3}, "one_shot_with_slot"),
    ({"time_in_force": "IOC", "slot": 0, "post_only": True}, "post_only_one_shot"),
    ({"max_fee_ppm": 349}, "fee_cap_too_low"),
    ({"expiry": NOW_S}, "expired"),
    ({"expiry": NOW_S + SETTLE_WINDOW_S}, "expires_too_soon"),
    ({"expiry": NOW_S + 91 * 86_400}, "expiry_too_far"),
    ({"time_in_force": "IOC", "slot": 0, "expiry": NOW_S + 2 * 3_600}, "expiry_too_far"),
    ({"generation": START_MS + 11_000}, "signed_in_future"),
]


@pytest.mark.parametrize(("changes", "code"), FORM, ids=[f"{code}-{i}" for i, (_, code) in enumerate(FORM)])
def test_form(venue: Venue, changes: dict[str, Any], code: str) -> None:
    order = venue.order("taker", "BUY", 5, P).but(**changes)
    ack = venue.place_order(order)
    assert (ack.ok, ack.http_status, ack.error_code) == (False, 400, code)
    assert len(ack.message.split()) > 5
    assert ack.param
    assert venue.levels() == ([], [])


CONDITIONS: list[tuple[dict[str, Any], str]] = [
    ({"expected_filled": 0}, "replaces_missing"),
    ({"not_before_ms": START_MS + 3_600_000}, "bad_not_before"),
    ({"not_before_ms": -1}, "bad_not_before"),
    ({"parent": bytes(32)}, "child_not_reduce_only"),
    ({"oco": "a" * 65}, "bad_oco"),
    ({"arm_price": P}, "arm_without_replaces"),
]


@pytest.mark.parametrize(("changes", "code"), CONDITIONS)
def test_conditions(venue: Venue, changes: dict[str, Any], code: str) -> None:
    item = venue.place_input(venue.order("taker", "BUY", 5, P))
    ack = venue.command(msgspec.structs.replace(item, **changes))
    assert (ack.ok, ack.http_status, ack.error_code) == (False, 400, code)


def test_off_tick_names_the_neighbours(venue: Venue) -> None:
    ack = venue.place("taker", "BUY", 5, P + 42)
    assert str(P) in ack.message
    assert str(P + 100) in ack.message


def test_unknown_market(venue: Venue) -> None:
    item = venue.place_input(venue.order("taker", "BUY", 5, P))
    terms = int.from_bytes(item.terms, "big") | 0xFF << 64
    ack = venue.command(msgspec.structs.replace(item, terms=terms.to_bytes(32, "big")))
    assert (ack.http_status, ack.error_code) == (404, "unknown_market")


def test_other_signer(venue: Venue) -> None:
    ack = venue.place_order(venue.order("taker", "BUY", 5, P), signer=address("stranger"))
    assert (ack.http_status, ack.error_code) == (401, "bad_signature")


def test_slot_taken_lists_free_ones(venue: Venue) -> None:
    first = venue.place("maker", "BUY", 5, P, slot=2)
    ack = venue.place("maker", "BUY", 5, P - 100, slot=2)
    assert (ack.http_status, ack.error_code) == (409, "slot_taken")
    assert ack.free_slots[:3] == (1, 3, 4)
    venue.cancel("maker", first.order_id)
    assert venue.place("maker", "BUY", 5, P - 100, slot=2).ok


def test_generation_must_be_newer_in_its_slot(venue: Venue) -> None:
    first = venue.place("maker", "BUY", 5, P, slot=2)
    venue.cancel("maker", first.order_id)
    ack = venue.place("maker", "BUY", 5, P, slot=2, generation=START_MS)
    assert (ack.http_status, ack.error_code) == (409, "stale_generation")


def test_one_shot_must_be_newer_than_the_last_that_filled(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    older = venue.order("taker", "BUY", 5, P, time_in_force="IOC")
    assert venue.place("taker", "BUY", 5, P, time_in_force="IOC").filled == 5
    ack = venue.place_order(older)
    assert (ack.http_status, ack.error_code) == (409, "one_shot_not_newer")
    venue.settle()
    assert venue.place_order(older).error_code == "one_shot_not_newer"


def test_same_client_id_and_order_get_the_same_answer(venue: Venue) -> None:
    order = venue.order("maker", "BUY", 5, P)
    first = venue.place_order(order, "77")
    venue.place("taker", "SELL", 5, P)
    again = venue.place_order(order, "77")
    assert (again.ok, again.http_status, again.order_id) == (True, 201, first.order_id)
    assert (again.order_status, again.filled) == (first.order_status, first.filled) == ("OPEN", 0)


def test_same_client_id_for_another_order_is_refused(venue: Venue) -> None:
    venue.place("maker", "BUY", 5, P, client_id="77")
    ack = venue.place("maker", "BUY", 5, P, client_id="77")
    assert (ack.http_status, ack.error_code) == (409, "client_id_reused")
    assert venue.place("taker", "BUY", 5, P, client_id="77").ok


def test_the_same_order_under_another_client_id_is_refused(venue: Venue) -> None:
    order = venue.order("maker", "BUY", 5, P)
    venue.place_order(order, "77")
    assert venue.place_order(order, "78").error_code == "order_known"


def test_a_refused_order_may_be_placed_again(venue: Venue) -> None:
    order = venue.order("newcomer", "BUY", 5, P)
    assert venue.place_order(order, "1").error_code == "insufficient_margin"
    venue.deposit("newcomer")
    assert venue.place_order(order, "1").ok


def test_insufficient_margin_counts_open_orders(venue: Venue) -> None:
    # 10,000 USDC carry 86,956 lots of 2.30 USD at 5% initial margin, a little less with fee and buffer.
    assert venue.place("maker", "BUY", 50_000, P).ok
    ack = venue.place("maker", "BUY", 50_000, P)
    assert (ack.http_status, ack.error_code) == (422, "insufficient_margin")
    assert venue.place("maker", "BUY", 30_000, P).ok


def test_both_sides_are_not_reserved_twice(venue: Venue) -> None:
    assert venue.place("maker", "BUY", 80_000, P - 100).ok
    assert venue.place("maker", "SELL", 80_000, P + 100).ok


def test_price_band(venue: Venue) -> None:
    ack = venue.place("taker", "BUY", 5, P * 112 // 100)
    assert (ack.http_status, ack.error_code) == (422, "price_band")
    assert venue.place("taker", "BUY", 5, P * 80 // 100).ok


def test_stale_price(venue: Venue) -> None:
    venue.tick((BTC.max_price_age + 1) * 1_000)
    ack = venue.place("taker", "BUY", 5, P)
    assert (ack.http_status, ack.error_code) == (503, "stale_price")


@pytest.mark.parametrize(("state", "code"), [(3, "market_halted"), (2, "market_reduce_only"), (0, "market_halted")])
def test_market_states(state: int, code: str) -> None:
    closed = Venue(markets=(market_of(replace(BTC, state=state)), market_of(ETH)))
    closed.deposit("taker")
    ack = closed.place("taker", "BUY", 5, P)
    assert (ack.http_status, ack.error_code) == (422, code)


def test_cancelled_on_chain_until_the_stamp(venue: Venue) -> None:
    who = address("taker")
    stamp = venue.now_ms // 1000 + 10
    venue.log(venue.config.exchange, "AllCancelled", account=who, subaccount=0, stamp=stamp, effective_at=stamp + 50)
    venue.mine()
    ack = venue.place("taker", "BUY", 5, P)
    assert (ack.http_status, ack.error_code) == (409, "cancelled_on_chain")
    venue.tick(11_000)
    assert venue.place("taker", "BUY", 5, P).ok


def test_garbage_words_are_refused(venue: Venue) -> None:
    item = Place(b"\xff" * 32, b"\xff" * 32, bytes(32), bytes(32), b"\1" * 32, address("taker"), "")
    ack = venue.command(item)
    assert not ack.ok
    assert 400 <= ack.http_status < 500


def test_too_many_open_orders() -> None:
    small = Venue(max_open_orders=2)
    small.deposit("maker")
    assert small.place("maker", "BUY", 1, P).ok
    assert small.place("maker", "BUY", 1, P).ok
    assert small.place("maker", "BUY", 1, P).error_code == "too_many_orders"


def test_withdrawal_promise_lowers_free_collateral(venue: Venue) -> None:
    assert venue.reserve("taker", 9_000, nonce=1).ok
    assert venue.reserve("taker", 9_000, nonce=1).ok, "the same again gets the same answer"
    assert venue.reserve("taker", 1, nonce=1).error_code == "nonce_used"
    ack = venue.reserve("taker", 1_001, nonce=2)
    assert (ack.http_status, ack.error_code) == (422, "not_withdrawable")
    assert venue.place("taker", "BUY", 10_000, P).error_code == "insufficient_margin"
    assert venue.core.withdrawable(address("taker"), 0) == 1_000 * USDC


def test_least_size(venue: Venue) -> None:
    """An order is worth at least a USDC, unless it closes what is left of a position."""
    venue.push(1, 400_000)
    venue.mine()
    ack = venue.place("taker", "BUY", 2, 400_000)
    assert (ack.http_status, ack.error_code, ack.param) == (422, "order_too_small", "size")
    assert "3 lots" in ack.message
    assert venue.place("maker", "SELL", 5, 400_000).ok
    assert venue.place("taker", "BUY", 3, 400_000).order_status == "FILLED"
    assert venue.place("taker", "SELL", 2, 400_000, reduce_only=True).error_code == "order_too_small"
    assert venue.place("other", "BUY", 3, 400_000).ok
    assert venue.place("taker", "SELL", 1, 400_000, reduce_only=True).error_code == "order_too_small"
    venue.place("maker", "SELL", 3, 390_000)
    ack = venue.place("taker", "SELL", 3, 400_000, reduce_only=True)
    assert ack.order_status == "OPEN"


def test_least_size_of_orders_that_wait(venue: Venue) -> None:
    fields = {"trigger": "AT_OR_ABOVE", "trigger_price": P + 10_000}
    assert venue.place("taker", "BUY", 1, 900_000, **fields).error_code == "order_too_small"
    assert venue.place("taker", "BUY", 2, 900_000, **fields).order_status == "UNTRIGGERED"


def test_what_is_left_of_a_larger_order_may_be_small(venue: Venue) -> None:
    venue.push(1, 400_000)
    venue.mine()
    order = venue.place("taker", "BUY", 5, 400_000)
    venue.place("maker", "SELL", 4, 400_000)
    assert venue.amend(order.order_id, size=6).ok
    assert venue.levels() == ([(400_000, 2)], [])


def hold(venue: Venue, lots: int) -> None:
    """The taker is long."""
    venue.place("maker", "SELL", lots, P)
    assert venue.place("taker", "BUY", lots, P).order_status == "FILLED"


def test_resting_reduce_only_orders_offer_no_more_than_the_position(venue: Venue) -> None:
    hold(venue, 10)
    first = venue.place("taker", "SELL", 6, P + 100, reduce_only=True)
    second = venue.place("taker", "SELL", 9, P + 200, reduce_only=True)
    assert venue.levels() == ([], [(P + 100, 6), (P + 200, 4)])
    ack = venue.place("taker", "SELL", 5, P + 300, reduce_only=True)
    assert (ack.http_status, ack.error_code) == (422, "reduce_only_covered")
    venue.cancel("taker", first.order_id)
    assert venue.place("taker", "SELL", 5, P + 300, reduce_only=True).ok
    state = venue.core.order(bytes.fromhex(second.order_id[2:]))
    assert state is not None
    assert (state.withheld, state.filled) == (5, 0)
    assert venue.place("other", "BUY", 9, P + 300).filled == 9
    assert venue.status(second) == ("FILLED", 4, "")


def test_what_reduces_at_once_is_not_kept_from_it_by_resting_orders(venue: Venue) -> None:
    hold(venue, 10)
    resting = venue.place("taker", "SELL", 10, P + 100, reduce_only=True)
    venue.place("other", "BUY", 8, P)
    ack = venue.place("taker", "SELL", 10, P, reduce_only=True)
    assert (ack.order_status, ack.filled, ack.reason) == ("CANCELED", 8, "reduce_only")
    venue.settle()
    assert venue.status(resting) == ("OPEN", 0, "")
    assert venue.levels() == ([], [(P + 100, 2)])


def test_a_position_that_shrinks_takes_the_newest_reduce_only_orders_along(venue: Venue) -> None:
    hold(venue, 10)
    older = venue.place("taker", "SELL", 6, P + 100, reduce_only=True)
    newer = venue.place("taker", "SELL", 4, P + 200, reduce_only=True)
    venue.place("other", "BUY", 7, P)
    assert venue.place("taker", "SELL", 7, P).order_status == "FILLED"
    venue.settle()
    assert venue.status(newer) == ("CANCELED", 0, "reduce_only")
    assert venue.status(older) == ("OPEN", 0, "")
    assert venue.levels() == ([], [(P + 100, 3)])
