# SPDX-License-Identifier: AGPL-3.0-only
"""Core and journal together under power cuts: what comes back is the state that was acknowledged, to the last bit."""

from collections.abc import Sequence
from random import Random

import pytest

from relayer.core import CORE_VERSION, Core, CoreConfig, inputs
from relayer.journal import Identity, Journal, JournalFailedError
from tests.crash.disk import ForgetfulDisk, PowerOffError
from tests.unit.relayer_core.scenario import Day


def identity_of(config: CoreConfig) -> Identity:
    return Identity(
        core_version=CORE_VERSION, chain_id=config.chain_id, contract=config.exchange, config=config.encode()
    )


def one_life(disk: ForgetfulDisk, rng: Random, config: CoreConfig, items: Sequence[inputs.Input], sure: int) -> int:
    """Recovers, goes on where the journal ends, until the power goes; answers how many inputs are acknowledged."""
    try:
        journal = Journal.open(disk, identity_of(config), segment_bytes=50_000)
    except PowerOffError:
        return sure
    core = Core(config)
    count = journal.replay(lambda record: core.apply(inputs.decode(record)), core.trail_hash)
    assert count >= sure, "an acknowledged input is lost"
    straight = Core(config)
    for item in items[:count]:
        straight.apply(item)
    assert core.state_hash() == straight.state_hash()
    while count < len(items):
        group = items[count : count + rng.randrange(1, 9)]
        for item in group:
            core.apply(item)
        try:
            count = journal.append([inputs.encode(item) for item in group], core.trail_hash()).result(timeout=60)
        except JournalFailedError:
            break
        sure = count
    journal.close()
    return sure


@pytest.mark.parametrize("seed", range(4))
def test_a_trading_day_survives_power_cuts(seed: int) -> None:
    rng = Random(seed)
    day = Day(rng)
    for _ in range(120):
        day.step()
    items = day.venue.inputs
    disk = ForgetfulDisk(rng)
    sure = lives = 0
    while sure < len(items):
        disk.fuse = disk.operations + rng.randrange(2, 40)
        sure = one_life(disk, rng, day.venue.config, items, sure)
        disk.power_on()
        lives += 1
    assert lives > 1
    final = Core(day.venue.config)
    journal = Journal.open(disk, identity_of(day.venue.config))
    journal.replay(lambda record: final.apply(inputs.decode(record)), final.trail_hash)
    journal.close()
    assert final.state_hash() == day.venue.core.state_hash()
