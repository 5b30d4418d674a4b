# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks on the Backstop: 49, 52, 55 to 59, 62, 68, 71, 83, and JELLY and POPCAT with real providers."""

from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest

from tests.support.abi import RevertError, abi_of
from tests.support.backstop import COOLDOWN, HOUR, PERIOD, SHARE, WINDOW, House
from tests.support.build import artifact
from tests.support.chain import Contract, deploy
from tests.support.wire import PositionWord, wallet
from tests.support.world import KEYS, PRICE, USDC, account_key, rejections

EVE, ANN, BEN = wallet("attacker"), wallet("provider a"), wallet("provider b")


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def hostile() -> House:
    """Over a token that misbehaves when told to."""
    return House(token="HostileToken")


def leave(house: House, *keys: Any) -> list[int]:
    """All of them, after three days."""
    for key in keys:
        house.request(key)
    house.evm.warp(COOLDOWN)
    return [house.redeem(key) for key in keys]


# Tokens


@pytest.mark.parametrize("stray", [0, 10 * USDC])
def test_49_fee_on_transfer_is_refused(hostile: House, stray: int) -> None:
    """Also when tokens that somebody left here would make up for what is missing on the way."""
    if stray:
        hostile.usdc.send(EVE.address).mint(hostile.address, stray)
    hostile.give(ANN, 1_000 * USDC)
    hostile.usdc.send(EVE.address).set_fee(100)
    send = hostile.backstop.send(ANN.address)
    for attempt, amount in ((send.deposit, 5 * USDC), (send.mint, 5 * USDC * SHARE)):
        with pytest.raises(RevertError, match="cash did not rise by the deposit" if stray else "0x"):
            attempt(amount, ANN.address)
    assert hostile.cash == hostile.call.totalSupply() == 0


@pytest.mark.parametrize("answer", [1, 2], ids=["false", "nothing"])
def test_51_a_token_that_answers_false_or_nothing(hostile: House, answer: int) -> None:
    hostile.give(ANN, 100 * USDC)
    hostile.usdc.send(EVE.address).set_answer(answer)
    send = hostile.backstop.send(ANN.address)
    if answer == 1:
        with pytest.raises(RevertError, match="transfer failed"):
            send.deposit(100 * USDC, ANN.address)
    else:
        send.deposit(100 * USDC, ANN.address)
        assert leave(hostile, ANN) == [100 * USDC]


