# SPDX-License-Identifier: AGPL-3.0-only
"""A short campaign; `make chaos` plays the long one."""

from pathlib import Path

from tests.chaos.campaign import run


def test_fills_settle_exactly_once_under_chaos(tmp_path: Path) -> None:
    report = run(tmp_path, fills=100, seed=52, kill_every_fills=30, most_unsettled=40)
    assert report.settled >= 100
    assert report.restarts
    assert len(report.faults) > 8, "little went wrong: this says nothing"
