# SPDX-License-Identifier: AGPL-3.0-only
"""When batches go, what settlement is taken to carry, what gas is offered, how long the gas money lasts."""

import pytest

from relayer.chain_watch.answers import History
from relayer.settlement.fees import Fees, market_of
from relayer.settlement.gas_money import GasMoney
from relayer.settlement.pacing import FIXED_GAS, LEAST_CAPACITY, Capacity, Pace, Splitter

GWEI = 10**9


def _pace(fills_per_s: float, delay_gwei: int = 10_000) -> Pace:
    pace = Pace(delay_gwei * GWEI, 0.0)
    for tick in range(1, 1_001):
        pace.note(int(tick * fills_per_s / 10), tick / 10)
    return pace


def test_rare_fills_go_alone_and_frequent_ones_together() -> None:
    assert _pace(0.05).wanted(GWEI) == 1
    assert _pace(1).wanted(GWEI) == 4
    assert _pace(10).wanted(GWEI) == 13
    assert _pace(1_000).wanted(GWEI) == 32, "a batch holds no more"


def test_dear_gas_makes_larger_batches_and_dear_waiting_smaller_ones() -> None:
    sizes = [_pace(1).wanted(base_fee) for base_fee in (0, GWEI // 100, GWEI, 10 * GWEI, 100 * GWEI)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (1, 32)
    assert _pace(1, delay_gwei=1_000_000).wanted(GWEI) == 1


def test_the_wanted_size_is_the_cheapest() -> None:
    """By brute force: gas for batches plus the price of waiting, per second."""
    rate, base_fee, delay = 4, 2 * GWEI, 10_000 * GWEI

    def cost(size: int) -> float:
        return rate * FIXED_GAS * base_fee / size + size * delay / 2

    assert abs(_pace(rate).wanted(base_fee) - min(range(1, 33), key=cost)) <= 1


def test_the_rate_fades_when_fills_stop() -> None:
    pace = _pace(10)
    assert pace.wanted(GWEI) > 10
    pace.note(1_000, 200.0)
    assert pace.wanted(GWEI) == 1


def test_capacity_is_what_lands_in_half_a_window() -> None:
    capacity = Capacity(4, 30, 16_384)
    assert capacity.fills(0.0) == 0, "nothing measured, nothing said"
    for _ in range(50):
        capacity.landed(12.0)
    assert capacity.fills(0.0) == 4 * 32 * 30 // 12
    for _ in range(50):
        capacity.landed(0.01)
    assert capacity.fills(0.0) == 16_384, "bounded"


def test_a_batch_that_does_not_land_lowers_capacity() -> None:
    capacity = Capacity(4, 30, 16_384)
    capacity.landed(2.0)
    assert capacity.fills(5.0) == 1_920, "a few seconds mean nothing"
    assert capacity.fills(30.0) == 128
    assert capacity.fills(600.0) == LEAST_CAPACITY, "something must be left to measure with"


def test_capacity_is_no_more_than_what_lands_while_others_wait() -> None:
    """Batches that are lost take no time of those that land."""
    capacity = Capacity(4, 30, 16_384)
    capacity.landed(2.0)
    for _ in range(200):
        capacity.looked(1, 500, 0.2)
    assert capacity.fills(0.0) == 150, "five a second"
    capacity.looked(0, 10, 0.2)
    assert capacity.fills(0.0) == 1_920, "when few wait, what lands says nothing"


@pytest.mark.parametrize(("now", "before", "news"), [(100, 1_024, True), (1_000, 1_024, False), (0, 1_024, False)])
def test_small_changes_of_capacity_are_not_journaled(now: int, before: int, news: bool) -> None:
    assert Capacity.is_news(now, before) is news


def test_splitting_finds_one_of_32_in_five_steps_and_recovers() -> None:
    splitter, sizes = Splitter(), []
    fills = 32
    while fills > 1:
        splitter.undone(fills)
        fills = splitter.most_fills
        sizes.append(fills)
    assert sizes == [16, 8, 4, 2, 1]
    assert splitter.is_searching
    for _ in range(5):
        splitter.landed()
    assert not splitter.is_searching


def test_fees_are_bounded_whatever_the_node_says() -> None:
    cap, tip_cap = 500 * GWEI, 5 * GWEI
    lied = market_of(History(10**30, (10**30,)), cap, tip_cap).fees
    assert lied == Fees(cap, tip_cap)
    low = market_of(History(0, (0,)), cap, tip_cap).fees
    assert low == Fees(GWEI // 100, GWEI // 100)
    usual = market_of(History(20 * GWEI, (GWEI, 2 * GWEI, 9 * GWEI)), cap, tip_cap).fees
    assert usual == Fees(42 * GWEI, 2 * GWEI)


def test_a_replacement_offers_enough_for_the_node_and_the_market() -> None:
    first = Fees(42 * GWEI, 2 * GWEI)
    second = first.bumped(Fees(30 * GWEI, GWEI), 500 * GWEI)
    assert second.replaces(first)
    assert first.bumped(Fees(90 * GWEI, 3 * GWEI), 500 * GWEI).max_fee_wei == 90 * GWEI
    assert not Fees(500 * GWEI, 5 * GWEI).bumped(first, 500 * GWEI).replaces(Fees(500 * GWEI, 5 * GWEI))


def test_gas_money_is_counted_in_batches() -> None:
    money, market = GasMoney(4), market_of(History(GWEI, (GWEI,)), 500 * GWEI, 5 * GWEI)
    for _ in range(100):
        money.used(1_700_000)
    held = 4 * 10_300_000 * 3 * GWEI
    assert money.batches(0, market) == 0
    assert money.batches(held // 2, market) == 0, "nodes want to see the gas limits of what is under way"
    price = 1_700_000 * 2 * GWEI
    assert abs(money.batches(held + 100 * price, market) - 100) <= 2
