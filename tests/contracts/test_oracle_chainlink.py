# SPDX-License-Identifier: AGPL-3.0-only
"""ChainlinkAdapter on feeds that behave as Chainlink's do."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.abi import RevertError
from tests.support.evm import Evm
from tests.support.oracles import Feed, Sources, per_lot
from tests.support.wire import wallet

OWNER, GUARDIAN = wallet("governance").address, wallet("guardian").address
MAX_PRICE = 2**40


@pytest.fixture
def sources() -> Sources:
    return Sources(Evm(), OWNER, GUARDIAN)


def read(sources: Sources, feed: Feed, size_decimals: int = 4) -> tuple[int, int]:
    price, published_at = sources.chainlink.call.read(feed.id, size_decimals)
    return price, published_at


@pytest.mark.parametrize("decimals", [0, 6, 8, 18, 36])
@pytest.mark.parametrize("size_decimals", range(7))
def test_every_pair_of_decimals_gives_micro_usdc_per_lot(sources: Sources, decimals: int, size_decimals: int) -> None:
    feed = sources.chainlink_feed(decimals)
    feed.answer(23_000)
    assert read(sources, feed, size_decimals) == (23_000 * 10 ** (6 - size_decimals), sources.chain.now)


_SCENE = Sources(Evm(), OWNER, GUARDIAN)
_FEEDS = {decimals: _SCENE.chainlink_feed(decimals) for decimals in range(37)}


@given(
    decimals=st.integers(0, 36),
    size_decimals=st.integers(0, 6),
    answer=st.integers(0, 2**191 - 1) | st.integers(0, 10**12) | st.integers(10**28, 10**48),
)
def test_the_price_is_the_exact_one_to_the_nearest(decimals: int, size_decimals: int, answer: int) -> None:
    feed = _FEEDS[decimals]
    feed.aggregator.send(OWNER).transmit(answer)
    exact = per_lot(Fraction(answer, 10**decimals), size_decimals)
    found, _ = read(_SCENE, feed, size_decimals)
    assert found == (exact if exact <= MAX_PRICE else 0)


@pytest.mark.parametrize(
    ("price", "expected"), [("0.0000005", 1), ("0.00000049", 0), ("0.0000015", 2), ("1099511.627776", MAX_PRICE)]
)
def test_rounding_is_to_the_nearest_and_stops_at_the_largest_price(sources: Sources, price: str, expected: int) -> None:
    feed = sources.chainlink_feed(18)
    feed.answer(price)
    assert read(sources, feed, 0)[0] == expected


def test_one_unit_beyond_the_largest_price_is_none(sources: Sources) -> None:
    feed = sources.chainlink_feed(18)
    feed.answer("1099511.627777")
    assert read(sources, feed, 0)[0] == 0


@pytest.mark.parametrize("answer", [0, -1, -(2**191)])
def test_no_answer_above_zero_no_price(sources: Sources, answer: int) -> None:
    feed = sources.chainlink_feed()
    feed.aggregator.send(OWNER).transmit(answer)
    assert read(sources, feed) == (0, 0)


def test_a_feed_without_a_round_has_no_price_though_it_does_not_revert(sources: Sources) -> None:
    feed = sources.chainlink_feed()
    assert feed.proxy.call.latestRoundData()[1:4] == (0, 0, 0)
    assert read(sources, feed) == (0, 0)


def test_a_round_that_nobody_answered_has_no_price_though_it_is_new(sources: Sources) -> None:
    feed = sources.chainlink_feed()
    feed.answer(23_000)
    feed.aggregator.send(OWNER).time_out()
    assert feed.proxy.call.latestRoundData()[1] == 23_000 * 10**8
    assert read(sources, feed) == (0, 0)
    feed.answer(23_100)
    assert read(sources, feed)[0] == 2_310_000


def test_the_time_is_that_of_the_round(sources: Sources) -> None:
    feed = sources.chainlink_feed()
    feed.answer(23_000)
    at = sources.chain.now
    sources.chain.warp(500)
    assert read(sources, feed) == (2_300_000, at)


def test_a_proxy_that_moves_to_an_aggregator_of_other_decimals_keeps_its_price(sources: Sources) -> None:
    feed, other = sources.chainlink_feed(8), sources.chainlink_feed(18)
    for each in (feed, other):
        each.answer(23_000)
    other.aggregator.send(OWNER).add_access(feed.proxy.address)
    feed.proxy.send(OWNER).confirm_aggregator(other.aggregator.address)
    assert feed.proxy.call.decimals() == 18
    assert read(sources, feed)[0] == 2_300_000


def test_a_feed_that_turns_its_readers_away_reverts(sources: Sources) -> None:
    feed = sources.chainlink_feed()
    feed.answer(23_000)
    feed.aggregator.send(OWNER).remove_access(feed.proxy.address)
    with pytest.raises(RevertError, match="No access"):
        read(sources, feed)


@pytest.mark.parametrize("feed", [bytes(32), b"\xff" * 32, b"\1" + bytes(31)])
def test_what_is_not_a_feed_reverts(sources: Sources, feed: bytes) -> None:
    with pytest.raises(RevertError):
        sources.chainlink.call.read(feed, 4)


def answering(*words: int) -> bytes:
    """Code that answers every question with these words; the first is the round, and the decimals."""
    stored = "".join(f"7f{word % 2**256:064x}60{32 * index:02x}52" for index, word in enumerate(words))
    return bytes.fromhex(f"{stored}60{32 * len(words):02x}5ff3")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((1, 230_000, 5, 5, 1), (2_300_000, 5)),
        ((0, 23_000, 5, 5, 0), (0, 0)),
        ((1, 230_000, 5, 0, 1), (0, 0)),
        ((1, 2**192, 5, 5, 1), (0, 5)),
        ((1, 2**255 - 1, 5, 5, 1), (0, 5)),
        ((255, 230_000, 5, 5, 255), (0, 5)),
        ((2, 230_000, 5, 5, 1), (0, 0)),
    ],
    ids=["good", "no round", "no time", "huge", "largest", "255 decimals", "carried over"],
)
def test_a_round_is_whole_or_none(sources: Sources, words: tuple[int, ...], expected: tuple[int, int]) -> None:
    feed = sources.chainlink_feed()
    assert isinstance(sources.chain, Evm)
    sources.chain.set_code(feed.proxy.address, answering(*words))
    assert read(sources, feed) == expected


@pytest.mark.parametrize("words", [(2**80, 1, 1, 1, 2**80), (256, 1, 1, 1, 256), (1, 1, 1, 1)])
def test_words_that_no_feed_would_answer_revert(sources: Sources, words: tuple[int, ...]) -> None:
    feed = sources.chainlink_feed()
    assert isinstance(sources.chain, Evm)
    sources.chain.set_code(feed.proxy.address, answering(*words))
    with pytest.raises(RevertError):
        read(sources, feed)


def test_more_than_six_size_decimals_have_no_price(sources: Sources) -> None:
    feed = sources.chainlink_feed()
    feed.answer(23_000)
    assert read(sources, feed, 7)[0] == 0


def test_the_helpers_reference_rounds_as_it_says() -> None:
    assert [per_lot(Decimal(text), 0) for text in ("0.0000004999", "0.0000005", "0.0000015")] == [0, 1, 2]
