# SPDX-License-Identifier: AGPL-3.0-only
"""Washing prints at the edge of the price band, where the fee on them is smallest."""

from dataclasses import replace

import pytest

from tests.attacks.scenes import Scene
from tests.support.system import BTC, ETH
from tests.support.wire import wallet
from tests.support.world import PRICE, USDC


@pytest.mark.parametrize("band", [100_000, 500_000])
def test_72_washing_at_the_edge_of_the_band(band: int) -> None:
    scene = Scene((replace(BTC, band=band), ETH))
    honest, one, two = scene.victim, wallet("colluder one"), wallet("colluder two")
    scene.fund(victim=20_000)
    for key in (one, two):
        scene.twin.deposit(key, 20_000 * USDC)
    scene.trade(honest, one, -2_000)  # colluder one holds every long
    colluders = [(key.address, 0) for key in (one, two)]
    start = sum(scene.twin.model.health(key).equity for key in colluders)
    low = PRICE[1] * (1_000_000 - band) // 1_000_000 // 100 * 100
    for side, other in (("SELL", "BUY"), ("BUY", "SELL")):
        terms = {"limit_price": low, "size": 500}
        orders = [scene.twin.world.signed(two, side, **terms), scene.twin.world.signed(one, other, slot=2, **terms)]
        scene.twin.settle(orders, [scene.twin.world.fill(low, 500, taker_fee=200)])
    for _ in range(2):
        scene.twin.warp(3_600)
        scene.price(PRICE[1])
        scene.twin.poke(1)
    gain = sum(scene.twin.model.health(key).equity for key in colluders) - start
    assert gain <= 0, f"gain {float(gain) / USDC:.4f}"
