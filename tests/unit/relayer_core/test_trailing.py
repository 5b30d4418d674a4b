# SPDX-License-Identifier: AGPL-3.0-only
"""Trailing stops: amends that are signed in advance and carried out when the index price gets there."""

import msgspec
import pytest

from relayer.core import Core
from relayer.core.outputs import Ack
from tests.reference.exchange import Executed
from tests.unit.relayer_core.exchange_model import BTC_PRICE as P
from tests.unit.relayer_core.exchange_model import Venue
from tests.unit.relayer_core.test_conditional import BELOW, long, move, raw, reason, status

STEP = 1_000


def trail(venue: Venue, *, revisions: int = 3, immediate: bool = True) -> list[Ack]:
    """A stop 10,000 below the index price, and amends that follow in steps of 1,000."""
    placed = [
        venue.place(
            "taker",
            "SELL",
            10,
            P - 30_000,
            trigger=BELOW,
            trigger_price=P - 10_000,
            reduce_only=True,
            immediate=immediate,
        )
    ]
    for number in range(1, revisions + 1):
        placed.append(arm(venue, placed[-1], P + number * STEP, P - 10_000 + number * STEP))
    assert all(each.ok for each in placed), placed
    return placed


def arm(venue: Venue, before: Ack, arm_price: int, trigger_price: int) -> Ack:
    return venue.amend(before.order_id, arm_price=arm_price, trigger_price=trigger_price)


def triggers(venue: Venue, chain: list[Ack]) -> list[int]:
    """The triggers of those revisions that are not amends in waiting any more, nor have ended."""
    slot = venue.core._state.slots
    live = {use.order_id for use in slot.values()}
    found = [venue.core.order(raw(each)) for each in chain if raw(each) in live]
    return [order.trigger_price for order in found if order is not None and order.status == "UNTRIGGERED"]


def test_follows_the_price_up_and_never_down(venue: Venue) -> None:
    long(venue, "taker", 10)
    chain = trail(venue)
    assert {each.order_status for each in chain} == {"UNTRIGGERED"}
    assert triggers(venue, chain) == [P - 10_000]
    for price, trigger in ((P + 999, 0), (P + 1_000, 1), (P, 1), (P + 2_999, 2), (P - 5_000, 2), (P + 9_000, 3)):
        move(venue, price)
        assert triggers(venue, chain) == [P - 10_000 + trigger * STEP]
    assert [reason(venue, each) for each in chain] == ["replaced", "replaced", "replaced", ""]
    venue.place("maker", "BUY", 10, P - 15_000)
    move(venue, P - 7_000)
    assert venue.status(chain[-1]) == ("FILLED", 10, "")
    assert all(isinstance(each, Executed) for each in venue.settle())
    assert venue.core.unsettled == 0


def test_a_jump_carries_out_all_that_it_passes(venue: Venue) -> None:
    long(venue, "taker", 10)
    chain = trail(venue)
    move(venue, P + 2_500)
    assert triggers(venue, chain) == [P - 10_000 + 2 * STEP]


def test_an_amend_whose_price_is_there_is_carried_out_at_once(venue: Venue) -> None:
    long(venue, "taker", 10)
    [stop] = trail(venue, revisions=0)
    moved = arm(venue, stop, P - 100, P - 9_000)
    assert (moved.http_status, moved.order_status) == (200, "UNTRIGGERED")
    assert reason(venue, stop) == "replaced"


def test_all_of_it_is_called_a_trailing_stop(venue: Venue) -> None:
    for each in trail(venue):
        order = venue.core.order(raw(each))
        assert order is not None
        assert (order.type, order.private) == ("TRAILING_STOP", True)


