# SPDX-License-Identifier: AGPL-3.0-only
"""An amend takes the place of a resting order at once, or nothing changes."""

from typing import Any

import pytest

from relayer.core import Core
from relayer.core.outputs import Ack
from tests.reference.exchange import Executed
from tests.reference.sessions import Key
from tests.unit.relayer_core.exchange_model import BTC_PRICE, EXCHANGE, Venue, address

P = BTC_PRICE
LOTS_OF_20K = 20_000 * 10**6 // P


def state_of(venue: Venue, ack: Ack) -> tuple[str, int, str]:
    return venue.status(ack)


def reject_all(venue: Venue, fault: int = 3, order_id: bytes = bytes(32)) -> None:
    """The next batch lands, and all of it is rejected."""
    built = venue.build()
    for fill in venue.fills:
        venue.reject(fill.fill_id, fault, "for the test", order_id)
    venue.batch_settled(built, 0, len(venue.fills))
    venue.mine()


def test_an_amend_replaces_the_order(venue: Venue) -> None:
    old = venue.place("maker", "BUY", 5, P, client_id="a")
    new = venue.amend(old.order_id, limit_price=P + 100, size=8)
    assert (new.ok, new.http_status, new.order_status, new.client_id) == (True, 200, "OPEN", "a")
    assert state_of(venue, old) == ("CANCELED", 0, "replaced")
    assert venue.levels() == ([(P + 100, 8)], [])
    assert venue.core.order_by_client_id(address("maker"), 0, "a").id == new.order_id  # type: ignore[union-attr]
    assert venue.cancel_by_client_id("maker", "a").cancelled == (new.order_id,)


def test_an_amend_may_match_at_once(venue: Venue) -> None:
    resting = venue.place("maker", "SELL", 5, P + 100)
    old = venue.place("taker", "BUY", 8, P)
    new = venue.amend(old.order_id, limit_price=P + 100)
    assert state_of(venue, new) == ("OPEN", 5, "")
    assert state_of(venue, resting) == ("FILLED", 5, "")
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


@pytest.mark.parametrize(
    ("changes", "keeps"),
    [
        ({"size": 3}, True),
        ({"size": 5}, True),
        ({"size": 5, "post_only": True}, True),
        ({"size": 5, "expiry": 1_700_002_000}, True),
        ({"size": 6}, False),
        ({"limit_price": P + 100}, False),
        ({"self_trade": "DECREMENT"}, False),
        ({"max_fee_ppm": 2_000}, False),
        ({"referrer": 3}, False),
    ],
)
def test_who_asks_for_no_more_keeps_the_place(venue: Venue, changes: dict[str, Any], keeps: bool) -> None:
    ahead = venue.place("other", "SELL", 1, P)
    old = venue.place("maker", "SELL", 5, P)
    behind = venue.place("other", "SELL", 4, P)
    new = venue.amend(old.order_id, **changes)
    assert new.ok
    venue.place("taker", "BUY", 2, P)
    assert state_of(venue, ahead) == ("FILLED", 1, "")
    assert state_of(venue, new)[1] == (1 if keeps else 0)
    assert state_of(venue, behind)[1] == (0 if keeps else 1)
    assert venue.log_book() == tuple(map(dict, venue.levels()))


def test_first_and_last_in_the_queue_keep_their_places(venue: Venue) -> None:
    """The ends of the queue are other links than its middle."""
    orders = [venue.place("maker", "SELL", 5, P) for _ in range(3)]
    amended = [venue.amend(order.order_id, size=4) for order in orders]
    venue.place("other", "SELL", 2, P)
    for ack in amended:
        venue.place("taker", "BUY", 4, P)
        assert state_of(venue, ack) == ("FILLED", 4, "")
    assert venue.levels() == ([], [(P, 2)])


def test_the_size_is_the_total_of_all_revisions(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 4, P)
    new = venue.amend(old.order_id, size=7)
    assert state_of(venue, new) == ("OPEN", 4, "")
    assert venue.levels() == ([], [(P, 3)])
    third = venue.amend(new.order_id, size=12, limit_price=P + 100)
    assert venue.levels() == ([], [(P + 100, 8)])
    venue.place("taker", "BUY", 8, P + 100)
    assert state_of(venue, third) == ("FILLED", 12, "")
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())
    assert venue.model.accounts[address("maker"), 0].position(1).size == -12


