# SPDX-License-Identifier: AGPL-3.0-only
"""Adaptive ranges: grow on small answers, halve on refusals."""

from indexer.chain.ranges import AdaptiveRange


def test_small_answers_grow_it_up_to_its_bound() -> None:
    range_ = AdaptiveRange(span=10, most=35)
    range_.answered(0)
    range_.answered(1)
    assert range_.span == 35


def test_large_answers_shrink_it() -> None:
    range_ = AdaptiveRange(span=10, wanted_logs=100)
    range_.answered(201)
    assert range_.span == 5
    range_.answered(120)
    assert range_.span == 5


def test_refusals_halve_it_until_one_block_is_left() -> None:
    range_ = AdaptiveRange(span=5)
    assert range_.refused()
    assert range_.span == 2
    assert range_.refused()
    assert range_.span == 1
    assert not range_.refused()
