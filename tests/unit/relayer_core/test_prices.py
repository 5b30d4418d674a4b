# SPDX-License-Identifier: AGPL-3.0-only
"""The sorted set of prices against Python's own set, and what its operations cost under attack, counted."""

from collections.abc import Iterator
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.core import prices
from relayer.core.prices import SortedKeys

LEVELS = 100_000


@given(st.lists(st.integers(-(2**40), 2**40), max_size=200))
def test_holds_what_was_added_and_not_removed(changes: list[int]) -> None:
    keys, model = SortedKeys(), set[int]()
    for key in changes:
        if key in model:
            keys.remove(key)
            model.discard(key)
        else:
            keys.add(key)
            model.add(key)
        assert bool(keys) == bool(model)
        if model:
            assert keys.first == min(model)
    assert list(keys) == sorted(model)


@given(st.integers(0, 2**32).map(Random), st.lists(st.integers(0, 99), min_size=1, max_size=40))
def test_chunks_stay_in_order_while_the_book_grows_and_thins(rng: Random, phases: list[int]) -> None:
    """Small chunks, so that they split and join all the time; each phase has its own share of removals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prices, "_CHUNK", 8)
        keys, model = SortedKeys(), set[int]()
        for share in phases:
            for _ in range(20):
                if model and rng.randrange(100) < share:
                    key = rng.choice(sorted(model))
                    keys.remove(key)
                    model.remove(key)
                else:
                    key = rng.randrange(10_000)
                    if key not in model:
                        keys.add(key)
                        model.add(key)
            assert list(keys) == sorted(model)
            check_shape(keys)


def check_shape(keys: SortedKeys) -> None:
    """What bounds the cost of every operation, for any number of keys."""
    chunks, most = keys._chunks, prices._CHUNK
    assert all(0 < len(chunk) <= most for chunk in chunks)
    assert all(len(one) + len(other) > most // 2 for one, other in pairwise(chunks))
    assert keys._maxima == [chunk[-1] for chunk in chunks]


class Counted(int):
    """A price that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < int(other)


Change = tuple[bool, int]


def descending() -> Iterator[Change]:
    """Each new level is the best one, far from the last."""
    for number in range(LEVELS):
        yield True, (LEVELS - number) * 1_000_003


def alternating_best() -> Iterator[Change]:
    """On a sparse book the best price comes and goes."""
    yield from ((True, (number + 2) * 1_000_003) for number in range(LEVELS))
    for _ in range(LEVELS // 2):
        yield True, 1
        yield False, 1


def eaten_from_the_front() -> Iterator[Change]:
    """A market order after the other takes the best of a sparse book."""
    yield from ((True, number * 1_000_003) for number in range(LEVELS))
    yield from ((False, number * 1_000_003) for number in range(LEVELS))


def one_left_in_each_chunk() -> Iterator[Change]:
    """Fill, thin out to one key where a chunk was, and fill again in between: the most chunks for the fewest keys."""
    for shift in range(4):
        fresh = [number * 64 + shift for number in range(LEVELS // 2)]
        yield from ((True, key) for key in fresh)
        yield from ((False, key) for key in fresh if key // 64 % 251)


def shuffled() -> Iterator[Change]:
    """Anywhere, in and out."""
    order = list(range(LEVELS))
    Random(1).shuffle(order)
    yield from ((True, key) for key in order)
    Random(2).shuffle(order)
    yield from ((False, key) for key in order)


@pytest.mark.skipif(not prices.__file__.endswith(".py"), reason="compiled code compares without asking the keys")
@pytest.mark.parametrize(
    "attack", [descending, alternating_best, eaten_from_the_front, one_left_in_each_chunk, shuffled]
)
def test_no_pattern_makes_an_operation_dear(attack) -> None:  # type: ignore[no-untyped-def]
    """Per operation: comparisons as of two bisections, and a move of a chunk, of the list of chunks, or of both. With
    100,000 levels a linear search would compare, and a plain sorted list would move, a hundred times as much.
    """
    keys, live = SortedKeys(), 0
    for step, (adds, key) in enumerate(attack()):
        Counted.compared = 0
        (keys.add if adds else keys.remove)(Counted(key))
        live += 1 if adds else -1
        assert Counted.compared <= 2 * (LEVELS.bit_length() + 1)
        # Two neighbours hold more than half a chunk together.
        assert len(keys._chunks) <= 4 * live // prices._CHUNK + 2
        if step % 4_999 == 0:
            check_shape(keys)
    check_shape(keys)
    assert len(list(keys)) == live


def test_the_next_price_is_at_hand_whatever_the_gap() -> None:
    """A step to the next level compares nothing: it does not search."""
    keys = SortedKeys()
    for number in range(LEVELS):
        keys.add(Counted(number * number * 1_000_003))
    Counted.compared = 0
    steps = iter(keys)
    assert [next(steps) for _ in range(1_000)] == [number * number * 1_000_003 for number in range(1_000)]
    assert keys.first == 0
    assert Counted.compared == 0
