# SPDX-License-Identifier: AGPL-3.0-only
"""The Backstop's own way out of the Vault."""

import pytest

from tests.support.abi import RevertError, abi_of
from tests.support.chain import Contract
from tests.support.wire import wallet
from tests.support.world import USDC, World

HOME = wallet("redeemer").address
TIGHTEST = (25_000 * USDC, 50_000, 100_000 * USDC, 200_000)


def backstop(world: World) -> Contract:
    return Contract(world.evm, world.name_backstop(50_000 * USDC), abi_of("Relayed"))


def pay(world: World, stop: Contract, amount: int, to: str = HOME) -> list[object]:
    data = world.vault.data("withdraw_backstop", amount, to)
    receipt = stop.send(world.operator).run([(world.vault.address, data)])
    return [world.vault.abi.decode_log(log) for log in receipt.raw_logs if log.address == world.vault.address]


def test_the_backstop_pays_out_of_its_own_account(world: World) -> None:
    stop = backstop(world)
    [paid] = pay(world, stop, 20_000 * USDC)
    assert paid.args == {"account": stop.address, "subaccount": 0, "amount": 20_000 * USDC, "to": HOME,
                         "id_or_nonce": 0, "instant": False}  # fmt: skip
    assert world.balance(HOME) == 20_000 * USDC
    assert world.exchange.call.cash(stop.address, 0) == 30_000 * USDC
    with pytest.raises(RevertError, match="more than is withdrawable"):
        pay(world, stop, 30_001 * USDC)


def test_nobody_else_does(world: World) -> None:
    stop = backstop(world)
    for sender in (world.operator, world.governance, world.taker.address):
        with pytest.raises(RevertError, match="only the backstop"):
            world.vault.send(sender).withdraw_backstop(USDC, HOME)
    assert world.exchange.call.cash(stop.address, 0) == 50_000 * USDC


def test_without_a_backstop_nobody_is_it(world: World) -> None:
    """Not even the zero address, in whose name an eth_call may be made."""
    for sender in ("0x" + "00" * 20, world.governance):
        with pytest.raises(RevertError, match="only the backstop"):
            world.vault.call.withdraw_backstop(0, HOME, sender=sender)


@pytest.mark.parametrize("bad", ["vault", "exchange"])
def test_recipients_that_would_lose_the_money_are_refused(world: World, bad: str) -> None:
    stop = backstop(world)
    with pytest.raises(RevertError, match="bad recipient"):
        pay(world, stop, USDC, getattr(world, bad).address)


def test_its_payments_count_as_those_of_the_queue_do(world: World) -> None:
    stop = backstop(world)
    world.warp(86_400)
    world.vault.send(world.governance).set_outflow_limits(*TIGHTEST)
    pay(world, stop, 25_000 * USDC)
    assert world.vault.call.outflow_room() == (0, 0)
    with pytest.raises(RevertError, match="outflow cap"):
        pay(world, stop, 1)
    with pytest.raises(RevertError, match="outflow cap"):
        world.withdraw(world.taker, 1)
