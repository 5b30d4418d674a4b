# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks on the core, by name; numbers are those of the list of attack cases."""

import dataclasses

import pytest

from relayer.core.inputs import Cancel, CancelAll, CancelAllAfter
from tests.reference.exchange import Executed
from tests.unit.relayer_core.exchange_model import BTC, BTC_PRICE, EXCHANGE, Venue, address

P = BTC_PRICE


def test_86_a_given_up_batch_that_lands_after_a_reorg_is_not_settled_twice(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 5, P)
    first = venue.build()
    orders, fills = venue.orders, venue.fills
    fork = len(venue.blocks)
    # the first try is undone (it ran out of gas, say): its nonce is used up, and a second batch takes the fill
    venue.mine()
    venue.drop_batch(first.batch_no)
    second = venue.build()
    # in the reorganised chain the first one settles after all, and the second stands on a head that is gone
    venue.revert(fork)
    outcomes = venue.land(first, orders, fills)
    assert isinstance(outcomes[0], Executed)
    venue.mine()
    venue.drop_batch(second.batch_no)
    assert venue.fills_said()[1][-1] == "confirmed"
    assert venue.core.next_batch() is None
    assert venue.core.unsettled == 0


def test_86_a_given_up_batch_that_lands_and_is_final_takes_nothing_down(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 5, P)
    first = venue.build()
    orders, fills = venue.orders, venue.fills
    fork = len(venue.blocks)
    venue.mine()
    venue.drop_batch(first.batch_no)
    second = venue.build()
    venue.revert(fork)
    venue.land(first, orders, fills)
    venue.mine(final=fork + 1)
    venue.drop_batch(second.batch_no)
    assert venue.fills_said()[1][-1] == "final"
    assert venue.core.next_batch() is None


def test_86_a_fill_whose_batch_is_given_up_twice_by_reorgs_is_settled_in_the_end(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 5, P)
    first = venue.build()
    orders, fills = venue.orders, venue.fills
    fork = len(venue.blocks)
    venue.mine()
    venue.drop_batch(first.batch_no)
    venue.revert(fork)
    venue.land(first, orders, fills)
    venue.mine()
    assert venue.core.next_batch() is None
    # gone again, and nobody carries it: it waits for a new batch
    venue.revert(fork)
    assert venue.core.unsettled == 1
    batch = venue.core.next_batch()
    assert batch is not None
    assert batch.fill_ids == (1,)
    (outcome,) = venue.settle()
    assert isinstance(outcome, Executed)
    assert venue.core.unsettled == 0


