# SPDX-License-Identifier: AGPL-3.0-only
"""Random power cuts: no acknowledged record is lost, none is changed, the chain continues; without fdatasync this
fails.
"""

from hashlib import sha256
from random import Random

import pytest

from relayer.journal import Identity, Journal, JournalError, JournalFailedError
from tests.crash.disk import ForgetfulDisk, PowerOffError

IDENTITY = Identity(core_version=1, chain_id=31337, contract="0x" + "11" * 20, config=b"{}")


class LostError(AssertionError):
    """An acknowledged record is gone or changed."""


def state_after(records: list[bytes]) -> bytes:
    """A stand-in for a core's state: depends on every record and their order."""
    return sha256(b"".join(len(record).to_bytes(4) + record for record in records)).digest()


def one_life(disk: ForgetfulDisk, rng: Random, acknowledged: list[bytes]) -> None:
    """Opens, checks what is there against what was acknowledged, appends until the power goes or the day is over."""
    try:
        journal = Journal.open(disk, IDENTITY, segment_bytes=4_000)
    except PowerOffError:
        return
    except JournalError as error:
        raise LostError(str(error)) from error
    found: list[bytes] = []
    journal.replay(found.append, lambda: state_after(found))
    if found[: len(acknowledged)] != acknowledged or journal.seq != len(found):
        raise LostError(f"{len(acknowledged)} records were acknowledged, {len(found)} are there")
    acknowledged[:] = found
    told = list(found)
    for _ in range(rng.randrange(1, 12)):
        batch = [rng.randbytes(rng.choice([1, 40, 200, 1_500])) for _ in range(rng.randrange(1, 6))]
        told.extend(batch)
        try:
            future = journal.append(batch, state_after(told))
            future.result(timeout=60)
        except JournalFailedError:
            break
        acknowledged[:] = told
    journal.close()


def campaign(seed: int, lives: int, *, honest: bool) -> int:
    """Runs a disk through many power cuts; answers how many records survived."""
    rng = Random(seed)
    disk = ForgetfulDisk(rng, honest=honest)
    acknowledged: list[bytes] = []
    for _ in range(lives):
        disk.fuse = disk.operations + rng.randrange(1, 30)
        one_life(disk, rng, acknowledged)
        disk.power_on()
    return len(acknowledged)


@pytest.mark.parametrize("seed", range(8))
def test_no_acknowledged_record_is_lost(seed: int) -> None:
    assert campaign(seed, 25, honest=True) > 50


def test_the_campaign_fails_without_fdatasync() -> None:
    for seed in range(4):
        with pytest.raises(LostError):
            campaign(seed, 25, honest=False)


def test_power_cut_at_every_operation() -> None:
    """Not at random but at each boundary between writing, syncing and starting a segment."""
    for fuse in range(1, 40):
        rng = Random(fuse)
        disk = ForgetfulDisk(rng)
        acknowledged: list[bytes] = []
        disk.fuse = fuse
        one_life(disk, rng, acknowledged)
        disk.power_on()
        one_life(disk, rng, acknowledged)


def test_what_a_killed_process_had_written_is_synced_before_it_counts() -> None:
    """It is in the page cache, so the next process finds it; then the power goes."""
    for seed in range(20):
        disk = ForgetfulDisk(Random(seed))
        journal = Journal.open(disk, IDENTITY)
        disk.fuse = disk.operations + 2  # written, not synced
        with pytest.raises(JournalFailedError):
            journal.append([b"written"], bytes(32)).result(timeout=60)
        journal.close()
        disk.start_again()
        journal = Journal.open(disk, IDENTITY)
        found = [record for group in journal.groups() for record in group.records]
        assert found == [b"written"]
        journal.close()
        disk.power_on()
        journal = Journal.open(disk, IDENTITY)
        assert [record for group in journal.groups() for record in group.records] == found
        journal.close()
