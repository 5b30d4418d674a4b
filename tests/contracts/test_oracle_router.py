# SPDX-License-Identifier: AGPL-3.0-only
"""OracleRouter: which of its sources count, what price they make, and since when."""

from dataclasses import dataclass
from itertools import permutations
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.abi import RevertError
from tests.support.chain import Contract, deploy
from tests.support.evm import Evm
from tests.support.oracles import Sources
from tests.support.wire import wallet

OWNER, GUARDIAN = wallet("governance").address, wallet("guardian").address
MARKET = 1
PRICE = 2_300_000
AGE = 100
NONE = (0, 0)


@dataclass
class Scene:
    """A router whose sources say what the test wants."""

    sources: Sources
    doubles: list[Contract]

    @property
    def router(self) -> Contract:
        return self.sources.router

    @property
    def evm(self) -> Evm:
        assert isinstance(self.sources.chain, Evm)
        return self.sources.chain

    @property
    def now(self) -> int:
        return self.evm.now

    def named(self, count: int, max_age: int = AGE) -> list[tuple[str, bytes, int]]:
        return [(double.address, bytes(32), max_age) for double in self.doubles[:count]]

    def say(self, *prices: int, ages: tuple[int, ...] = ()) -> None:
        for index, price in enumerate(prices):
            age = ages[index] if ages else 0
            self.doubles[index].send(OWNER).set_answer(price, max(0, self.now - age))

    def configure(self, count: int = 3, quorum: int = 2, deviation: int = 10_000) -> None:
        self.say(*[PRICE] * count)
        self.sources.configure(MARKET, self.named(count), quorum=quorum, max_deviation=deviation)

    def configure_as_is(self) -> None:
        """All three, whatever they say."""
        self.sources.configure(MARKET, self.named(3))

    def price(self) -> tuple[int, int]:
        found: tuple[int, int] = self.router.call.price(MARKET)
        return found


def make(sequencer: str | None = None, grace: int = 0, evm: Evm | None = None) -> Scene:
    evm = evm or Evm()
    options = {} if sequencer is None else {"sequencer": sequencer, "grace": grace}
    sources = Sources(evm, OWNER, GUARDIAN, **options)  # type: ignore[arg-type]
    return Scene(sources, [deploy(evm, OWNER, "SourceDouble") for _ in range(3)])


@pytest.fixture
def scene() -> Scene:
    return make()


# The price


def test_a_market_that_nobody_configured_has_no_price(scene: Scene) -> None:
    for market in (0, 1, 2**16, 2**256 - 1):
        assert scene.router.call.price(market) == NONE
    assert scene.router.call.readings(1) == ()


def test_one_source_is_its_own_median(scene: Scene) -> None:
    scene.configure(1, quorum=1)
    scene.say(2_400_000, ages=(7,))
    assert scene.price() == (2_400_000, scene.now - 7)


def test_two_sources_give_the_middle_and_the_older_time(scene: Scene) -> None:
    scene.configure(2)
    scene.say(2_300_000, 2_310_001, ages=(7, 3))
    assert scene.price() == (2_305_000, scene.now - 7)


@pytest.mark.parametrize("order", list(permutations((2_300_000, 2_305_000, 2_312_000))))
def test_three_sources_give_the_middle_one_in_whatever_order(scene: Scene, order: tuple[int, int, int]) -> None:
    scene.configure()
    scene.say(*order)
    assert scene.price() == (2_305_000, scene.now)


@pytest.mark.parametrize("ages", list(permutations((1, 20, 90))))
def test_the_time_is_that_since_which_a_majority_has_spoken(scene: Scene, ages: tuple[int, int, int]) -> None:
    """A slow feed among fast ones checks them, and does not make them old."""
    scene.configure()
    scene.say(PRICE, PRICE, PRICE, ages=ages)
    assert scene.price() == (PRICE, scene.now - 20)


def test_a_quorum_of_all_is_as_old_as_the_oldest(scene: Scene) -> None:
    scene.configure(quorum=3)
    scene.say(PRICE, PRICE, PRICE, ages=(1, 90, 20))
    assert scene.price() == (PRICE, scene.now - 90)


