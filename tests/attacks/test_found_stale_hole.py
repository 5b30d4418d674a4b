# SPDX-License-Identifier: AGPL-3.0-only
"""A hole that only a stale price makes is not paid: with the price back the account would keep what others gave."""

import pytest

from tests.attacks.scenes import Scene
from tests.support.abi import RevertError
from tests.support.world import PRICE, USDC, account_key

MAX_AGE_S = 120


@pytest.fixture
def scene() -> Scene:
    """5,000 USDC hold 230 USDC of BTC and 64,000 of ETH; ETH fell by a tenth, and is stale now."""
    scene = Scene()
    scene.fund(victim=5_000)
    scene.twin.donate(scene.maker, 50_000 * USDC)
    scene.trade(scene.victim, scene.maker, 100)
    scene.trade(scene.victim, scene.maker, 40_000, price=PRICE[2], market=2)
    scene.price(PRICE[2] * 90 // 100, market=2)
    scene.twin.warp(MAX_AGE_S + 1)
    scene.price(PRICE[1])
    return scene


def test_48_a_hole_at_a_stale_price_is_not_paid(scene: Scene) -> None:
    reserves = scene.twin.model.insurance
    assert scene.liquidate()  # the leg that has a price is taken over all the same
    assert scene.size(scene.victim) == 0
    assert scene.twin.model.insurance == reserves
    scene.price(PRICE[2] * 90 // 100, market=2)
    assert scene.liquidate(market=2)  # and the other one carries the whole hole
    assert scene.twin.model.insurance < reserves
    assert scene.twin.world.exchange.call.cash(scene.victim.address, 0) >= 0


def test_48_nobody_is_deleveraged_at_a_stale_price(scene: Scene) -> None:
    exchange = scene.twin.world.exchange.send(scene.liquidator.address)
    with pytest.raises(RevertError, match="stale leg"):
        exchange.deleverage(scene.victim.address, 0, 1, [account_key(scene.maker)], [100])
