# SPDX-License-Identifier: AGPL-3.0-only
"""A relayer that dies at random, and at every boundary in turn, keeps every promise; without fdatasync it does not.

`make crash` does this for a thousand lives.
"""

from pathlib import Path

import pytest

from tests.crash.life import BrokenPromiseError, Campaign
from tests.crash.processes import kill_processes


@pytest.mark.parametrize("seed", range(2))
def test_no_promise_is_broken(seed: int) -> None:
    campaign = Campaign(seed, days=(1, 2), steps=80)
    campaign.run(40)
    counts = campaign.counts
    assert counts["power_cuts"] > 10
    assert counts["kills"] > 5
    assert counts["broadcasts"] > 5
    assert counts["snapshots"] > 2


def test_promises_are_broken_without_fdatasync() -> None:
    for seed in range(3):
        with pytest.raises(BrokenPromiseError):
            Campaign(seed, honest=False, days=(1,), steps=80).run(60)


@pytest.mark.parametrize("power", [True, False])
def test_a_death_at_every_boundary(power: bool) -> None:
    """Between journal, book, answer, broadcast, event log and snapshot: each operation on the disk is the last once."""
    campaign = Campaign(7, days=(3,), steps=40)
    for fuse in range(1, 90):
        campaign._begin()
        campaign.disk.fuse = fuse
        campaign.live(power=power)
        campaign.disk.fuse = None
        campaign.live(power=power)
    assert campaign.counts["whole_days"] >= 89


def test_real_processes_killed_under_load(tmp_path: Path) -> None:
    counts = kill_processes(tmp_path, 3, 1)
    assert counts["fills"] > 0
    assert counts["acknowledged_orders"] > 5