# Deviation


def test_two_that_disagree_by_one_unit_too_much_stop_the_market(scene: Scene) -> None:
    scene.configure(2, deviation=10_000)
    scene.say(2_300_000, 2_323_000)
    assert scene.price() == (2_311_500, scene.now)
    for pair in ((2_300_000, 2_323_001), (2_323_001, 2_300_000)):
        scene.say(*pair)
        assert scene.price() == NONE


def test_one_of_three_that_is_too_far_does_not_count(scene: Scene) -> None:
    scene.configure()
    for odd in (1, 2_276_999, 2_323_001, 2**40):
        for order in permutations((2_300_000, 2_300_000, odd)):
            scene.say(*order)
            assert scene.price() == (2_300_000, scene.now)


def test_the_price_and_time_are_of_those_that_agree_alone(scene: Scene) -> None:
    scene.configure()
    scene.say(2_300_000, 2_310_000, 9_999_999, ages=(30, 10, 0))
    assert scene.price() == (2_305_000, scene.now - 30)


def test_three_that_all_disagree_stop_the_market(scene: Scene) -> None:
    scene.configure(quorum=1)
    scene.say(2_200_000, 2_300_000, 2_400_000)
    assert scene.price() == NONE


def test_a_majority_is_needed_even_where_the_quorum_is_one(scene: Scene) -> None:
    scene.configure(quorum=1)
    scene.say(2_200_000, 2_300_000, 0)
    assert scene.price() == NONE
    scene.say(2_200_000, 0, 0)
    assert scene.price() == (2_200_000, scene.now)


def test_with_a_quorum_of_three_one_that_disagrees_stops_the_market(scene: Scene) -> None:
    scene.configure(quorum=3)
    scene.say(2_300_000, 2_300_000, 2_400_000)
    assert scene.price() == NONE


_SCENES = {quorum: make() for quorum in (1, 2, 3)}
for _quorum, _each in _SCENES.items():
    _each.configure(3, quorum=_quorum, deviation=20_000)


