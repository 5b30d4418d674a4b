# SPDX-License-Identifier: AGPL-3.0-only
"""Final blocks are written several at a time: who is killed within such a batch, or sees a reorganisation down to where
the last one ended, still ends with what a fresh sync finds.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.chain import follower
from indexer.chain.follower import KEPT_BLOCKS
from tests.integration.indexer import dying
from tests.integration.indexer.index import Index, fresh_index
from tests.integration.indexer.venue import MAKER, TAKER, ChainVenue, venue
from tests.support.build import ROOT
from tests.support.databases import Databases


@pytest.fixture(scope="module")
def chain() -> Iterator[ChainVenue]:
    """With some forty blocks that nobody can take back any more."""
    with venue() as deployed:
        dice = random.Random(41)
        for _ in range(25):
            deployed.act(dice)
        for lots in (7, -3, 11):
            deployed.trade(TAKER, MAKER, lots)
        yield deployed


def test_batches_of_final_blocks(
    chain: ChainVenue, databases: Databases, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = tmp_path / "deployment.json"
    deployment.write_text(json.dumps(chain.record()))
    border = chain.mark()
    chain.rpc.request("anvil_mine", hex(KEPT_BLOCKS))
    fresh = fresh_dump(chain, databases)

    heights = [0]
    for batch in (2, 1, 3):
        killed_within(batch, chain, deployment, database_url)
        index = Index(chain.rpc.url, chain.record(), database_url)
        heights.append(index.follower.position.number)
        index.close()
    # The batch in which it died left nothing; those before it are there.
    assert heights[1] > 0
    assert heights[2] == heights[1]
    assert border.block > heights[3] > heights[2]

    monkeypatch.setattr(follower, "_TOGETHER", dying.TOGETHER)
    index = Index(chain.rpc.url, chain.record(), database_url)
    index.sync()
    assert index.dump() == fresh

    # The deepest step back there is: the last batch ended at that very block.
    chain.back(border)
    chain.trade(TAKER, MAKER, 5)
    chain.rpc.request("anvil_mine", hex(KEPT_BLOCKS))
    index.sync()
    [reversal] = index.watcher.reversals
    assert reversal.to_block == border.block
    found = index.dump()
    index.close()
    assert found == fresh_dump(chain, databases) != fresh


def killed_within(batch: int, chain: ChainVenue, deployment: Path, database_url: str) -> None:
    command = [sys.executable, "-m", "tests.integration.indexer.dying", chain.rpc.url, str(deployment), database_url]
    died = subprocess.run([*command, str(batch)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert died.returncode == -signal.SIGKILL, died.stderr


def fresh_dump(chain: ChainVenue, databases: Databases) -> str:
    with fresh_index(chain, databases) as fresh:
        return fresh.dump()
