# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 49 to 62: tokens that misbehave, claims on money that is not there, and everybody leaving at once.

56 and 57 as they concern accounts; shares of the Backstop have attacks of their own.
"""

from random import Random

import pytest
from eth_account.signers.local import LocalAccount

from tests.support.abi import RevertError, abi_of
from tests.support.chain import Contract, deploy
from tests.support.system import BTC, ETH
from tests.support.twin import Twin
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World

TIGHTEST = (25_000 * USDC, 50_000, 100_000 * USDC, 200_000)  # the lowest outflow limits that there can be


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


def test_49_a_token_that_takes_more_than_is_paid(hostile: World) -> None:
    """A fee on top, here of one unit, would be paid out of what others are owed."""
    hostile.usdc.send(hostile.operator).set_tax(1)
    with pytest.raises(RevertError, match="more left than was paid"):
        hostile.withdraw(hostile.taker, 10_000)
    hostile.vault.send(hostile.taker.address).request_withdrawal(0, 10_000, hostile.taker.address)
    hostile.warp(120)
    with pytest.raises(RevertError, match="more left than was paid"):
        hostile.vault.send(hostile.taker.address).execute_withdrawal(1)
    hostile.usdc.send(hostile.operator).set_tax(0)
    hostile.vault.send(hostile.operator).execute_withdrawal(1)
    assert hostile.balance(hostile.vault.address) == 200_000 * USDC - 10_000


def test_49_a_transfer_that_arrives_empty(hostile: World) -> None:
    """Nothing arrived, nothing is credited, not even an event."""
    owner = wallet("depositor").address
    hostile.usdc.send(owner).set_fee(10_000)
    with pytest.raises(RevertError, match="nothing arrived"):
        hostile.system.fund(owner, USDC)


def test_50_a_rebase_upwards_is_nobodys(hostile: World) -> None:
    """What the token adds to the Vault by itself raises no claim, and the caps by no more than its share."""
    hostile.vault.send(hostile.governance).set_outflow_limits(*TIGHTEST)
    hostile.usdc.send(hostile.operator).rebase(hostile.vault.address, 1_000_000 * USDC)
    assert hostile.withdrawable(hostile.taker) == hostile.cash(hostile.taker) == 100_000 * USDC
    assert hostile.vault.call.outflow_room()[0] == 50_000 * USDC
    with pytest.raises(RevertError, match="more than is withdrawable"):
        hostile.withdraw(hostile.taker, 1, subaccount=1)


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


REENTRIES = [
    "deposit",
    "deposit_with_permit",
    "donate",
    "execute_withdrawal",
    "approve_withdrawal",
    "withdraw_signed",
    "withdraw_approved",
    "request_withdrawal",
    "cancel_withdrawal",
    "set_rules",
    "withdrawals",
    "outflow_room",
    "rules",
]


@pytest.mark.parametrize("call", REENTRIES)
def test_52_callback_token(hostile: World, call: str) -> None:
    """A token that lets another call into the Vault while it moves: that is locked, and everything is booked once."""
    vault = hostile.vault
    accomplice = deploy(hostile.evm, hostile.operator, "ContractWallet", hostile.operator)
    friend = wallet("friend of the accomplice").address

    def by_accomplice(target: Contract, name: str, *arguments: object) -> None:
        accomplice.send(hostile.operator).run(target.address, target.data(name, *arguments))

    vault.send(hostile.taker.address).request_withdrawal(0, 5 * USDC, hostile.taker.address)
    by_accomplice(vault, "request_withdrawal", 0, 5 * USDC, friend)
    vault.send(friend).set_rules("0x" + "00" * 20, accomplice.address)
    vault.send(friend).request_withdrawal(0, 5 * USDC, friend)
    hostile.warp(120)
    hostile.usdc.send(friend).mint(accomplice.address, 10 * USDC)
    by_accomplice(hostile.usdc, "approve", vault.address, 10 * USDC)
    message = hostile.withdrawal(hostile.taker, 7 * USDC, nonce=5)
    signatures = hostile.sign_withdrawal(hostile.taker, message), hostile.sign_withdrawal(KEYS.operator, message)
    arguments = {
        "deposit": (friend, 0, USDC),
        "deposit_with_permit": (friend, 0, USDC, 2**40, 27, bytes(32), bytes(32)),
        "donate": (USDC,),
        "execute_withdrawal": (1,),
        "approve_withdrawal": (3, 5 * USDC, friend, b""),
        "withdraw_signed": (message, *signatures),
        "withdraw_approved": (message, *signatures, b""),
        "request_withdrawal": (0, USDC, friend),
        "cancel_withdrawal": (2,),
        "set_rules": (friend, friend),
        "withdrawals": (1,),
        "outflow_room": (),
        "rules": (friend,),
    }
    with hostile.evm.undone():
        by_accomplice(vault, call, *arguments[call])  # at any other time it goes through
    inner = vault.data(call, *arguments[call])
    hostile.usdc.send(friend).set_hook(accomplice.address, accomplice.data("run", vault.address, inner))
    hostile.withdraw(hostile.taker, 3 * USDC)
    hostile.system.fund(hostile.taker.address, 2 * USDC)
    answers = [hostile.usdc.call.hook_answers(index) for index in range(2)]
    assert answers == [False, False]
    assert hostile.cash(hostile.taker) == 99_999 * USDC
    assert hostile.balance(vault.address) == 199_999 * USDC


def test_52_the_backstop_is_not_let_in_by_a_callback(hostile: World) -> None:
    """Not even it, in the middle of somebody's payment, is paid past the books."""
    backstop = Contract(hostile.evm, hostile.name_backstop(50 * USDC), abi_of("Relayed"))
    vault, home = hostile.vault, wallet("redeemer").address
    data = backstop.data("run", [(vault.address, vault.data("withdraw_backstop", 30 * USDC, home))])
    hostile.usdc.send(hostile.operator).set_hook(backstop.address, data)
    hostile.withdraw(hostile.taker, 3 * USDC)
    assert hostile.usdc.call.hook_answers(0) is False
    assert hostile.balance(home) == 0
    assert hostile.exchange.call.cash(backstop.address, 0) == 50 * USDC


