# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 36 to 48 on prices that come through the OracleRouter.

Without expiring instruments and options there is no average price at expiry and no volatility to attack (45, 46).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attacks.oracle_scenes import GRACE, IDS, Routed
from tests.support.abi import RevertError, abi_of
from tests.support.chain import Contract, deploy
from tests.support.evm import Evm
from tests.support.oracles import BTC_ID, HEARTBEAT, NOBODY, PYTH_AGE, PYTH_FEE, Sources
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, rejections

OWNER, GUARDIAN = wallet("governance").address, wallet("guardian").address
NONE = (0, 0)


@pytest.fixture
def routed() -> Routed:
    return Routed()


def answers(routed: Routed, price: int = PRICE[1]) -> list[str]:
    """Why a fill at that price is rejected now, if it is."""
    world = routed.world
    orders = [world.signed(world.taker, "BUY", slot=5, limit_price=price)]
    orders += [world.signed(world.maker, "SELL", slot=6, limit_price=price)]
    return [rejection.reason for rejection in rejections(world.settle(orders, [world.fill(price)]))]


def test_36_stale(routed: Routed) -> None:
    """Sources that stop are left one by one; below the quorum nothing trades, and what is new again counts at once."""
    routed.evm.warp(PYTH_AGE)
    assert answers(routed) == []
    routed.evm.warp(1)
    assert routed.price() == NONE
    assert answers(routed) == ["stale price"]
    routed.say_fast()
    assert answers(routed) == []
    routed.evm.warp(HEARTBEAT - PYTH_AGE)  # Chainlink has not spoken for an hour and a second
    routed.pyth.answer(BTC_ID, 23_000)
    assert answers(routed) == ["stale price"]
    routed.world.system.push({1: PRICE[1]})
    assert answers(routed) == []


def test_36_an_old_price_makes_no_market_look_fresh(routed: Routed) -> None:
    """The exchange sees the time since which a majority has spoken, not that of the newest."""
    routed.evm.warp(50)
    said = routed.evm.now - 50
    routed.pyth.answer(BTC_ID, 23_000)
    assert routed.price() == (PRICE[1], said)


@pytest.mark.parametrize("answer", [0, -1, -(23_000 * 10**8)])
def test_37_zero_or_negative(routed: Routed, answer: int) -> None:
    """Such an answer is none: the others go on, and where they are not enough nothing does."""
    routed.feeds[1].aggregator.send(OWNER).transmit(answer)
    assert answers(routed) == []
    assert routed.price()[0] == PRICE[1]
    routed.evm.warp(1)
    routed.pyth.push(routed.pyth.blob(routed.pyth.price(BTC_ID, answer, routed.evm.now)))
    assert answers(routed) == ["stale price"]


def test_38_future_timestamp(routed: Routed) -> None:
    """A price from the future does not count before its time has come, and keeps nobody else from counting."""
    at = routed.evm.now + 30
    routed.pyth.answer(BTC_ID, 23_100, at)
    assert routed.price()[0] == PRICE[1]
    routed.feeds[1].answer(23_050)
    assert routed.price()[0] == (2_300_000 + 2_305_000) // 2
    routed.evm.warp(19)
    assert routed.price()[0] == (2_300_000 + 2_305_000) // 2
    routed.evm.warp(1)
    assert routed.price() == (2_305_000, at - 20 - 10)


def test_39_out_of_order_update(routed: Routed) -> None:
    """An older update costs its fee and changes nothing; one round of Chainlink's does not come back either."""
    pyth, adapter = routed.pyth, routed.sources.pyth_adapter
    routed.evm.warp(20)
    older = pyth.blob(pyth.price(BTC_ID, 22_000 * 10**8, routed.evm.now - 10))
    routed.pyth.answer(BTC_ID, 23_000)
    stored = adapter.call.read(BTC_ID, 4)
    pyth.pay(adapter, adapter.data("update", [older]), PYTH_FEE)
    assert adapter.call.read(BTC_ID, 4) == stored == (2_300_000, routed.evm.now)


def _agreeing(factors: tuple[int, int]) -> tuple[Evm, Contract, list[Contract]]:
    evm = Evm()
    sources = Sources(evm, OWNER, GUARDIAN)
    doubles = [deploy(evm, OWNER, "SourceDouble") for _ in range(3)]
    for double in doubles:
        double.send(OWNER).set_answer(PRICE[1], evm.now)
    sources.configure(1, [(double.address, bytes(32), 60) for double in doubles], quorum=factors[0])
    return evm, sources.router, doubles


_SCENES = {quorum: _agreeing((quorum, 0)) for quorum in (1, 2)}