@pytest.mark.parametrize("cancelled", [0, 1, 2])
def test_a_revision_that_ends_takes_those_after_it_along(venue: Venue, cancelled: int) -> None:
    chain = trail(venue)
    venue.cancel("taker", chain[cancelled].order_id)
    reasons = [reason(venue, each) for each in chain]
    assert reasons[cancelled:] == ["user_cancelled", *["amended_order_ended"] * (3 - cancelled)]
    assert [status(venue, each) for each in chain[:cancelled]] == ["UNTRIGGERED"] * cancelled


def test_a_stop_that_fires_ends_its_amends(venue: Venue) -> None:
    long(venue, "taker", 10)
    venue.place("maker", "BUY", 10, P - 15_000)
    chain = trail(venue)
    move(venue, P - 10_000)
    assert [reason(venue, each) for each in chain[1:]] == ["amended_order_ended"] * 3


def test_what_is_filled_carries_over(venue: Venue) -> None:
    long(venue, "taker", 10)
    venue.place("maker", "BUY", 4, P - 30_000)
    chain = trail(venue, immediate=False)
    move(venue, P - 10_000)
    assert venue.status(chain[0]) == ("OPEN", 4, "")
    venue.settle()
    move(venue, P + 1_500)
    assert venue.status(chain[1]) == ("UNTRIGGERED", 4, "")
    venue.place("maker", "BUY", 10, P - 20_000)
    move(venue, P - 9_500)
    assert venue.status(chain[1]) == ("FILLED", 10, "")
    assert all(isinstance(each, Executed) for each in venue.settle())


def test_the_slot_stays_with_the_live_one(venue: Venue) -> None:
    chain = trail(venue)
    refused = venue.amend(chain[3].order_id, trigger_price=P - 8_000)
    assert (refused.http_status, refused.error_code) == (409, "amend_waits")
    at_once = venue.amend(chain[0].order_id, revision=9, trigger_price=P - 8_000)
    assert at_once.ok
    assert [reason(venue, each) for each in chain] == ["replaced", *["amended_order_ended"] * 3]


def test_what_cannot_be(venue: Venue) -> None:
    chain = trail(venue, revisions=2)
    known = venue.place_input(
        venue.signed[raw(chain[2])].order.but(revision=11),
        replaces=raw(chain[2]),
        arm_price=P + 5_000,
        expected_filled=0,
    )
    refused = [
        venue.amend(chain[1].order_id, revision=7, arm_price=P + 9_000),
        venue.amend(chain[2].order_id, arm_price=P + 2_000),
        venue.amend(chain[2].order_id, revision=2, trigger_price=P, arm_price=P + 9_000),
        venue.amend(chain[2].order_id, arm_price=P + 9_000, slot=5_000),
        venue.command(known),
    ]
    assert [(each.http_status, each.error_code) for each in refused] == [
        (409, "amend_waits"),
        (400, "bad_arm_price"),
        (409, "stale_revision"),
        (422, "amend_mismatch"),
        (400, "expected_filled_waits"),
    ]


def test_a_chain_is_bounded(venue: Venue) -> None:
    chain = trail(venue, revisions=50)
    refused = arm(venue, chain[-1], P + 51 * STEP, P)
    assert (refused.http_status, refused.error_code) == (422, "too_many_amends")
    move(venue, P + 1_000)
    assert arm(venue, chain[-1], P + 51 * STEP, P).ok


def test_amends_in_waiting_count_among_the_open_orders() -> None:
    venue = Venue(max_open_orders=3)
    venue.deposit("taker")
    chain = trail(venue, revisions=2)
    refused = arm(venue, chain[-1], P + 3 * STEP, P)
    assert (refused.http_status, refused.error_code) == (422, "too_many_orders")


def test_survives_a_snapshot(venue: Venue) -> None:
    long(venue, "taker", 10)
    chain = trail(venue)
    venue.core = Core.restore(venue.config, venue.core.dump())
    move(venue, P + 2_000)
    assert triggers(venue, chain) == [P - 10_000 + 2 * STEP]
    assert msgspec.structs.asdict(venue.core.order(raw(chain[3])))["status"] == "UNTRIGGERED"
