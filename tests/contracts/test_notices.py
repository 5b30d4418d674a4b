# SPDX-License-Identifier: AGPL-3.0-only
"""Announcing what governance does, before it does it."""

import pytest
from eth_utils.crypto import keccak

from tests.support.abi import RevertError
from tests.support.world import NOTICE, World


def test_a_call_waits_for_its_notice_and_uses_it_up(world: World) -> None:
    governance = world.exchange.send(world.governance)
    call = world.exchange.data("set_oracle", world.usdc.address)
    with pytest.raises(RevertError, match="no notice"):
        governance.set_oracle(world.usdc.address)
    [announced] = governance.announce(call).named("Announced")
    assert announced.args == {"hash": keccak(call), "call": call, "ready_at": world.now + NOTICE}
    assert world.exchange.call.notice_ready_at(keccak(call)) == announced.ready_at
    world.warp(NOTICE - 1)
    with pytest.raises(RevertError, match="notice too young"):
        governance.set_oracle(world.usdc.address)
    world.warp(1)
    governance.set_oracle(world.usdc.address)
    assert world.exchange.call.oracle() == world.usdc.address
    with pytest.raises(RevertError, match="no notice"):
        governance.set_oracle(world.usdc.address)


def test_a_notice_is_for_that_very_call(world: World) -> None:
    governance = world.exchange.send(world.governance)
    governance.announce(world.exchange.data("set_oracle", world.usdc.address))
    world.warp(NOTICE)
    with pytest.raises(RevertError, match="no notice"):
        governance.set_oracle(world.vault.address)


def test_a_notice_that_lies_about_expires(world: World) -> None:
    """So that nobody keeps one ready for the day on which it hurts."""
    governance = world.exchange.send(world.governance)
    governance.announce(world.exchange.data("set_oracle", world.usdc.address))
    world.warp(2 * NOTICE)
    with world.evm.undone():
        governance.set_oracle(world.usdc.address)
    world.warp(1)
    with pytest.raises(RevertError, match="notice expired"):
        governance.set_oracle(world.usdc.address)


def test_announced_again_it_starts_anew_and_withdrawn_it_is_gone(world: World) -> None:
    governance = world.exchange.send(world.governance)
    call = world.exchange.data("set_oracle", world.usdc.address)
    governance.announce(call)
    world.warp(NOTICE - 10)
    governance.announce(call)
    world.warp(10)
    with pytest.raises(RevertError, match="notice too young"):
        governance.set_oracle(world.usdc.address)
    [withdrawn] = governance.withdraw_notice(keccak(call)).named("NoticeWithdrawn")
    assert withdrawn.hash == keccak(call)
    world.warp(NOTICE)
    with pytest.raises(RevertError, match="no notice"):
        governance.set_oracle(world.usdc.address)
    with pytest.raises(RevertError, match="no notice"):
        governance.withdraw_notice(keccak(call))


def test_only_governance_announces(world: World) -> None:
    stranger = world.exchange.send(world.taker.address)
    for call in (lambda: stranger.announce(b"anything"), lambda: stranger.withdraw_notice(bytes(32))):
        with pytest.raises(RevertError, match="only governance"):
            call()
