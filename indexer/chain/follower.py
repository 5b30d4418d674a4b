# SPDX-License-Identifier: AGPL-3.0-only
"""Follow the chain: backfill what is final, then block by block, and step back when the chain does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol

import structlog

from indexer import metrics
from indexer.chain.prices import PriceReader, Pricing, opens_minute
from indexer.chain.rpc import Header, Node, NodeError
from indexer.chain.source import BlockSource
from indexer.store.chain_store import ChainStore, Limits, Position, Reversal
from indexer.store.unit import BlockUnit
from indexer.views.block import Block
from indexer.views.notes import NAMING
from ouro.errors import OuroError

_log = structlog.get_logger(__name__)

KEPT_BLOCKS = 64
"""Blocks below the head that can be taken back whatever the node calls final; finality where it calls nothing so."""

_TOGETHER = 2_000
"""Events of final blocks after which a transaction ends: none of them will be taken back one by one."""

_PRICED_RANGE = 2_000
"""Blocks read at once where prices are asked for, with a header for most of them."""

_ABREAST = 32
"""Blocks that are not final yet and are asked for at once when there are as many."""

_LAG_S = 2.0
"""A head below ours for this long is a shorter chain, not a node that lags behind another one."""


class ReorgTooDeepError(OuroError):
    """The chain changed below what was final: only a rebuild helps."""


class WrongChainError(OuroError):
    """The node is on another chain than the deployment."""


class Observer(Protocol):
    """Who wants to know; called in the follower's thread."""

    def applied(self, block: Block, unit: BlockUnit, position: Position) -> None:
        """A block with events of ours is committed."""

    def advanced(self, position: Position, head: int) -> None:
        """The tables reached a block."""

    def reverted(self, reversal: Reversal, position: Position) -> None:
        """Blocks were taken back."""


