# SPDX-License-Identifier: AGPL-3.0-only
"""Random reorganisations up to 32 blocks deep, with other transactions in the new blocks; after each, every index must
hold what a fresh one finds, byte for byte.

A chain is played for some reorganisations and then begun anew from the deployment, so that a fresh sync stays short.
The indexes follow it on different databases at once, at random moments: before a branch is complete, after it was
abandoned, while the new one is still shorter.
"""

from __future__ import annotations

import difflib
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.integration.indexer.index import Index, fresh_index
from tests.integration.indexer.venue import TRADERS, ChainVenue, venue
from tests.support.databases import Databases

DEEPEST = 32
_A_LIFE = 10
"""Reorganisations of a chain before the next one begins."""
_MOST_OF_AN_ACT = 4
"""Blocks that one random act may take."""


@dataclass
class Report:
    """What was played. `depths`: how often so many blocks were taken back, by tens."""

    seed: int
    databases: list[str]
    reorgs: int = 0
    deepest: int = 0
    blocks_taken_back: int = 0
    rows_taken_back: int = 0
    blocks_of_new_branches: int = 0
    shorter_branches: int = 0
    fresh_syncs: int = 0
    bytes_compared: int = 0
    seconds: float = 0.0
    depths: Counter[str] = field(default_factory=Counter)

    def asdict(self) -> dict[str, Any]:
        return asdict(self) | {"seconds": round(self.seconds, 1), "depths": dict(sorted(self.depths.items()))}


class DifferenceError(AssertionError):
    """An index holds something else than a fresh one."""


def run(kinds: list[Databases], *, reorgs: int, seed: int, say: Callable[[str], None] | None = None) -> Report:
    """Play `reorgs` reorganisations under one index of each kind. Raises `DifferenceError` at the first difference."""
    report = Report(seed, [kind.kind for kind in kinds])
    started = time.monotonic()
    dice = random.Random(seed)
    with venue() as chain:
        while report.reorgs < reorgs:
            beginning = chain.mark()
            urls = [kind.new() for kind in kinds]
            indexes = [Index(chain.rpc.url, chain.record(), url) for url in urls]
            try:
                for _ in range(min(_A_LIFE, reorgs - report.reorgs)):
                    _reorganise(chain, indexes, dice, report)
                    _compare(chain, indexes, kinds[0], report)
            finally:
                for index in indexes:
                    index.close()
            for kind, url in zip(kinds, urls, strict=True):
                kind.drop(url)
            chain.back(beginning)
            report.seconds = time.monotonic() - started
            if say is not None:
                say(f"{report.reorgs} reorganisations, {report.blocks_taken_back} blocks taken back")
    return report


def _reorganise(chain: ChainVenue, indexes: list[Index], dice: random.Random, report: Report) -> None:
    _grow(chain, indexes, dice, dice.randrange(0, 5))
    fork = chain.mark()
    depth = dice.choice((1, 2, DEEPEST, *(dice.randrange(1, DEEPEST + 1) for _ in range(5))))
    _grow(chain, indexes, dice, depth)
    assert chain.block - fork.block == depth
    _sync(indexes)
    for index in indexes:
        assert index.follower.position.number == chain.block
        index.watcher.reversals.clear()
    held = _facts(indexes[0])
    chain.back(fork)
    length = dice.randrange(1, DEEPEST + 1)
    _grow(chain, indexes, dice, length)
    _sync(indexes)
    assert all(index.watcher.reversals for index in indexes), "nobody noticed the reorganisation"
    report.reorgs += 1
    report.deepest = max(report.deepest, depth)
    report.blocks_taken_back += depth
    report.rows_taken_back += len(held - _facts(indexes[0]))
    report.blocks_of_new_branches += length
    report.shorter_branches += length < depth
    low = (depth - 1) // 8 * 8 + 1
    report.depths[f"{low:02}-{low + 7:02}"] += 1


def _grow(chain: ChainVenue, indexes: list[Index], dice: random.Random, blocks: int) -> None:
    """Exactly so many blocks of random acts, some of them empty; now and then somebody looks."""
    end = chain.block + blocks
    while chain.block < end:
        left = end - chain.block
        if dice.randrange(10) == 0:
            chain.rpc.request("anvil_mine", hex(dice.randrange(1, min(left, 3) + 1)))
        elif left < _MOST_OF_AN_ACT:
            taker, maker = dice.sample(TRADERS, 2)
            chain.trade(taker, maker, dice.choice((-1, 1)) * dice.randrange(1, 4_000))
        else:
            chain.act(dice)
        if dice.randrange(6) == 0:
            _sync([dice.choice(indexes)])


def _sync(indexes: list[Index]) -> None:
    for index in indexes:
        index.sync()


def _facts(index: Index) -> frozenset[str]:
    """Rows as text: those that are gone after a reorganisation were of the lost branch."""
    return frozenset(index.dump().splitlines())


def _compare(chain: ChainVenue, indexes: list[Index], kind: Databases, report: Report) -> None:
    with fresh_index(chain, kind) as fresh:
        expected = fresh.dump()
    report.fresh_syncs += 1
    for index, name in zip(indexes, report.databases, strict=True):
        found = index.dump()
        report.bytes_compared += len(expected)
        if found != expected:
            lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "fresh", name, lineterm="", n=0)
            raise DifferenceError("\n".join([f"after {report.reorgs} reorganisations (seed {report.seed}):", *lines]))
