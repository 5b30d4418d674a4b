# SPDX-License-Identifier: AGPL-3.0-only
"""What wrong, stale and forged prices cost other exchanges, played on the OracleRouter. Named after who paid."""

import pytest

from tests.attacks.oracle_scenes import GRACE, Routed
from tests.support.abi import RevertError
from tests.support.chain import deploy
from tests.support.evm import Evm
from tests.support.oracles import BTC_ID, ETH_ID, NOTICE, PYTH_FEE, Sources
from tests.support.wire import wallet
from tests.support.world import PRICE, USDC, rejections

OWNER, GUARDIAN = wallet("governance").address, wallet("guardian").address


@pytest.mark.parametrize("wrong", [1_000, 3, 0.001])
def test_synthetix_skrw_2019_two_feeds_of_which_one_is_far_off_are_never_averaged(wrong: float) -> None:
    """One of two sources jumped a thousandfold and the mean was traded on. Here two that disagree are no price."""
    evm = Evm()
    sources = Sources(evm, OWNER, GUARDIAN)
    feed = sources.chainlink_feed()
    feed.answer(23_000)
    sources.pyth.answer(BTC_ID, 23_000)
    sources.configure(1, [sources.of_chainlink(feed), sources.of_pyth(BTC_ID)], max_deviation=100_000)
    assert sources.router.call.price(1)[0] == PRICE[1]
    evm.warp(1)
    sources.pyth.answer(BTC_ID, str(23_000 * wrong))
    assert sources.router.call.readings(1)[1][0] == PRICE[1] * wrong
    assert sources.router.call.price(1) == (0, 0)


def test_synthetix_skrw_2019_with_a_third_source_the_market_goes_on_at_the_right_price() -> None:
    routed = Routed()
    world = routed.world
    routed.evm.warp(1)
    routed.pyth.answer(BTC_ID, 23_000_000)
    assert routed.price()[0] == PRICE[1]
    world.trade(world.taker, world.maker, 100)
    orders = [world.signed(world.taker, "BUY", slot=5, limit_price=2**40), world.signed(world.maker, "SELL", slot=6)]
    [rejection] = rejections(world.settle(orders, [world.fill(PRICE[1] * 500)]))
    assert rejection.reason == "price band"


def test_synthetix_skrw_2019_a_feed_of_other_units_is_never_named_a_source() -> None:
    evm = Evm()
    sources = Sources(evm, OWNER, GUARDIAN)
    feed, other = sources.chainlink_feed(), sources.chainlink_feed()
    feed.answer(23_000)
    other.answer(23_000_000)
    with pytest.raises(RevertError, match="sources disagree"):
        sources.configure(1, [sources.of_chainlink(feed), sources.of_chainlink(other)], max_deviation=100_000)


def test_dydx_2025_prices_from_before_an_outage_do_not_count_when_trading_resumes() -> None:
    """The chain came back and liquidated at prices from before it stopped. Here no age lets these count."""
    routed = Routed()
    world = routed.world
    victim = wallet("victim")
    other = routed.sources.chainlink_feed()
    named = [routed.sources.of_chainlink(routed.feeds[1]), routed.sources.of_chainlink(other)]
    routed.sources.announce(9, named)
    routed.evm.warp(NOTICE)
    routed.say()
    other.answer(23_000)
    routed.sources.configure(9, named)
    world.system.fund(victim.address, 150 * USDC)
    world.trade(victim, world.maker, 1_000)
    # the last prices before the outage: a spike down, which would liquidate and which may be as old as an hour
    for market, price in ((1, 20_900), (2, 1_450)):
        routed.chainlink(market, price)
    other.answer(20_900)
    assert routed.price(9)[0] == 2_090_000
    routed.sequencer(down=True)
    routed.evm.warp(600)
    routed.sequencer(down=False)
    routed.evm.warp(GRACE)
    assert [price for price, _ in routed.router.call.readings(9)] == [2_090_000, 2_090_000]
    assert routed.price(9) == (0, 0)
    assert routed.price(1) == (0, 0)
    with pytest.raises(RevertError, match="stale price"):
        world.exchange.send(world.maker.address).liquidate(victim.address, 0, 1, 10**6, 0)
    orders = [world.signed(world.taker, "BUY", slot=5), world.signed(world.maker, "SELL", slot=6)]
    [rejection] = rejections(world.settle(orders, [world.fill()]))
    assert rejection.reason == "stale price"
    routed.say()
    other.answer(23_000)
    assert routed.price(9)[0] == routed.price(1)[0] == PRICE[1]
    with pytest.raises(RevertError, match="account is healthy"):
        world.exchange.send(world.maker.address).liquidate(victim.address, 0, 1, 10**6, 0)


def test_kiloex_2025_a_public_forwarder_sets_no_price() -> None:
    """Anybody's contract may carry signed prices: no call through it has rights, and no forged price counts."""
    routed = Routed()
    thief = wallet("thief").address
    relayed = deploy(routed.evm, thief, "Relayed")
    router, pyth, now = routed.router, routed.pyth, routed.evm.now + 1
    named = [(routed.sources.chainlink.address, routed.feeds[2].id, 60)]
    forged = pyth.blob(pyth.price(BTC_ID, 1, now), key=wallet("thief"))
    calls = [
        (router.address, router.data("set_sources", 1, 4, 1, 10_000, named)),
        (router.address, router.data("set_sources", 7, 4, 1, 10_000, named)),
        (router.address, router.data("disable_source", 1, 0)),
        (router.address, router.data("set_guardian", thief)),
        (router.address, router.data("announce", b"")),
        (router.address, router.data("transfer_ownership", thief)),
        (routed.pushed.address, routed.pushed.data("set_signer", thief)),
        (routed.pushed.address, routed.pushed.data("push", [(1, 9_000_000, now, 1, 1)])),
        (routed.sources.pyth_adapter.address, routed.sources.pyth_adapter.data("update", [forged])),
        (pyth.contract.address, pyth.contract.data("updatePriceFeeds", [forged])),
    ]
    routed.evm.warp(1)
    before = routed.router.call.readings(1)
    # a forwarder that appends the sender it pretends to be, as those of EIP-2771 do
    owner = bytes.fromhex(OWNER[2:])
    for target, data in calls:
        for sent in (data, data + owner):
            with pytest.raises(RevertError):
                relayed.send(thief).run([(target, sent)])
    assert routed.router.call.readings(1) == before
    assert routed.price()[0] == PRICE[1]


def test_mango_2022_a_thin_source_that_is_driven_up_does_not_lift_the_index() -> None:
    """One venue's price went up tenfold in minutes. Here the other two have the majority."""
    routed = Routed()
    world = routed.world
    world.trade(world.taker, world.maker, 1_000)
    equity = world.exchange.call.margin_of(world.taker.address, 0)[0]
    for step in range(1, 11):
        routed.evm.warp(1)
        routed.pyth.answer(BTC_ID, 23_000 * (1 + step))
        assert routed.price()[0] == PRICE[1]
    assert world.exchange.call.margin_of(world.taker.address, 0)[0] == equity


def test_a_price_id_is_of_one_price_alone() -> None:
    """An update of another asset's price, however true, touches no other."""
    routed = Routed()
    pyth = routed.pyth
    routed.evm.warp(1)
    blob = pyth.blob(pyth.price(ETH_ID, 1_610 * 10**8, routed.evm.now))
    pyth.pay(routed.sources.pyth_adapter, routed.sources.pyth_adapter.data("update", [blob]), PYTH_FEE)
    assert routed.sources.pyth_adapter.call.read(BTC_ID, 4)[0] == PRICE[1]
