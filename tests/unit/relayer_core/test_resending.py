# SPDX-License-Identifier: AGPL-3.0-only
"""The journal is published with signatures: what was refused must be dead by then, and what was taken answers alike."""

import pytest

from relayer.core import Core
from relayer.core.inputs import Place, Tick
from tests.unit.relayer_core.exchange_model import BTC_PRICE as P
from tests.unit.relayer_core.exchange_model import Venue, address

AGE_MS = 180_000


def later(venue: Venue, ms: int) -> None:
    """Time passes, prices stay fresh."""
    venue.tick(ms)
    venue.push(1, P)
    venue.push(2, P)
    venue.mine()


def refused_amend(venue: Venue) -> tuple[Place, bytes]:
    """An amend that its owner has signed, and which was refused for its margin; the order that it was to amend."""
    old = venue.place("maker", "BUY", 10, P)
    signed = venue.signed[bytes.fromhex(old.order_id[2:])].order.but(revision=1, size=100_000_000)
    item = venue.place_input(signed, replaces=bytes.fromhex(old.order_id[2:]))
    assert venue.command(item).error_code == "insufficient_margin"
    return item, bytes.fromhex(old.order_id[2:])


def test_a_refused_order_is_dead_when_it_is_published(venue: Venue) -> None:
    resting = venue.place("maker", "SELL", 10, P)
    order = venue.order("taker", "BUY", 10, P, post_only=True)
    assert venue.place_order(order).error_code == "post_only_would_cross"
    venue.cancel("maker", resting.order_id)
    later(venue, AGE_MS - 2_000)
    assert venue.command(venue.place_input(venue.order("taker", "BUY", 1, P))).ok
    later(venue, 2_001)
    ack = venue.place_order(order)
    assert (ack.http_status, ack.error_code, ack.param) == (400, "signed_too_long_ago", "generation")
    assert "sign again" in ack.message


@pytest.mark.parametrize(("age", "code"), [(AGE_MS, ""), (AGE_MS + 1, "signed_too_long_ago")])
def test_the_age_is_counted_to_the_millisecond(venue: Venue, age: int, code: str) -> None:
    order = venue.order("maker", "BUY", 10, P)
    later(venue, age)
    assert venue.place_order(order).error_code == code


def test_a_taken_order_answers_alike_whenever_it_is_sent_again(venue: Venue) -> None:
    order = venue.order("maker", "BUY", 10, P)
    first = venue.place_order(order, "7")
    later(venue, AGE_MS + 1)
    again = venue.place_order(order, "7")
    assert (again.http_status, again.order_id, again.order_status, again.filled) == (201, first.order_id, "OPEN", 0)


