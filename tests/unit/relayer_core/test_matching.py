# SPDX-License-Identifier: AGPL-3.0-only
"""Price-time priority and what each kind of order does."""

import pytest

from relayer.core.outputs import FillOutput
from tests.unit.relayer_core.exchange_model import BTC_PRICE, Venue

P = BTC_PRICE


def taken(venue: Venue) -> list[tuple[str, int, int]]:
    """(maker's order, price, size) of every fill so far."""
    return [(o.maker_order_id, o.price, o.size) for o in venue.outputs if isinstance(o, FillOutput)]


def test_best_price_first_then_oldest(venue: Venue) -> None:
    worse = venue.place("maker", "SELL", 5, P + 200)
    first = venue.place("maker", "SELL", 5, P + 100)
    second = venue.place("other", "SELL", 5, P + 100)
    ack = venue.place("taker", "BUY", 12, P + 200)
    assert (ack.http_status, ack.order_status, ack.filled) == (201, "FILLED", 12)
    assert taken(venue) == [(first.order_id, P + 100, 5), (second.order_id, P + 100, 5), (worse.order_id, P + 200, 2)]
    assert venue.levels() == ([], [(P + 200, 3)])


def test_fill_ids_rise_by_one(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    venue.place("other", "SELL", 5, P)
    venue.place("taker", "BUY", 10, P)
    assert [o.fill_id for o in venue.outputs if isinstance(o, FillOutput)] == [1, 2]


def test_the_rest_of_a_limit_order_rests_at_its_limit(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    ack = venue.place("taker", "BUY", 8, P + 100)
    assert (ack.order_status, ack.filled) == ("OPEN", 5)
    assert venue.levels() == ([(P + 100, 3)], [])


def test_immediate_or_cancel_never_rests(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    ack = venue.place("taker", "BUY", 8, P, time_in_force="IOC")
    assert (ack.order_status, ack.filled, ack.reason) == ("CANCELED", 5, "ioc_remainder")
    assert venue.levels() == ([], [])


def test_fill_or_kill_leaves_no_trace_unless_filled_whole(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    ack = venue.place("taker", "BUY", 8, P, time_in_force="FOK")
    assert (ack.order_status, ack.filled, ack.reason) == ("CANCELED", 0, "fok_unfillable")
    assert venue.levels() == ([], [(P, 5)])
    assert venue.place("taker", "BUY", 5, P, time_in_force="FOK").order_status == "FILLED"


def test_post_only_that_would_cross_is_refused(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    ack = venue.place("taker", "BUY", 5, P, post_only=True)
    assert (ack.http_status, ack.error_code) == (422, "post_only_would_cross")
    assert venue.place("taker", "BUY", 5, P - 100, post_only=True).order_status == "OPEN"


def test_own_order_in_the_way_cancels_the_taker(venue: Venue) -> None:
    venue.place("other", "SELL", 5, P)
    venue.place("maker", "SELL", 5, P)
    ack = venue.place("maker", "BUY", 10, P)
    assert (ack.order_status, ack.filled, ack.reason) == ("CANCELED", 5, "self_trade")
    assert venue.levels() == ([], [(P, 5)])


def test_own_order_counts_across_subaccounts(venue: Venue) -> None:
    venue.deposit("maker", subaccount=1)
    venue.place("maker", "SELL", 5, P)
    ack = venue.place("maker", "BUY", 5, P, subaccount=1)
    assert (ack.order_status, ack.reason) == ("CANCELED", "self_trade")


def test_one_shot_taker_is_bounded_to_one_batch(venue: Venue) -> None:
    for _ in range(40):
        venue.place("maker", "SELL", 1, P)
    ack = venue.place("taker", "BUY", 40, P, time_in_force="IOC")
    assert (ack.filled, ack.reason) == (32, "batch_limit")
    assert venue.place("taker", "BUY", 8, P, time_in_force="FOK").order_status == "FILLED"


def test_fill_or_kill_takes_no_more_makers_than_settle_together(venue: Venue) -> None:
    for _ in range(17):
        venue.place("maker", "SELL", 1, P)
    ack = venue.place("taker", "BUY", 17, P, time_in_force="FOK")
    assert (ack.order_status, ack.filled, ack.reason) == ("CANCELED", 0, "fok_unfillable: batch_limit")
    assert venue.place("taker", "BUY", 16, P, time_in_force="FOK").order_status == "FILLED"


def test_reduce_only_needs_a_position_and_never_flips_it(venue: Venue) -> None:
    ack = venue.place("taker", "SELL", 5, P, reduce_only=True)
    assert (ack.http_status, ack.error_code) == (422, "reduce_only_no_position")
    venue.place("maker", "SELL", 5, P)
    venue.place("taker", "BUY", 5, P)
    venue.place("maker", "BUY", 20, P)
    ack = venue.place("taker", "SELL", 20, P, reduce_only=True)
    assert (ack.filled, ack.order_status, ack.reason) == (5, "CANCELED", "reduce_only")
    assert venue.levels() == ([(P, 15)], [])


def test_resting_reduce_only_fills_only_what_is_held(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    venue.place("taker", "BUY", 5, P)
    reducing = venue.place("taker", "SELL", 5, P + 100, reduce_only=True)
    venue.place("maker", "BUY", 3, P)
    venue.place("taker", "SELL", 3, P)
    ack = venue.place("maker", "BUY", 5, P + 100)
    assert (ack.filled, ack.order_status) == (2, "OPEN")
    assert venue.status(reducing) == ("CANCELED", 2, "reduce_only")
    assert venue.levels() == ([(P + 100, 3)], []), "not crossed by what the reduce-only order could not fill"


def test_nothing_matches_outside_the_band(venue: Venue) -> None:
    left_behind = venue.place("maker", "SELL", 5, P)
    venue.push(1, P * 120 // 100)
    venue.mine()
    assert venue.status(left_behind) == ("CANCELED", 0, "price_band")
    ack = venue.place("taker", "BUY", 5, P + 100_000)
    assert (ack.order_status, ack.filled) == ("OPEN", 0)


def test_a_sparse_book_is_no_slower(venue: Venue) -> None:
    """Two levels with 100,000 empty ticks between them: one step."""
    venue.place("maker", "SELL", 1, P - 100_000)
    venue.place("maker", "SELL", 1, P + 100_000)
    assert venue.place("taker", "BUY", 2, P + 100_000).filled == 2


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_following_the_records_gives_the_book(venue: Venue, side: str) -> None:
    other = "SELL" if side == "BUY" else "BUY"
    for step in range(5):
        venue.place("maker", side, 5, P - 100 * step if side == "BUY" else P + 100 * step)
    venue.place("taker", other, 12, P - 300 if other == "SELL" else P + 300)
    bids, asks = venue.levels()
    assert venue.log_book() == (dict(bids), dict(asks))
