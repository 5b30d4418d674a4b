# SPDX-License-Identifier: AGPL-3.0-only
"""A node whose answers get lost, come late, cut off, as nonsense or as lies: the keeper tries again, and liquidates."""

from __future__ import annotations

import pytest

from keeper.ports import ChainError
from keeper.rpc_chain import RpcChain
from ouro.errors import OuroError
from tests.chaos.hostile import HostileNode
from tests.integration.keeper.conftest import BTC, LIQUIDATOR, LONG, LOTS, PRICE, Venue
from tests.support.waiting import eventually
from tests.support.wire import PositionWord


def held(venue: Venue, account: str) -> int:
    return PositionWord.unpack(venue.system.exchange.call.position(account, 0, BTC)).size


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_89_a_keeper_outlives_a_hostile_node(venue: Venue, seed: int) -> None:
    node = HostileNode(venue.node.port, seed, 0.2, delay_s=0.2)
    chain = RpcChain(node.url)
    spoilt = 0
    try:
        keeper = venue.keeper(chain=chain)
        venue.push(PRICE * 96 // 100)

        def liquidated() -> bool:
            nonlocal spoilt
            try:
                keeper.round()
            except (ChainError, OuroError):
                spoilt += 1
            return held(venue, LIQUIDATOR.address) > 0

        eventually(liquidated, "the liquidation")
        for _ in range(10):
            liquidated()
        assert spoilt
        assert held(venue, LIQUIDATOR.address) + held(venue, LONG.address) == LOTS
    finally:
        node.close()
        chain.close()
