# SPDX-License-Identifier: AGPL-3.0-only
"""What happens when both sides of a match would have one owner: the taker's mode says."""

import pytest

from relayer.core.outputs import Ack
from tests.reference.exchange import Executed
from tests.unit.relayer_core.exchange_model import BTC_PRICE, Venue

P = BTC_PRICE


def state_of(venue: Venue, ack: Ack) -> tuple[str, int, int, str]:
    """status, filled, withheld, reason."""
    state = venue.core.order(bytes.fromhex(ack.order_id[2:]))
    assert state is not None
    return state.status, state.filled, state.withheld, state.reason


def own_between_others(venue: Venue) -> tuple[Ack, Ack, Ack]:
    """Asks of another, of the taker, and of the other again, each a tick worse."""
    return (
        venue.place("maker", "SELL", 3, P),
        venue.place("taker", "SELL", 4, P + 100),
        venue.place("maker", "SELL", 5, P + 200),
    )


def test_cancel_taker_stops_the_taker(venue: Venue) -> None:
    _, own, _ = own_between_others(venue)
    ack = venue.place("taker", "BUY", 12, P + 200)
    assert state_of(venue, ack) == ("CANCELED", 3, 0, "self_trade")
    assert state_of(venue, own) == ("OPEN", 0, 0, "")


def test_cancel_maker_drops_the_resting_one_and_goes_on(venue: Venue) -> None:
    _, own, last = own_between_others(venue)
    ack = venue.place("taker", "BUY", 12, P + 200, self_trade="CANCEL_MAKER")
    assert state_of(venue, own) == ("CANCELED", 0, 0, "self_trade")
    assert state_of(venue, last) == ("FILLED", 5, 0, "")
    assert state_of(venue, ack) == ("OPEN", 8, 0, "")
    assert venue.levels() == ([(P + 200, 4)], [])
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_cancel_maker_that_is_filled_earlier_leaves_own_orders_alone(venue: Venue) -> None:
    _, own, _ = own_between_others(venue)
    venue.place("taker", "BUY", 3, P + 200, self_trade="CANCEL_MAKER")
    assert state_of(venue, own) == ("OPEN", 0, 0, "")


def test_cancel_both(venue: Venue) -> None:
    _, own, last = own_between_others(venue)
    ack = venue.place("taker", "BUY", 12, P + 200, self_trade="CANCEL_BOTH")
    assert state_of(venue, ack) == ("CANCELED", 3, 0, "self_trade")
    assert state_of(venue, own) == ("CANCELED", 0, 0, "self_trade")
    assert state_of(venue, last) == ("OPEN", 0, 0, "")


def test_decrement_takes_the_smaller_off_both(venue: Venue) -> None:
    _, own, last = own_between_others(venue)
    ack = venue.place("taker", "BUY", 15, P + 200, self_trade="DECREMENT")
    assert state_of(venue, own) == ("CANCELED", 0, 4, "self_trade")
    assert state_of(venue, last) == ("FILLED", 5, 0, "")
    assert state_of(venue, ack) == ("OPEN", 8, 4, "")
    assert venue.levels() == ([(P + 200, 3)], [])


def test_decrement_leaves_a_larger_resting_order_its_place(venue: Venue) -> None:
    own = venue.place("taker", "SELL", 9, P)
    behind = venue.place("maker", "SELL", 5, P)
    ack = venue.place("taker", "BUY", 4, P, self_trade="DECREMENT")
    assert state_of(venue, ack) == ("CANCELED", 0, 4, "self_trade")
    assert state_of(venue, own) == ("OPEN", 0, 4, "")
    assert venue.levels() == ([], [(P, 10)])
    venue.place("other", "BUY", 5, P)
    assert state_of(venue, own) == ("FILLED", 5, 4, "")
    assert state_of(venue, behind) == ("OPEN", 0, 0, "")


def test_decrement_of_equals_ends_both(venue: Venue) -> None:
    own = venue.place("taker", "SELL", 4, P)
    ack = venue.place("taker", "BUY", 4, P, self_trade="DECREMENT")
    assert state_of(venue, own) == state_of(venue, ack) == ("CANCELED", 0, 4, "self_trade")
    assert venue.levels() == ([], [])


