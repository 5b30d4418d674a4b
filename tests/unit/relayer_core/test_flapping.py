# SPDX-License-Identifier: AGPL-3.0-only
"""Orders whose trigger holds no more leave the book a bounded number at a time, and match nothing meanwhile."""

import pytest

from relayer.core import Core
from relayer.core.firing import MAX_FIRED
from relayer.core.matching import MAX_LEAVING
from relayer.core.outputs import Ack, OrderOutput
from tests.reference.exchange import Executed
from tests.unit.relayer_core.exchange_model import BTC_PRICE as P
from tests.unit.relayer_core.exchange_model import Venue
from tests.unit.relayer_core.test_conditional import move

COUNT = 3 * MAX_FIRED


def flapping(venue: Venue, count: int = COUNT, price: int = P - 200) -> list[Ack]:
    """Bids that are good while the index price is at least at P, and rest."""
    made = [
        venue.place("maker", "BUY", 1, price, trigger="AT_OR_ABOVE", trigger_price=P, slot=1 + number)
        for number in range(count)
    ]
    assert {ack.order_status for ack in made} == {"OPEN"}
    return made


def resting(venue: Venue) -> int:
    return sum(lots for _, lots in venue.levels()[0])


def moved(venue: Venue) -> int:
    """How many orders the last input said something of."""
    said = venue.core.seq
    venue.tick(1)
    return sum(isinstance(each, OrderOutput) and each.seq > said for each in venue.outputs)


def test_they_leave_in_parts(venue: Venue) -> None:
    orders = flapping(venue)
    move(venue, P - 100)
    assert resting(venue) == COUNT - MAX_FIRED
    assert venue.core.is_firing
    assert moved(venue) == MAX_FIRED
    venue.tick(1)
    venue.tick(1)
    assert resting(venue) == 0
    assert not venue.core.is_firing
    assert {venue.status(each)[0] for each in orders} == {"UNTRIGGERED"}
    # and come back in parts, oldest first
    move(venue, P)
    assert resting(venue) == MAX_FIRED
    assert venue.status(orders[0])[0] == "OPEN"


def test_a_price_that_comes_back_meanwhile_keeps_the_others(venue: Venue) -> None:
    orders = flapping(venue)
    move(venue, P - 100)
    move(venue, P)
    for _ in range(3):
        venue.tick(1)
    assert resting(venue) == COUNT
    assert {venue.status(each)[0] for each in orders} == {"OPEN"}


def test_an_order_that_is_to_leave_matches_nothing(venue: Venue) -> None:
    flapping(venue, 2 * MAX_FIRED + MAX_LEAVING + 1)
    behind = venue.place("other", "BUY", 5, P - 300)
    move(venue, P - 100)
    taken = venue.place("taker", "SELL", 5, P - 300, time_in_force="IOC")
    # The block and the clock have taken away as many as they may; it met one more than an order may.
    assert (taken.filled, taken.reason) == (0, "triggers_leaving")
    venue.tick(1)
    again = venue.place("taker", "SELL", 5, P - 300, time_in_force="IOC")
    assert (again.filled, venue.status(behind)[1]) == (5, 5)
    assert all(isinstance(each, Executed) for each in venue.settle())


def test_an_order_rests_only_where_the_book_is_not_crossed(venue: Venue) -> None:
    flapping(venue, MAX_FIRED + MAX_LEAVING)
    move(venue, P - 100)
    placed = venue.place("taker", "SELL", 5, P - 200)
    assert placed.order_status == "OPEN", placed
    assert venue.levels() == ([], [(P - 200, 5)])


def test_fill_or_kill_leaves_no_trace_of_them(venue: Venue) -> None:
    flapping(venue, MAX_FIRED + 10)
    move(venue, P - 100)
    order = venue.order("taker", "SELL", 5, P - 300, time_in_force="FOK")
    assert venue.place_order(order).reason == "fok_unfillable"


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_restored_core_goes_on_with_it(venue: Venue, steps: int) -> None:
    flapping(venue)
    move(venue, P - 100)
    for _ in range(steps):
        venue.tick(1)
    restored = Core.restore(venue.config, venue.core.dump())
    for _ in range(4):
        said = venue.tick(1)
        assert restored.apply(venue.inputs[-1]) == said
    assert restored.state_hash() == venue.core.state_hash()
    assert resting(venue) == 0


def test_orders_that_are_to_leave_are_not_cancelled_for_the_band(venue: Venue) -> None:
    """Those beyond the band leave at once: they would stand in front of everybody."""
    orders = flapping(venue, price=P + P // 20)
    move(venue, P - P // 15)
    assert {venue.status(each)[0] for each in orders} == {"UNTRIGGERED"}
    assert venue.levels() == ([], [])


def test_cancels_take_those_away_that_are_to_leave(venue: Venue) -> None:
    orders = flapping(venue)
    move(venue, P - 100)
    assert venue.cancel("maker", orders[-1].order_id).ok
    venue.cancel_all("maker")
    venue.tick(1)
    assert {venue.status(each)[0] for each in orders} == {"CANCELED"}
    assert not venue.core.is_firing
