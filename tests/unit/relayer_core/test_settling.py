# SPDX-License-Identifier: AGPL-3.0-only
"""Fills on their way to finality: batches, confirmations, rejections by class, reorgs, backlog."""

import pytest

from relayer.core import InputRefusedError
from relayer.core.inputs import BatchBuilt, ChainBlock
from relayer.core.outputs import Ack, WantSettlement
from tests.reference.exchange import Executed
from tests.unit.relayer_core.exchange_model import BTC_PRICE, EXCHANGE, ORACLE, USDC, VAULT, Venue, address

P = BTC_PRICE


def test_matched_submitted_confirmed_final(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    venue.place("taker", "BUY", 5, P)
    assert any(isinstance(output, WantSettlement) for output in venue.outputs)
    (outcome,) = venue.settle()
    assert isinstance(outcome, Executed)
    assert venue.core.unsettled == 0
    venue.mine(final=len(venue.blocks))
    assert venue.fills_said() == {1: ["matched", "submitted", "confirmed", "final"]}
    assert venue.core.chain_head == venue.head
    assert venue.core.pending_batches() == []


def test_85_a_batch_that_is_final_when_first_seen_is_not_settled_again(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    venue.place("taker", "BUY", 5, P)
    venue.settle(mine=False)
    # as after a restart: the chain went on meanwhile, and the block is final before the core hears of it
    venue.mine(final=len(venue.blocks) + 1)
    assert venue.fills_said() == {1: ["matched", "submitted", "final"]}
    assert venue.core.chain_head == venue.head
    assert (venue.core.unsettled, venue.core.pending_batches(), venue.core.next_batch()) == (0, [], None)


def test_shadow_equals_the_chain_after_settlement(venue: Venue) -> None:
    venue.place("maker", "SELL", 50, P)
    venue.place("taker", "BUY", 30, P, time_in_force="IOC")
    shadow = venue.core.withdrawable(address("taker"), 0)
    venue.settle()
    assert venue.core.withdrawable(address("taker"), 0) == shadow == venue.model.withdrawable((address("taker"), 0))


def test_batch_holds_32_fills_and_whole_one_shots(venue: Venue) -> None:
    for _ in range(50):
        venue.place("maker", "SELL", 1, P)
    venue.place("taker", "BUY", 20, P, time_in_force="IOC")
    venue.place("taker", "BUY", 20, P, time_in_force="IOC")
    batch = venue.core.next_batch()
    assert batch is not None
    assert batch.fill_ids == tuple(range(1, 21))
    venue.settle()
    batch = venue.core.next_batch()
    assert batch is not None
    assert batch.fill_ids == tuple(range(21, 41))


def test_limit_taker_may_spread_over_batches(venue: Venue) -> None:
    for _ in range(40):
        venue.place("maker", "SELL", 1, P)
    venue.place("taker", "BUY", 40, P)
    batch = venue.core.next_batch()
    assert batch is not None
    assert (len(batch.fills), len(batch.orders)) == (32, 33)
    venue.settle()
    venue.settle()
    assert venue.core.unsettled == 0


def test_guilty_order_loses_its_rest_and_innocent_maker_grows_back_in_place(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 10, P)
    later = venue.place("other", "SELL", 10, P)
    taker = venue.place("taker", "BUY", 4, P, time_in_force="IOC")
    built = venue.build()
    guilty = bytes.fromhex(taker.order_id[2:])
    venue.reject(1, 1, "bad signature", guilty)
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert venue.status(maker) == ("OPEN", 0, "")
    assert venue.status(taker)[:2] == ("CANCELED", 0)
    assert "bad signature" in venue.status(taker)[2]
    assert venue.levels() == ([], [(P, 20)])
    venue.place("taker", "BUY", 10, P)
    assert venue.status(maker)[:2] == ("FILLED", 10), "it kept its place before the other"
    assert venue.status(later)[:2] == ("OPEN", 0)


def test_innocent_maker_that_was_filled_enters_again_at_the_tail(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 4, P)
    taker = venue.place("taker", "BUY", 4, P, time_in_force="IOC")
    other = venue.place("other", "SELL", 10, P)
    built = venue.build()
    venue.reject(1, 1, "overfilled", bytes.fromhex(taker.order_id[2:]))
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert venue.status(maker) == ("OPEN", 0, "")
    venue.place("taker", "BUY", 10, P)
    assert venue.status(other)[:2] == ("FILLED", 10)
    assert venue.status(maker)[:2] == ("OPEN", 0)


def test_post_only_that_would_cross_is_not_restored(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 4, P, post_only=True)
    taker = venue.place("taker", "BUY", 4, P, time_in_force="IOC")
    venue.place("other", "BUY", 10, P)
    built = venue.build()
    venue.reject(1, 1, "overfilled", bytes.fromhex(taker.order_id[2:]))
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert venue.status(maker) == ("CANCELED", 0, "post_only_would_cross")


def test_replaced_order_is_not_restored(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 4, P, slot=3)
    taker = venue.place("taker", "BUY", 4, P, time_in_force="IOC")
    venue.place("maker", "SELL", 4, P + 500, slot=3)
    built = venue.build()
    venue.reject(1, 1, "overfilled", bytes.fromhex(taker.order_id[2:]))
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert venue.status(maker)[0] == "CANCELED"


def test_guilty_account_loses_all_its_open_orders(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 10, P)
    elsewhere = venue.place("maker", "BUY", 10, 1_600_000, market=2)
    taker = venue.place("taker", "BUY", 4, P)
    built = venue.build()
    venue.reject(1, 2, "margin", bytes.fromhex(maker.order_id[2:]))
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert venue.status(maker)[:2] == ("CANCELED", 0)
    assert venue.status(elsewhere)[0] == "CANCELED"
    assert venue.status(taker) == ("OPEN", 0, ""), "the innocent taker rests now"
    assert venue.levels() == ([(P, 4)], [])


def test_market_fault_is_tried_again_once_final(venue: Venue) -> None:
    venue.place("maker", "SELL", 4, P)
    venue.place("taker", "BUY", 4, P)
    built = venue.build()
    venue.reject(1, 3, "price band")
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert venue.core.next_batch() is None, "not before a reorg can no longer bring the first batch back"
    venue.mine(final=len(venue.blocks))
    assert venue.core.next_batch() is not None
    (outcome,) = venue.settle()
    assert isinstance(outcome, Executed)
    assert venue.fills_said()[1][-3:] == ["matched", "submitted", "confirmed"]


def test_market_fault_is_undone_after_the_window(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 4, P)
    taker = venue.place("taker", "BUY", 4, P)
    built = venue.build()
    venue.reject(1, 3, "price band")
    venue.batch_settled(built, 0, 1)
    venue.mine()
    venue.tick(60_000)
    assert venue.fills_said()[1][-1] == "rejected"
    assert venue.status(maker) == ("OPEN", 0, "")
    assert venue.status(taker)[0] == "CANCELED"
    assert venue.core.unsettled == 0


def test_one_shot_with_a_settled_fill_is_not_tried_again(venue: Venue) -> None:
    venue.place("maker", "SELL", 4, P)
    venue.place("other", "SELL", 4, P)
    taker = venue.place("taker", "BUY", 8, P, time_in_force="IOC")
    built = venue.build()
    venue.land(built, fills=venue.fills[:1])
    venue.reject(2, 3, "open interest cap")
    venue.mine()
    assert venue.fills_said()[2][-1] == "rejected"
    assert venue.status(taker)[:2] == ("CANCELED", 4)


def flags(venue: Venue) -> list[int]:
    batch = venue.core.next_batch()
    return [] if batch is None else [fill.flags for fill in batch.fills]


def grouped(venue: Venue) -> tuple[Ack, list[Ack]]:
    """A fill-or-kill order that takes two lots from each of three makers, and an order after it."""
    makers = [venue.place(role, "SELL", 2, P) for role in ("maker", "other", "maker")]
    taker = venue.place("taker", "BUY", 6, P, time_in_force="FOK")
    assert taker.order_status == "FILLED"
    return taker, makers


def test_the_fills_of_a_fill_or_kill_order_are_one_group(venue: Venue) -> None:
    grouped(venue)
    venue.place("maker", "SELL", 2, P)
    venue.place("taker", "BUY", 2, P, time_in_force="FOK")
    assert flags(venue) == [1, 1, 0, 0]
    batch = venue.core.next_batch()
    assert batch is not None
    assert batch.largest_group == 3
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_an_immediate_order_is_no_group(venue: Venue) -> None:
    for _ in range(3):
        venue.place("maker", "SELL", 2, P)
    venue.place("taker", "BUY", 6, P, time_in_force="IOC")
    assert flags(venue) == [0, 0, 0]


@pytest.mark.parametrize("guilty", [0, 1, 2])
def test_a_fill_or_kill_order_fails_with_any_of_its_fills(venue: Venue, guilty: int) -> None:
    taker, makers = grouped(venue)
    built = venue.build()
    for number, maker in enumerate(makers):
        if number == guilty:
            venue.reject(number + 1, 1, "cancelled", bytes.fromhex(maker.order_id[2:]))
        else:
            venue.reject(number + 1, 4, "group failed")
    venue.batch_settled(built, 0, 3)
    venue.mine()
    assert venue.status(taker)[:2] == ("CANCELED", 0)
    assert venue.status(makers[guilty]) == ("CANCELED", 0, "fill rejected: cancelled")
    innocent = [maker for number, maker in enumerate(makers) if number != guilty]
    assert [venue.status(maker)[:2] for maker in innocent] == [("OPEN", 0)] * 2
    assert (venue.core.unsettled, venue.core.next_batch()) == (0, None)
    assert venue.levels() == ([], [(P, 4)])


def test_a_group_that_the_market_refused_is_tried_again_as_one(venue: Venue) -> None:
    taker, _ = grouped(venue)
    built = venue.build()
    venue.reject(1, 3, "stale price")
    for number in (2, 3):
        venue.reject(number, 4, "group failed")
    venue.batch_settled(built, 0, 3)
    venue.mine()
    assert venue.core.next_batch() is None, "not before that is final"
    venue.mine(final=len(venue.blocks))
    assert flags(venue) == [1, 1, 0]
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())
    assert venue.status(taker)[:2] == ("FILLED", 6)


def test_a_group_is_given_up_as_one(venue: Venue) -> None:
    taker, makers = grouped(venue)
    built = venue.build()
    venue.reject(1, 3, "stale price")
    for number in (2, 3):
        venue.reject(number, 4, "group failed")
    venue.batch_settled(built, 0, 3)
    venue.mine()
    venue.tick(61_000)
    venue.push(1, P)
    venue.mine()
    assert venue.status(taker)[:2] == ("CANCELED", 0)
    assert [venue.status(maker)[:2] for maker in makers] == [("OPEN", 0)] * 3
    assert venue.core.unsettled == 0


def wind_up(venue: Venue, state: int) -> None:
    terms = {"imf": 50_000, "mmf": 30_000, "band": 100_000, "tick": 100, "max_open_interest": 10**8}
    rest = {"max_price_age": 120, "liquidation_floor": 5_000}
    venue.log(EXCHANGE, "MarketChanged", market=1, state=state, **terms, **rest)


def test_trading_ends_with_the_market(venue: Venue) -> None:
    resting = venue.place("maker", "SELL", 2, P)
    wind_up(venue, 4)
    venue.mine()
    assert venue.status(resting) == ("CANCELED", 0, "market_settling")
    refused = venue.place("taker", "BUY", 1, P)
    assert (refused.http_status, refused.error_code) == (422, "market_settling")


def test_a_settled_market_counts_at_its_price_for_ever(venue: Venue) -> None:
    venue.place("maker", "SELL", 100, P)
    venue.place("taker", "BUY", 100, P)
    venue.settle()
    wind_up(venue, 5)
    venue.log(EXCHANGE, "SettlementFixed", market=1, price=P + 10_000, everyone_from=0)
    venue.mine()
    venue.tick(10**9)
    venue.push(1, P * 2)
    venue.mine()
    cash = venue.model.accounts[address("taker"), 0].cash
    assert venue.core.withdrawable(address("taker"), 0) == min(
        cash, cash - fee_of(100) + 10**6 - margin_of(100, P + 10_000)
    )
    for role, sign in (("taker", 1), ("maker", -1)):
        gain = sign * 10**6 - (fee_of(100) if sign > 0 else 0)
        figures = {"account": address(role), "subaccount": 0, "market": 1}
        venue.log(EXCHANGE, "PositionClosed", realised=gain, cash=cash + gain, **figures)
        venue.log(EXCHANGE, "PositionSettled", size=sign * 100, covered=0, **figures)
    venue.mine()
    assert venue.core.withdrawable(address("taker"), 0) == cash - fee_of(100) + 10**6


def fee_of(lots: int) -> int:
    return lots * P * 350 // 10**6


def margin_of(lots: int, price: int) -> int:
    return lots * price * 5 // 100


def test_dropped_batch_gives_its_fills_back(venue: Venue) -> None:
    venue.place("maker", "SELL", 4, P)
    venue.place("taker", "BUY", 4, P)
    built = venue.build()
    assert venue.core.next_batch() is None
    assert venue.core.next_prev == built.next
    venue.drop_batch(built.batch_no)
    assert venue.core.next_prev == bytes(32)
    venue.settle()
    assert venue.fills_said()[1] == ["matched", "submitted", "matched", "submitted", "confirmed"]


def test_fee_bump_keeps_the_batch(venue: Venue) -> None:
    venue.place("maker", "SELL", 4, P)
    venue.place("taker", "BUY", 4, P)
    built = venue.build()
    venue.apply(BatchBuilt(built.batch_no, built.nonce, built.fill_ids, built.prev, built.next, b"higher fee"))
    assert venue.core.pending_batches()[0].raw_txs == [b"raw", b"higher fee"]
    with pytest.raises(InputRefusedError):
        venue.apply(BatchBuilt(built.batch_no, built.nonce, (1, 2), built.prev, built.next, b"other"))


def test_confirmed_fill_is_submitted_again_by_a_reorg_and_lands_again(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    venue.place("taker", "BUY", 5, P)
    height = len(venue.blocks)
    venue.settle(mine=False)
    logs = list(venue.logs)
    venue.mine()
    assert venue.core.unsettled == 0
    before = venue.core.withdrawable(address("taker"), 0)
    venue.revert(height)
    assert (venue.core.unsettled, venue.core.chain_head) == (1, bytes(32))
    assert len(venue.core.pending_batches()) == 1
    assert venue.core.withdrawable(address("taker"), 0) <= before
    venue.mine()
    venue.logs = logs
    venue.mine()
    assert venue.core.unsettled == 0
    assert venue.fills_said()[1] == ["matched", "submitted", "confirmed", "submitted", "confirmed"]


def test_rejected_fill_may_settle_after_a_reorg(venue: Venue) -> None:
    maker = venue.place("maker", "SELL", 10, P)
    taker = venue.place("taker", "BUY", 4, P, time_in_force="IOC")
    built = venue.build()
    height = len(venue.blocks)
    venue.reject(1, 1, "signed in the future", bytes.fromhex(taker.order_id[2:]))
    venue.batch_settled(built, 0, 1)
    venue.mine()
    assert venue.levels() == ([], [(P, 10)])
    venue.revert(height)
    assert venue.levels() == ([], [(P, 6)])
    venue.land(built)
    venue.mine()
    assert venue.fills_said()[1] == ["matched", "submitted", "rejected", "submitted", "confirmed"]
    assert venue.status(maker)[:2] == ("OPEN", 4)
    assert venue.status(taker)[1] == 4


def test_reorg_of_a_deposit_cancels_orders_that_no_longer_fit(venue: Venue) -> None:
    height = len(venue.blocks)
    venue.deposit("newcomer", 100)
    placed = venue.place("newcomer", "BUY", 100, P)
    assert placed.ok
    venue.revert(height)
    assert venue.status(placed) == ("CANCELED", 0, "insufficient_margin")


def test_withdrawal_request_counts_when_first_seen(venue: Venue) -> None:
    placed = venue.place("taker", "BUY", 50_000, P)
    who = address("taker")
    venue.log(
        VAULT, "WithdrawalRequested", id=1, account=who, subaccount=0, amount=9_000 * USDC, to=who, ready_at=2**31
    )
    venue.mine()
    assert venue.status(placed) == ("CANCELED", 0, "insufficient_margin")
    venue.log(VAULT, "WithdrawalCancelled", id=1, account=who)
    venue.mine()
    assert venue.place("taker", "BUY", 50_000, P).ok


def test_promised_withdrawal_is_freed_when_it_lands_or_lapses(venue: Venue) -> None:
    who = address("taker")
    venue.reserve("taker", 9_000, nonce=5, seconds=30)
    assert venue.core.withdrawable(who, 0) == 1_000 * USDC
    venue.model.withdraw((who, 0), 9_000 * USDC)
    venue.log(EXCHANGE, "Debited", account=who, subaccount=0, amount=9_000 * USDC, cash=1_000 * USDC)
    venue.log(VAULT, "Withdrawn", account=who, subaccount=0, amount=9_000 * USDC, to=who, id_or_nonce=5, instant=True)
    venue.mine()
    assert venue.core.withdrawable(who, 0) == 1_000 * USDC
    venue.reserve("taker", 1_000, nonce=6, seconds=30)
    assert venue.core.withdrawable(who, 0) == 0
    venue.tick(31_000)
    venue.mine()
    assert venue.core.withdrawable(who, 0) == 1_000 * USDC


def test_deposit_counts_after_the_configured_confirmations() -> None:
    careful = Venue(credit_confirmations=3)
    careful.deposit("taker")
    assert careful.place("taker", "BUY", 5, P).error_code == "insufficient_margin"
    careful.mine()
    careful.mine()
    assert careful.place("taker", "BUY", 5, P).ok


def test_backlog_stops_takers_that_open_risk() -> None:
    narrow = Venue(max_unsettled_fills=2)
    narrow.deposit("maker")
    narrow.deposit("taker")
    for _ in range(4):
        narrow.place("maker", "SELL", 1, P)
    stopped = narrow.place("taker", "BUY", 3, P)
    assert (stopped.filled, stopped.reason) == (2, "settlement_backlog")
    ack = narrow.place("taker", "BUY", 1, P)
    assert (ack.http_status, ack.error_code) == (503, "settlement_backlog")
    assert narrow.place("taker", "BUY", 1, P - 300).ok, "what only rests passes"
    assert narrow.place("maker", "BUY", 1, P - 200).ok
    assert narrow.place("taker", "SELL", 1, P - 200).filled == 1, "reductions pass"
    narrow.settle()
    assert narrow.place("taker", "BUY", 1, P).filled == 1


def test_an_old_unconfirmed_fill_stops_openings(venue: Venue) -> None:
    venue.place("maker", "SELL", 5, P)
    venue.place("taker", "BUY", 1, P)
    venue.tick(30_000)
    assert venue.place("taker", "BUY", 1, P).error_code == "settlement_backlog"


def test_orphan_block_is_refused_without_a_trace(venue: Venue) -> None:
    before = venue.core.state_hash()
    with pytest.raises(InputRefusedError):
        venue.core.apply(ChainBlock(99, b"\1" * 32, b"\2" * 32, venue.now_ms // 1000))
    assert venue.core.state_hash() == before


def test_orders_that_no_longer_fit_after_a_price_move_are_cancelled(venue: Venue) -> None:
    venue.deposit("poor", 100)
    placed = venue.place("poor", "SELL", 800, P)
    assert placed.ok
    venue.push(1, P * 105 // 100)
    venue.mine()
    assert venue.status(placed) == ("CANCELED", 0, "insufficient_margin")


def test_events_of_other_contracts_are_not_believed(venue: Venue) -> None:
    who = address("stranger")
    venue.log(who, "Credited", account=who, subaccount=0, amount=10**12, cash=10**12)
    venue.mine()
    assert venue.place("stranger", "BUY", 1, P).error_code == "insufficient_margin"


def test_a_market_listed_on_chain_can_be_traded(venue: Venue) -> None:
    venue.log(EXCHANGE, "MarketListed", market=3, ticker="SOL-USD", size_decimals=1, price_decimals=5, tick=100)
    venue.log(
        EXCHANGE,
        "MarketChanged",
        market=3,
        imf=100_000,
        mmf=60_000,
        band=100_000,
        tick=100,
        max_open_interest=10**8,
        max_price_age=120,
        liquidation_floor=5_000,
        state=1,
    )
    venue.log(ORACLE, "PricePushed", market=3, price=2_000_000, published_at=venue.now_ms // 1000)
    venue.mine()
    order = venue.order("maker", "BUY", 5, 2_000_000).but(market="SOL-USD")
    assert venue.place_order(order).ok
    assert venue.levels("SOL-USD") == ([(2_000_000, 5)], [])


def test_parameter_changes_hold_at_once(venue: Venue) -> None:
    venue.log(
        EXCHANGE,
        "MarketChanged",
        market=1,
        imf=50_000,
        mmf=30_000,
        band=100_000,
        tick=1_000,
        max_open_interest=10**8,
        max_price_age=120,
        liquidation_floor=5_000,
        state=3,
    )
    venue.mine()
    assert venue.place("maker", "BUY", 5, P + 100).error_code == "off_tick"
    assert venue.place("maker", "BUY", 5, P).error_code == "market_halted"