def test_another_subaccount_of_the_owner_is_the_same_owner(venue: Venue) -> None:
    venue.deposit("taker", subaccount=1)
    own = venue.place("taker", "SELL", 4, P, subaccount=1)
    ack = venue.place("taker", "BUY", 9, P, self_trade="DECREMENT")
    assert state_of(venue, own) == ("CANCELED", 0, 4, "self_trade")
    assert state_of(venue, ack) == ("OPEN", 0, 4, "")


@pytest.mark.parametrize("mode", ["CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH", "DECREMENT"])
def test_a_fill_or_kill_that_does_not_fit_leaves_no_trace(venue: Venue, mode: str) -> None:
    own_between_others(venue)
    before = venue.levels()
    ack = venue.place("taker", "BUY", 12, P + 200, time_in_force="FOK", self_trade=mode)
    assert state_of(venue, ack)[:3] == ("CANCELED", 0, 0)
    assert ack.reason.startswith("fok_unfillable")
    assert venue.levels() == before
    assert venue.core.next_batch() is None


def test_a_fill_or_kill_that_fits_without_its_own_orders_drops_them(venue: Venue) -> None:
    _, own, last = own_between_others(venue)
    ack = venue.place("taker", "BUY", 8, P + 200, time_in_force="FOK", self_trade="CANCEL_MAKER")
    assert state_of(venue, ack) == ("FILLED", 8, 0, "")
    assert state_of(venue, own) == ("CANCELED", 0, 0, "self_trade")
    assert state_of(venue, last) == ("FILLED", 5, 0, "")


def test_a_fill_or_kill_cannot_be_decremented(venue: Venue) -> None:
    own_between_others(venue)
    ack = venue.place("taker", "BUY", 8, P + 200, time_in_force="FOK", self_trade="DECREMENT")
    assert (ack.order_status, ack.reason) == ("CANCELED", "fok_unfillable: self_trade")


def test_margin_of_withheld_lots_is_free_again(venue: Venue) -> None:
    """5% initial margin of 20,000 USDC of lots on both sides of 1,100 USDC: only with what was withheld given back."""
    venue.deposit("small", 1_100)
    lots = 20_000 * 10**6 // P
    venue.place("small", "SELL", lots, P)
    assert venue.place("small", "SELL", lots, P + 100).error_code == "insufficient_margin"
    ack = venue.place("small", "BUY", lots, P, self_trade="DECREMENT")
    assert state_of(venue, ack)[:3] == ("CANCELED", 0, lots)
    assert venue.place("small", "SELL", lots, P + 100).ok


def test_a_rejected_fill_comes_back_without_the_withheld_lots(venue: Venue) -> None:
    resting = venue.place("taker", "SELL", 10, P)
    venue.place("taker", "BUY", 3, P, self_trade="DECREMENT", slot=50)
    bought = venue.place("other", "BUY", 7, P)
    assert state_of(venue, resting) == ("FILLED", 7, 3, "")
    built = venue.build()
    venue.reject(1, 2, "margin", bytes.fromhex(bought.order_id[2:]))
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert state_of(venue, resting) == ("OPEN", 0, 3, "")
    assert venue.levels() == ([], [(P, 7)])


def test_the_mode_of_the_resting_order_says_nothing(venue: Venue) -> None:
    own = venue.place("taker", "SELL", 4, P, self_trade="CANCEL_MAKER")
    ack = venue.place("taker", "BUY", 4, P)
    assert state_of(venue, ack) == ("CANCELED", 0, 0, "self_trade")
    assert state_of(venue, own) == ("OPEN", 0, 0, "")


def test_the_public_record_says_the_mode(venue: Venue) -> None:
    ack = venue.place("taker", "SELL", 4, P, self_trade="DECREMENT", referrer=7)
    state = venue.core.order(bytes.fromhex(ack.order_id[2:]))
    assert state is not None
    assert (state.self_trade, state.referrer, state.max_fee_ppm) == ("DECREMENT", 7, 1_000)