def test_time_by_which_the_chain_is_ahead_does_not_age_orders(venue: Venue) -> None:
    """On a development chain people move the time; whoever signs goes by the clock on the wall."""
    order = venue.order("maker", "BUY", 10, P)
    venue.now_ms += 3_600_000
    venue.apply(Tick(venue.now_ms, 3_600_000))
    venue.push(1, P)
    venue.mine()
    order = order.but(expiry=venue.now_ms // 1000 + 3_600)
    assert venue.place_order(order).ok


def test_a_refused_amend_is_dead_when_it_is_published(venue: Venue) -> None:
    item, old = refused_amend(venue)
    venue.deposit("maker", 100_000_000)
    later(venue, AGE_MS + 1)
    ack = venue.command(item)
    assert (ack.error_code, ack.param) == ("stale_revision", "revision")
    assert "sign 2" in ack.message
    assert ack.next_revision == 2
    order = venue.signed[old].order
    assert venue.command(venue.place_input(order.but(revision=2, size=11), replaces=old)).ok


def test_until_then_the_very_same_amend_may_come_again(venue: Venue) -> None:
    """The relayer itself asks again after a deposit that it had not seen."""
    item, _ = refused_amend(venue)
    assert venue.command(item).error_code == "insufficient_margin"
    venue.deposit("maker", 100_000_000)
    assert venue.command(item).ok


def test_asking_again_does_not_lengthen_the_time(venue: Venue) -> None:
    item, _ = refused_amend(venue)
    later(venue, AGE_MS)
    assert venue.command(item).error_code == "insufficient_margin"
    later(venue, 1)
    assert venue.command(item).error_code == "stale_revision"


def test_an_amend_that_came_before_its_order_is_dead_for_it(venue: Venue) -> None:
    order = venue.order("maker", "BUY", 10, P)
    placing = venue.place_input(order)
    amend = venue.place_input(order.but(revision=1, limit_price=P - 100), replaces=placing.order_id)
    assert venue.command(amend).error_code == "order_not_found"
    assert venue.command(placing).ok
    later(venue, AGE_MS + 1)
    assert venue.command(amend).error_code == "stale_revision"


def test_a_refusal_by_client_id_uses_the_revision_up_too(venue: Venue) -> None:
    old = venue.place("maker", "BUY", 10, P)
    venue.place("maker", "BUY", 10, P - 100, client_id="5")
    signed = venue.signed[bytes.fromhex(old.order_id[2:])].order.but(revision=1, size=11)
    item = venue.place_input(signed, "5", replaces=bytes.fromhex(old.order_id[2:]))
    assert venue.command(item).error_code == "client_id_reused"
    later(venue, AGE_MS + 1)
    renamed = venue.place_input(signed, "6", replaces=item.replaces)
    assert venue.command(renamed).error_code == "stale_revision"


def test_a_stranger_uses_up_nothing(venue: Venue) -> None:
    old = venue.place("maker", "BUY", 10, P)
    signed = venue.signed[bytes.fromhex(old.order_id[2:])].order.but(revision=9, size=11)
    forged = venue.place_input(signed, signer=address("stranger"), replaces=bytes.fromhex(old.order_id[2:]))
    assert venue.command(forged).error_code == "bad_signature"
    assert venue.amend(old.order_id, revision=1, size=11).ok
    state = venue.core._state
    assert (state.early_amends, state.refused_amends) == ({}, {})


def test_a_restored_core_knows_what_is_used_up(venue: Venue) -> None:
    item, _ = refused_amend(venue)
    early = venue.order("maker", "BUY", 10, P)
    venue.command(venue.place_input(early.but(revision=4), replaces=bytes(32)))
    restored = Core.restore(venue.config, venue.core.dump())
    state = restored._state
    assert set(state.refused_amends) == set(venue.core._state.refused_amends)
    assert state.early_amends == {(address("maker"), early.slot): (early.generation, 4)}
    later(venue, AGE_MS + 1)
    for done in venue.inputs[-2:]:
        restored.apply(done)
    assert restored.apply(item)[-1] == venue.command(item)
    assert restored.state_hash() == venue.core.state_hash()


def test_memory_of_refused_amends_ends(venue: Venue) -> None:
    refused_amend(venue)
    assert venue.core._state.refused_amends
    later(venue, AGE_MS + 1)
    assert venue.core._state.refused_amends == {}


def test_a_core_that_asks_no_age_takes_amends_again() -> None:
    venue = Venue(max_order_age_ms=0)
    venue.deposit("maker")
    item, _ = refused_amend(venue)
    order = venue.order("maker", "BUY", 1, P)
    later(venue, 3_000_000)
    venue.deposit("maker", 100_000_000)
    assert venue.command(item).ok
    assert venue.place_order(order.but(expiry=venue.now_ms // 1000 + 3_600)).ok


def test_found_an_amend_that_names_no_order_is_dead_when_it_is_published(venue: Venue) -> None:
    """What an amend replaces is not signed: whoever reads one in the journal that was sent without may add it."""
    old = venue.place("maker", "BUY", 10, P)
    signed = venue.signed[bytes.fromhex(old.order_id[2:])].order.but(revision=1, limit_price=P - 100)
    assert venue.command(venue.place_input(signed)).error_code == "replaces_missing"
    later(venue, AGE_MS + 1)
    stolen = venue.place_input(signed, replaces=bytes.fromhex(old.order_id[2:]))
    assert venue.command(stolen).error_code == "stale_revision"


def test_found_early_amends_of_two_orders_in_one_slot_are_both_dead(venue: Venue) -> None:
    order = venue.order("maker", "BUY", 10, P)
    placing = venue.place_input(order)
    amend = venue.place_input(order.but(revision=7, limit_price=P - 100), replaces=placing.order_id)
    newer = order.but(revision=1, generation=order.generation + 1)
    for item in (amend, venue.place_input(newer, replaces=placing.order_id)):
        assert venue.command(item).error_code == "order_not_found"
    assert venue.command(placing).ok
    later(venue, AGE_MS + 1)
    assert venue.command(amend).error_code == "stale_revision"


def test_found_early_amends_fill_no_memory(venue: Venue) -> None:
    """Refused amends in every slot, of orders that never come, from the past and from the future."""
    order = venue.order("maker", "BUY", 10, P)
    for slot in range(50):
        for generation in (order.generation - AGE_MS, order.generation, order.generation + 10**9):
            amend = order.but(revision=1, slot=slot, generation=generation)
            assert not venue.command(venue.place_input(amend, replaces=bytes(32))).ok
    assert len(venue.core._state.early_amends) == 50
    restored = Core.restore(venue.config, venue.core.dump())
    assert restored.state_hash() == venue.core.state_hash()
    later(venue, AGE_MS + 1)
    assert venue.core._state.early_amends == {}


def test_found_a_refused_withdrawal_is_dead_when_it_is_published(venue: Venue) -> None:
    """Else a stranger takes the money out of an account as soon as it has some again, until the deadline."""
    assert venue.reserve("taker", 10**9, seconds=600).error_code == "not_withdrawable"
    refused = venue.inputs[-1]
    later(venue, AGE_MS)
    assert venue.command(refused).error_code == "not_withdrawable"
    restored = Core.restore(venue.config, venue.core.dump())
    assert restored.state_hash() == venue.core.state_hash()
    later(venue, 1)
    venue.deposit("taker", 10**10)
    ack = venue.command(refused)
    assert (ack.http_status, ack.error_code, ack.param) == (409, "nonce_used", "nonce")
    assert venue.reserve("taker", 10**9, nonce=2).ok
    later(venue, 601_000 - AGE_MS)
    assert venue.core._state.refused_withdrawals == {}


def test_found_until_then_the_very_same_withdrawal_may_come_again(venue: Venue) -> None:
    assert venue.reserve("taker", 10**9, seconds=600).error_code == "not_withdrawable"
    refused = venue.inputs[-1]
    venue.deposit("taker", 10**10)
    assert venue.command(refused).ok