def test_53_blacklisted_recipient_does_not_block_others(hostile: World) -> None:
    refused = wallet("blacklisted").address
    for key, to in ((hostile.taker, refused), (hostile.maker, hostile.maker.address)):
        hostile.vault.send(key.address).request_withdrawal(0, 10 * USDC, to)
    hostile.usdc.send(hostile.operator).refuse(refused)
    hostile.warp(120)
    anybody = hostile.vault.send(hostile.operator)
    room = hostile.vault.call.outflow_room()
    with pytest.raises(RevertError, match="recipient refused"):
        anybody.execute_withdrawal(1)
    assert hostile.vault.call.outflow_room() == room
    anybody.execute_withdrawal(2)
    assert hostile.balance(hostile.maker.address) == 10 * USDC
    # and the blocked one loses nothing: another recipient will do
    hostile.vault.send(hostile.taker.address).cancel_withdrawal(1)
    hostile.withdraw(hostile.taker, 10 * USDC)
    assert hostile.balance(hostile.taker.address) == 10 * USDC


def test_54_depeg(world: World) -> None:
    """A claim is on tokens, not on dollars: in a run from a token that lost its peg, each gets token for token.

    Whoever brings cheap tokens and takes them out again frees no more of a cap than he uses.
    """
    speculator = wallet("speculator")
    world.vault.send(world.governance).set_outflow_limits(*TIGHTEST)
    world.system.fund(speculator.address, 18_000 * USDC)
    world.withdraw(world.taker, 18_000 * USDC)
    left = world.vault.call.outflow_room()
    for nonce in range(5):
        world.system.fund(speculator.address, 18_000 * USDC)
        world.withdraw(speculator, 18_000 * USDC, nonce=nonce)
        assert world.vault.call.outflow_room() == left
    assert world.balance(world.vault.address) == 200_000 * USDC
    assert world.withdrawable(speculator) == 18_000 * USDC
    world.warp(86_400)
    for key, amount in ((world.maker, 10_000), (speculator, 8_000)):
        world.withdraw(key, amount * USDC, nonce=9)
        assert world.balance(key.address) >= amount * USDC