class Follower:
    """Keeps a `ChainStore` at the head of a node's chain. `poll_s` is how often it asks for a new head."""

    def __init__(
        self,
        node: Node,
        source: BlockSource,
        store: ChainStore,
        observer: Observer,
        *,
        chain_id: int,
        poll_s: float = 0.2,
    ) -> None:
        self._node = node
        self._source = source
        self._store = store
        self._observer = observer
        self._poll_s = poll_s
        self._chain_id: int | None = chain_id
        self._below_since: float | None = None
        self._stop = threading.Event()
        self._prices = PriceReader(node)
        self._position = store.open()
        self._learn()

    @property
    def position(self) -> Position:
        """Where the tables stand."""
        return self._position

    def stop(self) -> None:
        """Ask `run` to return after the block at hand; safe from any thread."""
        self._stop.set()

    def run(self, well: Callable[[], None] = lambda: None) -> None:
        """Follow until stopped; `well` hears of each look. Raises `NodeError` while the node is away, and what the
        database raises; to be called again then. Raises `ReorgTooDeepError` and `WrongChainError`.
        """
        if self._stop.is_set():
            return
        # What was being written when it ended may be there or not.
        self._position = self._store.open()
        self._learn()
        while not self._stop.is_set():
            try:
                moved = self.step()
            except NodeError:
                metrics.node_errors.inc()
                raise
            well()
            if not moved:
                self._stop.wait(self._poll_s)

    def step(self) -> bool:
        """Do what there is to do for the present head. Returns whether anything changed."""
        self._check_chain()
        head = self._node.head()
        metrics.head.set(head)
        if head < self._position.number:
            return self._shorter(head) if self._position.hash else False
        self._below_since = None
        limits = self._limits(head)
        if self._changed_underneath():
            self._step_back()
            return True
        if head == self._position.number:
            at = self._position
            if at.hash and at.final < min(limits.final, at.number):
                self._position = self._store.finalise(Header(at.number, at.hash, "", at.time_s), limits)
            self._observer.advanced(self._position, head)
            return False
        if limits.kept > self._position.number:
            self._backfill(limits, head)
        while self._position.number < head and not self._stop.is_set():
            if not self._next(head, limits):
                self._step_back()
                break
        return True

    def _check_chain(self) -> None:
        """Once, as soon as the node answers."""
        if self._chain_id is None:
            return
        found = self._node.chain_id()
        if found != self._chain_id:
            raise WrongChainError(f"the node is on chain {found}, the contracts are on chain {self._chain_id}")
        self._chain_id = None

    def _limits(self, head: int) -> Limits:
        old = max(0, head - KEPT_BLOCKS)
        final = self._node.final()
        final = old if final is None else min(final, head)
        return Limits(final, min(final, old))

    def _backfill(self, limits: Limits, head: int) -> None:
        while self._position.number < limits.kept and not self._stop.is_set():
            blocks, end = self._past(limits.kept)
            for group in _groups(blocks):
                if self._stop.is_set():
                    return
                if self._apply_final(group, end if group[-1] is blocks[-1] else _header_of(group[-1]), limits):
                    break
            if not blocks:
                self._position = self._store.advance([end], limits)
            self._observer.advanced(self._position, head)
            _log.info("backfilled", block=self._position.number, of=limits.kept)

    def _past(self, last: int) -> tuple[list[Block], Header]:
        """The next final blocks of which there is something to write, and the end of the range that they are from."""
        first = self._position.number + 1
        is_asked = self._prices.is_asked(self._pricing.oracle)
        blocks, end = self._source.backfill(first, min(last, first + _PRICED_RANGE - 1) if is_asked else last)
        at = self._position
        before = Header(at.number, at.hash, "", at.time_s) if at.hash else self._node.header(max(at.number, 0))
        return self._prices.past(blocks, before, end, self._pricing), end

    def _learn(self) -> None:
        """What the tables say of whom to follow and whom to ask."""
        self._source.follow(self._store.named())
        self._pricing = Pricing(*self._store.pricing())

    def _next(self, head: int, limits: Limits) -> bool:
        """Apply the next blocks; False when the next one does not follow the last one."""
        first = self._position.number + 1
        found = self._source.following(first, min(head, first + _ABREAST - 1), self._position.hash)
        is_asked = self._prices.is_asked(self._pricing.oracle)
        for blocks in _runs(found, together=not is_asked):
            if self._stop.is_set():
                break
            if blocks[0].events or is_asked:
                renamed = self._apply(self._priced(blocks[0], head), limits)
            else:
                renamed = self._pass(blocks, limits)
            self._observer.advanced(self._position, head)
            if renamed:
                break
        return bool(found)

    def _priced(self, block: Block, head: int) -> Block:
        """The next block, with the prices at it where they are asked for."""
        block = replace(block, opens_minute=opens_minute(block.time_s, self._position.time_s))
        pricing = Pricing(self._pricing.after(block.events).oracle, self._pricing.markets)
        return self._prices.at(block, pricing, is_newest=block.number == head)

    def _apply_final(self, blocks: Sequence[Block], to: Header, limits: Limits) -> bool:
        """Returns whether the last of the blocks named another contract to follow."""
        started = time.perf_counter()
        named = any(isinstance(event, NAMING) for event in blocks[-1].events)
        if named:
            to = _header_of(blocks[-1])
        seen: list[BlockUnit] = []
        self._position = self._store.apply_final(blocks, to, limits, seen.append)
        metrics.block_seconds.observe((time.perf_counter() - started) / len(blocks))
        metrics.events.inc(sum(len(block.events) for block in blocks))
        self._observer.applied(blocks[-1], seen[0], self._position)
        for block in blocks:
            self._pricing = self._pricing.after(block.events)
        return named and self._source.follow(self._store.named())

    def _apply(self, block: Block, limits: Limits) -> bool:
        """Returns whether the block named a contract: what was asked for beyond it may lack its events and prices."""
        started = time.perf_counter()
        seen: list[BlockUnit] = []
        self._position = self._store.apply(block, limits, seen.append)
        metrics.block_seconds.observe(time.perf_counter() - started)
        metrics.events.inc(len(block.events))
        self._pricing = self._pricing.after(block.events)
        if seen[0].is_changed:
            self._observer.applied(block, seen[0], self._position)
        names = any(isinstance(event, NAMING) for event in block.events)
        if names:
            self._source.follow(self._store.named())
        return names

    def _pass(self, blocks: Sequence[Block], limits: Limits) -> bool:
        """Note blocks in which nothing of ours happened. Returns that none of them named a contract."""
        self._position = self._store.advance([_header_of(block) for block in blocks], limits)
        return False

    def _changed_underneath(self) -> bool:
        """Whether the chain has another block where ours ends, as after a reorg to the same or a greater height."""
        if not self._position.hash:
            return False
        header = self._node.header(self._position.number)
        return header is not None and header.hash != self._position.hash

    def _shorter(self, head: int) -> bool:
        now = time.monotonic()
        if self._below_since is None:
            self._below_since = now
        header = self._node.header(head)
        known = {recent.number: recent.hash for recent in self._store.recent()}
        replaced = header is not None and head in known and known[head] != header.hash
        if not replaced and now - self._below_since < _LAG_S:
            return False
        self._step_back()
        return True

    def _step_back(self) -> None:
        """Take back blocks down to the newest one that the chain still has."""
        theirs: Header | None = None
        for mine in self._store.recent():
            theirs = self._node.header(mine.number)
            if theirs is None or theirs.hash != mine.hash:
                continue
            if mine.hash == self._position.hash:
                raise NodeError(f"the node has our block {mine.number}, but denied it")
            self._revert(mine)
            return
        if theirs is None:
            raise NodeError(
                "the node's newest block is older than what was final: it lags far behind, or serves another chain"
            )
        raise ReorgTooDeepError(
            f"the chain no longer has any of the blocks this index could step back to (it stands at "
            f"{self._position.number}): run `ouro indexer rebuild`"
        )

    def _revert(self, to: Header) -> None:
        depth = self._position.number - to.number
        reversal, self._position = self._store.revert(to)
        metrics.reorgs.inc()
        _log.warning("reorg", depth=depth, back_to=to.number)
        self._below_since = None
        self._learn()
        self._observer.reverted(reversal, self._position)


def _header_of(block: Block) -> Header:
    return Header(block.number, block.hash, block.parent_hash, block.time_s)


def _groups(blocks: Sequence[Block]) -> Iterator[Sequence[Block]]:
    """Whole blocks that are written together, until there are many events or one names a contract."""
    group: list[Block] = []
    events = 0
    for block in blocks:
        group.append(block)
        events += len(block.events)
        if events >= _TOGETHER or any(isinstance(event, NAMING) for event in block.events):
            yield group
            group, events = [], 0
    if group:
        yield group


def _runs(blocks: Sequence[Block], *, together: bool) -> Iterator[Sequence[Block]]:
    """Each block with events alone, those without any that follow one another `together`."""
    for has_events, run in groupby(blocks, key=lambda block: bool(block.events)):
        if has_events or not together:
            yield from ([block] for block in run)
        else:
            yield list(run)