@pytest.mark.parametrize("size", [1, 4])
def test_a_size_of_what_is_filled_leaves_nothing(venue: Venue, size: int) -> None:
    old = venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 4, P)
    ack = venue.amend(old.order_id, size=size)
    assert (ack.http_status, ack.error_code, ack.filled) == (422, "amend_below_filled", 4)
    assert venue.levels() == ([], [(P, 6)])


def test_expected_filled(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 4, P)
    ack = venue.amend(old.order_id, size=9, expected_filled=0)
    assert (ack.http_status, ack.error_code, ack.filled, ack.param) == (409, "filled_changed", 4, "expectedFilled")
    assert "4 lots" in ack.message
    assert state_of(venue, old) == ("OPEN", 4, "")
    assert venue.amend(old.order_id, size=9, expected_filled=4).ok


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"side": "BUY"}, 422, "amend_mismatch"),
        ({"slot": 900}, 422, "amend_mismatch"),
        ({"generation": 1_700_000_000_001}, 422, "amend_mismatch"),
        ({"market": "ETH-USD", "limit_price": 1_600_000}, 422, "amend_mismatch"),
        ({"time_in_force": "IOC", "slot": 0}, 422, "amend_mismatch"),
        ({"subaccount": 1}, 404, "order_not_found"),
        ({"revision": 0, "size": 9}, 409, "stale_revision"),
        ({"limit_price": P + 1}, 400, "off_tick"),
        ({"limit_price": P // 200 * 100}, 422, "price_band"),
        ({"limit_price": P - 100, "post_only": True}, 422, "post_only_would_cross"),
        ({"size": 10**6}, 422, "insufficient_margin"),
        ({"reduce_only": True}, 422, "reduce_only_no_position"),
        ({"size": 0}, 400, "bad_size"),
        ({"max_fee_ppm": 1}, 400, "fee_cap_too_low"),
        ({"expiry": 1_700_000_010}, 400, "expires_too_soon"),
    ],
)
def test_a_refused_amend_leaves_everything(venue: Venue, changes: dict[str, Any], status: int, code: str) -> None:
    venue.place("taker", "BUY", 3, P - 100)
    old = venue.place("maker", "SELL", 10, P, client_id="a")
    before = (venue.levels(), venue.core.order(bytes.fromhex(old.order_id[2:])), venue.core.seq)
    ack = venue.amend(old.order_id, **changes)
    assert (ack.http_status, ack.error_code) == (status, code)
    assert len(ack.message.split()) > 5
    assert (venue.levels(), venue.core.order(bytes.fromhex(old.order_id[2:])), venue.core.seq) == before
    venue.place("taker", "BUY", 10, P)
    assert state_of(venue, old) == ("FILLED", 10, "")


def test_a_refused_amend_still_reserves_margin(venue: Venue) -> None:
    venue.deposit("small", 1_100)
    old = venue.place("small", "SELL", LOTS_OF_20K, P)
    assert venue.amend(old.order_id, size=2 * LOTS_OF_20K).error_code == "insufficient_margin"
    assert venue.place("small", "SELL", LOTS_OF_20K, P + 100).error_code == "insufficient_margin"


def test_the_old_orders_margin_does_not_count_against_the_new(venue: Venue) -> None:
    """1,100 USDC carry 20,000 USDC of lots once, not twice."""
    venue.deposit("small", 1_100)
    old = venue.place("small", "SELL", LOTS_OF_20K, P)
    assert venue.amend(old.order_id, limit_price=P + 100).ok


def test_the_last_of_many_open_orders_may_be_amended() -> None:
    crowded = Venue(max_open_orders=2)
    crowded.deposit("maker")
    crowded.place("maker", "SELL", 5, P)
    old = crowded.place("maker", "SELL", 5, P)
    assert crowded.place("maker", "SELL", 5, P).error_code == "too_many_orders"
    assert crowded.amend(old.order_id, limit_price=P + 100).ok


def test_only_what_rests_can_be_amended(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 5, P)
    new = venue.amend(old.order_id, size=4)
    ack = venue.amend(old.order_id, size=3, revision=2)
    assert (ack.http_status, ack.error_code) == (409, "order_not_open")
    assert new.order_id in ack.message
    venue.cancel("maker", new.order_id)
    assert venue.amend(new.order_id, size=3).error_code == "order_not_open"
    assert venue.amend(old.order_id, replaces="0x" + "11" * 32).http_status == 404


