# SPDX-License-Identifier: AGPL-3.0-only
"""From raw logs to blocks of decoded events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from indexer.chain.ranges import AdaptiveRange
from indexer.chain.rpc import Header, Node, NodeError, quantity
from indexer.views.block import Block
from ouro import addresses, bloom
from ouro.events import Event, decode_log


class BlockSource:
    """Blocks of one deployment's contracts: `contracts`, and whatever the exchange named since (`follow`)."""

    def __init__(self, node: Node, contracts: Sequence[str], range_: AdaptiveRange | None = None) -> None:
        self._node = node
        self._known = tuple(contracts)
        self._addresses = self._known
        self._ours = frozenset(contracts)
        self._range = range_ or AdaptiveRange()

    def follow(self, named: Iterable[str]) -> bool:
        """Follow the known contracts and `named` from now on. Returns whether that changes anything."""
        wanted = frozenset(self._known).union(named)
        changed = wanted != self._ours
        self._ours = wanted
        self._addresses = (*self._known, *sorted(wanted.difference(self._known)))
        return changed

    def backfill(self, first: int, last: int) -> tuple[list[Block], Header]:
        """Blocks with events from `first` on, as many as one adaptive range holds, and the header of the range's end.

        Only for blocks that are final: nothing here notices a reorg. Raises `NodeError` when even one block is refused.
        """
        while True:
            end = min(last, first + self._range.span - 1)
            try:
                logs = self._node.logs(self._addresses, first, end)
                break
            except NodeError:
                if not self._range.refused():
                    raise
        self._range.answered(len(logs))
        by_number: dict[int, list[dict[str, Any]]] = {}
        for log in logs:
            number = quantity(log["blockNumber"])
            if not first <= number <= end:
                raise NodeError(f"the node was asked for logs of blocks {first} to {end} and answered with {number}'s")
            by_number.setdefault(number, []).append(log)
        numbers = sorted(by_number.keys() | {end})
        headers = self._node.headers(numbers)
        blocks = [self._block_of(header, by_number[header.number]) for header in headers if header.number in by_number]
        return blocks, headers[-1]

    def following(self, first: int, last: int, parent_hash: str) -> list[Block]:
        """The blocks from `first` to `last` at most, each on the one before it; none when the first is not on the block
        of `parent_hash` (empty: whatever it is on).

        Logs are asked for by hash, so that a reorg meanwhile is a `NodeError` and never a mixture.
        """
        chain: list[Header] = []
        found = self._node.known_headers(range(first, last + 1))
        if found[0] is None:
            raise NodeError(f"block {first} is announced but missing")
        for header in found:
            if header is None or (parent_hash and header.parent_hash != parent_hash):
                break
            chain.append(header)
            parent_hash = header.hash
        if not chain:
            return []
        try:
            logs = self._node.logs_of(self._addresses, [header.hash for header in chain])
        except NodeError:
            if len(chain) == 1:
                raise
            # Together they may be too much for the node, or one of the later ones is no longer there.
            logs = self._node.logs_of(self._addresses, [chain[0].hash])
        for header, its in zip(chain, logs, strict=False):
            if not its:
                self._check_that_nothing_is_kept(header)
        return [self._block_of(header, its) for header, its in zip(chain, logs, strict=False)]

    def _check_that_nothing_is_kept(self, header: Header) -> None:
        """Nodes that have not yet indexed a block answer `eth_getLogs` with an empty list. Where the header's filter
        holds one of our addresses, which it also does by chance, the receipts tell; a filter that holds nearly
        everything would cost the receipts of every block.
        """
        if header.bloom.bit_count() > bloom.SIZE // 2:
            return
        if not any(bloom.may_hold(header.bloom, address) for address in self._addresses):
            return
        emitters = self._node.emitters(header.hash)
        if emitters is None:
            return
        if not emitters or any(address.lower() in emitters for address in self._addresses):
            raise NodeError(
                f"the node gives no logs of block {header.number}, whose filter or receipts have some of ours"
            )

    def _block_of(self, header: Header, logs: Iterable[dict[str, Any]]) -> Block:
        """Decode the logs of one block; those that are not ours are left out, whatever the node was asked for."""
        try:
            ordered = sorted(logs, key=lambda log: quantity(log["logIndex"]))
            if any(log["blockHash"] != header.hash for log in ordered):
                raise NodeError(f"the node answered with logs of another block than {header.number}")
            ours = [log for log in ordered if addresses.parse(log["address"]) in self._ours]
            events: list[Event] = [event for event in map(decode_log, ours) if event is not None]
        except ValueError as error:
            raise NodeError(f"the node's logs of block {header.number} cannot be read: {error}") from error
        return Block(header.number, header.hash, header.parent_hash, header.time_s, tuple(events))
