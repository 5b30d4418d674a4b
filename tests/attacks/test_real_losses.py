# SPDX-License-Identifier: AGPL-3.0-only
"""What cost other exchanges real money, played here. Named after who paid."""

import pytest

from tests.attacks.scenes import Scene
from tests.support.abi import RevertError, abi_of
from tests.support.build import artifact
from tests.support.chain import deploy
from tests.support.wire import PositionWord, wallet
from tests.support.world import KEYS, PRICE, USDC, World, account_key, rejections


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


def test_jelly_and_popcat_the_backstop_pays_cash_and_never_holds_a_position() -> None:
    """A squeeze ruins a short that nobody wants: the backstop loses at most its cash, and the longs close it out."""
    world = World()
    short, pumped = wallet("short"), (3_000_000, 4_000_000, 6_000_000)
    world.system.fund(short.address, 5_000 * USDC)
    backstop = world.name_backstop(1_000 * USDC)
    world.trade(short, world.maker, -40_000)
    for price in pumped:
        world.push({1: price})
    hole = -world.equity(short)
    assert hole > 100_000 * USDC << 32
    before = world.equity(world.maker)
    receipt = world.exchange.send(wallet("anyone").address).deleverage(
        short.address, 0, 1, [account_key(world.maker)], [40_000]
    )
    assert [log.delta for log in receipt.named("BackstopChanged")] == [-1_000 * USDC]
    assert world.exchange.call.cash(backstop, 0) == 0
    assert PositionWord.unpack(world.exchange.call.position(backstop, 0, 1)) == PositionWord(0, 0, 0)
    assert world.exchange.call.open_interest(1) == 0
    # the longs get what there is: their own, the short's margin and the backstop's cash
    assert world.cash(world.maker) == 106_000 * USDC
    assert world.equity(world.maker) < before
    assert world.balance(world.vault.address) == 206_000 * USDC


def test_2025_10_10_deleveraging_takes_what_is_missing_and_no_more() -> None:
    """A crash with many on the other side: they lose the hole to within a unit a lot, and keep what was not needed."""
    world = World()
    victim, shorts = wallet("victim"), [wallet(f"short {number}") for number in range(5)]
    world.system.fund(victim.address, 600 * USDC)
    for short in shorts:
        world.system.fund(short.address, 2_000 * USDC)
        world.trade(victim, short, 1_000)
    world.push({1: 2_070_000})
    hole = -world.equity(victim) >> 32
    before = sum(world.equity(short) for short in shorts)
    keys = [account_key(short) for short in shorts]
    world.exchange.send(world.operator).deleverage(victim.address, 0, 1, keys, [1_500] * 5)
    paid = before - sum(world.equity(short) for short in shorts) >> 32
    assert hole <= paid <= hole + 5_000
    assert world.exchange.call.insurance() == paid - hole  # the surplus of rounding is the fund's
    # each is closed by its own size and paid by it, none by more
    assert [world.position(short).size for short in shorts] == [0] * 5
    assert len({world.cash(short) for short in shorts}) == 1
    assert world.cash(shorts[0]) > 2_000 * USDC  # still a profit
    with pytest.raises(RevertError, match="account is solvent"):
        world.exchange.send(world.operator).deleverage(victim.address, 0, 1, keys, [1_500] * 5)


def test_dydx_2025_the_last_lot_of_an_isolated_market_halts_nothing() -> None:
    """One bankrupt account is the whole side of a market: it goes in one call; other markets trade on meanwhile."""
    world = World()
    victim = wallet("victim")
    world.system.fund(victim.address, 5_000 * USDC)
    world.trade(victim, world.maker, 40_000)
    world.warp(8 * 3_600)  # the chain stood still
    keys = [account_key(world.maker)]
    with pytest.raises(RevertError, match="stale price"):
        world.exchange.send(world.operator).deleverage(victim.address, 0, 1, keys, [40_000])
    world.push({1: 2_000_000, 2: PRICE[2]})
    world.exchange.send(world.operator).deleverage(victim.address, 0, 1, keys, [40_000])
    assert world.exchange.call.open_interest(1) == 0
    world.trade(world.taker, world.maker, 10, 2_000_000)
    world.trade(world.taker, world.maker, 10, market="ETH-USD")


def test_hyperliquid_eth_2025_a_huge_position_falls_on_its_own_market_alone() -> None:
    """Whoever draws out all it can and is then ruined: no more than its hole is paid, and not by other markets."""
    world = World()
    whale, other = wallet("whale"), wallet("other market")
    world.system.fund(whale.address, 5_000 * USDC)
    world.system.fund(other.address, 1_000 * USDC)
    world.trade(whale, world.maker, 40_000)
    world.trade(other, world.taker, 1_000, market="ETH-USD")
    world.push({1: PRICE[1] * 104 // 100})
    free = world.withdrawable(whale)
    if free:
        world.withdraw(whale, free)
    world.push({1: PRICE[1] * 90 // 100})
    hole = -world.equity(whale) >> 32
    assert hole > 0
    before = world.equity(world.maker) >> 32
    world.exchange.send(world.operator).deleverage(whale.address, 0, 1, [account_key(world.maker)], [40_000])
    assert hole <= before - (world.equity(world.maker) >> 32) <= hole + 40_000
    assert world.equity(other) >> 32 == 1_000 * USDC
    assert world.equity(world.taker) >> 32 == 100_000 * USDC


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


def test_drift_v1_in_a_market_that_ends_all_winners_get_the_same() -> None:
    """The bad debt is spread over the winning side before any of them is paid: first and last out get as much a lot."""
    paid = set()
    for first in (0, 1):
        world = World(funds=0)
        victim, winners = wallet("victim"), [wallet("winner"), wallet("second winner")]
        world.system.fund(victim.address, 1_000 * USDC)
        for winner in winners:
            world.system.fund(winner.address, 6_000 * USDC)
            world.trade(victim, winner, 4_000)
        world.exchange.send(world.governance).begin_settling(1)
        world.warp(3_600)
        world.push({1: PRICE[1] * 90 // 100})
        anyone = world.exchange.send(wallet("anyone").address)
        anyone.fix_settlement(1)
        keys = [account_key(key) for key in (*winners, victim)]
        anyone.settle_positions(1, keys)
        assert [world.position(winner).size for winner in winners] == [-4_000, -4_000]
        for winner in winners:  # nobody runs before the day is over
            assert world.withdrawable(winner) <= 6_000 * USDC
        world.warp(86_400)
        for winner in (winners[first], winners[1 - first]):
            anyone.settle_positions(1, [account_key(winner)])
            world.withdraw(winner, world.cash(winner))
        assert world.balance(winners[0].address) == world.balance(winners[1].address)
        assert world.balance(world.vault.address) <= 1
        paid.add(world.balance(winners[0].address))
    assert len(paid) == 1


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