def test_55_donation_that_would_open_the_caps(world: World) -> None:
    """A cap is a share of what is held: to let out one token more by a gift costs five."""
    world.vault.send(world.governance).set_outflow_limits(*TIGHTEST)
    world.usdc.send(world.taker.address).mint(world.vault.address, 300_000 * USDC)
    assert world.vault.call.outflow_room()[0] == 25_000 * USDC
    world.usdc.send(world.taker.address).mint(world.vault.address, 20 * USDC)
    assert world.vault.call.outflow_room()[0] == 25_001 * USDC


def test_56_first_deposit() -> None:
    """Claims are amounts, not shares: who deposits one unit and gives the Vault a fortune takes nothing of the next."""
    world = World(funds=0)
    first, second = wallet("first depositor"), wallet("second depositor")
    world.system.fund(first.address, 1)
    world.usdc.send(first.address).mint(world.vault.address, 1_000 * USDC)
    world.system.fund(second.address, 1_999)
    assert (world.cash(first), world.cash(second)) == (1, 1_999)
    world.withdraw(second, 1_999)
    with pytest.raises(RevertError, match="more than is withdrawable"):
        world.withdraw(first, 2)


def test_57_deposit_before_profit() -> None:
    """Who puts cash in just before others' losses and gifts come in has his cash, and no more."""
    world = World()
    late = wallet("late depositor")
    world.system.fund(late.address, 1_000 * USDC)
    world.system.donate(wallet("donor").address, 50_000 * USDC)
    world.trade(world.taker, world.maker, 1_000, taker_fee=350)
    assert world.withdrawable(late) == 1_000 * USDC
    with pytest.raises(RevertError, match="more than is withdrawable"):
        world.withdraw(late, 1_000 * USDC + 1)


def test_57_exit_before_loss(world: World) -> None:
    """A request that was due before the price fell takes out nothing that the loss needs, in however many parts."""
    loser = world.taker.address
    world.vault.send(loser).request_withdrawal(0, 100_000 * USDC, loser)
    world.trade(world.taker, world.maker, 10_000)
    world.warp(120)
    world.push({1: PRICE[1] * 96 // 100})
    for _ in range(2):
        if world.withdrawable(world.taker):
            world.vault.send(loser).execute_withdrawal(1)
    with pytest.raises(RevertError, match="nothing is withdrawable"):
        world.vault.send(loser).execute_withdrawal(1)
    equity, initial, _, _ = world.exchange.call.margin_of(loser, 0)
    assert 0 <= equity - initial < 1 << 32
    # after a further fall the rest of the request still takes nothing
    world.push({1: PRICE[1] * 94 // 100})
    with pytest.raises(RevertError, match="nothing is withdrawable"):
        world.vault.send(loser).execute_withdrawal(1)


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


@pytest.mark.parametrize("seed", range(6))
def test_62_bank_run_against_the_tightest_caps(seed: int) -> None:
    """Everybody queues for everything, in any order, while the guardian does his worst: all are paid, to the unit."""
    random = Random(seed)
    world = World(funds=0)
    keys = [wallet(f"depositor {number}") for number in range(6)]
    claims = {}
    for key in keys:
        claims[key.address] = random.randrange(10_000, 60_000) * USDC + random.randrange(USDC)
        world.system.fund(key.address, claims[key.address])
    world.warp(86_400)  # the money is not fresh any more
    guardian = world.vault.send(KEYS.guardian.address)
    guardian.tighten_outflow(*TIGHTEST)
    random.shuffle(keys)
    for key in keys:
        world.vault.send(key.address).request_withdrawal(0, claims[key.address], key.address)
    guardian.stretch_queue()
    world.warp(72 * 3_600 + world.system.withdrawal_delay)
    waiting = list(enumerate(keys, start=1))
    for _ in range(24 * 5):
        random.shuffle(waiting)
        for number, key in list(waiting):
            if world.vault.call.outflow_room()[0]:
                world.vault.send(key.address).execute_withdrawal(number)
                if world.cash(key) == 0:
                    waiting.remove((number, key))
        if not waiting:
            break
        world.warp(random.randrange(600, 3_600))
    assert {key.address: world.balance(key.address) for key in keys} == claims
    assert world.balance(world.vault.address) == 0


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
