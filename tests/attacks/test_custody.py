# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 49 to 62: tokens that misbehave, claims on money that is not there, and everybody leaving at once.

54 (depeg) and 56, 57 (vault shares) have no place yet: one collateral, no shares.
"""

from random import Random

import pytest
from eth_account.signers.local import LocalAccount

from tests.support.abi import RevertError
from tests.support.system import BTC, ETH
from tests.support.twin import Twin
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World


@pytest.fixture
def hostile() -> World:
    """The same exchange over a token that misbehaves when told to."""
    return World(token="HostileToken")


def test_49_fee_on_transfer(hostile: World) -> None:
    """Only what arrives is credited."""
    owner = wallet("depositor").address
    hostile.usdc.send(owner).set_fee(100)
    hostile.system.fund(owner, 1_000 * USDC)
    assert hostile.exchange.call.cash(owner, 0) == 990 * USDC
    assert hostile.balance(hostile.vault.address) == 200_990 * USDC


def test_50_rebasing(hostile: World) -> None:
    """A vault made poorer from outside pays the first and fails the last; nobody's claim is changed by it."""
    hostile.usdc.send(hostile.operator).rebase(hostile.vault.address, 150_000 * USDC)
    hostile.withdraw(hostile.taker, 100_000 * USDC)
    with pytest.raises(RevertError):
        hostile.withdraw(hostile.maker, 100_000 * USDC)
    assert hostile.cash(hostile.maker) == 100_000 * USDC
    hostile.withdraw(hostile.maker, 50_000 * USDC, nonce=2)


@pytest.mark.parametrize("answer", [1, 2], ids=["false", "nothing"])
def test_51_token_returning_false_or_nothing(hostile: World, answer: int) -> None:
    """False reverts; nothing, as old tokens answer, is taken for success and measured by balance."""
    owner = wallet("depositor").address
    hostile.usdc.send(owner).set_answer(answer)
    if answer == 1:
        with pytest.raises(RevertError, match="transfer failed"):
            hostile.system.fund(owner, USDC)
        with pytest.raises(RevertError, match="transfer failed"):
            hostile.withdraw(hostile.taker, USDC)
        assert hostile.cash(hostile.taker) == 100_000 * USDC
        assert not hostile.vault.call.nonce_used(hostile.taker.address, 1)
    else:
        hostile.system.fund(owner, USDC)
        hostile.withdraw(hostile.taker, USDC)
        assert hostile.exchange.call.cash(owner, 0) == USDC
        assert hostile.cash(hostile.taker) == 99_999 * USDC


@pytest.mark.parametrize("call", ["deposit", "execute_withdrawal", "withdraw_signed", "request_withdrawal"])
def test_52_callback_token(hostile: World, call: str) -> None:
    """A token that calls back into the Vault while it moves finds it locked, and everything is booked once."""
    vault = hostile.vault
    vault.send(hostile.taker.address).request_withdrawal(0, 5 * USDC, hostile.taker.address)
    hostile.warp(120)
    message = hostile.withdrawal(hostile.taker, 7 * USDC, nonce=5)
    signatures = hostile.sign_withdrawal(hostile.taker, message), hostile.sign_withdrawal(KEYS.operator, message)
    arguments = {
        "deposit": (hostile.taker.address, 0, 0),
        "execute_withdrawal": (1,),
        "withdraw_signed": (message, *signatures),
        "request_withdrawal": (0, USDC, hostile.operator),
    }
    hostile.usdc.send(hostile.operator).set_hook(vault.address, vault.data(call, *arguments[call]))
    hostile.withdraw(hostile.taker, 3 * USDC)
    hostile.system.fund(hostile.taker.address, 2 * USDC)
    answers = [hostile.usdc.call.hook_answers(index) for index in range(2)]
    assert answers == [False, False]
    assert hostile.cash(hostile.taker) == 99_999 * USDC
    assert hostile.balance(vault.address) == 199_999 * USDC


def test_53_blacklisted_recipient_does_not_block_others(hostile: World) -> None:
    refused = wallet("blacklisted").address
    for key, to in ((hostile.taker, refused), (hostile.maker, hostile.maker.address)):
        hostile.vault.send(key.address).request_withdrawal(0, 10 * USDC, to)
    hostile.usdc.send(hostile.operator).refuse(refused)
    hostile.warp(120)
    anybody = hostile.vault.send(hostile.operator)
    with pytest.raises(RevertError, match="recipient refused"):
        anybody.execute_withdrawal(1)
    anybody.execute_withdrawal(2)
    assert hostile.balance(hostile.maker.address) == 10 * USDC
    # and the blocked one loses nothing: another recipient will do
    hostile.vault.send(hostile.taker.address).cancel_withdrawal(1)
    hostile.withdraw(hostile.taker, 10 * USDC)
    assert hostile.balance(hostile.taker.address) == 10 * USDC


