# SPDX-License-Identifier: AGPL-3.0-only
"""Follows the chain: new blocks and reorgs become inputs of the core, in order and without gaps.

Nothing is believed that a node can invent: a header must have the hash that it is given with and follow our newest
block, receipts must give the root in that header, and with several nodes most of those that answer must know the block.
What the node no longer knows is asked for again after looking at the chain anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import tenacity

from ouro.node_answers import NonsenseError
from relayer.chain_watch import answers
from relayer.chain_watch.answers import Header
from relayer.chain_watch.oracle import Price, PriceReader, oracle_after
from relayer.chain_watch.rpc import Rpc, RpcError, RpcUnreachableError
from relayer.core.inputs import ChainBlock, ChainRevert, Log
from relayer.engine import Engine, StoppedError
from relayer.logs import logger

log = logger("chain")

CHUNK = 64
AT_ONCE = 8
LOOK_S = 2.0
LONGEST_PAUSE_S = 2.0
LAG_BLOCKS = 3
"""A node that is so far behind another one is not followed while there is the other."""


class DeepReorgError(Exception):
    """The chain left the blocks that were final: this journal belongs to another chain, or the chain broke its word."""


class ChainWatcher:
    """Keeps the core at the head of the chain."""

    def __init__(
        self,
        engine: Engine,
        rpc: Rpc,
        addresses: Sequence[str],
        *,
        start_block: int,
        poll_s: float,
        stale_s: float,
        max_ahead_s: int,
        verify_blocks: bool = True,
    ) -> None:
        """`addresses` are the contracts whose logs matter, the Exchange first; `start_block` is where an empty journal
        begins to look.

        `poll_s` is the pause between looks; after `stale_s` without an answer the chain counts as out of sight. A block
        whose time is more than `max_ahead_s` ahead of the clock is not followed.
        """
        self._engine = engine
        self._rpc = rpc
        self._addresses = list(addresses)
        self._contracts = frozenset(addresses)
        self._prices = PriceReader(rpc)
        self._start_block = start_block
        self._poll_s = poll_s
        self._stale_s = stale_s
        self._max_ahead_s = max_ahead_s
        self._verify = verify_blocks
        self._seen_at = 0.0
        self._caught_up = False
        self._begun = 0
        self._done = 0
        self._doubted = 0
        self._at_once = CHUNK
        self._looked = asyncio.Event()
        self.moved = asyncio.Event()
        """Set whenever the core's view of the chain has changed."""
        self.broken = ""
        """Why the chain cannot be followed, empty while it can."""

    @property
    def in_sight(self) -> bool:
        """Whether the core was at the chain's head when the node last answered, and that is not long ago."""
        return self._caught_up and not self.broken and time.monotonic() - self._seen_at < self._stale_s

    async def look(self) -> None:
        """Returns after a look at the chain that began later than now; after `LOOK_S` in any case."""
        wanted = self._begun + 1
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                while self._done < wanted:
                    await self._looked.wait()

    def doubt(self, number: int) -> None:
        """Says that logs of a block were kept from the core: it is followed anew."""
        self._doubted = min(number, self._doubted or number)

    async def run(self) -> None:
        """Follows until cancelled. While the chain contradicts what was final, it waits for a node that does not."""
        retry = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type((RpcError, RpcUnreachableError, DeepReorgError)),
            wait=tenacity.wait_exponential_jitter(multiplier=self._poll_s, max=LONGEST_PAUSE_S, jitter=self._poll_s),
            before_sleep=self._complain,
        )
        with suppress(StoppedError):
            while True:
                async for attempt in retry:
                    with attempt:
                        await self.follow()
                        self.broken = ""
                await asyncio.sleep(self._poll_s)

    async def follow(self) -> None:
        """Takes the core to the chain's head as the node sees it now. Raises what the node connection raises, and
        DeepReorgError.
        """
        self._begun += 1
        await self._follow_doubted_anew()
        latest, final = await self._heads()
        if not self._on_their_chain(latest):
            await self._return_to_their_chain(latest.number)
            latest, final = await self._heads()
        while self._next_number() <= latest.number:
            try:
                taken = await self._take(latest.number, final)
            except (RpcError, RpcUnreachableError):
                # Of a node in trouble many answers are seldom all good, and nothing is kept of those that were.
                self._at_once = max(1, self._at_once // 2)
                raise
            self._at_once = min(CHUNK, 2 * self._at_once)
            if not taken:
                await self._return_to_their_chain(latest.number)
                return
        self._engine.metrics.chain_lag.set(0)
        if not self._caught_up:
            log.info("caught_up", block=self._engine.core.chain_number)
            self.moved.set()
        self._caught_up = True
        self._seen_at = time.monotonic()
        self._done = self._begun
        self._looked.set()
        self._looked.clear()

    def _complain(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, DeepReorgError):
            if not self.broken:
                log.critical("chain_contradicts_itself", reason=str(error))
            self.broken = str(error)
            self._rpc.distrust("it contradicts what was final")
        else:
            log.warning("node_trouble", attempt=state.attempt_number, error=str(error))

    def _next_number(self) -> int:
        return self._engine.core.chain_number + 1 if self._engine.core.chain_number else self._start_block

    def _header(self, value: object) -> Header | None:
        return answers.header(value, verify=self._verify)

    def _present_header(self, value: object) -> Header:
        found = self._header(value)
        if found is None:
            raise NonsenseError("it has no newest block")
        return found

    async def _heads(self) -> tuple[Header, int]:
        """The newest header of the preferred node, and the number of the newest final block (0: nobody says)."""
        if len(self._rpc) == 1:
            latest = await self._rpc.call("eth_getBlockByNumber", "latest", False, read=self._present_header)
        else:
            latest = await self._newest_of_all()
        try:
            final = await self._rpc.call("eth_getBlockByNumber", "finalized", False, read=self._header)
        except RpcError:
            final = None
        known = dict(self._engine.core.chain_blocks)
        if final is None or known.get(final.number, final.hash) != final.hash:
            return latest, 0
        return latest, final.number

    async def _newest_of_all(self) -> Header:
        """Also turns to another node when the preferred one lags far behind it."""
        said = await self._rpc.from_each("eth_getBlockByNumber", "latest", False, read=self._present_header)
        heads = [each for each in said if isinstance(each, Header)]
        if not heads:
            raise RpcUnreachableError("none of the nodes says what the newest block is")
        ahead = max(head.number for head in heads)
        if isinstance(said[0], Header) and ahead - heads[0].number > LAG_BLOCKS:
            self._rpc.distrust(f"it is {ahead - heads[0].number} blocks behind another node")
            return await self._rpc.call("eth_getBlockByNumber", "latest", False, read=self._present_header)
        return heads[0]

    def _on_their_chain(self, latest: Header) -> bool:
        """Whether our newest block is in the node's chain, or the node merely lags behind it."""
        core = self._engine.core
        if not core.chain_number or latest.number > core.chain_number:
            return True  # the next block's parent tells
        known = dict(core.chain_blocks)
        return latest.number < core.chain_blocks[0][0] or known.get(latest.number) == latest.hash

    async def _return_to_their_chain(self, last: int) -> None:
        """Reverts the core to the newest block that the node still has. `last` is the node's newest one."""
        blocks = self._engine.core.chain_blocks
        if not blocks:
            raise RpcUnreachableError(f"the node has block {last}, but says that it has no block {self._start_block}")
        if last < blocks[0][0]:
            raise RpcUnreachableError(f"the node's newest block, {last}, is older than what was final")
        for number, known in reversed(blocks):
            if number > last:
                continue
            block = await self._rpc.call("eth_getBlockByNumber", hex(number), False, read=self._header)
            if block is None:
                raise RpcUnreachableError(f"the node has block {last}, but says that it has no block {number}")
            if block.hash == known:
                if number != self._engine.core.chain_number:
                    log.warning("reorg", to=number, dropped=self._engine.core.chain_number - number)
                    self._engine.metrics.reorgs.inc()
                    await self._revert(number, known)
                return
        raise DeepReorgError(
            "the node does not know the newest final block of the journal: "
            "it serves another chain, or this journal belongs to another one"
        )

    async def _follow_doubted_anew(self) -> None:
        doubted, self._doubted = self._doubted, 0
        before = [(number, known) for number, known in self._engine.core.chain_blocks if number < doubted]
        if doubted and before and doubted <= self._engine.core.chain_number:
            log.warning("block_doubted", block=doubted)
            await self._revert(*before[-1])

    async def _revert(self, number: int, known: bytes) -> None:
        await self._engine.apply([ChainRevert(number, known)])
        self.moved.set()

    async def _take(self, last: int, final: int) -> bool:
        """Follows the next blocks up to `last`. False when they are not children of ours."""
        core = self._engine.core
        first = self._next_number()
        numbers = range(first, min(last, first + self._at_once - 1) + 1)
        headers = await self._rpc.batch(
            [("eth_getBlockByNumber", (hex(number), False)) for number in numbers], read=self._header
        )
        wanted: list[Header] = []
        parent, time_s = core.chain_hash if core.chain_number else None, core.chain_time_s
        for number, header in zip(numbers, headers, strict=True):
            if header is None or (parent is not None and header.parent_hash != parent):
                break
            self._check_place(header, number, time_s)
            wanted.append(header)
            parent, time_s = header.hash, header.time_s
        if not wanted or not await self._others_know(wanted[-1]):
            return False
        logs = await self._logs(wanted)
        prices = await self._read_prices(wanted, logs, last)
        blocks = [
            ChainBlock(
                number=header.number,
                hash=header.hash,
                parent_hash=header.parent_hash,
                time_s=header.time_s,
                logs=logs[header.hash],
                final_number=final,
                prices=prices[header.hash],
            )
            for header in wanted
        ]
        await self._engine.apply(blocks)
        self._engine.metrics.chain_block.set(core.chain_number)
        self._engine.metrics.chain_lag.set(last - core.chain_number)
        self.moved.set()
        return True

    def _check_place(self, header: Header, number: int, after_s: int) -> None:
        """A header of another block than was asked for, or of a time that cannot be, is not followed."""
        fault = ""
        if header.number != number:
            fault = f"block {header.number} was answered for block {number}"
        elif header.time_s < after_s:
            fault = f"block {number} is of an earlier time than the block before it"
        elif header.time_s > time.time() + self._max_ahead_s:
            ahead = header.time_s - int(time.time())
            fault = f"block {number} is {ahead} s ahead of the clock: check this machine's clock, or the node"
        if fault:
            self._rpc.distrust(fault)
            raise RpcUnreachableError(fault)

    async def _others_know(self, header: Header) -> bool:
        """Whether of the nodes that have a block of this number no more know another one than know this.

        With two nodes that contradict each other nothing is followed. Raises RpcUnreachableError when this node is
        outvoted.
        """
        if len(self._rpc) == 1:
            return True
        said = await self._rpc.from_each("eth_getBlockByNumber", hex(header.number), False, read=self._header)
        known = [each.hash for each in said if isinstance(each, Header) and each.number == header.number]
        agree = known.count(header.hash)
        against = len(known) - agree
        if against < agree:
            return True
        reason = f"{against} other nodes have another block {header.number}, {agree} this one"
        if against > agree:
            self._rpc.distrust(reason)
        raise RpcUnreachableError(f"the nodes contradict each other: {reason}")

    async def _logs(self, headers: Sequence[Header]) -> dict[bytes, tuple[Log, ...]]:
        """The logs of our contracts in each block, by its hash."""
        found: dict[bytes, tuple[Log, ...]] = {header.hash: () for header in headers}
        # A header that was not verified may hide logs by its bloom filter.
        noisy = [header for header in headers if not self._verify or answers.may_have(header, self._addresses)]
        ask = self._proven_logs if self._verify else self._told_logs
        for at in range(0, len(noisy), AT_ONCE):
            some = noisy[at : at + AT_ONCE]
            answered = await asyncio.gather(*(ask(header) for header in some))
            found |= {header.hash: logs for header, logs in zip(some, answered, strict=True)}
        return found

    async def _read_prices(
        self, headers: Sequence[Header], logs: dict[bytes, tuple[Log, ...]], last: int
    ) -> dict[bytes, tuple[Price, ...]]:
        """What the oracle says at each block, by its hash, if it says nothing by events."""
        ledger = self._engine.core.ledger
        oracle, markets = ledger.oracle, sorted(ledger.markets)
        found: dict[bytes, tuple[Price, ...]] = {}
        for header in headers:
            oracle = oracle_after(oracle, logs[header.hash], self._addresses[0])
            found[header.hash] = await self._prices.read(oracle, markets, header, is_newest=header.number == last)
        return found

    async def _proven_logs(self, header: Header) -> tuple[Log, ...]:
        """By all receipts of the block, which give the root in its header: nothing can be left out or altered."""
        return await self._rpc.call(
            "eth_getBlockReceipts",
            header.hex_hash,
            read=lambda value: answers.logs_of_receipts(value, header, self._contracts),
        )

    async def _told_logs(self, header: Header) -> tuple[Log, ...]:
        """As the node tells them."""
        return await self._rpc.call(
            "eth_getLogs",
            {"blockHash": header.hex_hash, "address": self._addresses},
            read=lambda value: answers.logs(value, header, self._contracts),
        )
