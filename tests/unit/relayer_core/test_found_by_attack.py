# SPDX-License-Identifier: AGPL-3.0-only
"""What attacks on the core have found, each as it was done."""

from relayer.core.outputs import OrderOutput
from tests.unit.relayer_core.exchange_model import BTC_PRICE as P
from tests.unit.relayer_core.exchange_model import EXCHANGE, Venue, address
from tests.unit.relayer_core.test_conditional import long, move, raw
from tests.unit.relayer_core.test_trailing import STEP, arm, trail

HOUR_MS = 3_600_000


def replay(venue: Venue, order_id: bytes, replaces: bytes) -> str:
    """What somebody gets who has read a signed revision in the published journal and sends it with fields of his own
    choice beside it.
    """
    signed = venue.signed[order_id]
    return venue.command(venue.place_input(signed.order, replaces=replaces)).error_code


def forget(venue: Venue) -> None:
    """The core's memory of orders that have ended runs out."""
    for _ in range(2):
        venue.tick(HOUR_MS)
        venue.push(1, P)
        venue.push(2, P)
        venue.mine()


def test_a_cancelled_amend_in_waiting_is_not_carried_out_for_somebody_else(venue: Venue) -> None:
    long(venue, "taker", 10)
    terms = {"trigger": "AT_OR_BELOW", "trigger_price": P - 10_000, "expiry": venue.now_ms // 1000 + 86_400}
    stop = venue.place("taker", "SELL", 10, P - 30_000, reduce_only=True, **terms)
    closer = arm(venue, stop, P + STEP, P - STEP)
    venue.cancel("taker", closer.order_id)
    forget(venue)
    assert venue.core.order(raw(closer)) is None
    assert replay(venue, raw(closer), raw(stop)) == "stale_revision"
    assert venue.status(stop)[0] == "UNTRIGGERED"
    # whoever signed it goes on above
    assert venue.amend(stop.order_id, revision=2, trigger_price=P - 9_000).ok


def test_amends_that_end_with_their_order_are_dead_for_its_newer_revisions(venue: Venue) -> None:
    long(venue, "taker", 10)
    chain = trail(venue, revisions=3)
    moved = venue.amend(chain[0].order_id, revision=1, trigger_price=P - 20_000)
    assert moved.ok
    assert {venue.status(each)[0] for each in chain} == {"CANCELED"}
    assert venue.amend(moved.order_id, revision=3, trigger_price=P - 21_000).error_code == "stale_revision"
    assert venue.amend(moved.order_id, revision=4, trigger_price=P - 21_000).ok


def test_an_ended_amend_does_not_stop_those_that_still_wait(venue: Venue) -> None:
    long(venue, "taker", 10)
    chain = trail(venue, revisions=3)
    venue.cancel("taker", chain[3].order_id)
    move(venue, P + 2 * STEP)
    assert [venue.status(each)[2] for each in chain] == ["replaced", "replaced", "", "user_cancelled"]


def test_an_amend_that_waited_and_kept_its_place_is_public_when_it_rests(venue: Venue) -> None:
    resting = venue.place("maker", "SELL", 10, P + 5_000)
    later = venue.amend(resting.order_id, arm_price=P + 1_000, size=9)
    move(venue, P + 1_000)
    assert venue.status(later)[0] == "OPEN"
    said = [each.order for each in venue.outputs if isinstance(each, OrderOutput) and each.order.id == later.order_id]
    assert [order.private for order in said] == [True, False]


def test_lots_of_a_child_that_were_withheld_do_not_come_back_by_an_amend(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    parent = venue.place("taker", "BUY", 10, P, time_in_force="IOC")
    child = venue.place("taker", "SELL", 10, P + 1_000, reduce_only=True, parent=raw(parent))
    behind = venue.place("other", "SELL", 10, P + 1_000)
    # its owner takes nine lots off it, and has them back in front of whoever stands behind
    venue.place("taker", "BUY", 9, P + 1_000, self_trade="DECREMENT", time_in_force="IOC")
    assert venue.levels()[1] == [(P + 1_000, 11)]
    again = venue.amend(child.order_id)
    assert venue.levels()[1] == [(P + 1_000, 11)]
    venue.place("maker", "BUY", 5, P + 1_000)
    assert (venue.status(again)[1], venue.status(behind)[1]) == (1, 4)


def test_an_amended_child_still_closes_all_that_its_parent_opened(venue: Venue) -> None:
    venue.place("maker", "SELL", 6, P)
    parent = venue.place("taker", "BUY", 10, P)
    child = venue.place("taker", "SELL", 10, P + 1_000, reduce_only=True, parent=raw(parent))
    venue.cancel("taker", parent.order_id)
    assert venue.levels()[1] == [(P + 1_000, 6)]
    venue.amend(child.order_id, size=6)
    assert venue.levels()[1] == [(P + 1_000, 6)]


def test_86_a_reorg_of_a_finer_tick_takes_the_orders_between_the_old_ones(venue: Venue) -> None:
    fork = len(venue.blocks)
    terms = {"imf": 50_000, "mmf": 30_000, "band": 100_000, "tick": 50, "max_open_interest": 10**8}
    venue.log(EXCHANGE, "MarketChanged", market=1, state=1, max_price_age=120, liquidation_floor=5_000, **terms)
    venue.mine()
    between = venue.place("maker", "SELL", 5, P + 50)
    assert between.ok
    venue.revert(fork)
    assert venue.status(between) == ("CANCELED", 0, "off_tick")
    assert venue.core.withdrawable(address("maker"), 0) == 10_000 * 10**6


def test_the_search_for_a_free_slot_is_short_however_many_are_taken(venue: Venue) -> None:
    for slot in range(1, 301):
        assert venue.place("maker", "BUY", 1, P - 10_000, slot=slot).ok
    assert venue.place("maker", "BUY", 1, P - 10_000, slot=1).free_slots == ()
    assert venue.place("maker", "BUY", 1, P - 10_000, slot=299).free_slots == (301, 302, 303, 304, 305, 306, 307, 308)
    assert venue.place("maker", "BUY", 1, P - 10_000, slot=300).free_slots[0] == 301