@pytest.mark.parametrize("entry", ["deposit", "redeem"])
def test_52_83_nothing_here_can_be_called_while_money_moves(hostile: House, entry: str) -> None:
    """Neither to write nor to read: a price in the middle of a payment is nobody's to see."""
    shares = hostile.join(EVE, 1_000 * USDC)
    hostile.request(EVE, shares // 2)
    hostile.evm.warp(COOLDOWN)
    hostile.give(EVE, 100 * USDC)
    probes = [
        ("totalAssets",), ("totalSupply",), ("balanceOf", EVE.address), ("convertToAssets", SHARE),
        ("previewDeposit", 1), ("maxRedeem", EVE.address), ("sync",), ("sweep",), ("request_redeem", 1),
        ("redeem", SHARE, EVE.address, EVE.address), ("deposit", 1, EVE.address), ("transfer", EVE.address, 0),
        ("write_off",),
    ]  # fmt: skip
    for probe in probes:
        with hostile.evm.undone():
            calls = len(hostile_answers(hostile))
            hostile.usdc.send(EVE.address).set_hook(hostile.address, hostile.backstop.data(*probe))
            if entry == "deposit":
                hostile.backstop.send(EVE.address).deposit(100 * USDC, EVE.address)
            else:
                hostile.redeem(EVE, shares // 2)
            answers = hostile_answers(hostile)
            assert len(answers) > calls
            assert not any(answers), probe


def hostile_answers(house: House) -> list[bool]:
    answers = []
    for index in range(8):
        try:
            answers.append(house.usdc.call.hook_answers(index))
        except RevertError:
            break
    return answers


def test_52_83_a_loss_in_the_middle_of_a_deposit(hostile: House) -> None:
    """The token lets a liquidation happen while it moves: whoever joins pays the price of after, or does not join."""
    hostile.join(ANN, 1_000 * USDC)
    victim = hostile.ruin_an_account(500 * USDC)
    keeper = deploy(hostile.evm, EVE.address, "Relayed")
    hostile.usdc.send(EVE.address).mint(EVE.address, 10**6 * USDC)
    hostile.usdc.send(EVE.address).approve(hostile.vault.address, 10**6 * USDC)
    hostile.vault.send(EVE.address).deposit(keeper.address, 0, 10**6 * USDC)
    strike = hostile.exchange.data("liquidate", victim.address, 0, 1, 10**9, 0)
    hostile.give(BEN, 1_000 * USDC)
    with hostile.evm.undone():
        shares = hostile.join(BEN, 1_000 * USDC)
        assert shares == 1_000 * USDC * SHARE
    hostile.usdc.send(EVE.address).set_hook(keeper.address, keeper.data("run", [(hostile.exchange.address, strike)]))
    with pytest.raises(RevertError, match="price moved"):
        hostile.backstop.send(BEN.address).mint(1_000 * USDC * SHARE, BEN.address)
    hostile.backstop.send(BEN.address).deposit(1_000 * USDC, BEN.address)
    assert hostile.cash == 1_500 * USDC
    assert 1_000 * USDC - 2 <= hostile.call.convertToAssets(hostile.shares(BEN)) <= 1_000 * USDC
    assert hostile.sync().logs == []


# 55 to 59: shares


def test_55_a_gift_moves_no_price_at_once(house: House) -> None:
    """By whatever way: into the ledger, or as tokens that are swept there."""
    house.join(ANN, 1_000 * USDC)
    before = house.call.convertToAssets(SHARE * USDC)
    house.income(10**6 * USDC)
    house.usdc.send(EVE.address).mint(house.address, 10**6 * USDC)
    assert house.call.convertToAssets(SHARE * USDC) == before
    house.backstop.send(EVE.address).sweep()
    assert house.call.convertToAssets(SHARE * USDC) == before
    house.usdc.send(EVE.address).mint(house.vault.address, 10**6 * USDC)
    assert house.call.totalAssets() == 1_000 * USDC


@pytest.mark.parametrize("gift", [10 * USDC, 10**6 * USDC, 10**8 * USDC])
def test_56_first_deposit_inflation(house: House, gift: int) -> None:
    """A first share and a gift make later ones dear: who joins loses a crumb, the attacker nearly all of his gift."""
    house.join(EVE, 1)
    house.settled_income(gift)
    house.join(ANN, 1_000 * USDC)
    got, back = leave(house, ANN, EVE)
    assert 1_000 * USDC - 1 - gift // 10**11 <= got <= 1_000 * USDC
    assert back <= gift // 2 + gift // 10**11 + 2


def test_56_a_gift_before_anybody_is_there(house: House) -> None:
    """It is nobody's. Whoever joins gets what he brings, and the first no more of the gift than his shares' part."""
    house.settled_income(10_000 * USDC)
    house.join(EVE, 1_000 * USDC)
    house.join(ANN, 1_000 * USDC)
    for paid in leave(house, EVE, ANN):
        assert 1_000 * USDC - 2 <= paid <= 1_000 * USDC


def test_56_after_everybody_left_the_next_inherits_nothing(house: House) -> None:
    house.join(ANN, 1_000 * USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    house.income(500 * USDC)
    assert house.redeem(ANN) == 1_000 * USDC  # the income had not streamed in
    shares = house.join(EVE, 100 * USDC)
    house.evm.warp(PERIOD)
    assert 100 * USDC - 2 <= house.call.convertToAssets(shares) <= 100 * USDC


def test_57_deposit_before_profit(house: House) -> None:
    """Just before, with the income, or while it streams in: he shares what comes after he came, and no other."""
    house.join(ANN, 1_000 * USDC)
    house.income(1_000 * USDC)  # nobody booked it yet: it is paid for all the same
    with house.evm.undone():
        house.join(EVE, 10**6 * USDC)
        [got] = leave(house, EVE)
        assert got <= 10**6 * USDC
    house.sync()
    for pause in (1, HOUR, PERIOD - 1):
        with house.evm.undone():
            house.evm.warp(pause)
            house.join(EVE, 10**6 * USDC)
            [got] = leave(house, EVE)
            assert 10**6 * USDC - 2 <= got <= 10**6 * USDC
            assert 2_000 * USDC - 2 <= house.call.convertToAssets(house.shares(ANN)) <= 2_000 * USDC


def test_57_leaving_right_after_an_income_takes_none_of_it(house: House) -> None:
    house.join(EVE, 1_000 * USDC)
    house.join(ANN, 1_000 * USDC)
    house.request(EVE)
    house.evm.warp(COOLDOWN)
    house.income(1_000 * USDC)
    assert house.redeem(EVE) == 1_000 * USDC
    assert house.locked == 1_000 * USDC  # a payment is no loss
    assert house.sync().logs == []
    house.evm.warp(PERIOD)
    assert house.call.convertToAssets(house.shares(ANN)) >= 2_000 * USDC - 2


def test_57_exit_before_loss(house: House) -> None:
    """Who sees a loss coming cannot leave in time, and shares that already wait bear it with all others."""
    half = house.join(EVE, 1_000 * USDC) // 2
    house.join(ANN, 1_000 * USDC)
    house.request(EVE, half)
    victim = house.ruin_an_account(400 * USDC)
    house.request(EVE, half)
    with pytest.raises(RevertError, match="more than is due"):
        house.redeem(EVE, half)
    house.liquidate(victim)
    house.evm.warp(COOLDOWN)
    assert house.redeem(EVE) == 800 * USDC
    assert house.call.convertToAssets(house.shares(ANN)) == 800 * USDC


def test_57_an_open_window_does_not_stay_open(house: House) -> None:
    """To be able to leave at any moment he would have to be always waiting: after two days it is three again."""
    house.join(EVE, 1_000 * USDC)
    house.request(EVE)
    house.evm.warp(COOLDOWN + WINDOW)
    victim = house.ruin_an_account(400 * USDC)
    assert house.call.maxRedeem(EVE.address) == 0
    house.backstop.send(EVE.address).release(EVE.address)
    house.request(EVE)
    assert house.call.maxRedeem(EVE.address) == 0
    house.liquidate(victim)
    house.evm.warp(COOLDOWN)
    assert house.redeem(EVE) == 600 * USDC


def test_58_dust_does_not_hold_income_up(house: House) -> None:
    """A thousand gifts of a unit in one second: they delay the stream by less than a second."""
    house.join(ANN, 1_000 * USDC)
    house.income(100 * USDC)
    house.sync()
    house.evm.warp(PERIOD // 2)
    _, ends = house.call.locked_income()
    for _ in range(1_000):
        house.income(1)
        house.sync()
    assert ends <= house.call.locked_income()[1] <= ends + 1
    house.evm.warp(PERIOD // 2 + 1)
    assert house.locked == 0
    assert house.assets == 1_100 * USDC + 1_000


def test_58_dust_of_others_is_in_nobodys_way(house: House) -> None:
    """Shares are given away in crumbs, requests are not: nobody fills another's list, or moves his hours."""
    house.join(ANN, 1_000 * USDC)
    house.join(EVE, USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    for _ in range(20):
        house.backstop.send(EVE.address).transfer(ANN.address, 1)
        house.backstop.send(EVE.address).release(ANN.address)
    with pytest.raises(RevertError):
        house.backstop.send(EVE.address).cancel_redeem(1)
    assert house.redeem(ANN) == 1_000 * USDC


def test_58_leaving_in_crumbs_brings_nothing(house: House) -> None:
    house.join(EVE, 1_000)
    house.join(ANN, 1_000)
    house.settled_income(999)
    with house.evm.undone():
        [whole] = leave(house, EVE)
    house.request(EVE)
    house.evm.warp(COOLDOWN)
    taken = 0
    while left := house.call.maxRedeem(EVE.address):
        try:
            taken += house.redeem(EVE, min(left, 7 * SHARE // 3))
        except RevertError:
            break
    assert taken <= whole


def test_59_round_trips_never_gain(house: House) -> None:
    """In and out, by amounts or by shares, at prices that do not divide: never a unit more than before."""
    house.join(ANN, 1_234_567)
    house.settled_income(7_654_321)
    house.lose(1_111_111)
    for amount in (1, 2, 3, 7, 1_000, 999_999, 10**12):
        with house.evm.undone():
            house.give(EVE, amount)
            before = house.world.balance(EVE.address)
            house.backstop.send(EVE.address).deposit(amount, EVE.address)
            if leave_if_any(house):
                assert before - 3 <= house.world.balance(EVE.address) <= before
        with house.evm.undone():
            house.give(EVE, amount)
            before = house.world.balance(EVE.address)
            house.backstop.send(EVE.address).mint(house.call.previewDeposit(amount), EVE.address)
            house.request(EVE)
            house.evm.warp(COOLDOWN)
            if paid := house.call.maxWithdraw(EVE.address):
                house.backstop.send(EVE.address).withdraw(paid, EVE.address, EVE.address)
            assert house.world.balance(EVE.address) <= before


def leave_if_any(house: House) -> bool:
    house.request(EVE)
    house.evm.warp(COOLDOWN)
    if not house.call.maxRedeem(EVE.address):
        return False
    house.redeem(EVE)
    return True


# 62: a run


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_62_a_run_in_any_order(house: House, order: tuple[int, ...]) -> None:
    """A loss in the middle of it: those who are paid before and after get the price of their moment."""
    people = [EVE, ANN, BEN]
    for who, stake in zip(people, (100, 500, 1_000), strict=True):
        house.join(who, stake * USDC)
        house.request(who)
    house.evm.warp(COOLDOWN)
    first, *rest = order
    assert house.redeem(people[first]) == (100, 500, 1_000)[first] * USDC
    left = house.cash
    house.lose(left // 4)
    for place in rest:
        assert house.redeem(people[place]) == (75, 375, 750)[place] * USDC
    assert house.cash == house.call.totalSupply() == 0


def test_62_the_last_one_is_not_left_with_nothing(house: House) -> None:
    """Nobody is paid from what others own: every share takes its own part of the cash with it."""
    people = [wallet(f"runner {number}") for number in range(12)]
    for number, who in enumerate(people):
        house.join(who, (number + 1) ** 3)
    house.lose(house.cash * 9 // 10)
    supply, cash = house.call.totalSupply(), house.cash
    fair = [Fraction(cash * house.shares(who), supply) for who in people]
    for who in people:
        house.request(who)
    house.evm.warp(COOLDOWN)
    for who, part in zip(people, fair, strict=True):
        if house.call.maxRedeem(who.address):
            house.redeem(who)
        assert part - 1 <= house.world.balance(who.address) <= part + 2
    assert 0 <= house.cash <= 12


# 68: who pays first


def test_68_a_hole_is_paid_by_insurance_then_backstop_then_a_loss_step(house: House) -> None:
    """In one liquidation that needs all three, and in three that need one more each."""
    house.join(ANN, 20 * USDC)
    house.world.system.donate(KEYS.operator.address, 10 * USDC)
    victim = house.ruin_an_account(60 * USDC)

    def state() -> tuple[int, int]:
        return house.exchange.call.insurance(), house.cash

    with house.evm.undone():
        receipt = house.liquidate(victim)
        assert state() == (0, 0)
        assert [log.delta for log in receipt.named("BackstopChanged")] == [-20 * USDC]
        [step] = receipt.named("LossSpread")
        spread = step.per_lot_scaled * 1_000 >> 32  # over the short side's lots
        assert 30 * USDC <= spread <= 30 * USDC + 1_000
        assert house.call.totalAssets() == 0

    assert not house.liquidate(victim, 100).named("BackstopChanged")  # 6 USDC
    assert state() == (4 * USDC, 20 * USDC)
    receipt = house.liquidate(victim, 200)  # 12 USDC
    assert state() == (0, 12 * USDC)
    assert not receipt.named("LossSpread")
    assert house.call.convertToAssets(house.shares(ANN)) == 12 * USDC
    receipt = house.liquidate(victim, 700)  # 42 USDC
    assert state() == (0, 0)
    [step] = receipt.named("LossSpread")
    assert 30 * USDC <= step.per_lot_scaled * 1_000 >> 32 <= 30 * USDC + 1_000


def test_68_waiting_requests_are_not_out_of_the_waterfalls_reach(house: House) -> None:
    """Cash of shares whose redemption is due pays for holes until it has left; nobody reserves it by asking first."""
    house.join(EVE, 20 * USDC)
    house.request(EVE)
    house.evm.warp(COOLDOWN)
    house.lose(20 * USDC)
    assert house.cash == house.call.maxRedeem(EVE.address) == house.call.maxWithdraw(EVE.address) == 0
    with pytest.raises(RevertError, match="nothing to pay"):
        house.redeem(EVE, 20 * USDC * SHARE)


def test_68_income_that_streams_in_pays_too(house: House) -> None:
    house.join(ANN, 10 * USDC)
    house.income(10 * USDC)
    house.lose(15 * USDC)
    assert (house.cash, house.locked, house.assets) == (5 * USDC, 0, 5 * USDC)


# 71: it never trades


def test_71_no_order_of_it_can_be_signed(house: House) -> None:
    """It is a contract without `isValidSignature` and without a key: whoever signs for it signs for nobody."""
    house.join(ANN, 10**5 * USDC)
    house.world.push({1: PRICE[1]})
    world = house.world
    for key in (ANN, KEYS.governance, KEYS.operator, EVE):
        orders = [world.signed(key, "BUY", account=house.address), world.signed(world.maker, "SELL", slot=2)]
        [rejection] = rejections(world.settle(orders, [world.fill()]))
        assert rejection.reason == "bad signature"
    assert PositionWord.unpack(world.exchange.call.position(house.address, 0, 1)) == PositionWord(0, 0, 0)
    selectors = {function.selector for function in abi_of("Backstop").functions.values()}
    assert bytes.fromhex("1626ba7e") not in selectors  # isValidSignature(bytes32,bytes)
    with pytest.raises(RevertError):
        house.evm.call(house.address, bytes.fromhex("1626ba7e") + bytes(32) + (64).to_bytes(32, "big") + bytes(32))


def test_71_no_session_key_close_request_or_withdrawal_of_it_can_be_made(house: House) -> None:
    """All of them need its own call or its signature; it makes no such call."""
    house.join(ANN, 10**5 * USDC)
    world = house.world
    arguments = world.session_key(house.address, EVE.address)
    for signature in (b"", world.sign_session_key(EVE, arguments), world.sign_session_key(KEYS.governance, arguments)):
        with pytest.raises(RevertError):
            world.exchange.send(EVE.address).register_session_key(*arguments, signature)
    message = world.withdrawal(EVE, USDC, account=house.address)
    signatures = world.sign_withdrawal(EVE, message), world.sign_withdrawal(KEYS.operator, message)
    with pytest.raises(RevertError, match="bad owner signature"):
        world.vault.send(EVE.address).withdraw_signed(message, *signatures)
    code = artifact("Backstop").bytecode
    for name in ("liquidate", "deleverage", "request_close", "register_session_key", "cancel_all", "settle"):
        assert house.exchange.abi.functions[name].selector not in code
    for name in ("request_withdrawal", "set_rules", "donate"):
        assert house.vault.abi.functions[name].selector not in code


def test_71_it_cannot_be_liquidated_deleveraged_or_made_to_take_over(house: House) -> None:
    house.join(ANN, 20 * USDC)
    victim = house.ruin_an_account(80 * USDC)
    send = house.exchange.send(EVE.address)
    with pytest.raises(RevertError, match="account is healthy"):
        send.liquidate(house.address, 0, 1, 1, 0)
    with pytest.raises(RevertError, match="account is solvent"):
        send.deleverage(house.address, 0, 1, [account_key(house.world.maker)], [1])
    with pytest.raises(RevertError, match="no counterparty"):
        send.deleverage(victim.address, 0, 1, [int(house.address, 16) << 16], [1_000])
    send.deleverage(victim.address, 0, 1, [account_key(house.world.maker)], [1_000])
    assert house.cash == 0
    with pytest.raises(RevertError, match="account is healthy"):  # not with nothing either
        send.liquidate(house.address, 0, 1, 1, 0)


def test_jelly_and_popcat_providers_lose_their_cash_and_hold_nothing() -> None:
    """A squeeze far beyond all cash: shares are worth nothing, but owe nothing and hold no position."""
    house = House()
    short = wallet("short")
    house.world.system.fund(short.address, 5_000 * USDC)
    house.join(ANN, 600 * USDC)
    house.join(BEN, 400 * USDC)
    house.world.push({1: PRICE[1]})
    house.world.trade(short, house.world.maker, -40_000)
    for price in (3_000_000, 4_000_000, 6_000_000):
        house.world.push({1: price})
    house.exchange.send(EVE.address).deleverage(short.address, 0, 1, [account_key(house.world.maker)], [40_000])
    assert house.cash == house.assets == 0
    assert house.exchange.call.open_interest(1) == 0
    assert house.exchange.call.margin_of(house.address, 0)[0] == 0
    assert house.call.convertToAssets(house.shares(ANN)) == 0
    # the next squeeze finds nothing to take, and what is given later is not owed to the last one
    house.income(10 * USDC)
    house.sync()
    house.evm.warp(PERIOD)
    assert house.call.convertToAssets(house.shares(ANN)) in (6 * USDC, 6 * USDC - 1)


# Ruin as an opportunity


def test_ruin_is_no_way_to_shares_that_cost_nothing(house: House) -> None:
    """Nobody joins between the loss of everything and a gift that makes it good, nor just after it for too little."""
    house.join(ANN, 1_000 * USDC)
    house.everything()
    house.give(EVE, 1_000 * USDC)
    with pytest.raises(RevertError, match="ruined"):
        house.backstop.send(EVE.address).deposit(1, EVE.address)
    house.income(1_000 * USDC)
    house.backstop.send(EVE.address).deposit(1_000 * USDC, EVE.address)
    house.evm.warp(PERIOD)
    assert 1_000 * USDC - 2 <= house.call.convertToAssets(house.shares(EVE)) <= 1_000 * USDC
    assert 1_000 * USDC - 2 <= house.call.convertToAssets(house.shares(ANN)) <= 1_000 * USDC


def test_ruin_of_a_crumb_is_undone_with_a_crumb(house: House) -> None:
    """An attacker who is alone in it can have it ruined cheaply, and anyone can undo that as cheaply."""
    house.join(EVE, 5)
    house.everything()
    assert house.call.maxDeposit(ANN.address) == 0
    house.income(1)
    assert house.call.maxDeposit(ANN.address) > 10**12 * USDC
    house.join(ANN, 1_000 * USDC)
    assert 1_000 * USDC - 2 <= leave(house, ANN)[0] <= 1_000 * USDC


def test_ruin_again_and_again_does_not_close_it_for_ever(house: House) -> None:
    """Each time all but a USDC is lost, shares become a million times as many; it opens again all the same."""
    for _ in range(5):
        house.join(EVE, 10**6 * USDC)
        house.lose(house.cash - USDC)
    assert house.call.totalSupply() > 10**48
    supply, most = house.call.totalSupply(), house.call.maxDeposit(ANN.address)
    fits = (2**160 - supply) * USDC // supply
    assert fits <= most <= fits + 1
    with house.evm.undone():
        with pytest.raises(RevertError, match="deposit limit"):
            house.join(ANN, most + 1)
        house.join(ANN, most)
        assert 2**160 * (USDC - 2) // USDC < house.call.totalSupply() <= 2**160
    house.everything()
    house.sync()
    house.evm.warp(COOLDOWN)
    house.backstop.send(EVE.address).write_off()
    assert house.join(ANN, 1_000 * USDC) == 1_000 * USDC * SHARE


def test_money_forwarded_in_one_transaction_gains_nothing(house: House) -> None:
    """Deposit, gift, request and redemption by one contract at once: what is not three days old is not paid."""
    robot = Contract(house.evm, deploy(house.evm, EVE.address, "Relayed").address, abi_of("Relayed"))
    house.join(ANN, 1_000 * USDC)
    house.usdc.send(EVE.address).mint(robot.address, 1_000 * USDC)
    shares = house.call.previewDeposit(900 * USDC)
    data = house.backstop.data
    calls = [
        (house.usdc.address, house.usdc.data("approve", house.address, 900 * USDC)),
        (house.address, data("deposit", 900 * USDC, robot.address)),
        (house.address, data("request_redeem", shares)),
    ]
    paid = (house.address, data("redeem", shares, robot.address, robot.address))
    with pytest.raises(RevertError, match="more than is due"):
        robot.send(EVE.address).run([*calls, paid])
    robot.send(EVE.address).run(calls)
    house.evm.warp(COOLDOWN)
    robot.send(EVE.address).run([paid])
    assert house.world.balance(robot.address) == 1_000 * USDC