def test_55_donation(world: World) -> None:
    """Tokens sent straight to the Vault are nobody's claim and move no one's."""
    donor = wallet("donor").address
    world.usdc.send(donor).mint(world.vault.address, 10**15)
    assert world.cash(world.taker) == 100_000 * USDC
    with pytest.raises(RevertError):
        world.vault.send(donor).deposit(donor, 0, 0)
    with pytest.raises(RevertError):
        world.withdraw(world.taker, 100_001 * USDC)


def test_58_dust_positions() -> None:
    """Opening and closing one lot a hundred times at a fee too small to see costs the trader, never the Vault."""
    twin = Twin()
    one, other = wallet("duster"), wallet("maker")
    for key in (one, other):
        twin.deposit(key, 100 * USDC)
    for turn in range(100):
        sides = ("BUY", "SELL") if turn % 2 == 0 else ("SELL", "BUY")
        orders = [twin.world.signed(one, sides[0], size=1), twin.world.signed(other, sides[1], slot=2, size=1)]
        twin.settle(orders, [twin.world.fill(size=1, taker_fee=1, maker_fee=-1)])
    twin.check()
    assert twin.model.fees == 100
    assert twin.model.accounts[one.address, 0].cash == 100 * USDC - 300
    assert twin.model.accounts[other.address, 0].cash == 100 * USDC + 200


def test_59_round_trip_profit_is_never_positive() -> None:
    """At an unchanged price, whatever two accounts of one owner do between themselves gains them nothing."""
    random = Random(7)
    for _ in range(20):
        twin = Twin()
        owner, partner = wallet("one half"), wallet("other half")
        for key in (owner, partner):
            twin.deposit(key, 1_000 * USDC)
        for _ in range(12):
            sides = ("BUY", "SELL") if random.random() < 0.5 else ("SELL", "BUY")
            price = PRICE[1] + random.randrange(-150_000, 150_000) // 100 * 100
            fees = random.choice([(350, -100), (0, 0), (200, 0), (1, -1)])
            lots = random.randrange(1, 800)
            orders = [twin.world.signed(owner, sides[0], limit_price=price, size=lots),
                      twin.world.signed(partner, sides[1], slot=2, limit_price=price, size=lots)]  # fmt: skip
            twin.settle(orders, [twin.world.fill(price, lots, taker_fee=fees[0], maker_fee=fees[1])])
            if random.random() < 0.3:
                twin.warp(random.randrange(1, 5_000))
                twin.push(1, PRICE[1])
        twin.check()
        total = sum(twin.model.health((key.address, 0)).equity for key in (owner, partner))
        assert total <= 2_000 * USDC  # I14


