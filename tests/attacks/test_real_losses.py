# SPDX-License-Identifier: AGPL-3.0-only
"""What cost other exchanges real money, played here. Named after who paid."""

import pytest

from tests.attacks.scenes import Scene
from tests.support.abi import RevertError, abi_of
from tests.support.build import artifact
from tests.support.chain import deploy
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World, rejections


def test_mango_2022_self_matched_profit_is_not_withdrawable() -> None:
    """Two accounts of one hand, the price driven up by others: the winner's paper profit leaves nothing."""
    scene = Scene()
    scene.fund(victim=6_000, maker=6_000, liquidator=0)
    scene.trade(scene.victim, scene.maker, 25_000)
    price = PRICE[1]
    for _ in range(3):
        price = price * 103 // 100
        scene.twin.warp(60)
        scene.price(price)
    winner = scene.twin.model.health((scene.victim.address, 0))
    assert winner.equity > 11_000 * USDC
    assert scene.twin.model.withdrawable((scene.victim.address, 0)) <= 6_000 * USDC
    assert not scene.twin.withdraw(scene.victim, 6_000 * USDC + 1)
    scene.twin.withdraw(scene.victim, scene.twin.model.withdrawable((scene.victim.address, 0)))
    scene.twin.check()
    assert scene.twin.world.balance(scene.twin.world.vault.address) >= 6_000 * USDC


def test_gmx_avax_2022_no_size_without_open_interest_room_or_beyond_the_band(world: World) -> None:
    """Zero-impact fills at any size need a counterparty who signed, a price in the band, and room under the cap."""
    orders = [world.signed(world.taker, "BUY", size=2 * 10**8), world.signed(world.maker, "SELL", size=2 * 10**8)]
    [rejection] = rejections(world.settle(orders, [world.fill(size=10**8 + 1)]))
    assert rejection.reason in ("margin", "open interest cap")


def test_gmx_v1_2025_positions_do_not_change_in_the_middle_of_a_payment() -> None:
    """A token hook tries to trade, liquidate and settle while a withdrawal pays out: all of it counts once."""
    world = World(token="HostileToken")
    world.trade(world.taker, world.maker, 100)
    orders = [world.signed(world.taker, "BUY", slot=5), world.signed(world.maker, "SELL", slot=6)]
    batch = [signed.words for signed in orders], [world.fill().word()]
    forged = world.exchange.data("settle", world.system.head, (9).to_bytes(32, "big"), *batch)
    relayed = deploy(world.evm, world.operator, "Relayed", abi=abi_of("Relayed"))
    hook = relayed.data("run", [(world.exchange.address, forged)])
    world.usdc.send(world.operator).set_hook(relayed.address, hook[:2048])
    world.withdraw(world.taker, 1_000 * USDC)
    assert world.usdc.call.hook_answers(0) is False
    assert world.position(world.taker).size == 100
    assert world.cash(world.taker) == 99_000 * USDC


def test_kiloex_2025_a_public_forwarder_has_no_authority(world: World) -> None:
    """Prices, batches and withdrawals sent through anybody's contract carry that contract's rights: none."""
    relayed = deploy(world.evm, world.taker.address, "Relayed")
    forwarded = relayed.send(world.taker.address)
    fake = (1, 9_000_000, world.now, 1, 1)
    words = [world.signed(world.taker, "BUY").words, world.signed(world.maker, "SELL").words], [world.fill().word()]
    calls = [
        (world.oracle.address, world.oracle.data("push", [fake])),
        (world.oracle.address, world.oracle.data("set_signer", world.taker.address)),
        (world.exchange.address, world.exchange.data("settle", bytes(32), (1).to_bytes(32, "big"), *words)),
        (world.exchange.address, world.exchange.data("debit", world.maker.address, 0, USDC)),
        (world.vault.address, world.vault.data("set_cosigner", world.taker.address, True)),
    ]
    for target, data in calls:
        with pytest.raises(RevertError):
            forwarded.run([(target, data)])