def test_of_another_account_nothing_can_be_amended(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 5, P)
    ack = venue.amend(old.order_id, account=address("taker"))
    assert (ack.ok, ack.error_code) == (False, "bad_signature")
    item = venue.place_input(venue.order("taker", "SELL", 5, P, revision=1), replaces=bytes.fromhex(old.order_id[2:]))
    assert venue.command(item).error_code == "order_not_found"


def test_the_same_amend_gets_the_same_answer(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P, client_id="a")
    venue.place("taker", "BUY", 4, P)
    first = venue.amend(old.order_id, size=9, expected_filled=4)
    venue.place("taker", "BUY", 2, P)
    seq = venue.core.seq
    again = venue.amend(old.order_id, size=9, expected_filled=4)
    assert (again.order_id, again.filled, again.order_status) == (first.order_id, 4, "OPEN")
    by_name = venue.amend(old.order_id, size=9, client_id="a")
    assert (by_name.order_id, by_name.client_id) == (first.order_id, "a")
    signed = venue.signed[bytes.fromhex(old.order_id[2:])]
    replayed = venue.place_order(signed.order, "a")
    assert (replayed.order_id, replayed.order_status, replayed.http_status) == (old.order_id, "OPEN", 201)
    assert venue.core.seq == seq
    assert venue.levels() == ([], [(P, 3)])


def test_client_ids(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P, client_id="a")
    other = venue.place("maker", "SELL", 10, P, client_id="b")
    assert venue.amend(old.order_id, size=9, client_id="b").error_code == "client_id_reused"
    new = venue.amend(old.order_id, size=9, client_id="c")
    assert new.client_id == "c"
    assert venue.cancel_by_client_id("maker", "a").error_code == "order_not_open"
    assert venue.cancel_by_client_id("maker", "c").order_id == new.order_id
    assert state_of(venue, other)[0] == "OPEN"


def test_a_rejected_fill_of_the_old_comes_back_to_the_new(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    bought = venue.place("taker", "BUY", 4, P)
    new = venue.amend(old.order_id, size=8, limit_price=P + 100)
    assert state_of(venue, new) == ("OPEN", 4, "")
    reject_all(venue, 2, bytes.fromhex(bought.order_id[2:]))
    assert state_of(venue, new) == ("OPEN", 0, "")
    assert state_of(venue, old) == ("CANCELED", 0, "replaced")
    assert venue.levels() == ([], [(P + 100, 8)])


def test_a_rejected_fill_of_the_old_brings_a_filled_new_one_back(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    bought = venue.place("taker", "BUY", 4, P)
    middle = venue.amend(old.order_id, size=9)
    new = venue.amend(middle.order_id, size=8, limit_price=P + 100)
    venue.place("other", "BUY", 4, P + 100)
    assert state_of(venue, new) == ("FILLED", 8, "")
    built = venue.build()
    venue.reject(1, 2, "margin", bytes.fromhex(bought.order_id[2:]))
    venue.land(built, fills=venue.fills[1:])
    venue.mine()
    assert state_of(venue, new) == ("OPEN", 4, "")
    assert state_of(venue, middle)[0] == state_of(venue, old)[0] == "CANCELED"
    assert venue.levels() == ([], [(P + 100, 4)])
    venue.place("other", "BUY", 4, P + 100)
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())
    assert state_of(venue, new) == ("FILLED", 8, "")


def test_the_fault_of_an_old_revision_is_not_the_new_ones(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 4, P)
    new = venue.amend(old.order_id, size=8)
    reject_all(venue, 1, bytes.fromhex(old.order_id[2:]))
    # The innocent buyer enters again, and meets the newest revision.
    assert venue.fills_said() == {1: ["matched", "submitted", "rejected"], 2: ["matched"]}
    assert state_of(venue, new) == ("OPEN", 4, "")
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_revisions_settle_in_one_batch_and_over_several(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 4, P)
    new = venue.amend(old.order_id, size=9)
    venue.place("taker", "BUY", 2, P)
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())
    third = venue.amend(new.order_id, size=8)
    venue.place("taker", "BUY", 2, P)
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())
    assert state_of(venue, third) == ("FILLED", 8, "")


