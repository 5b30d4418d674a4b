# SPDX-License-Identifier: AGPL-3.0-only
"""Ways in which strangers, with borrowed money, could stand in the door."""

import pytest

from tests.support.wire import wallet
from tests.support.world import USDC, World

HOUR = 3_600


@pytest.mark.parametrize("borrowed", [1_000_000 * USDC, 4_000_000 * USDC])
def test_33_borrowed_money_that_goes_round_does_not_fill_the_caps(world: World, borrowed: int) -> None:
    """In one transaction: borrow, deposit, have an old request of one's own paid, give back. It costs a flash loan.

    A request sets nothing aside and can be paid in parts, so a single one serves for ever; and a deposit frees nothing
    of empty buckets, while the payment fills them.
    """
    griefer = wallet("griefer").address
    world.usdc.send(griefer).approve(world.vault.address, 2**255)
    world.vault.send(griefer).request_withdrawal(0, 2**64 - 1, griefer)
    world.vault.send(world.taker.address).request_withdrawal(0, 100_000 * USDC, world.taker.address)
    world.warp(world.system.withdrawal_delay)
    world.usdc.send(griefer).mint(griefer, borrowed)
    for _ in range(3):
        before = world.vault.call.outflow_room()
        for _ in range(4):
            lent = min(borrowed, world.balance(griefer))
            world.vault.send(griefer).deposit(griefer, 0, lent)
            world.vault.send(griefer).execute_withdrawal(1)
        assert world.vault.call.outflow_room() >= before
        world.warp(HOUR // 10)
    world.vault.send(wallet("anyone").address).execute_withdrawal(2)
    assert world.balance(world.taker.address) == 100_000 * USDC