@given(
    quorum=st.integers(1, 3),
    said=st.lists(
        st.tuples(st.sampled_from([0, 1, 2**40]) | st.integers(2_200_000, 2_400_000), st.integers(-12, 120)),
        min_size=3,
        max_size=3,
    ),
)
def test_the_price_is_what_a_plain_model_says(quorum: int, said: list[tuple[int, int]]) -> None:
    """And lies between two prices published since its time, whichever are left out."""
    scene = _SCENES[quorum]
    for double, (price, age) in zip(scene.doubles, said, strict=True):
        double.send(OWNER).set_answer(price, scene.now - age)
    fresh = sorted((price, -age) for price, age in said if price and -10 <= age <= AGE)
    expected = NONE
    if fresh:
        center = fresh[(len(fresh) - 1) // 2][0]
        agree = [pair for pair in fresh if abs(pair[0] - center) <= center * 20_000 // 10**6]
        if len(agree) >= max(quorum, len(fresh) // 2 + 1):
            newest = sorted((time for _, time in agree), reverse=True)
            time = newest[max(quorum, len(agree) // 2 + 1) - 1]
            expected = (int(median(price for price, _ in agree)), scene.now + time)
            recent = [price for price, at in agree if at >= time]
            assert min(recent) <= expected[0] <= max(recent)
    assert scene.price() == expected


# Freshness


def test_the_last_second_of_a_sources_age_counts_and_the_next_does_not(scene: Scene) -> None:
    scene.configure(1, quorum=1)
    scene.say(PRICE, ages=(AGE,))
    assert scene.price() == (PRICE, scene.now - AGE)
    scene.say(PRICE, ages=(AGE + 1,))
    assert scene.price() == NONE


def test_each_source_has_an_age_of_its_own(scene: Scene) -> None:
    scene.say(PRICE, PRICE)
    slow, fast = scene.named(2)
    scene.sources.configure(MARKET, [(*slow[:2], 90_000), (*fast[:2], 5)], quorum=1)
    scene.say(PRICE, PRICE, ages=(90_000, 6))
    assert scene.price() == (PRICE, scene.now - 90_000)
    scene.say(PRICE, PRICE, ages=(90_001, 5))
    assert scene.price() == (PRICE, scene.now - 5)


def test_ten_seconds_ahead_count_and_eleven_do_not(scene: Scene) -> None:
    scene.configure(1, quorum=1)
    scene.say(PRICE, ages=(-10,))
    assert scene.price() == (PRICE, scene.now + 10)
    for ahead in (11, 2**255):
        scene.doubles[0].send(OWNER).set_answer(PRICE, scene.now + ahead)
        assert scene.price() == NONE


def test_zero_and_beyond_the_largest_price_are_no_prices(scene: Scene) -> None:
    scene.configure(1, quorum=1)
    for price, expected in ((0, 0), (1, 1), (2**40, 2**40), (2**40 + 1, 0), (2**256 - 1, 0)):
        scene.say(price)
        assert scene.price()[0] == expected


# Configuration


BAD = {
    "market id not in 1..65535": {"market": (0, 2**16)},
    "size decimals above 6": {"size_decimals": (7, 2**255)},
    "quorum not in 1..sources": {"quorum": (0, 4)},
    "deviation not in 1000..100000": {"deviation": (0, 999, 100_001)},
    "age not in 5..90000": {"max_age": (0, 4, 90_001, 2**100)},
}


@pytest.mark.parametrize("reason", list(BAD))
def test_every_parameter_has_bounds(scene: Scene, reason: str) -> None:
    scene.say(PRICE, PRICE, PRICE)
    good = {"market": 1, "size_decimals": 4, "quorum": 2, "deviation": 10_000, "max_age": AGE}
    [(name, values)] = BAD[reason].items()
    for value in values:
        asked = good | {name: value}
        arguments = (asked["market"], asked["size_decimals"], asked["quorum"], asked["deviation"])
        with pytest.raises(RevertError, match=reason.replace(".", r"\.")):
            scene.router.send(OWNER).set_sources(*arguments, scene.named(3, asked["max_age"]))


@pytest.mark.parametrize(
    ("market", "decimals", "quorum", "deviation", "age"), [(1, 0, 1, 1_000, 5), (65_535, 6, 3, 100_000, 90_000)]
)
def test_the_bounds_themselves_are_allowed(
    scene: Scene, market: int, decimals: int, quorum: int, deviation: int, age: int
) -> None:
    scene.say(PRICE, PRICE, PRICE)
    named = scene.named(3, age)
    [log] = scene.router.send(OWNER).set_sources(market, decimals, quorum, deviation, named).named("SourcesSet")
    assert (log.market, log.size_decimals, log.quorum, log.max_deviation) == (market, decimals, quorum, deviation)
    found = scene.router.call.sources_of(market)
    assert found[:3] == (decimals, quorum, deviation)
    assert [(adapter.lower(), feed, max_age) for adapter, feed, max_age in found[3]] == [
        (adapter.lower(), feed, max_age) for adapter, feed, max_age in named
    ]
    assert found[4] == (True, True, True)


def test_sources_are_contracts_and_each_is_named_once(scene: Scene) -> None:
    scene.say(PRICE, PRICE, PRICE)
    one, two, three = scene.named(3)
    send = scene.router.send(OWNER)
    with pytest.raises(RevertError, match="no sources"):
        send.set_sources(MARKET, 4, 1, 10_000, [])
    with pytest.raises(RevertError, match="adapter has no code"):
        send.set_sources(MARKET, 4, 1, 10_000, [one, (wallet("nobody").address, bytes(32), AGE)])
    for twice in ([one, one], [one, two, one], [two, one, one], [one, (*one[:2], AGE + 1), two]):
        with pytest.raises(RevertError, match="source named twice"):
            send.set_sources(MARKET, 4, 1, 10_000, twice)
    with pytest.raises(RevertError):
        send.set_sources(MARKET, 4, 1, 10_000, [one, two, three, (one[0], b"\1" * 32, AGE)])
    send.set_sources(MARKET, 4, 2, 10_000, [one, (one[0], b"\1" * 32, AGE)])  # two feeds of one adapter


def test_sources_must_have_prices_and_agree_when_they_are_named(scene: Scene) -> None:
    """So that a wrong feed or wrong decimals never go live."""
    scene.say(PRICE, PRICE, 0)
    with pytest.raises(RevertError, match="source without a price"):
        scene.configure_as_is()
    scene.say(PRICE, PRICE, PRICE * 1_000)
    with pytest.raises(RevertError, match="sources disagree"):
        scene.configure_as_is()
    scene.say(PRICE, PRICE, PRICE, ages=(0, 0, AGE + 1))
    with pytest.raises(RevertError, match="source without a price"):
        scene.configure_as_is()
    assert scene.price() == NONE


def test_readings_show_what_each_source_says_whether_it_counts_or_not(scene: Scene) -> None:
    scene.configure()
    scene.say(2_300_000, 9_000_000, 5, ages=(3, 2, AGE + 50))
    scene.doubles[1].send(OWNER).set_mode(1, scene.router.address)
    now = scene.now
    assert scene.router.call.readings(MARKET) == ((2_300_000, now - 3), (0, 0), (5, now - AGE - 50))


# The sequencer of an L2


def with_sequencer(grace: int = 1_800) -> tuple[Scene, Contract]:
    evm = Evm()
    feed = deploy(evm, OWNER, "UptimeFeedDouble", OWNER)
    scene = make(feed.address, grace, evm)
    feed.send(OWNER).initialize()
    evm.warp(grace)
    scene.configure()
    return scene, feed


def test_a_router_without_a_sequencer_feed_has_no_grace(scene: Scene) -> None:
    with pytest.raises(RevertError, match="grace without a sequencer"):
        make("0x" + "00" * 20, 300)
    assert scene.router.call.GRACE() == 0


@pytest.mark.parametrize("grace", [0, 299, 86_401])
def test_the_grace_has_bounds(grace: int) -> None:
    evm = Evm()
    feed = deploy(evm, OWNER, "UptimeFeedDouble", OWNER)
    with pytest.raises(RevertError, match="grace not in"):
        make(feed.address, grace, evm)


def test_the_sequencer_feed_is_a_contract() -> None:
    with pytest.raises(RevertError, match="sequencer feed has no code"):
        make(wallet("nobody").address, 300)


@pytest.mark.parametrize("grace", [300, 86_400])
def test_prices_start_with_the_second_that_ends_the_grace(grace: int) -> None:
    scene, feed = with_sequencer(grace)
    scene.evm.warp(1_000)
    feed.send(OWNER).updateStatus(True, scene.now)
    feed.send(OWNER).updateStatus(False, scene.now)
    scene.evm.warp(grace - 1)
    scene.say(PRICE, PRICE, PRICE)
    assert scene.price() == NONE
    scene.evm.warp(1)
    assert scene.price() == (PRICE, scene.now - 1)


def test_a_feed_that_does_not_know_is_a_sequencer_that_is_down() -> None:
    evm = Evm()
    feed = deploy(evm, OWNER, "UptimeFeedDouble", OWNER)
    scene = make(feed.address, 300, evm)
    scene.say(PRICE, PRICE, PRICE)
    with pytest.raises(RevertError, match="source without a price"):
        scene.configure()
    feed.send(OWNER).initialize()
    evm.warp(300)
    scene.configure()
    assert scene.price() == (PRICE, scene.now)


@pytest.mark.parametrize(
    "then", ["fe", "5f5ffd", "60205ff3", "60a05ff3"], ids=["burns", "reverts", "one word", "never started"]
)
def test_a_sequencer_feed_that_fails_stops_prices(then: str) -> None:
    scene, feed = with_sequencer()
    assert scene.price() == (PRICE, scene.now)
    scene.evm.set_code(feed.address, bytes.fromhex(then))
    assert scene.price() == NONE


def test_a_sequencer_that_is_up_since_later_than_now_is_in_its_grace() -> None:
    scene, feed = with_sequencer()
    feed.send(OWNER).updateStatus(True, scene.now)
    feed.send(OWNER).updateStatus(False, scene.now + 30)  # by the clock of the chain below
    assert scene.price() == NONE