@given(
    quorum=st.sampled_from([1, 2]),
    honest=st.integers(1_000_000, 3_000_000),
    apart=st.integers(0, 10_000),
    lie=st.integers(0, 2**256 - 1) | st.integers(900_000, 3_100_000),
    age=st.integers(-10, 70),
    liar=st.integers(0, 2),
)
def test_40_one_liar_neither_moves_the_price_nor_stops_it(
    quorum: int, honest: int, apart: int, lie: int, age: int, liar: int
) -> None:
    """Whatever one of three says, the price lies between the two honest ones, as long as these agree."""
    evm, router, doubles = _SCENES[quorum]
    told = [honest, honest + honest * apart // 10**6]
    for index, double in enumerate(doubles):
        if index == liar:
            double.send(OWNER).set_answer(lie, evm.now - age)
        else:
            double.send(OWNER).set_answer(told[index % 2 if liar else index - 1], evm.now)
    pair = sorted(double_price for i, (double_price, _) in enumerate(router.call.readings(1)) if i != liar)
    price, published_at = router.call.price(1)
    assert pair[0] <= price <= pair[1]
    assert published_at == evm.now or published_at == evm.now - age


def test_40_out_of_band(routed: Routed) -> None:
    """Beyond the deviation of two that are left there is no price: no fill, no liquidation, no withdrawal at either."""
    world = routed.world
    world.trade(world.taker, world.maker, 100)
    routed.evm.warp(PYTH_AGE + 1)
    routed.world.system.push({1: PRICE[1]})
    routed.chainlink(1, 23_000 * 1.01)
    assert answers(routed) == []
    routed.chainlink(1, 23_000 * 1.0101)
    assert answers(routed) == ["stale price"]
    assert world.withdrawable(world.taker) == 0
    with pytest.raises(RevertError, match="stale price"):
        world.exchange.send(world.maker.address).liquidate(world.taker.address, 0, 1, 1, 0)


@pytest.mark.parametrize("odd", [6, 8, 18, 36])
def test_41_decimals(odd: int) -> None:
    """Feeds of 6, 8, 18 and 36 decimals say the same to the unit, whichever is in the middle."""
    evm = Evm()
    sources = Sources(evm, OWNER, GUARDIAN)
    feeds = [sources.chainlink_feed(decimals) for decimals in (6, 8, 18, 36)]
    chosen = [feed for feed in feeds if feed.decimals != odd]
    for feed in feeds:
        feed.answer("23456.789")
    sources.configure(1, [sources.of_chainlink(feed) for feed in chosen], quorum=3, max_deviation=1_000)
    assert sources.router.call.price(1) == (2_345_679, evm.now)
    sources.configure(2, [sources.of_chainlink(feeds[0])], quorum=1, size_decimals=0)
    assert sources.router.call.price(2) == (23_456_789_000, evm.now)


def test_42_quorum_lost(routed: Routed) -> None:
    """With one source of three left a market stands still, whatever that one says; who holds nothing in it leaves."""
    world = routed.world
    world.trade(world.taker, world.maker, 1_000)
    bystander = wallet("bystander")
    world.system.fund(bystander.address, 70 * USDC)
    routed.evm.set_code(routed.feeds[1].proxy.address, bytes.fromhex("fe"))
    routed.evm.warp(PYTH_AGE + 1)
    routed.pyth.answer(BTC_ID, 11_500)
    assert routed.router.call.readings(1)[1][0] == PRICE[1] // 2
    assert routed.price() == NONE
    assert answers(routed) == ["stale price"]
    assert world.withdrawable(world.taker) == 0
    with pytest.raises(RevertError, match="stale price"):
        world.exchange.send(world.maker.address).liquidate(world.taker.address, 0, 1, 1, 0)
    world.withdraw(bystander, 70 * USDC)
    assert world.balance(bystander.address) == 70 * USDC
    routed.evm.warp(1)
    routed.say_fast()
    assert answers(routed) == []


def test_42_the_guardian_cannot_take_the_quorum_away(routed: Routed) -> None:
    """Else he could lock in who holds a position."""
    guardian = routed.router.send(KEYS.guardian.address)
    guardian.disable_source(1, 0)
    for index in (1, 2):
        with pytest.raises(RevertError, match="quorum needs it"):
            guardian.disable_source(1, index)
    assert answers(routed) == []


def test_43_nobody_is_liquidated_while_the_sequencer_is_down_or_just_back(routed: Routed) -> None:
    """Prices fell in the outage, when nobody could deposit: whoever is hit has the grace to do so."""
    world = routed.world
    victim = wallet("victim")
    world.system.fund(victim.address, 280 * USDC)
    world.trade(victim, world.maker, 1_000)
    liquidator = world.exchange.send(world.maker.address)
    routed.sequencer(down=True)
    routed.say(90)
    assert routed.price() == NONE
    with pytest.raises(RevertError, match="stale price"):
        liquidator.liquidate(victim.address, 0, 1, 10**6, 0)
    routed.sequencer(down=False)
    since = routed.evm.now
    routed.evm.warp(GRACE - 1)
    routed.say_fast(90)
    assert routed.evm.now == since + GRACE - 1
    with pytest.raises(RevertError, match="stale price"):
        liquidator.liquidate(victim.address, 0, 1, 10**6, 0)
    with routed.evm.undone():
        world.system.fund(victim.address, 500 * USDC)  # he uses it
        routed.say(90)
        with pytest.raises(RevertError, match="account is healthy"):
            liquidator.liquidate(victim.address, 0, 1, 10**6, 0)
    routed.say(90)
    assert liquidator.liquidate(victim.address, 0, 1, 10**6, 0).named("Liquidated")


def test_44_sandwiched_update(routed: Routed) -> None:
    """Between two fills of one's own, an older update is ignored, and a single newer one moves nothing by itself."""
    pyth = routed.pyth
    routed.evm.warp(30)
    routed.say_fast()
    assert answers(routed) == []
    pyth.push(pyth.blob(pyth.price(BTC_ID, 24_000 * 10**8, routed.evm.now - 5)))
    assert routed.price() == (PRICE[1], routed.evm.now)
    routed.evm.warp(1)
    pyth.push(pyth.blob(pyth.price(BTC_ID, 24_000 * 10**8, routed.evm.now)))
    assert routed.price()[0] == PRICE[1]
    high = PRICE[1] * 112 // 100
    assert answers(routed, high) == ["price band"]  # the band is around 23,000, not 24,000
    assert answers(routed) == []


def test_47_price_and_liquidation_in_one_transaction(routed: Routed) -> None:
    """Prices pushed in the same transaction count at once; one source's alone does not, though it is signed."""
    world, pyth = routed.world, routed.pyth
    pyth.contract.send(OWNER).set_up(pyth.signer.address, 0)
    victim, liquidator = wallet("victim"), wallet("liquidator")
    world.system.fund(victim.address, 120 * USDC)
    world.trade(victim, world.maker, 1_000)
    relayed = deploy(world.evm, liquidator.address, "Relayed", abi=abi_of("Relayed"))
    world.usdc.send(liquidator.address).mint(liquidator.address, 10_000 * USDC)
    world.usdc.send(liquidator.address).approve(world.vault.address, 10_000 * USDC)
    world.vault.send(liquidator.address).deposit(relayed.address, 0, 10_000 * USDC)
    routed.evm.warp(1)
    adapter = routed.sources.pyth_adapter
    by_pyth = (adapter.address, adapter.data("update", [pyth.blob(pyth.price(BTC_ID, 22_450 * 10**8, world.now))]))
    pushed = routed.pushed.data("push", [world.system.price_update(1, 2_245_000, world.now)])
    take = (world.exchange.address, world.exchange.data("liquidate", victim.address, 0, 1, 10**6, 0))
    sender = relayed.send(liquidator.address)
    for calls in ([take], [by_pyth, take], [(routed.pushed.address, pushed), take]):
        with world.evm.undone(), pytest.raises(RevertError):
            sender.run(calls)
    sender.run([by_pyth, (routed.pushed.address, pushed), take])
    assert world.position(victim).size < 1_000
    assert routed.price()[0] == 2_245_000


# A source that is broken or hostile (48)

CODES = {
    "burns": "fe",
    "loops": "5b5f56",
    "reverts": "5f5ffd",
    "reverts with a bomb": "620186a05ffd",
    "answers a bomb": "620186a05ff3",
    "answers nothing": "00",
    "answers half": "60205ff3",
    "answers ones": "5f195f525f1960205260405ff3",
    "has no code": "",
}
MODES = {"says no": 1, "one word": 2, "writes": 4, "asks the router": 5}


@pytest.mark.parametrize("code", list(CODES.values()), ids=list(CODES))
def test_48_a_broken_source_is_one_without_a_price(routed: Routed, code: str) -> None:
    """Any one of them, however it breaks, leaves the price to the others; two leave none, and still no revert."""
    world = routed.world
    routed.evm.set_code(routed.sources.chainlink.address, bytes.fromhex(code))
    assert answers(routed) == []
    assert routed.price() == (PRICE[1], routed.evm.now)
    routed.evm.set_code(routed.sources.pyth_adapter.address, bytes.fromhex(code))
    assert routed.price() == NONE
    assert answers(routed) == ["stale price"]
    routed.evm.set_code(routed.pushed.address, bytes.fromhex(code))
    routed.evm.set_code(routed.uptime.address, bytes.fromhex(code))
    assert routed.price() == NONE
    bystander = wallet("bystander")
    world.system.fund(bystander.address, 70 * USDC)
    world.withdraw(bystander, 70 * USDC)


@pytest.mark.parametrize("code", list(CODES.values()), ids=list(CODES))
def test_48_the_price_is_found_within_its_gas_though_every_source_does_its_worst(code: str) -> None:
    evm, router, doubles = _agreeing((2, 0))
    for double in doubles:
        evm.set_code(double.address, bytes.fromhex(code))
    gas = 21_000 + 1_000 + router.call.PRICE_GAS()
    receipt = evm.transact(OWNER, router.address, router.data("price", 1), gas)
    assert receipt.output == bytes(64)


@pytest.mark.parametrize("mode", list(MODES.values()), ids=list(MODES))
def test_48_a_source_that_misbehaves_is_one_without_a_price(mode: int) -> None:
    evm, router, doubles = _agreeing((2, 0))
    doubles[0].send(OWNER).set_mode(mode, router.address)
    assert router.call.price(1) == (PRICE[1], evm.now)
    assert router.call.readings(1)[0] == NONE
    doubles[1].send(OWNER).set_mode(mode, router.address)
    assert router.call.price(1) == NONE


def test_48_more_words_than_asked_for_are_not_read() -> None:
    evm, router, doubles = _agreeing((2, 0))
    for double in doubles:
        double.send(OWNER).set_mode(3, NOBODY)
    assert router.call.price(1) == (PRICE[1], evm.now)


def picky(least: int, *words: bytes) -> bytes:
    """Code that answers words (each given as code that pushes it), but reverts at once when given less gas."""
    stored = b"".join(word + bytes.fromhex(f"60{32 * index:02x}52") for index, word in enumerate(words))
    answer = stored + bytes.fromhex(f"60{32 * len(words):02x}5ff3")
    return b"\x61" + least.to_bytes(2, "big") + bytes.fromhex("5a11600b575f5ffd5b") + answer


def test_48_no_caller_can_starve_a_source() -> None:
    """With whatever gas, the router finds the true price or burns all of it: what remains pays for nothing."""
    one, now = bytes.fromhex("6001"), bytes.fromhex("42")
    evm = Evm()
    uptime = deploy(evm, OWNER, "UptimeFeedDouble", OWNER)
    sources = Sources(evm, OWNER, GUARDIAN, sequencer=uptime.address, grace=300)
    evm.set_code(uptime.address, picky(33_000, one, bytes.fromhex("5f"), one, one, one))
    doubles = [deploy(evm, OWNER, "SourceDouble") for _ in range(3)]
    for index, double in enumerate(doubles):
        price = PRICE[1] + 1_000 * index**2
        evm.set_code(double.address, picky(48_000, b"\x63" + price.to_bytes(4, "big"), now))
    sources.configure(1, [(double.address, bytes(32), 60) for double in doubles], quorum=1)
    true = (PRICE[1] + 1_000).to_bytes(32, "big") + evm.now.to_bytes(32, "big")
    found = set()
    for gas in range(22_000, 22_000 + sources.router.call.PRICE_GAS(), 300):
        try:
            receipt = evm.transact(OWNER, sources.router.address, sources.router.data("price", 1), gas)
        except RevertError as error:
            found.add(error.reason.split(":")[0])
        else:
            assert receipt.output == true, gas
            found.add("true")
    assert found == {"halted", "true"}


def test_48_an_operator_cannot_starve_the_router_of_a_batch(routed: Routed) -> None:
    world = routed.world
    world.trade(world.taker, world.maker, 1_000)
    world.trade(world.taker, world.maker, 1_000, market="ETH-USD")
    orders = [world.signed(world.taker, "SELL", slot=5), world.signed(world.maker, "BUY", slot=6)]
    words = [signed.words for signed in orders], [world.fill().word()]
    found = set()
    for gas in range(100_000, 6_000_000, 100_000):
        with world.evm.undone():
            try:
                sent = world.exchange.send(world.operator, gas=gas)
                receipt = sent.settle(world.system.head, (77).to_bytes(32, "big"), *words)
            except RevertError:
                found.add("reverted")
            else:
                assert [log.reason for log in receipt.named("FillRejected")] == []
                found.add("settled")
    assert found == {"reverted", "settled"}


def test_48_one_market_without_sources_stops_no_other(routed: Routed) -> None:
    world = routed.world
    world.trade(world.taker, world.maker, 100)
    for oracle in (routed.feeds[2].proxy, routed.feeds[2].aggregator):
        routed.evm.set_code(oracle.address, bytes.fromhex("fe"))
    routed.evm.warp(PYTH_AGE + 1)
    routed.chainlink(1, 23_000)
    routed.pyth.answer(IDS[1], 23_000)
    assert routed.price(2) == NONE
    assert answers(routed) == []
    assert world.withdrawable(world.taker) > 0
