# SPDX-License-Identifier: AGPL-3.0-only
"""Prices of an oracle that says them only when asked, as the router does.

At the head every block is asked about. Of the past it is those with events of ours, whose fills were made at these
prices, and the first of each minute: so that reading a chain again finds the same rows. A node without the state of old
blocks leaves a gap there, and is told of once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from indexer.chain.rpc import Header, Node, NoStateError
from indexer.views.block import Block, Reading
from ouro.events import Event, MarketListed, OracleSet
from ouro.oracle import SIGNER_CALL, price_call, price_in

_log = structlog.get_logger(__name__)

MINUTE_S = 60


@dataclass(frozen=True)
class Pricing:
    """Who says prices, and of which markets; empty: nobody yet."""

    oracle: str = ""
    markets: tuple[int, ...] = ()

    def after(self, events: Iterable[Event]) -> Pricing:
        """The same after these events."""
        oracle, markets = self.oracle, self.markets
        for event in events:
            if isinstance(event, OracleSet):
                oracle = event.oracle
            elif isinstance(event, MarketListed) and event.market not in markets:
                markets = (*markets, event.market)
        return Pricing(oracle, markets)


class PriceReader:
    """Asks the exchange's oracle, in batches, each block by its hash."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._silent: dict[str, bool] = {}
        self._forgotten = -1
        self._told = False

    def is_asked(self, oracle: str) -> bool:
        """Whether it tells no prices by events: a `PushedOracle` has a signer."""
        if not oracle:
            return False
        known = self._silent.get(oracle)
        if known is None:
            # Kept for good, so heard twice: a node that lags behind the oracle's deployment answers with nothing.
            known = all(self._node.reverts(oracle, SIGNER_CALL) for _ in range(2))
            self._silent[oracle] = known
            if known:
                _log.info("prices are asked for", oracle=oracle)
        return known

    def at(self, block: Block, pricing: Pricing, *, is_newest: bool) -> Block:
        """A block with the prices at it, if they are to be asked for. Raises `NodeError`."""
        [priced] = self._read([(block, pricing)], is_newest=is_newest, is_final=False)
        return priced

    def past(self, blocks: Sequence[Block], before: Header | None, end: Header, pricing: Pricing) -> list[Block]:
        """Blocks of a final range with the prices at them, and the first blocks of minutes between them. `before` is
        the block before the range. Raises `NodeError`.
        """
        if not any(self.is_asked(found.oracle) for found in _over(blocks, pricing)):
            return list(blocks)
        by_number = {block.number: block for block in blocks}
        openers = minute_openers(self._node, before, end) if before is not None else []
        for header in openers:
            block = by_number.get(header.number)
            if block is None:
                block = Block(header.number, header.hash, header.parent_hash, header.time_s)
            by_number[header.number] = replace(block, opens_minute=True)
        asked: list[tuple[Block, Pricing]] = []
        for _, block in sorted(by_number.items()):
            # A market has its first price in the block after the one that lists it.
            asked.append((block, Pricing(pricing.after(block.events).oracle, pricing.markets)))
            pricing = pricing.after(block.events)
        return [block for block in self._read(asked, is_newest=False, is_final=True) if block.events or block.prices]

    def _read(self, wanted: Sequence[tuple[Block, Pricing]], *, is_newest: bool, is_final: bool) -> list[Block]:
        asked = [
            (block, pricing)
            for block, pricing in wanted
            if pricing.markets and block.number > self._forgotten and self.is_asked(pricing.oracle)
        ]
        calls = [(pricing.oracle, price_call(id_), block.hash) for block, pricing in asked for id_ in pricing.markets]
        answers = iter(self._node.asked(calls))
        found: dict[int, tuple[Reading, ...]] = {}
        for block, pricing in asked:
            prices: list[Reading] = []
            for market, answer in [(market, next(answers)) for market in pricing.markets]:
                if isinstance(answer, NoStateError):
                    if is_newest:
                        raise answer
                    self._missing(block, answer, is_final=is_final)
                else:
                    prices.append((market, *price_in(answer, block.time_s)))
            if len(prices) == len(pricing.markets):
                found[block.number] = tuple(prices)
        return [replace(block, prices=found.get(block.number, ())) for block, _ in wanted]

    def _missing(self, block: Block, error: NoStateError, *, is_final: bool) -> None:
        if not self._told:
            _log.warning(
                "the node has not the state of old blocks: prices of the past are missing; an archive node has them",
                block=block.number,
                error=str(error),
            )
        self._told = True
        # What is not final may be replaced by a block that the node has.
        if is_final:
            self._forgotten = max(self._forgotten, block.number)


def opens_minute(time_s: int, before_s: int) -> bool:
    """Whether a block of a time is the first of its minute, after one of `before_s`."""
    return time_s // MINUTE_S != before_s // MINUTE_S


def minute_openers(node: Node, before: Header, end: Header) -> list[Header]:
    """The blocks after `before`, up to `end`, that are the first of their minutes. Raises `NodeError`.

    Halves each stretch over which the minute changes, all of them in one request a round.
    """
    found: list[Header] = []
    stretches = [(before, end)]
    while stretches:
        open_: list[tuple[Header, Header]] = []
        for low, high in stretches:
            if not opens_minute(high.time_s, low.time_s):
                continue
            if high.number == low.number + 1:
                found.append(high)
            else:
                open_.append((low, high))
        middles = node.headers([(low.number + high.number) // 2 for low, high in open_])
        stretches = [
            part for (low, high), middle in zip(open_, middles, strict=True) for part in ((low, middle), (middle, high))
        ]
    return sorted(found, key=lambda header: header.number)


def _over(blocks: Sequence[Block], pricing: Pricing) -> Iterable[Pricing]:
    yield pricing
    for block in blocks:
        pricing = pricing.after(block.events)
        yield pricing
