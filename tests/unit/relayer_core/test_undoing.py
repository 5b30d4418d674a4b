# SPDX-License-Identifier: AGPL-3.0-only
"""Fills undone by the relayer itself: that no batch can carry, or that waited too long. And the measured backlog."""

import pytest

from relayer.core import InputRefusedError
from relayer.core.inputs import SettlementCapacity
from tests.unit.relayer_core.exchange_model import BTC_PRICE, EXCHANGE, Venue, address

P = BTC_PRICE


def test_a_fill_that_no_batch_can_carry_ends_both_its_orders(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 10, P)
    taker = venue.place("taker", "BUY", 6, P)
    venue.place("other", "BUY", 2, P)
    venue.drop_batch(venue.build().batch_no)
    venue.undo(1)
    assert venue.fills_said()[1] == ["matched", "submitted", "matched", "rejected"]
    assert venue.status(maker) == ("CANCELED", 2, "fill rejected: settlement reverts")
    assert venue.status(taker) == ("CANCELED", 0, "fill rejected: settlement reverts")
    batch = venue.core.next_batch()
    assert batch is not None
    assert batch.fill_ids == (2,), "the rest settles"
    venue.settle()
    assert venue.core.unsettled == 0


def test_what_settles_together_is_undone_together(venue: Venue) -> None:
    for _ in range(2):
        venue.place("maker", "SELL", 1, P)
    venue.place("taker", "BUY", 2, P, time_in_force="FOK")
    with pytest.raises(InputRefusedError, match="undone together"):
        venue.undo(1)
    batch = venue.core.next_batch(1)
    assert batch is not None
    assert batch.fill_ids == (1, 2), "one at most, but these cannot part"
    venue.undo(*batch.fill_ids)
    assert venue.core.unsettled == 0


def test_only_what_waits_can_be_undone(venue: Venue) -> None:
    venue.place("maker", "SELL", 1, P)
    venue.place("taker", "BUY", 1, P)
    venue.build()
    for fill_id in (1, 7):
        with pytest.raises(InputRefusedError, match="does not wait for settlement"):
            venue.undo(fill_id)


def test_a_batch_can_be_made_smaller(venue: Venue) -> None:
    for _ in range(4):
        venue.place("maker", "SELL", 1, P)
    venue.place("taker", "BUY", 4, P)
    batch = venue.core.next_batch(2)
    assert batch is not None
    assert batch.fill_ids == (1, 2)


def test_a_fill_older_than_the_window_is_undone(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 4, P)
    taker = venue.place("taker", "BUY", 4, P)
    venue.tick(59_000)
    assert venue.fills_said()[1] == ["matched"]
    venue.tick(1_000)
    assert venue.fills_said()[1] == ["matched", "rejected"]
    assert venue.status(maker) == ("OPEN", 0, "")
    assert venue.status(taker) == ("CANCELED", 0, "fill rejected: settlement window passed")
    assert (venue.core.unsettled, venue.core.next_batch()) == (0, None)


def test_a_fill_under_way_is_not_undone_before_its_batch_is_given_up(venue: Venue) -> None:
    venue.place("maker", "SELL", 4, P)
    venue.place("taker", "BUY", 4, P)
    built = venue.build()
    venue.tick(61_000)
    assert venue.fills_said()[1] == ["matched", "submitted"], "it may land any moment"
    venue.drop_batch(built.batch_no)
    venue.tick()
    assert venue.fills_said()[1][-1] == "rejected"


def test_an_undone_fill_that_lands_after_all_counts(venue: Venue) -> None:
    """A reorg lets the batch land that was given up: the chain has the last word."""
    venue.place("maker", "SELL", 4, P)
    taker = venue.place("taker", "BUY", 4, P)
    height = len(venue.blocks)
    built = venue.build()
    venue.mine()
    venue.drop_batch(built.batch_no)
    venue.undo(1)
    venue.revert(height)
    assert venue.fills_said()[1][-1] == "rejected", "the chain never said so: a reorg does not take it back"
    venue.land(built)
    venue.mine()
    assert venue.fills_said()[1][-1] == "confirmed"
    assert venue.status(taker)[1] == 4


def test_undone_fills_are_forgotten_once_final(venue: Venue) -> None:
    venue.place("maker", "SELL", 4, P)
    venue.place("taker", "BUY", 4, P)
    venue.undo(1)
    venue.mine(final=len(venue.blocks))
    with pytest.raises(InputRefusedError, match="does not wait"):
        venue.undo(1)
    assert venue.core.unsettled == 0


def test_a_drop_is_no_try(venue: Venue) -> None:
    """Only what the chain looked at counts: after many drops a fill that the market refused is still tried again."""
    venue.place("maker", "SELL", 4, P)
    venue.place("taker", "BUY", 4, P)
    for _ in range(10):
        venue.drop_batch(venue.build().batch_no)
    built = venue.build()
    venue.reject(1, 3, "price band")
    venue.batch_settled(built, 0, 1)
    venue.mine()
    venue.mine(final=len(venue.blocks))
    assert venue.core.next_batch() is not None


def test_the_backlog_follows_measured_capacity(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    venue.apply(SettlementCapacity(2))
    for _ in range(2):
        assert venue.place("taker", "BUY", 1, P).ok
    refused = venue.place("taker", "BUY", 1, P)
    assert (refused.http_status, refused.error_code) == (503, "settlement_backlog")
    resting = venue.place("taker", "BUY", 1, P - 100)
    assert resting.ok, "an order that rests opens nothing yet"
    assert venue.place("taker", "SELL", 1, P - 100, reduce_only=True, time_in_force="IOC").ok, "reductions pass"
    assert venue.cancel("taker", resting.order_id).ok, "cancels pass"
    venue.apply(SettlementCapacity(50))
    assert venue.place("taker", "BUY", 1, P).ok
    with pytest.raises(InputRefusedError, match="at least one"):
        venue.apply(SettlementCapacity(0))


@pytest.mark.parametrize("ending", ["expired", "replaced", "cancelled on chain"])
def test_an_order_that_ended_meanwhile_does_not_come_back(venue: Venue, ending: str) -> None:
    """Filled whole, then its fill is rejected for the other side's sake, when it may rest no more."""
    expiry = {"expiry": venue.now_ms // 1000 + 63} if ending == "expired" else {}
    maker = venue.place("maker", "SELL", 4, P, slot=9, **expiry)
    taker = venue.place("taker", "BUY", 4, P, time_in_force="IOC")
    built = venue.build()
    if ending == "expired":
        venue.tick(5_000)
        venue.push(1, P)
    elif ending == "replaced":
        venue.place("maker", "SELL", 1, P + 900, slot=9)
    else:
        stamp = venue.now_ms // 1000 + 1
        venue.log(
            EXCHANGE, "AllCancelled", account=address("maker"), subaccount=0, stamp=stamp, effective_at=stamp + 60
        )
        venue.mine()
    venue.reject(1, 1, "overfilled", bytes.fromhex(taker.order_id[2:]))
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert venue.status(maker)[:2] == ("CANCELED", 0)
    assert venue.fills_said()[1] == ["matched", "submitted", "rejected"], "every turn is said"
