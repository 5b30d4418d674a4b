# SPDX-License-Identifier: AGPL-3.0-only
"""Events become rows: positions and their history, open interest, funding sums, the order of effects."""

from __future__ import annotations

from indexer.views.apply import apply_block
from indexer.views.rows import MemoryRows
from ouro import events
from ouro.codec import PositionWord
from ouro.ledger import in_effect_order
from ouro.units import SCALE
from tests.unit.indexer.chain import EXCHANGE, LONG_SIDE, SHORT_SIDE, Blocks

FLAT = PositionWord(0, 0, 0)


def started() -> tuple[Blocks, MemoryRows]:
    """A market with a price."""
    blocks, rows = Blocks(), MemoryRows()
    blocks.list_market()
    blocks.price(2_300_000)
    apply_block(rows, blocks.done())
    return blocks, rows


def word(size: int, money: int) -> PositionWord:
    """A position whose trades brought in `money` micro-USDC, at indices of 0."""
    return PositionWord(size, money * SCALE, 0)


def test_a_position_opens_reduces_and_closes() -> None:
    blocks, rows = started()
    blocks.fill(1, 10, 100, word(10, -1_000), word(-10, 1_000))
    blocks.settled()
    apply_block(rows, blocks.done())
    [opened] = [row for key, row in rows.states["positions"].items() if key[0] == LONG_SIDE]
    assert (opened["status"], opened["size"], opened["sum_open"], opened["open_notional"]) == ("OPEN", 10, 10, 1_000)
    assert rows.states["market_states"][1,]["open_interest"] == 10

    blocks.fill(2, -4, 110, word(6, -560), word(-6, 560))
    blocks.add(events.PositionClosed, account=LONG_SIDE, subaccount=0, market=1, realised=100, cash=5_100)
    blocks.add(events.PositionClosed, account=SHORT_SIDE, subaccount=0, market=1, realised=-100, cash=4_900)
    blocks.fill(3, -6, 110, word(0, 100), word(0, -100))
    blocks.settled(2)
    apply_block(rows, blocks.done())
    [closed] = [row for key, row in rows.states["positions"].items() if key[0] == LONG_SIDE]
    assert (closed["status"], closed["size"], closed["sum_close"], closed["close_notional"]) == ("CLOSED", 0, 10, 1_100)
    assert (closed["realised"], closed["net_funding"], closed["closed_block"]) == (100, 0, 3)
    assert rows.states["position_words"][LONG_SIDE, 0, 1]["quote_scaled"] == 0
    assert rows.states["accounts"][LONG_SIDE, 0]["cash"] == 5_100
    assert rows.states["market_states"][1,]["open_interest"] == 0
    taken = [row for row in rows.facts["fills"] if row["liquidity"] == "TAKER"]
    assert [(row["size_before"], row["size_after"], row["realised"]) for row in taken] == [
        (0, 10, 0),
        (10, 6, 40),
        (6, 0, 60),
    ]


def test_a_flip_keeps_both_exposures() -> None:
    blocks, rows = started()
    blocks.fill(1, 10, 100, word(10, -1_000), word(-10, 1_000))
    blocks.fill(2, -15, 100, word(-5, 500), word(5, -500))
    blocks.settled(2)
    apply_block(rows, blocks.done())
    history = [row for key, row in sorted(rows.states["positions"].items()) if key[0] == LONG_SIDE]
    assert [(row["number"], row["side"], row["status"], row["size"]) for row in history] == [
        (1, "LONG", "CLOSED", 0),
        (2, "SHORT", "OPEN", -5),
    ]
    assert rows.states["market_states"][1,]["open_interest"] == 5


def test_one_candle_a_resolution_and_none_for_takeovers() -> None:
    blocks, rows = started()
    blocks.fill(1, 10, 100, word(10, -1_000), word(-10, 1_000))
    blocks.settled()
    apply_block(rows, blocks.done())
    assert {key[1] for key in rows.states["candles"]} == {60, 300, 900, 1_800, 3_600, 14_400, 86_400}
    blocks.add(
        events.Liquidated,
        account=LONG_SIDE,
        liquidator=SHORT_SIDE,
        subaccount=0,
        liquidator_subaccount=1,
        market=1,
        size=10,
        price=90,
        insurance_fee=2,
        covered=0,
        position=word(0, -102),
        liquidator_position=word(10, -900),
    )
    apply_block(rows, blocks.done())
    assert all(candle["trades"] == 1 for candle in rows.states["candles"].values())
    assert [row["type"] for row in rows.facts["trades"]] == ["LIMIT", "LIQUIDATED"]
    given = rows.states["positions"][LONG_SIDE, 0, 1, 1]
    assert (given["status"], given["realised"], given["fees"]) == ("LIQUIDATED", -102, 2)


def test_indices_of_a_call_come_before_what_it_did_with_them() -> None:
    blocks, _ = started()
    blocks.fill(1, 1, 100, word(1, -100), word(-1, 100))
    blocks.add(events.FundingAccrued, market=1, g_long=5, g_short=5, rate=1, index_price=100, at=blocks.time_s)
    blocks.settled()
    blocks.fill(2, 1, 100, word(2, -200), word(-2, 200))
    blocks.settled()
    kinds = [type(event).__name__ for event in in_effect_order(blocks.done().events)]
    assert kinds == ["FundingAccrued", "Fill", "BatchSettled", "Fill", "BatchSettled"]


def test_funding_sums_count_paid_fills_of_the_running_hour() -> None:
    blocks, rows = started()
    blocks.fill(1, 10, 2_311_500, word(10, -23_115_000), word(-10, 23_115_000), taker_fee_ppm=350)
    blocks.fill(2, 10, 2_311_500, word(20, -46_230_000), word(-20, 46_230_000), taker_fee_ppm=100)
    blocks.settled(2)
    apply_block(rows, blocks.done())
    state = rows.states["market_states"][1,]
    assert (state["volume_sum"], state["premium_sum"]) == (10, 10 * 5_000)
    later = (blocks.time_s // 3_600 + 1) * 3_600
    blocks.add(events.FundingAccrued, market=1, g_long=7, g_short=7, rate=9, index_price=2_300_000, at=later)
    apply_block(rows, blocks.done())
    state = rows.states["market_states"][1,]
    assert (state["volume_sum"], state["premium_sum"], state["rate"], state["hour"]) == (0, 0, 9, later // 3_600)
    [accrual] = rows.facts["funding_accruals"]
    assert accrual["opens_hour"] is True


def test_cash_past_the_vault_is_a_transfer() -> None:
    blocks, rows = started()
    blocks.add(events.Donated, payer=LONG_SIDE, amount=70)
    blocks.add(events.InsuranceChanged, delta=70, balance=70)
    blocks.transaction += 1
    blocks.add(events.FeesWithdrawn, account=SHORT_SIDE, subaccount=0, amount=5)
    blocks.add(events.Credited, account=SHORT_SIDE, subaccount=0, amount=5, cash=5)
    apply_block(rows, blocks.done())
    moved = [(row["type"], row["amount"], row["counterparty"]) for row in rows.facts["transfers"]]
    assert moved == [("TRANSFER_IN", 5, EXCHANGE)]
    assert rows.states["totals"]["insurance",]["amount"] == 70


def test_a_block_without_events_leaves_no_row() -> None:
    rows = MemoryRows()
    apply_block(rows, Blocks().done())
    assert rows.facts == {}
