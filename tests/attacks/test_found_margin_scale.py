# SPDX-License-Identifier: AGPL-3.0-only
"""Open interest is pumped for a moment, past the bounds of margin or around a take-over."""

import pytest

from tests.support.wire import wallet
from tests.support.world import PRICE, USDC, World, rejections

LOWER, UPPER = 1, 10  # 10,000 and 100,000 USDC


@pytest.fixture
def scaled() -> World:
    world = World(funds=10_000 * USDC)
    world.exchange.send(world.governance).set_margin_scale(1, LOWER, UPPER)
    return world


def test_67_one_fill_does_not_jump_over_the_scale(scaled: World) -> None:
    """dYdX YFI 2023: beyond 100,000 USDC of open interest margin is 100%, yet one fill opens 160,000 on 10,000."""
    lots = 160_000 * USDC // PRICE[1]
    orders = [scaled.signed(scaled.taker, "BUY", size=lots), scaled.signed(scaled.maker, "SELL", slot=2, size=lots)]
    found = rejections(scaled.settle(orders, [scaled.fill(size=lots)]))
    assert [rejection.reason for rejection in found] == ["margin"]


@pytest.mark.parametrize("pumped", [False, True])
def test_64_pumping_open_interest_takes_over_no_more_of_a_victim(pumped: bool, scaled: World) -> None:
    """Two friends open and close 96,000 USDC around a take-over: the victim loses 978 lots instead of 516."""
    world = scaled
    victim, long, short = wallet("victim"), wallet("pumping long"), wallet("pumping short")
    world.system.fund(victim.address, 120 * USDC)
    for key in (long, short):
        world.system.fund(key.address, 120_000 * USDC)
    world.trade(victim, world.maker, 1_000)
    world.push({1: 2_240_000})
    lots = 96_000 * USDC // 2_240_000
    if pumped:
        world.trade(long, short, lots, 2_240_000)
    logs = world.exchange.send(world.maker.address).liquidate(victim.address, 0, 1, 10**6, 0).logs
    [log] = [log for log in logs if log.name == "Liquidated"]
    assert log.size == 516
