# SPDX-License-Identifier: AGPL-3.0-only
"""Ways in which strangers, with borrowed money, could stand in the door."""

import pytest

from tests.attacks.oracle_scenes import Routed
from tests.support.abi import RevertError
from tests.support.chain import deploy
from tests.support.oracles import push_price
from tests.support.system import Listing
from tests.support.wire import wallet
from tests.support.world import NOTICE, USDC, World

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


def raid(routed: Routed) -> int:
    """Governance alone lists a market that it says the price of, trades in it against itself, and wins.

    :return: what its accounts took out beyond what they had put in.
    """
    world, own = routed.world, wallet("governance's feed")
    winner, loser, third = (wallet(f"governance's account {number}") for number in range(3))
    feed = deploy(world.evm, world.governance, "PushedOracle", own.address)
    push_price(feed, own, 9, 1_000_000)
    routed.router.send(world.governance).set_sources(9, 0, 1, 10_000, [(feed.address, (9).to_bytes(32, "big"), 3_600)])
    terms = Listing(9, "RUG-USD", 0, imf=10_000, mmf=5_000, band=500_000, max_price_age=3_600)
    world.exchange.send(world.governance).list_market(*terms.arguments())
    world._tickers["RUG-USD"] = 9
    routed.say()
    for key, amount in ((winner, 1_000), (loser, 1_000), (third, 2_000)):
        world.system.fund(key.address, amount * USDC)
    world.trade(winner, loser, 100_000, 1_000_000, market="RUG-USD")
    world.warp(1)
    push_price(feed, own, 9, 2_000_000)
    world.trade(third, winner, 100_000, 2_000_000, market="RUG-USD")
    paid = world.withdrawable(winner)
    world.withdraw(winner, paid)
    return paid - 4_000 * USDC


def test_79_a_market_at_a_price_of_its_own_takes_a_notice() -> None:
    """Whoever says a new market's price reaches everybody's money as well as who says an old one's."""
    routed = Routed()
    world = routed.world
    world.system.fund(wallet("trader").address, 100_000 * USDC)
    world.trade(world.taker, world.maker, 10)
    with pytest.raises(RevertError, match="no notice"):
        assert raid(routed) > 90_000 * USDC


def test_79_a_listing_takes_a_notice_once_anything_was_settled(world: World) -> None:
    """Word for word, the name included, as ABI encoders write it."""
    governance = world.exchange.send(world.governance)
    terms = Listing(9, "NEW-USD", 0).arguments()
    with world.evm.undone():
        governance.list_market(*terms)  # nobody is in any market yet
    world.trade(world.taker, world.maker, 10)
    with pytest.raises(RevertError, match="no notice"):
        governance.list_market(*terms)
    governance.announce(world.exchange.data("list_market", *terms))
    world.warp(NOTICE)
    with pytest.raises(RevertError, match="no notice"):
        governance.list_market(*Listing(9, "OLD-USD", 0).arguments())
    governance.list_market(*terms)
    assert world.exchange.call.market(9)[0] == "NEW-USD"
