# SPDX-License-Identifier: AGPL-3.0-only
"""Washing few prints at a high premium: if a print counted for more than it can cost, a hundredth of the open interest
would be enough to set the rate."""

import pytest

from tests.attacks.scenes import Scene
from tests.support.wire import wallet
from tests.support.world import PRICE, USDC


@pytest.mark.parametrize("washed", [10, 20, 40, 200, 1_000])
@pytest.mark.parametrize("premium", [1, 10, 50], ids="{} bp".format)
def test_72_washing_few_prints_never_pays(washed: int, premium: int) -> None:
    scene = Scene()
    honest, one, two = scene.victim, wallet("colluder one"), wallet("colluder two")
    scene.fund(victim=20_000)
    for key in (one, two):
        scene.twin.deposit(key, 20_000 * USDC)
    scene.trade(honest, one, 2_000)  # colluder one is short: it would earn what honest longs pay
    colluders = [(key.address, 0) for key in (one, two)]
    start = sum(scene.twin.model.health(key).equity for key in colluders)
    high = PRICE[1] * (10_000 + premium) // 10_000 // 100 * 100
    for side, other in (("BUY", "SELL"), ("SELL", "BUY")):
        terms = {"limit_price": high, "size": washed // 2}
        orders = [scene.twin.world.signed(two, side, **terms),
                  scene.twin.world.signed(one, other, slot=2, **terms)]  # fmt: skip
        scene.twin.settle(orders, [scene.twin.world.fill(high, washed // 2, taker_fee=200)])
    for _ in range(2):
        scene.twin.warp(3_600)
        scene.price(PRICE[1])
        scene.twin.poke(1)
    scene.twin.check()
    gain = sum(scene.twin.model.health(key).equity for key in colluders) - start
    assert gain <= 0, f"colluders gain {float(gain) / USDC:.4f} USDC with {washed} lots at {premium} bp"
