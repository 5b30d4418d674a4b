# SPDX-License-Identifier: AGPL-3.0-only
"""Nothing leaks: after every step what accounts and keys have reserved is what their resting orders offer, and the
tables of what waits hold live orders only.
"""

from collections import Counter
from random import Random

import pytest

from relayer.core import Core
from relayer.core.orders import LiveOrder, Status
from tests.unit.relayer_core.scenario import Day


def reserved(orders: list[LiveOrder]) -> tuple[Counter[object], Counter[object]]:
    """What resting orders offer: lots and notional by account, market and side, and notional by session key."""
    exposures: Counter[object] = Counter()
    keys: Counter[object] = Counter()
    for order in orders:
        notional = order.resting * order.limit_price
        if order.by_key:
            keys[order.account.owner, order.signer] += notional
        if not order.reduce_only:
            exposures[*order.account.key, order.venue.id, order.sell, "lots"] += order.resting
            exposures[*order.account.key, order.venue.id, order.sell, "notional"] += notional
    return exposures, keys


def check(core: Core) -> None:
    state = core._state
    resting = []
    for entry in state.accounts.values():
        for order in entry.open_orders.values():
            assert state.orders[order.id] is order
            assert order.status is (Status.UNTRIGGERED if order.level is None else Status.OPEN)
            if order.level is not None:
                assert order.resting == order.remaining > 0
                resting.append(order)
    assert all(order.id in order.account.open_orders for order in state.orders.values() if order.is_live)
    kept: Counter[object] = Counter()
    for entry in state.accounts.values():
        for market_id, sums in entry.exposures.items():
            kept[*entry.key, market_id, False, "lots"] = sums.buy_lots
            kept[*entry.key, market_id, False, "notional"] = sums.buy_notional
            kept[*entry.key, market_id, True, "lots"] = sums.sell_lots
            kept[*entry.key, market_id, True, "notional"] = sums.sell_notional
    exposures, keys = reserved(resting)
    assert +kept == exposures
    assert +Counter(state.key_reserved) == keys
    waiting = state.waiting
    assert not waiting.touched
    for table in (*waiting.groups.values(), *waiting.children.values(), waiting.backlog, waiting.successors):
        assert all(order.is_live for order in table.values())
    assert all(state.orders[order_id].is_live for order_id in waiting.successors)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_reserved_is_what_rests(seed: int) -> None:
    day = Day(Random(f"reservations {seed}"))
    for _ in range(150):
        day.step()
        check(day.venue.core)
