# SPDX-License-Identifier: AGPL-3.0-only
"""Shares of the Backstop: joining, asking to leave, leaving, and what a share is worth meanwhile."""

import pytest
from eth_utils.crypto import keccak

from tests.support.abi import RevertError
from tests.support.backstop import COOLDOWN, HOUR, PERIOD, SHARE, WINDOW, House
from tests.support.chain import deploy
from tests.support.wire import Domain, sign, wallet
from tests.support.world import KEYS, PRICE, USDC, World

ANN, BEN = wallet("provider a"), wallet("provider b")
STRANGER = wallet("stranger").address
ZERO = "0x" + "00" * 20
PERMIT_TYPE = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"


@pytest.fixture
def house() -> House:
    return House()


# Joining


def test_a_deposit_becomes_cash_of_account_0_and_shares(house: House) -> None:
    house.give(ANN, 1_000 * USDC)
    receipt = house.backstop.send(ANN.address).deposit(1_000 * USDC, BEN.address)
    [log] = receipt.named("Deposit")
    shares = 1_000 * USDC * SHARE
    assert log.args == {"sender": ANN.address, "owner": BEN.address, "assets": 1_000 * USDC, "shares": shares}
    assert int.from_bytes(receipt.output, "big") == shares == house.shares(BEN) == house.call.totalSupply()
    assert house.cash == house.assets == 1_000 * USDC
    assert house.world.balance(house.address) == 0
    assert house.usdc.call.allowance(house.address, house.vault.address) == 0


def test_mint_takes_what_its_shares_cost(house: House) -> None:
    house.join(BEN, 1_000 * USDC)
    house.settled_income(100 * USDC)  # a share costs 1.1
    house.give(ANN, 12)
    cost = house.call.previewMint(10 * SHARE)
    assert cost == 11  # rounded up: 11 less a crumb of what nobody owns
    receipt = house.backstop.send(ANN.address).mint(10 * SHARE, ANN.address)
    assert int.from_bytes(receipt.output, "big") == cost
    assert (house.shares(ANN), house.world.balance(ANN.address)) == (10 * SHARE, 1)
    house.backstop.send(ANN.address).mint(1, ANN.address)  # the last share is not for nothing
    assert house.world.balance(ANN.address) == 0
    with pytest.raises(RevertError):
        house.backstop.send(ANN.address).mint(1, ANN.address)


def test_it_knows_its_asset_and_its_exchange(house: House) -> None:
    assert house.call.asset() == house.usdc.address
    assert (house.call.vault(), house.call.exchange()) == (house.vault.address, house.exchange.address)
    assert (house.call.name(), house.call.symbol(), house.call.decimals()) == ("Ouro Backstop", "oBACK", 18)


def test_nobody_can_join_before_the_exchange_names_it() -> None:
    """Its cash could not leave the Vault."""
    world = World(funds=0)
    backstop = deploy(world.evm, world.governance, "Backstop", world.vault.address)
    world.usdc.send(ANN.address).mint(ANN.address, USDC)
    world.usdc.send(ANN.address).approve(backstop.address, USDC)
    assert backstop.call.maxDeposit(ANN.address) == backstop.call.maxMint(ANN.address) == 0
    with pytest.raises(RevertError, match="not the backstop"):
        backstop.send(ANN.address).deposit(USDC, ANN.address)
    with pytest.raises(RevertError, match="not the backstop"):
        backstop.send(ANN.address).mint(SHARE, ANN.address)
    world.exchange.send(world.governance).set_backstop(backstop.address)
    backstop.send(ANN.address).deposit(USDC, ANN.address)


@pytest.mark.parametrize("receiver", ["nobody", "itself"])
def test_shares_go_to_somebody(house: House, receiver: str) -> None:
    to = {"nobody": ZERO, "itself": house.address}[receiver]
    house.join(ANN, USDC)
    house.give(ANN, 2 * USDC)
    send = house.backstop.send(ANN.address)
    assert house.call.maxDeposit(to) == house.call.maxMint(to) == 0
    for attempt in (send.deposit, send.mint):
        with pytest.raises(RevertError, match="bad receiver"):
            attempt(USDC, to)
    with pytest.raises(RevertError, match=r"bad receiver|zero address"):
        send.transfer(to, 1)
    send.approve(BEN.address, 1)
    with pytest.raises(RevertError, match=r"bad receiver|zero address"):
        house.backstop.send(BEN.address).transferFrom(ANN.address, to, 1)