def test_hyperliquid_eth_2025_profit_cannot_be_drawn_out_to_force_a_bankruptcy() -> None:
    """A highly leveraged winner withdraws all it can, then the price turns: the account still covers its own loss."""
    scene = Scene()
    scene.fund(victim=3_000, maker=100_000)
    scene.trade(scene.victim, scene.maker, 20_000)
    scene.price(PRICE[1] * 108 // 100)
    free = scene.twin.model.withdrawable((scene.victim.address, 0))
    if free:
        assert scene.twin.withdraw(scene.victim, free)
    after = scene.twin.model.health((scene.victim.address, 0))
    assert after.equity >= after.initial
    scene.price(PRICE[1] * 108 // 100 * 95 // 100)
    assert scene.liquidate()
    assert scene.twin.takeovers[-1].covered == 0
    assert scene.twin.model.health((scene.victim.address, 0)).equity >= 0


def test_jelly_and_popcat_nobody_inherits_an_illiquid_position_unasked() -> None:
    """A position passes only to an account that asked for it and meets margin: the fund is cash and holds none."""
    scene = Scene()
    scene.fund(victim=5_000, liquidator=1)
    scene.trade(scene.victim, scene.maker, 40_000)
    scene.price(PRICE[1] * 96 // 100)
    assert not scene.liquidate()  # one USDC does not carry it
    assert scene.size(scene.victim) == 40_000
    scene.twin.deposit(scene.liquidator, 1_000_000 * USDC)
    assert scene.liquidate()


def test_dydx_2025_a_whole_market_in_one_liquidation_and_a_stale_price_on_resume() -> None:
    scene = Scene()
    scene.fund(victim=5_000)
    scene.trade(scene.victim, scene.maker, 40_000)
    scene.twin.warp(8 * 3_600)
    assert not scene.liquidate()  # the old price liquidates nobody when the chain resumes
    scene.price(PRICE[1] * 94 // 100)
    assert scene.liquidate()
    assert scene.size(scene.victim) == 0 or scene.size(scene.victim) < 40_000


def test_dydx_yfi_2023_open_interest_stops_at_its_cap(world: World) -> None:
    world.system.fund(world.taker.address, 10**9 * USDC)
    world.system.fund(world.maker.address, 10**9 * USDC)
    world.trade(world.taker, world.maker, 10**8)
    for key, other in ((world.taker, world.maker), (wallet("third"), world.maker)):
        world.system.fund(key.address, 10 * USDC)
        orders = [world.signed(key, "BUY", slot=8), world.signed(other, "SELL", slot=9)]
        [rejection] = rejections(world.settle(orders, [world.fill(size=1)]))
        assert rejection.reason == "open interest cap"


def test_drift_v1_the_first_out_does_not_win() -> None:
    """A winner's profit against an unrealised bad debt is not cash until somebody pays for the close."""
    scene = Scene()
    scene.fund(victim=1_000, maker=6_000)
    scene.trade(scene.victim, scene.maker, 8_000)
    scene.price(PRICE[1] * 90 // 100)
    assert scene.twin.model.health((scene.victim.address, 0)).equity < 0
    assert scene.twin.model.withdrawable((scene.maker.address, 0)) <= 6_000 * USDC
    scene.twin.withdraw(scene.maker, 6_000 * USDC)
    scene.twin.check()


def test_aftermath_2026_a_fee_is_bounded_below_as_well(world: World) -> None:
    orders = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL", slot=2)]
    for fees in ((-1, 0), (0, -1), (-32_768, 0), (100, -101), (-32_768, 32_767)):
        [rejection] = rejections(world.settle(orders, [world.fill(taker_fee=fees[0], maker_fee=fees[1])]))
        assert rejection.reason in ("negative fees", "fee above cap")
    assert world.exchange.call.fees() == 0


def test_vyper_2023_the_deployed_bytecode_is_what_was_compiled_and_its_locks_hold() -> None:
    """The code on the chain is the compiler's, byte for byte, with the immutables after it; and it locks."""
    world = World(token="HostileToken")
    system = world.system
    deployed = {"Vault": system.vault, "Exchange": system.exchange, "ExchangeDesk": system.desk}
    for name, contract in {**deployed, "ExchangeOffice": system.office, "ExchangeExit": system.exit}.items():
        runtime = artifact(name).runtime
        assert world.evm.code(contract.address).startswith(runtime)
    message = world.withdrawal(world.taker, USDC, nonce=8)
    signatures = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
    again = world.vault.data("withdraw_signed", message, *signatures)
    world.usdc.send(world.operator).set_hook(world.vault.address, again)
    world.withdraw(world.taker, USDC, nonce=7)
    assert world.usdc.call.hook_answers(0) is False
    assert world.balance(world.taker.address) == USDC
