# SPDX-License-Identifier: AGPL-3.0-only
"""A node whose answers get lost, come late, twice, cut off or as nonsense: the index waits, and goes on as if nothing
had been, through reorganisations as well.
"""

from __future__ import annotations

import random

from indexer.chain.rpc import NodeError
from tests.chaos.hostile import HostileNode
from tests.integration.indexer.index import Index, assert_equals_fresh_sync
from tests.integration.indexer.venue import ChainVenue, venue
from tests.support.databases import Databases

FORKS = 10
SEED = 2


def look(index: Index, times: int) -> int:
    """Follow a little; the number of looks that the node spoilt."""
    spoilt = 0
    for _ in range(times):
        try:
            index.follower.step()
        except NodeError:
            spoilt += 1
    return spoilt


def grow(chain: ChainVenue, index: Index, dice: random.Random) -> int:
    spoilt = 0
    for _ in range(dice.randrange(1, 6)):
        chain.act(dice)
        spoilt += look(index, dice.randrange(4))
    return spoilt


def test_89_an_index_outlives_a_hostile_node(databases: Databases) -> None:
    dice = random.Random(SEED)
    url = databases.new()
    with venue() as chain:
        node = HostileNode(int(chain.rpc.url.rsplit(":", 1)[1]), SEED, 0.3, lies=False, delay_s=0.2)
        index = Index(node.url, chain.record(), url)
        try:
            spoilt = reverted = 0
            for _ in range(FORKS):
                spoilt += grow(chain, index, dice)
                fork = chain.mark()
                spoilt += grow(chain, index, dice) + look(index, 10)
                chain.back(fork)
                spoilt += grow(chain, index, dice)
                reverted += len(index.watcher.reversals)
            node.calm()
            index.sync()
            assert index.follower.position.number == chain.block
            assert_equals_fresh_sync(index, chain, databases)
            assert spoilt > 5
            assert node.faults["hide all logs"]
            assert reverted
        finally:
            index.close()
            node.close()
    databases.drop(url)