def test_60_an_account_with_every_position_is_liquidated_within_a_small_gas() -> None:
    from dataclasses import replace

    listings = tuple(replace(BTC, id=number, ticker=f"M{number}-USD") for number in range(1, 9))
    world = World(listings)
    victim, liquidator = wallet("victim"), wallet("liquidator")
    world.system.fund(victim.address, 1_000 * USDC)
    world.system.fund(liquidator.address, 100_000 * USDC)
    world.push(dict.fromkeys(range(1, 9), PRICE[1]))
    for number in range(1, 9):
        world.trade(victim, world.maker, 1_000, PRICE[1], f"M{number}-USD")
        world.trade(liquidator, world.maker, 1, PRICE[1], f"M{number}-USD")
    world.push(dict.fromkeys(range(1, 9), PRICE[1] * 97 // 100))
    for number in range(1, 9):
        equity, _, maintenance, _ = world.exchange.call.margin_of(victim.address, 0)
        if equity >= maintenance:
            break
        sent = world.exchange.send(liquidator.address, 1_500_000)
        assert sent.liquidate(victim.address, 0, number, 10**9, 0).named("Liquidated")
    else:
        pytest.fail("eight liquidations did not heal the account")


def test_61_withdrawal_with_unsettled_loss_or_funding() -> None:
    """A loss that no fill has realised, and funding that no touch has accrued, are withheld all the same."""
    twin = Twin()
    long, short = wallet("long"), wallet("short")
    for key in (long, short):
        twin.deposit(key, 1_000 * USDC)
    price = PRICE[1] * 1004 // 1000 // 100 * 100
    orders = [twin.world.signed(long, "BUY", limit_price=price, size=2_000),
              twin.world.signed(short, "SELL", slot=2, size=2_000)]  # fmt: skip
    twin.settle(orders, [twin.world.fill(price, 2_000, taker_fee=350)])
    before = twin.model.withdrawable((long.address, 0))
    twin.warp(3_599)
    twin.push(1, PRICE[1])
    twin.poke(1)
    twin.warp(3_500)
    twin.push(1, PRICE[1])
    after_funding = twin.model.withdrawable((long.address, 0))
    assert after_funding < before
    twin.push(1, PRICE[1] * 99 // 100 // 100 * 100)
    after_loss = twin.model.withdrawable((long.address, 0))
    assert after_loss < after_funding
    assert not twin.withdraw(long, after_loss + 1)
    # the winner's profit is not cash until the position closes
    assert twin.model.withdrawable((short.address, 0)) <= 1_000 * USDC
    twin.check()


def test_62_bank_run_in_any_exit_order() -> None:
    """After trading and losses all positions close and everybody leaves: the Vault keeps only its dust."""
    for seed in range(12):
        random = Random(seed)
        twin = Twin((BTC, ETH))
        keys = [wallet(f"depositor {number}") for number in range(5)]
        for key in keys:
            twin.deposit(key, random.randrange(500, 5_000) * USDC + random.randrange(USDC))
        for _ in range(25):
            trade_somehow(twin, keys, random)
        flatten(twin, keys)
        random.shuffle(keys)
        for key in keys:
            cash = twin.model.accounts[key.address, 0].cash
            assert cash >= 0
            if cash:
                way = twin.withdraw if random.random() < 0.5 else twin.withdraw_slowly
                assert way(key, cash)
        twin.check()
        left = twin.world.balance(twin.world.vault.address)
        assert left >= twin.model.fees + twin.model.insurance
        assert left - twin.model.fees - twin.model.insurance <= 25 * 2  # I13: less than one unit a closing


def trade_somehow(twin: Twin, keys: list[LocalAccount], random: Random) -> None:
    taker, maker = random.sample(keys, 2)
    market = random.choice([1, 2])
    side, other = random.choice([("BUY", "SELL"), ("SELL", "BUY")])
    price = twin.model.markets[market].price * random.randrange(990, 1010) // 1000 // 100 * 100
    fields = {"market": twin.listings[market].ticker, "limit_price": price, "size": 500}
    orders = [twin.world.signed(taker, side, **fields), twin.world.signed(maker, other, slot=2, **fields)]
    twin.settle(orders, [twin.world.fill(price, random.randrange(1, 300), taker_fee=350, maker_fee=-100)])
    if random.random() < 0.4:
        twin.warp(random.randrange(1, 4_000))
        for id_ in (1, 2):
            twin.push(id_, twin.model.markets[id_].price * random.randrange(980, 1020) // 1000)


def flatten(twin: Twin, keys: list[LocalAccount]) -> None:
    """Longs sell to shorts at the index price until nobody has a position."""
    for market, listing in twin.listings.items():
        twin.push(market, twin.model.markets[market].price // 100 * 100)
        price = twin.model.markets[market].price

        def held(key: LocalAccount, market: int = market) -> int:
            return twin.model.accounts[key.address, 0].position(market).size

        while longs := [key for key in keys if held(key) > 0]:
            seller = longs[0]
            buyer = next(key for key in keys if held(key) < 0)
            lots = min(held(seller), -held(buyer))
            fields = {"market": listing.ticker, "limit_price": price, "size": lots}
            orders = [twin.world.signed(seller, "SELL", **fields), twin.world.signed(buyer, "BUY", slot=2, **fields)]
            [outcome] = twin.settle(orders, [twin.world.fill(price, lots)])
            assert not isinstance(outcome, set), outcome
    assert all(twin.world.exchange.call.open_interest(market) == 0 for market in twin.listings)


def test_withdrawal_recipients_that_would_lose_the_money_are_refused(world: World) -> None:
    for to in ("0x" + "00" * 20, world.vault.address, world.exchange.address):
        with pytest.raises(RevertError, match="bad recipient"):
            world.vault.send(world.taker.address).request_withdrawal(0, USDC, to)
        with pytest.raises(RevertError, match="bad recipient"):
            world.withdraw(world.taker, USDC, to=to)


def test_a_signed_withdrawal_pays_once(world: World) -> None:
    world.withdraw(world.taker, USDC, nonce=3)
    with pytest.raises(RevertError, match="nonce used"):
        world.withdraw(world.taker, USDC, nonce=3)
    message = world.withdrawal(world.taker, USDC, nonce=4)
    signatures = world.sign_withdrawal(world.taker, message), world.sign_withdrawal(KEYS.operator, message)
    world.warp(61)
    with pytest.raises(RevertError, match="past the deadline"):
        world.vault.send(world.taker.address).withdraw_signed(message, *signatures)
    assert world.balance(world.taker.address) == USDC