def test_88_the_fills_of_another_operator_are_not_taken_for_ours(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    venue.place("taker", "BUY", 5, P)
    ours = venue.build()
    orders, fills = venue.orders, venue.fills
    # whoever else may settle (a new key, say) counts his fills from 1 too
    theirs = Venue()
    for role in ("maker", "taker", "other"):
        theirs.deposit(role)
    theirs.place("other", "SELL", 3, P)
    theirs.place("taker", "BUY", 3, P, time_in_force="IOC")
    foreign = theirs.build()
    venue.land(foreign, theirs.orders, theirs.fills)
    venue.logs.pop()
    venue.log(
        EXCHANGE,
        "BatchSettled",
        operator=address("another operator"),
        prev=foreign.prev,
        next=foreign.next,
        settled=1,
        rejected=0,
        fees=0,
    )
    venue.mine()
    assert venue.fills_said()[1] == ["matched", "submitted"]
    assert [batch.number for batch in venue.core.pending_batches()] == [ours.batch_no]
    # theirs moved the accounts nevertheless, and ours lands as if nothing had been
    (outcome,) = venue.land(ours, orders, fills)
    assert isinstance(outcome, Executed)
    venue.mine()
    assert venue.fills_said()[1] == ["matched", "submitted", "confirmed"]
    assert venue.core.withdrawable(address("taker"), 0) == venue.model.withdrawable((address("taker"), 0))


@pytest.mark.parametrize(("side", "other", "gap"), [("BUY", "SELL", 85), ("SELL", "BUY", 115)])
def test_26_one_lot_left_beyond_the_price_band_does_not_close_the_market(
    venue: Venue, side: str, other: str, gap: int
) -> None:
    bait = venue.place("other", side, 1, P)
    venue.tick(1_000)
    index = P * gap // 100 // 100 * 100
    venue.push(1, index)
    venue.mine()
    assert venue.status(bait) == ("CANCELED", 0, "price_band")
    assert venue.place("maker", side, 5, index).order_status == "OPEN"
    taken = venue.place("taker", other, 5, index)
    assert (taken.order_status, taken.filled) == ("FILLED", 5)
    assert all(isinstance(each, Executed) for each in venue.settle())


def test_86_a_reorg_takes_back_the_listing_of_a_market(venue: Venue) -> None:
    fork = len(venue.blocks)
    venue.log(EXCHANGE, "MarketListed", market=3, ticker="SOL-USD", size_decimals=2, price_decimals=4, tick=100)
    venue.mine()
    venue.revert(fork)
    venue.mine()
    assert venue.place("maker", "SELL", 5, P).order_status == "OPEN"


def test_28_an_order_signed_at_the_edge_of_the_future_is_not_matched_before_the_chain_takes_it(venue: Venue) -> None:
    venue.place("maker", "SELL", 10, P)
    venue.tick(999 - venue.now_ms % 1_000 - 1)
    ahead = venue.order("taker", "BUY", 5, P, time_in_force="IOC")
    # the block has whole seconds and is rarely as late as our clock
    ahead = dataclasses.replace(ahead, generation=venue.now_ms + 10_000)
    ack = venue.place_order(ahead)
    if ack.ok:
        (outcome,) = venue.settle()
        assert isinstance(outcome, Executed)
    else:
        assert ack.error_code == "signed_in_future"


def test_strangers_leave_nothing_in_memory(venue: Venue) -> None:
    state = venue.core._state
    before = len(state.accounts), len(state.nonces), len(state.disarms)
    for number in range(50):
        stranger = address(f"stranger {number}")
        assert venue.command(CancelAllAfter(stranger, number, 60, stranger, 1)).error_code == "unknown_account"
        assert venue.command(CancelAll(stranger, 0, "", stranger, 1)).cancelled == ()
        assert venue.command(Cancel(stranger, 0, bytes(32), stranger, 1)).error_code == "order_not_found"
        assert venue.command(Cancel(address("maker"), 0, bytes(32), stranger, 1)).error_code == "order_not_found"
    assert (len(state.accounts), len(state.nonces), len(state.disarms)) == before


def test_renewing_the_switch_does_not_fill_memory(venue: Venue) -> None:
    for _ in range(5_000):
        venue.tick(1)
        assert venue.cancel_all_after("maker", 86_400).ok
    venue.tick(1)
    assert len(venue.core._state.disarms) < 3_000
    venue.place("maker", "SELL", 5, P)
    venue.tick(86_400_000)
    assert venue.levels() == ([], [])


def test_26_orders_that_a_new_tick_leaves_between_ticks_leave_the_book(venue: Venue) -> None:
    resting = venue.place("maker", "SELL", 5, P)
    fields = {
        name: getattr(BTC, name) for name in ("imf", "mmf", "band", "max_open_interest", "max_price_age", "state")
    }
    venue.log(EXCHANGE, "MarketChanged", market=1, tick=300, liquidation_floor=BTC.liquidation_floor, **fields)
    venue.mine()
    assert P % 300
    assert venue.status(resting) == ("CANCELED", 0, "off_tick")


def test_a_resting_order_is_no_free_option_on_the_next_price(venue: Venue) -> None:
    """A maker whose equity barely covers his order would see its fills rejected by the first move against him."""
    venue.deposit("edge", 119)
    resting = venue.place("edge", "SELL", 1_000, P)
    assert resting.ok
    # the price drifts towards the edge while nobody trades
    venue.push(1, P + 2_000)
    venue.mine()
    assert venue.status(resting) == ("CANCELED", 0, "insufficient_margin")
    assert venue.place("taker", "BUY", 1_000, P, time_in_force="IOC").filled == 0


def test_dust_withdrawals_cannot_make_every_block_slow(venue: Venue) -> None:
    asked = [venue.reserve("maker", 1, nonce=nonce) for nonce in range(40)]
    assert [ack.ok for ack in asked] == [True] * 32 + [False] * 8
    assert asked[-1].error_code == "too_many_withdrawals"
    venue.tick(61_000)
    venue.mine()
    venue.mine(final=len(venue.blocks) + 1)
    assert venue.reserve("maker", 1, nonce=100).ok
