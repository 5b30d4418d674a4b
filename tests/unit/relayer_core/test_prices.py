# SPDX-License-Identifier: AGPL-3.0-only
"""The sorted set of prices against Python's own set."""

from hypothesis import given
from hypothesis import strategies as st

from relayer.core.prices import SortedKeys


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


def test_many_chunks_split_and_vanish() -> None:
    keys = SortedKeys()
    wanted = [(i * 7_919) % 20_011 for i in range(20_000)]
    for key in wanted:
        keys.add(key)
    assert list(keys) == sorted(wanted)
    for key in wanted[::2]:
        keys.remove(key)
    assert list(keys) == sorted(wanted[1::2])
    for key in wanted[1::2]:
        keys.remove(key)
    assert not keys