def test_nothing_buys_nothing(house: House) -> None:
    for attempt in (house.backstop.send(ANN.address).deposit, house.backstop.send(ANN.address).mint):
        with pytest.raises(RevertError, match="no shares"):
            attempt(0, ANN.address)


def test_it_takes_no_more_than_an_account_holds() -> None:
    """An account's cash stays below 2^78 micro-USDC."""
    house = House()
    house.join(ANN, 1_000 * USDC)
    most = house.call.maxDeposit(ANN.address)
    assert most == 2**78 - 1 - 1_000 * USDC
    assert house.call.maxMint(ANN.address) == most * SHARE
    house.give(ANN, most + 1)
    with pytest.raises(RevertError, match="deposit limit"):
        house.backstop.send(ANN.address).deposit(most + 1, ANN.address)
    house.backstop.send(ANN.address).deposit(most, ANN.address)
    assert house.call.maxDeposit(ANN.address) == house.call.maxMint(ANN.address) == 0
    assert house.call.previewRedeem(house.shares(ANN)) == 2**78 - 1


# Shares as a token


def test_shares_move_as_any_token(house: House) -> None:
    shares = house.join(ANN, 10 * USDC)
    true = (1).to_bytes(32, "big")
    moved = house.backstop.send(ANN.address).transfer(BEN.address, shares // 2)
    assert moved.output == true
    assert house.shares(ANN) == house.shares(BEN) == shares // 2
    house.backstop.send(BEN.address).approve(ANN.address, 5)
    moved = house.backstop.send(ANN.address).transferFrom(BEN.address, ANN.address, 4)
    assert moved.output == true
    assert house.call.allowance(BEN.address, ANN.address) == 1
    with pytest.raises(RevertError, match="insufficient allowance"):
        house.backstop.send(ANN.address).transferFrom(BEN.address, ANN.address, 2)
    with pytest.raises(RevertError, match="exceeds balance"):
        house.backstop.send(ANN.address).transfer(BEN.address, shares)


def test_permit(house: House) -> None:
    shares = house.join(ANN, USDC)
    deadline = house.world.now + 60
    domain = Domain(31_337, house.address, "Ouro Backstop")
    message = {"owner": ANN.address, "spender": BEN.address, "value": shares, "nonce": 0, "deadline": deadline}
    signature = sign(ANN, domain, PERMIT_TYPE, message).bytes65
    r, s, v = signature[:32], signature[32:64], signature[64]
    house.backstop.send(STRANGER).permit(ANN.address, BEN.address, shares, deadline, v, r, s)
    house.backstop.send(BEN.address).transferFrom(ANN.address, BEN.address, shares)
    assert house.shares(BEN) == shares


@pytest.mark.parametrize(
    "signature",
    [
        "mint(address,uint256)", "burn(uint256)", "burn_from(address,uint256)", "set_minter(address,bool)",
        "transfer_ownership(address)", "renounce_ownership()", "owner()", "is_minter(address)",
    ],
)  # fmt: skip
def test_nobody_has_privileges(house: House, signature: str) -> None:
    """Not the deployer either: what the token's module would offer to an owner is not there."""
    house.join(ANN, USDC)
    data = keccak(text=signature)[:4] + int(KEYS.governance.address, 16).to_bytes(32, "big") + (1).to_bytes(32, "big")
    for sender in (KEYS.governance.address, ANN.address):
        with pytest.raises(RevertError):
            house.evm.transact(sender, house.address, data)


# Leaving


def test_a_request_is_paid_after_three_days(house: House) -> None:
    shares = house.join(ANN, 1_000 * USDC)
    log = house.request(ANN)
    now = house.world.now
    assert log.args == {"id": 1, "owner": ANN.address, "shares": shares, "ready_at": now + COOLDOWN,
                        "lapses_at": now + COOLDOWN + WINDOW}  # fmt: skip
    assert house.shares(ANN) == 0
    assert house.call.balanceOf(house.address) == house.call.totalSupply() == shares
    assert house.call.redeem_requests(ANN.address) == ((1, shares, now + COOLDOWN),)
    house.evm.warp(COOLDOWN - 1)
    assert house.call.maxRedeem(ANN.address) == house.call.maxWithdraw(ANN.address) == 0
    with pytest.raises(RevertError, match="more than is due"):
        house.redeem(ANN, shares)
    house.evm.warp(1)
    assert house.call.maxRedeem(ANN.address) == shares
    assert house.call.maxWithdraw(ANN.address) == house.call.previewRedeem(shares) == 1_000 * USDC
    receipt = house.backstop.send(ANN.address).redeem(shares, BEN.address, ANN.address)
    [log] = receipt.named("Withdraw")
    assert log.args == {"sender": ANN.address, "receiver": BEN.address, "owner": ANN.address, "assets": 1_000 * USDC,
                        "shares": shares}  # fmt: skip
    assert int.from_bytes(receipt.output, "big") == 1_000 * USDC == house.world.balance(BEN.address)
    assert house.call.totalSupply() == house.cash == 0
    assert house.call.redeem_requests(ANN.address) == ()


def test_withdraw_pays_an_amount(house: House) -> None:
    shares = house.join(ANN, 1_000 * USDC)
    house.settled_income(333 * USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    price = house.call.previewWithdraw(400 * USDC)
    assert house.call.convertToShares(400 * USDC) == price - 1  # one is rounded down, the other up
    receipt = house.backstop.send(ANN.address).withdraw(400 * USDC, ANN.address, ANN.address)
    assert int.from_bytes(receipt.output, "big") == price
    assert house.world.balance(ANN.address) == 400 * USDC
    assert house.call.redeem_requests(ANN.address)[0][1] == shares - price
    rest = house.call.maxWithdraw(ANN.address)
    with pytest.raises(RevertError, match="more than is due"):
        house.backstop.send(ANN.address).withdraw(rest + 1, ANN.address, ANN.address)
    house.backstop.send(ANN.address).withdraw(rest, ANN.address, ANN.address)
    assert 1_333 * USDC - 2 <= house.world.balance(ANN.address) <= 1_333 * USDC


def test_a_request_lapses_after_two_days(house: House) -> None:
    shares = house.join(ANN, 10 * USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN + WINDOW - 1)
    with house.evm.undone():
        assert house.redeem(ANN) == 10 * USDC
    with pytest.raises(RevertError, match="more than is due"):
        house.redeem(ANN, shares + 1)
    house.evm.warp(1)
    assert house.call.maxRedeem(ANN.address) == house.call.maxWithdraw(ANN.address) == 0
    with pytest.raises(RevertError, match="more than is due"):
        house.redeem(ANN, shares)
    [log] = house.backstop.send(STRANGER).release(ANN.address).named("RedeemReturned")
    assert log.args == {"id": 1, "owner": ANN.address, "shares": shares}
    assert house.shares(ANN) == shares
    assert house.call.redeem_requests(ANN.address) == ()
    house.request(ANN)
    house.evm.warp(COOLDOWN - 1)
    assert house.call.maxRedeem(ANN.address) == 0
    house.evm.warp(1)
    assert house.redeem(ANN) == 10 * USDC


def test_release_returns_only_what_has_lapsed(house: House) -> None:
    shares = house.join(ANN, 10 * USDC)
    house.request(ANN, shares // 2)
    house.evm.warp(COOLDOWN + WINDOW - 1)
    house.request(ANN, shares // 4)
    house.backstop.send(STRANGER).release(ANN.address)
    assert [entry[0] for entry in house.call.redeem_requests(ANN.address)] == [1, 2]
    house.evm.warp(1)
    house.backstop.send(STRANGER).release(ANN.address)
    assert [entry[0] for entry in house.call.redeem_requests(ANN.address)] == [2]
    assert house.shares(ANN) == shares * 3 // 4


def test_a_new_request_takes_the_place_of_lapsed_ones(house: House) -> None:
    shares = house.join(ANN, 10 * USDC)
    for _ in range(8):
        house.request(ANN, shares // 8)
    with pytest.raises(RevertError, match="too many requests"):
        house.request(ANN, 1)
    house.evm.warp(COOLDOWN + WINDOW)
    log = house.request(ANN, shares)
    assert [entry[0] for entry in house.call.redeem_requests(ANN.address)] == [log.id]


def test_several_requests_are_paid_the_oldest_first(house: House) -> None:
    """In parts, as the owner likes; what is not due yet waits."""
    house.join(ANN, 10 * USDC)
    each = 2 * USDC * SHARE
    for _ in range(3):
        house.request(ANN, each)
        house.evm.warp(HOUR)
    house.evm.warp(COOLDOWN - 2 * HOUR)  # two are due
    assert house.call.maxRedeem(ANN.address) == 2 * each
    house.redeem(ANN, each + each // 2)
    assert [entry[:2] for entry in house.call.redeem_requests(ANN.address)] == [(2, each // 2), (3, each)]
    with pytest.raises(RevertError, match="more than is due"):
        house.redeem(ANN, each)
    house.redeem(ANN, each // 2)
    assert [entry[:2] for entry in house.call.redeem_requests(ANN.address)] == [(3, each)]
    assert house.world.balance(ANN.address) == 4 * USDC


def test_a_request_can_be_taken_back(house: House) -> None:
    shares = house.join(ANN, 10 * USDC)
    for _ in range(3):
        house.request(ANN, shares // 4)
    for sender, id_ in ((BEN.address, 2), (ANN.address, 4)):
        with pytest.raises(RevertError, match="not your request"):
            house.backstop.send(sender).cancel_redeem(id_)
    [log] = house.backstop.send(ANN.address).cancel_redeem(2).named("RedeemReturned")
    assert log.args == {"id": 2, "owner": ANN.address, "shares": shares // 4}
    assert [entry[0] for entry in house.call.redeem_requests(ANN.address)] == [1, 3]
    assert house.shares(ANN) == shares // 2
    with pytest.raises(RevertError, match="not your request"):
        house.backstop.send(ANN.address).cancel_redeem(2)


def test_what_is_asked_for_must_be_owned(house: House) -> None:
    shares = house.join(ANN, 10 * USDC)
    with pytest.raises(RevertError, match="no shares"):
        house.request(ANN, 0)
    with pytest.raises(RevertError, match="exceeds balance"):
        house.request(ANN, shares + 1)
    house.request(ANN, 1)
    with pytest.raises(RevertError, match="exceeds balance"):
        house.request(ANN, shares)


def test_bought_shares_wait_their_own_three_days(house: House) -> None:
    """A request stays with who made it; shares in it do not move, and others bring no time with them."""
    shares = house.join(ANN, 10 * USDC)
    house.request(ANN, shares // 2)
    house.evm.warp(COOLDOWN)
    house.backstop.send(ANN.address).transfer(BEN.address, shares // 2)
    assert house.call.maxRedeem(BEN.address) == 0
    with pytest.raises(RevertError, match="more than is due"):
        house.redeem(BEN, SHARE)
    house.request(BEN)
    assert house.call.maxRedeem(BEN.address) == 0
    assert house.redeem(ANN) == 5 * USDC


def test_somebody_else_may_take_the_money_with_an_allowance(house: House) -> None:
    shares = house.join(ANN, 10 * USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    other = house.backstop.send(BEN.address)
    for attempt in (other.redeem, other.withdraw):
        with pytest.raises(RevertError, match="insufficient allowance"):
            attempt(SHARE, BEN.address, ANN.address)
    house.backstop.send(ANN.address).approve(BEN.address, shares)
    other.redeem(shares // 2, BEN.address, ANN.address)
    assert house.call.allowance(ANN.address, BEN.address) == shares // 2
    other.withdraw(5 * USDC, BEN.address, ANN.address)
    assert house.call.allowance(ANN.address, BEN.address) == 0
    assert house.world.balance(BEN.address) == 10 * USDC


@pytest.mark.parametrize(
    ("to", "reason"), [("vault", "bad recipient"), ("exchange", "bad recipient"), ("backstop", "bad receiver")]
)
def test_money_goes_to_nobody_who_would_lose_it(house: House, to: str, reason: str) -> None:
    house.join(ANN, USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    with pytest.raises(RevertError, match=reason):
        house.backstop.send(ANN.address).redeem(SHARE, getattr(house, to).address, ANN.address)


def test_nothing_is_paid_for_nothing(house: House) -> None:
    """Nor for less than a unit: such shares would be burnt for nothing."""
    house.join(ANN, USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    for shares in (0, SHARE - 1):
        with pytest.raises(RevertError, match="nothing to pay"):
            house.redeem(ANN, shares)
    with pytest.raises(RevertError, match="nothing to pay"):
        house.backstop.send(ANN.address).withdraw(0, ANN.address, ANN.address)


def test_the_vaults_caps_bind_it(house: House) -> None:
    """What the caps let leave is what can be redeemed; the rest is due as long as its window is open."""
    for key in (house.world.maker, wallet("liquidator")):
        message = house.world.withdrawal(key, 10**8 * USDC)
        house.vault.send(house.world.governance).set_outflow_limits(2**63, 10**6, 2**63, 10**6)
        house.vault.send(house.world.governance).set_outflow_limits(2**63, 10**6, 2**63, 10**6)
        signatures = house.world.sign_withdrawal(key, message), house.world.sign_withdrawal(KEYS.operator, message)
        house.vault.send(key.address).withdraw_signed(message, *signatures)
    house.evm.warp(30 * 24 * HOUR)
    house.vault.send(house.world.governance).set_outflow_limits(25_000 * USDC, 50_000, 100_000 * USDC, 200_000)
    shares = house.join(ANN, 100_000 * USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    assert house.call.maxWithdraw(ANN.address) == 25_000 * USDC
    assert house.call.maxRedeem(ANN.address) == shares // 4
    with pytest.raises(RevertError, match="outflow cap"):
        house.redeem(ANN, shares // 4 + SHARE)
    assert house.redeem(ANN) == 25_000 * USDC
    assert house.call.maxRedeem(ANN.address) == house.call.maxWithdraw(ANN.address) == 0
    for _ in range(3):
        house.evm.warp(HOUR)
        house.redeem(ANN)
    assert house.world.balance(ANN.address) == 100_000 * USDC


def test_what_just_fits_the_caps_is_redeemed_whole(house: House) -> None:
    """Not a share less, however prices round."""
    for key in (house.world.maker, wallet("liquidator")):
        house.vault.send(house.world.governance).set_outflow_limits(2**63, 10**6, 2**63, 10**6)
        message = house.world.withdrawal(key, 10**8 * USDC)
        signatures = house.world.sign_withdrawal(key, message), house.world.sign_withdrawal(KEYS.operator, message)
        house.vault.send(key.address).withdraw_signed(message, *signatures)
    house.evm.warp(30 * 24 * HOUR)
    house.vault.send(house.world.governance).set_outflow_limits(25_000 * USDC, 50_000, 100_000 * USDC, 200_000)
    with house.evm.undone():
        house.join(ANN, 30_000 * USDC)
        house.request(ANN)
        house.evm.warp(COOLDOWN)
        house.income(10_000 * USDC)  # locked, so no part of the price
        assert house.call.maxRedeem(ANN.address) == house.call.convertToShares(25_000 * USDC) == 25_000 * USDC * SHARE
        house.redeem(ANN)
    shares = house.join(ANN, 20_000 * USDC)
    house.settled_income(5_000 * USDC + 1)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    assert house.call.previewRedeem(shares) == house.vault.call.outflow_room()[0] == 25_000 * USDC
    assert house.call.maxRedeem(ANN.address) == shares
    house.redeem(ANN)
    assert house.call.totalSupply() == 0


def test_the_price_is_that_of_the_payment(house: House) -> None:
    """Shares that wait lose and earn as all others."""
    half = house.join(ANN, 1_000 * USDC)
    house.join(BEN, 1_000 * USDC)
    house.request(ANN)
    house.evm.warp(COOLDOWN)
    house.lose(500 * USDC)
    with house.evm.undone():
        assert house.redeem(ANN) == 750 * USDC
    house.settled_income(100 * USDC)
    assert house.call.previewRedeem(half) == 800 * USDC
    assert house.redeem(ANN) == 800 * USDC


# Income and losses


def test_income_streams_in_over_eight_hours(house: House) -> None:
    shares = house.join(ANN, 1_000 * USDC)
    house.income(80 * USDC)
    assert (house.cash, house.assets) == (1_080 * USDC, 1_000 * USDC)
    [log] = house.sync().logs
    assert log.name == "IncomeBooked"
    assert log.args == {"amount": 80 * USDC, "locked": 80 * USDC, "ends_at": house.world.now + PERIOD}
    for hours in range(1, 9):
        house.evm.warp(HOUR)
        assert house.assets == (1_000 + 10 * hours) * USDC
        house.sync()
    assert house.call.convertToAssets(shares) == 1_080 * USDC - 1
    house.evm.warp(HOUR)
    assert house.assets == 1_080 * USDC
    assert house.sync().logs == []


def test_income_waits_for_a_sync(house: House) -> None:
    """Its hours begin when it is booked, by anyone: there is no moment at which it is suddenly there."""
    house.join(ANN, 1_000 * USDC)
    house.income(80 * USDC)
    house.evm.warp(PERIOD)
    assert house.assets == 1_000 * USDC
    assert house.call.locked_income() == (80 * USDC, house.world.now + PERIOD)
    house.sync()
    house.evm.warp(PERIOD // 2)
    assert house.assets == 1_040 * USDC


def test_new_income_prolongs_old_by_its_weight(house: House) -> None:
    house.join(ANN, 1_000 * USDC)
    house.income(80 * USDC)
    house.sync()
    house.evm.warp(PERIOD // 2)
    start = house.world.now
    house.income(40 * USDC)  # as much as is left: the mean of four hours and eight
    house.sync()
    assert house.call.locked_income() == (80 * USDC, start + 6 * HOUR)
    assert house.assets == 1_040 * USDC
    house.evm.warp(3 * HOUR)
    assert house.assets == 1_080 * USDC


def test_half_of_what_liquidations_pay_is_income() -> None:
    house = House()
    house.join(ANN, 1_000 * USDC)
    victim = wallet("liquidated")
    house.world.push({1: PRICE[1]})
    house.world.system.fund(victim.address, 120 * USDC)
    house.world.trade(victim, house.world.maker, 1_000)
    house.world.push({1: 2_240_000})
    [log] = house.liquidate(victim).named("Liquidated")
    assert log.insurance_fee > 0
    assert house.locked == log.insurance_fee // 2
    assert house.cash - house.assets == house.locked
    assert house.exchange.call.insurance() == log.insurance_fee - log.insurance_fee // 2


def test_fees_that_governance_sends_are_income() -> None:
    house = House()
    house.join(ANN, 1_000 * USDC)
    house.world.push({1: PRICE[1]})
    house.world.system.fund(house.world.taker.address, 1_000 * USDC)
    house.world.trade(house.world.taker, house.world.maker, 1_000, taker_fee=350)
    fees = house.exchange.call.fees()
    assert fees > 0
    house.exchange.send(house.world.governance).withdraw_fees(house.address, 0, fees)
    assert (house.locked, house.assets) == (fees, 1_000 * USDC)


def test_tokens_sent_here_are_income(house: House) -> None:
    house.join(ANN, 1_000 * USDC)
    house.give(BEN, 5 * USDC)
    with pytest.raises(RevertError, match="nothing to sweep"):
        house.backstop.send(STRANGER).sweep()
    house.usdc.send(BEN.address).transfer(house.address, 5 * USDC)
    assert house.assets == house.cash == 1_000 * USDC
    house.backstop.send(STRANGER).sweep()
    assert (house.locked, house.assets, house.world.balance(house.address)) == (5 * USDC, 1_000 * USDC, 0)


def test_who_joins_pays_for_income_that_streams_in(house: House) -> None:
    """And gets it. Nobody's shares are worth more or less by his coming."""
    shares = house.join(ANN, 1_000 * USDC)
    house.income(1_000 * USDC)
    assert house.call.convertToShares(1_000 * USDC) == shares
    bought = house.call.previewDeposit(1_000 * USDC)
    assert shares // 2 <= bought < shares // 2 + SHARE  # twice the price
    before = house.call.convertToAssets(shares)
    assert house.join(BEN, 1_000 * USDC) == bought
    assert before <= house.call.convertToAssets(shares) <= before + 1
    assert 1_500 * USDC <= house.assets <= 1_500 * USDC + 1
    house.evm.warp(PERIOD)
    assert house.call.convertToAssets(shares) == 2_000 * USDC - 1
    assert house.call.convertToAssets(bought) == 1_000 * USDC - 1


def test_a_loss_takes_income_that_has_not_streamed_in_first(house: House) -> None:
    house.join(ANN, 1_000 * USDC)
    house.income(80 * USDC)
    house.sync()
    house.lose(30 * USDC)
    [log] = house.sync().logs
    assert log.name == "LossBooked"
    assert log.args == {"amount": 30 * USDC, "cash": 1_050 * USDC}
    assert 49 * USDC < house.locked <= 50 * USDC
    assert 1_000 * USDC <= house.assets < 1_001 * USDC
    house.lose(150 * USDC)
    assert (house.locked, house.assets) == (0, 900 * USDC)  # at once, booked or not
    house.sync()
    assert (house.locked, house.assets) == (0, 900 * USDC)


def test_gains_and_losses_between_two_syncs_count_together(house: House) -> None:
    house.join(ANN, 1_000 * USDC)
    house.income(80 * USDC)
    house.lose(50 * USDC)
    assert (house.locked, house.assets) == (30 * USDC, 1_000 * USDC)
    house.lose(50 * USDC)
    assert (house.locked, house.assets) == (0, 980 * USDC)


# Ruin


def test_a_ruined_backstop_takes_nobody_in(house: House) -> None:
    """Who came then would share what he brings with shares that are worth nothing."""
    house.join(ANN, 1_000_000 * USDC)
    house.everything()
    assert house.call.maxDeposit(BEN.address) == house.call.maxMint(BEN.address) == 0
    house.give(BEN, USDC)
    for attempt in (house.backstop.send(BEN.address).deposit, house.backstop.send(BEN.address).mint):
        with pytest.raises(RevertError, match="ruined"):
            attempt(USDC, BEN.address)
    [_, log] = house.sync().logs
    assert (log.name, log.args) == ("Ruined", {"series": 0, "cash": 0})
    assert house.call.ruined_at() == house.world.now


def test_a_gift_revives_it(house: House) -> None:
    """Of a millionth of what was lost. The old shares are worth that much, and new ones as much as is paid for them."""
    shares = house.join(ANN, 100 * USDC)
    house.everything()
    house.sync()
    house.income(100)
    assert house.call.maxDeposit(BEN.address) == 0
    house.income(1)
    assert house.call.maxDeposit(BEN.address) > 0
    assert house.sync().logs[-1].name == "Revived"
    assert house.call.ruined_at() == 0
    house.evm.warp(PERIOD)
    bought = house.join(BEN, 50 * USDC)
    assert 50 * USDC - 1 <= house.call.convertToAssets(bought) <= 50 * USDC
    assert house.call.convertToAssets(shares) <= 102


def test_after_three_days_of_ruin_old_shares_are_void(house: House) -> None:
    shares = house.join(ANN, 1_000 * USDC)
    asked = house.join(BEN, 1_000 * USDC)
    house.request(BEN)
    house.everything()
    anyone = house.backstop.send(STRANGER)
    house.evm.warp(COOLDOWN)
    with pytest.raises(RevertError, match="not due yet"):
        anyone.write_off()  # books the ruin, had it not failed
    house.sync()
    house.evm.warp(COOLDOWN - 1)
    with pytest.raises(RevertError, match="not due yet"):
        anyone.write_off()
    house.evm.warp(1)
    [log] = anyone.write_off().named("WrittenOff")
    assert log.args == {"series": 0, "shares": shares + asked, "cash": 0}
    assert (house.call.series(), house.call.totalSupply(), house.call.ruined_at()) == (1, 0, 0)
    assert house.shares(ANN) == house.shares(BEN) == house.call.balanceOf(house.address) == 0
    assert house.call.redeem_requests(BEN.address) == ()
    for attempt in (lambda: house.backstop.send(ANN.address).transfer(BEN.address, 1), lambda: house.request(ANN, 1)):
        with pytest.raises(RevertError, match="exceeds balance"):
            attempt()
    with pytest.raises(RevertError, match="not your request"):
        house.backstop.send(BEN.address).cancel_redeem(1)
    with pytest.raises(RevertError, match="not ruined"):
        anyone.write_off()


def test_a_new_series_begins_at_the_first_price(house: House) -> None:
    """Whoever held old shares can join again, and gets no more than the others for it."""
    cleo = wallet("provider c")
    house.join(ANN, 1_000 * USDC)
    house.join(BEN, 1_000 * USDC)
    house.request(BEN)
    house.everything()
    house.sync()
    house.evm.warp(COOLDOWN)
    house.backstop.send(STRANGER).write_off()
    for key in (BEN, cleo, ANN):
        assert house.join(key, 10 * USDC) == 10 * USDC * SHARE
    assert house.call.totalSupply() == 30 * USDC * SHARE
    assert house.call.maxRedeem(BEN.address) == 0
    house.backstop.send(STRANGER).release(BEN.address)
    assert house.shares(BEN) == 10 * USDC * SHARE
    for key in (BEN, cleo, ANN):
        house.request(key)
    assert house.call.balanceOf(house.address) == 30 * USDC * SHARE  # the void ones are not among them
    house.evm.warp(COOLDOWN)
    assert [house.redeem(key) for key in (BEN, cleo, ANN)] == [10 * USDC] * 3
    assert house.call.totalSupply() == house.cash == 0


def test_the_last_crumb_of_an_old_series_is_void(house: House) -> None:
    house.join(ANN, 1_000 * USDC)
    house.backstop.send(ANN.address).transfer(BEN.address, 1)
    house.everything()
    house.sync()
    house.evm.warp(COOLDOWN)
    house.backstop.send(STRANGER).write_off()
    assert house.join(BEN, 10 * USDC) == 10 * USDC * SHARE
    assert house.call.totalSupply() == 10 * USDC * SHARE


def test_shares_with_something_behind_them_are_never_void(house: House) -> None:
    """However little a share is worth: with a USDC together they are nobody else's to write off."""
    house.join(ANN, 3_000_000 * USDC)
    house.lose(house.cash - USDC)
    house.sync()
    house.evm.warp(2 * COOLDOWN)
    with pytest.raises(RevertError, match="not ruined"):
        house.backstop.send(STRANGER).write_off()
    assert 2 * USDC - 2 <= house.call.convertToAssets(house.join(BEN, 2 * USDC)) <= 2 * USDC


def test_what_is_left_at_the_end_of_a_series_is_nobodys(house: House) -> None:
    """It pays for holes; whoever comes first does not get it."""
    house.join(ANN, 2_000_000 * USDC)
    house.lose(house.cash - USDC + 1)
    house.sync()
    house.evm.warp(COOLDOWN)
    house.backstop.send(STRANGER).write_off()
    bought = house.join(BEN, 10 * USDC)
    house.evm.warp(PERIOD)
    assert 10 * USDC - 2 <= house.call.convertToAssets(bought) <= 10 * USDC
    assert house.cash == 11 * USDC - 1