def test_a_reorg_takes_a_rejection_back_from_the_newest(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    bought = venue.place("taker", "BUY", 4, P)
    new = venue.amend(old.order_id, size=8)
    height = len(venue.blocks)
    reject_all(venue, 2, bytes.fromhex(bought.order_id[2:]))
    assert venue.levels() == ([], [(P, 8)])
    venue.revert(height)
    assert state_of(venue, new) == ("OPEN", 4, "")
    assert venue.levels() == ([], [(P, 4)])


def test_a_forgotten_newest_revision_does_not_hold_up_anything(venue: Venue) -> None:
    """The newest expires long before the old one is forgotten."""
    now_s = venue.now_ms // 1000
    old = venue.place("maker", "SELL", 10, P, expiry=now_s + 10_000)
    new = venue.amend(old.order_id, expiry=now_s + 100)
    venue.tick(150_000)
    assert venue.core.order(bytes.fromhex(new.order_id[2:])) is None
    again = venue.amend(old.order_id, revision=5)
    assert again.error_code == "order_not_open"
    restored = Core.restore(venue.config, venue.core.dump())
    assert restored.state_hash() == venue.core.state_hash()
    item = venue.inputs[-1]
    assert restored.apply(item)[-1] == venue.apply(item)[-1]
    assert restored.trail_hash() == venue.core.trail_hash()


def test_a_snapshot_knows_which_is_the_newest(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    bought = venue.place("taker", "BUY", 4, P)
    venue.amend(old.order_id, size=8)
    venue.core = Core.restore(venue.config, venue.core.dump())
    reject_all(venue, 2, bytes.fromhex(bought.order_id[2:]))
    assert venue.levels() == ([], [(P, 8)])


def test_a_session_key_amends_within_its_budget(venue: Venue) -> None:
    key, taker = address("session key"), address("taker")
    expiry = venue.now_ms // 1000 + 86_400
    venue.model.register_session_key(taker, key, Key(expiry, 10 * P, ()), 1)
    terms = {"markets": 0, "budget": 10 * P, "expiry": expiry, "nonce": 1}
    venue.log(EXCHANGE, "SessionKeyRegistered", account=taker, key=key, **terms)
    venue.mine()
    old = venue.place_order(venue.order("taker", "BUY", 8, P - 200), signer=key)
    other = venue.place_order(venue.order("taker", "BUY", 5, P - 100), signer=key)
    assert other.error_code == "key_budget"
    assert venue.amend(old.order_id, size=11).error_code == "key_budget"
    new = venue.amend(old.order_id, size=9, limit_price=P - 100)
    assert new.ok
    by_owner = venue.signed[bytes.fromhex(new.order_id[2:])].order.but(revision=7)
    item = venue.place_input(by_owner, replaces=bytes.fromhex(new.order_id[2:]))
    assert venue.command(item).error_code == "amend_mismatch"
    venue.place("maker", "SELL", 9, P - 100)
    assert state_of(venue, new) == ("FILLED", 9, "")
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_withheld_lots_stay_withheld(venue: Venue) -> None:
    old = venue.place("taker", "SELL", 10, P)
    venue.place("taker", "BUY", 3, P, self_trade="DECREMENT")
    new = venue.amend(old.order_id, size=10, limit_price=P + 100)
    assert venue.levels() == ([], [(P + 100, 7)])
    assert venue.amend(new.order_id, size=3).error_code == "amend_below_filled"


def test_an_amended_reduce_only_order_offers_no_more_than_the_position(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 10, P)
    old = venue.place("taker", "SELL", 6, P + 100, reduce_only=True)
    venue.place("taker", "SELL", 2, P + 200, reduce_only=True)
    new = venue.amend(old.order_id, size=20)
    assert new.ok
    assert venue.levels() == ([], [(P + 100, 8), (P + 200, 2)])
    assert venue.amend(new.order_id, reduce_only=False).ok


def test_a_slot_in_use_is_refused_without_replaces(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P, slot=4)
    venue.amend(old.order_id, size=9)
    assert venue.place("maker", "SELL", 10, P, slot=4).error_code == "slot_taken"
    assert venue.place("maker", "SELL", 10, P, slot=5, revision=1).error_code == "replaces_missing"


def test_a_cancel_on_chain_covers_every_revision(venue: Venue) -> None:
    old = venue.place("maker", "BUY", 5, P, slot=7)
    new = venue.amend(old.order_id, size=4)
    stamp = venue.now_ms // 1000 + 10
    venue.log(EXCHANGE, "SlotCancelled", signer=address("maker"), slot=7, stamp=stamp, effective_at=stamp + 50)
    venue.mine()
    assert state_of(venue, new) == ("CANCELED", 0, "cancelled_on_chain")


def move(venue: Venue, price: int) -> None:
    """A new index price."""
    venue.tick(1_000)
    venue.push(1, price)
    venue.mine()


def test_a_waiting_order_is_amended_where_it_waits(venue: Venue) -> None:
    stop = {"trigger": "AT_OR_BELOW", "trigger_price": P - 10_000}
    old = venue.place("maker", "SELL", 5, P - 20_000, client_id="stop", **stop)
    assert old.order_status == "UNTRIGGERED"
    new = venue.amend(old.order_id, trigger_price=P - 15_000, size=6)
    assert (new.ok, new.order_status) == (True, "UNTRIGGERED")
    assert state_of(venue, old) == ("CANCELED", 0, "replaced")
    move(venue, P - 10_000)
    assert state_of(venue, new)[0] == "UNTRIGGERED"
    assert venue.core.order(bytes.fromhex(new.order_id[2:])).private  # type: ignore[union-attr]
    move(venue, P - 15_000)
    assert state_of(venue, new) == ("OPEN", 0, "")
    assert venue.levels() == ([], [(P - 20_000, 6)])


def test_an_amend_may_set_a_waiting_order_free(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 5, P, trigger="AT_OR_BELOW", trigger_price=P - 10_000)
    new = venue.amend(old.order_id, trigger="NONE", trigger_price=0)
    assert new.order_status == "OPEN"
    move(venue, P - 10_000)
    assert venue.levels() == ([], [(P, 5)])


def test_an_amend_may_send_a_resting_order_to_wait(venue: Venue) -> None:
    old = venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 4, P)
    new = venue.amend(old.order_id, trigger="AT_OR_ABOVE", trigger_price=P + 10_000)
    assert state_of(venue, new) == ("UNTRIGGERED", 4, "")
    assert venue.levels() == ([], [])
    move(venue, P + 10_000)
    assert venue.levels() == ([], [(P, 6)])


def test_what_waits_for_an_order_waits_for_its_amend(venue: Venue) -> None:
    parent = venue.place("taker", "BUY", 10, P)
    order = venue.order("taker", "SELL", 10, P + 5_000, reduce_only=True)
    child = venue.command(venue.place_input(order, parent=bytes.fromhex(parent.order_id[2:])))
    assert child.order_status == "UNTRIGGERED"
    new = venue.amend(parent.order_id, limit_price=P + 100, size=8)
    state = venue.core.order(bytes.fromhex(child.order_id[2:]))
    assert state is not None
    assert (state.status, state.parent) == ("UNTRIGGERED", new.order_id)
    venue.core = Core.restore(venue.config, venue.core.dump())
    venue.place("maker", "SELL", 8, P + 100)
    assert state_of(venue, new) == ("FILLED", 8, "")
    move(venue, P)
    assert state_of(venue, child) == ("OPEN", 0, "")
    assert venue.levels() == ([], [(P + 5_000, 8)])


def test_a_child_may_be_amended(venue: Venue) -> None:
    parent = venue.place("taker", "BUY", 10, P)
    order = venue.order("taker", "SELL", 10, P + 5_000, reduce_only=True)
    child = venue.command(venue.place_input(order, parent=bytes.fromhex(parent.order_id[2:])))
    new = venue.amend(child.order_id, size=12, limit_price=P + 6_000)
    assert new.order_status == "UNTRIGGERED"
    venue.place("maker", "SELL", 10, P)
    move(venue, P)
    assert venue.levels() == ([], [(P + 6_000, 10)])


def test_an_amended_order_stays_in_its_group(venue: Venue) -> None:
    def grouped(side: str, price: int) -> Ack:
        return venue.command(venue.place_input(venue.order("taker", side, 10, price), oco="either"))

    low, high = grouped("BUY", P - 500), grouped("SELL", P + 500)
    venue.place("maker", "SELL", 4, P - 500)
    assert state_of(venue, high) == ("CANCELED", 0, "oco")
    newer = venue.amend(low.order_id, limit_price=P - 400)
    assert state_of(venue, newer) == ("OPEN", 4, "")
    other = grouped("SELL", P + 900)
    venue.place("maker", "SELL", 1, P - 400)
    assert state_of(venue, other) == ("CANCELED", 0, "oco")
    assert state_of(venue, newer) == ("OPEN", 5, "")
