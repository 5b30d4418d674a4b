# SPDX-License-Identifier: AGPL-3.0-only
"""A short campaign; `make reorgs` plays the long one."""

from __future__ import annotations

import pytest

from indexer.store import unit
from tests.reorgs.campaign import DEEPEST, DifferenceError, run
from tests.support.databases import Databases


def test_indexes_after_reorganisations_are_fresh_ones(databases: Databases) -> None:
    report = run([databases], reorgs=10, seed=7)
    assert report.reorgs == 10
    assert report.deepest == DEEPEST
    assert report.rows_taken_back > 500
    assert report.shorter_branches


def test_a_forgotten_image_is_noticed(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: without images of states, positions stay as the lost branch left them."""
    monkeypatch.setattr(unit.BlockUnit, "keep_undo", property(lambda _: False, lambda *_: None), raising=False)
    with pytest.raises(DifferenceError):
        run([databases], reorgs=3, seed=7)
