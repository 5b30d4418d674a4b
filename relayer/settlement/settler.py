# SPDX-License-Identifier: AGPL-3.0-only
"""Builds batches of matched fills, sends them, and watches them until the chain has decided.

Exactly once, for these reasons. A batch is on disk with its nonce and its raw transaction before it is sent, and after
a restart the same bytes are sent again. The contract takes a batch only on the journal head before it, so of two
batches on one head at most one lands. A batch is given up only when, at the very block the core has followed to, its
nonce is used and its settlement is not among the events, or when its nonce cannot come up: then its transaction, and
each with the same nonce, can land no more, or lands in place of what was built instead of it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

from relayer.chain_watch import ChainWatcher, Rpc, RpcError, RpcUnreachableError
from relayer.core import Batch, InputRefusedError, NextBatch
from relayer.core.inputs import BatchBuilt, BatchFate, SettlementCapacity, UndoFills
from relayer.core.settling import DROPPED
from relayer.engine import Engine, StoppedError
from relayer.logs import logger
from relayer.settlement.config import SettlerConfig
from relayer.settlement.fees import gas_limit
from relayer.settlement.gas_money import GasWatch
from relayer.settlement.operator import Operator
from relayer.settlement.pacing import Capacity, Pace, Splitter
from relayer.settlement.sending import Sender, Sent, calldata
from relayer.settlement.signers import SignerError

log = logger("settlement")

LOOK_S = 0.2
LONGEST_DOZE_S = 30.0
CAPACITY_EVERY_S = 5.0
LONGEST_PAUSE_S = 30.0
_GWEI = 10**9


class Settler:
    """The only sender of the operator's transactions."""

    def __init__(
        self, engine: Engine, watcher: ChainWatcher, rpc: Rpc, operator: Operator, config: SettlerConfig
    ) -> None:
        self._engine = engine
        self._watcher = watcher
        self._operator = operator
        self._config = config
        self._sender = Sender(engine, rpc, operator, config)
        self._pause_s = 0.0
        self._resume_at = 0.0
        self._last_head = bytes(32)
        self._was_fenced = False
        self._pace = Pace(config.delay_gwei * _GWEI, time.monotonic())
        self._capacity = Capacity(config.max_in_flight, config.settle_window_s / 2, config.max_unsettled)
        self._capacity_at = -math.inf
        self._measured_at = time.monotonic()
        self._splitter = Splitter()
        self._gas_money = GasWatch(engine, rpc, self._sender, operator.address, config)
        self._gap_since = math.inf
        self._signer_trouble = ""

    @property
    def fenced(self) -> str:
        """Why nothing is settled any more, empty while all is well.

        Another sender on the same key shows by a journal head that none of our batches left.
        """
        head = self._engine.core.chain_head
        if self._engine.core.is_own_head(head):
            return ""
        return (
            f"the journal head of {self._operator.address} on chain, 0x{head.hex()}, comes from none of this "
            "journal's batches: another relayer uses the same key, or this is not the journal that it settled from"
        )

    def warnings(self) -> list[str]:
        """What a person should look at although orders are taken."""
        searching = (
            f"a batch was undone by the chain: settling at most {self._splitter.most_fills} fills at a time"
            if self._splitter.is_searching
            else ""
        )
        return [text for text in (self._gas_money.trouble, self._signer_trouble, searching) if text]

    async def run(self) -> None:
        """Settles until cancelled."""
        self._pace.begin(self._engine.core.last_fill_id)
        while True:
            try:
                await self._round()
                self._signer_trouble = ""
            except (RpcError, RpcUnreachableError) as error:
                log.warning("node_trouble", error=str(error))
                await asyncio.sleep(1)
            except SignerError as error:
                if not self._signer_trouble:
                    log.error("signer_trouble", error=str(error))
                self._signer_trouble = str(error)
                await asyncio.sleep(1)
            except InputRefusedError as error:
                # The core moved on between look and word, and took nothing: the next look sees what is now.
                log.error("refused_by_core", error=str(error))
            except StoppedError:
                return
            await self._doze()

    async def _doze(self) -> None:
        """Until there is something to do: new fills, a new block, or the next look at the clock."""
        if self._engine.core.next_batch() is None and not self._engine.core.pending_batches():
            self._engine.settlement_wanted.clear()
            self._watcher.moved.clear()
            wakers = [
                asyncio.ensure_future(event.wait()) for event in (self._engine.settlement_wanted, self._watcher.moved)
            ]
            try:
                await asyncio.wait(wakers, timeout=LONGEST_DOZE_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for waker in wakers:
                    waker.cancel()
        else:
            await asyncio.sleep(LOOK_S)

    async def _round(self) -> None:
        if not self._watcher.in_sight:
            return
        self._pace.note(self._engine.core.last_fill_id, time.monotonic())
        await self._gas_money.look()
        self._look_at_head()
        if self.fenced:
            return
        pending = self._engine.core.pending_batches()
        self._engine.metrics.in_flight.set(len(pending))
        await self._measure(pending)
        if pending:
            await self._look_after()
        while await self._build():
            pass

    def _look_at_head(self) -> None:
        head = self._engine.core.chain_head
        if head != self._last_head:
            self._last_head = head
            self._pause_s = 0.0
        reason = self.fenced
        if bool(reason) != self._was_fenced:
            self._was_fenced = bool(reason)
            if reason:
                log.critical("fenced", reason=reason)
            else:
                log.warning("settling_again", head=head.hex())

    async def _measure(self, pending: Sequence[Batch]) -> None:
        """Learns from what has landed since the last look, and journals capacity when that is news."""
        now = time.monotonic()
        under_way = {batch.number for batch in pending}
        landed = 0
        for number in [number for number in self._sender.sent if number not in under_way]:
            sent = self._sender.sent.pop(number)
            landed += sent.fills
            self._capacity.landed(now - sent.known_at)
            self._splitter.landed()
        self._capacity.looked(landed, self._engine.core.waiting, now - self._measured_at)
        self._measured_at = now
        oldest_s = max(
            (now - self._sender.sent[number].known_at for number in under_way if number in self._sender.sent),
            default=0.0,
        )
        most, before = self._capacity.fills(oldest_s), self._engine.core.max_unsettled
        if now - self._capacity_at >= CAPACITY_EVERY_S and Capacity.is_news(most, before):
            self._capacity_at = now
            await self._engine.apply([SettlementCapacity(most)])
            log.info("capacity", max_unsettled_fills=most)
        self._engine.metrics.capacity.set(self._engine.core.max_unsettled)

    # Batches that were sent

    async def _look_after(self) -> None:
        """Gives up what can land no more, sends again what is not in a block."""
        core = self._engine.core
        block, pending = core.chain_hash, core.pending_batches()
        if not pending:
            return  # all of it has landed since the last look
        used = await self._sender.used_nonces(block, pending[0].nonce)
        if core.chain_hash != block:
            return  # the chain moved on meanwhile: the answer is about another block
        pending = core.pending_batches()
        dead = [batch for batch in pending if batch.nonce < used]
        if dead:
            await self._give_up(dead)
            return
        now = time.monotonic()
        if pending and pending[0].nonce > used:
            self._gap_since = min(self._gap_since, now)
            if now - self._gap_since > 2 * self._config.resend_s:
                self._gap_since = math.inf
                await self._drop(pending, "the transactions before it are missing")
            return
        self._gap_since = math.inf
        for place, batch in enumerate(pending):
            sent = self._sender.sent.setdefault(batch.number, Sent(now, len(batch.fill_ids)))
            if place == 0 and await self._sender.needs_bump(batch, sent, now):
                sent.bumped_at = now
                await self._sender.bump(batch, sent)
            if now - sent.sent_at >= self._config.resend_s and batch.is_pending:
                sent.sent_at = now
                await self._sender.broadcast(batch.number, batch.raw_txs[-1])

    async def _give_up(self, dead: Sequence[Batch]) -> None:
        """The nonce is used and the batch did not settle: it was undone, or another transaction took the nonce."""
        core = self._engine.core
        reasons: list[str] = []
        undone: Batch | None = None
        for batch in dead:
            receipt = await self._sender.receipt(batch)
            if receipt is None:
                reasons.append("another transaction used its nonce")
                continue
            known = dict(core.chain_blocks)
            if known.get(receipt.block_number, receipt.block_hash) != receipt.block_hash:
                return  # of another chain than the core has followed to: it will
            if receipt.succeeded:
                # A block that the core has yet to follow, or a node that kept the batch's events from it.
                log.error("batch_settled_unseen", batch=batch.number, block=receipt.block_number)
                self._watcher.doubt(receipt.block_number)
                await asyncio.sleep(1)
                return
            reasons.append(f"undone in block {receipt.block_number}, {receipt.gas_used} gas used")
            if undone is None and batch.prev == core.chain_head:
                undone = batch
        await self._drop(dead, *reasons)
        if undone is not None:
            await self._part(undone)

    async def _drop(self, dead: Sequence[Batch], *reasons: str) -> None:
        for batch, reason in zip(dead, reasons if len(reasons) == len(dead) else reasons * len(dead), strict=True):
            log.error("batch_dropped", batch=batch.number, nonce=batch.nonce, fills=len(batch.fill_ids), reason=reason)
            self._engine.metrics.batches.labels("dropped").inc()
            self._sender.sent.pop(batch.number, None)
        # Newest first: the head that a batch stands on is given up after the batch itself.
        still = {batch.number for batch in self._engine.core.pending_batches()}
        fates = [BatchFate(batch.number, DROPPED) for batch in reversed(dead) if batch.number in still]
        if fates:
            await self._engine.apply(fates)
        self._pause_s = min(max(1.0, self._pause_s * 2), LONGEST_PAUSE_S)
        self._resume_at = time.monotonic() + self._pause_s

    async def _part(self, undone: Batch) -> None:
        """After the chain has undone a batch: smaller ones, or if there was nothing to part, its fills are undone."""
        core = self._engine.core
        if not await self._sender.settles_nothing():
            # Not the fills' fault: every batch would be undone. Or events were kept from the core.
            log.error("settlement_refused_altogether", prev=undone.prev.hex())
            if core.chain_blocks:
                self._watcher.doubt(core.chain_blocks[0][0] + 1)
            return
        alone = core.next_batch(1)
        if alone is not None and alone.fill_ids == undone.fill_ids:
            log.error("fills_undone", fills=undone.fill_ids, reason="settlement reverts with them alone")
            await self._engine.apply([UndoFills(undone.fill_ids, "settlement reverts")])
            self._splitter.landed()
        else:
            self._splitter.undone(len(undone.fill_ids))
            log.warning("batch_parted", batch=undone.number, most_fills=self._splitter.most_fills)
        # Each step is paid for with a transaction: no need to pause as well.
        self._pause_s = 0.0
        self._resume_at = 0.0

    # New batches

    async def _build(self) -> bool:
        """Sends one new batch if it is time to. True when there may be another one to send at once."""
        core = self._engine.core
        if not await self._is_due(self._next_batch()):
            return False
        fees = (await self._sender.prices()).fees
        nonce = await self._next_nonce()
        # What the head anchors includes the fills below: they were decided before this point.
        await self._engine.durable()
        if not await self._is_due(self._next_batch()):
            return False
        batch, pending = self._next_batch(), core.pending_batches()
        if batch is None or (pending and pending[-1].nonce + 1 != nonce):
            return False
        number = core.last_batch[0] + 1
        prev, head = core.next_prev, self._engine.journal.head
        raw = await self._operator.sign_settlement(
            to=self._config.exchange,
            data=calldata(prev, head, batch),
            nonce=nonce,
            gas=gas_limit(len(batch.orders), len(batch.fills), batch.largest_group),
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
        )
        if core.next_prev != prev or core.last_batch[0] + 1 != number or not self._still_waits(batch):
            return True  # the signing service took its time: look again
        await self._engine.apply([BatchBuilt(number, nonce, batch.fill_ids, prev, head, raw)])
        sent = self._sender.sent[number] = Sent(time.monotonic(), len(batch.fills))
        sent.sent_at = time.monotonic()
        self._gas_money.unweighed = raw
        self._engine.metrics.batches.labels("sent").inc()
        self._engine.metrics.batch_fills.observe(len(batch.fills))
        log.info("batch_sent", batch=number, nonce=nonce, fills=len(batch.fills), orders=len(batch.orders))
        await self._sender.broadcast(number, raw)
        return True

    def _next_batch(self) -> NextBatch | None:
        return self._engine.core.next_batch(self._splitter.most_fills)

    def _still_waits(self, batch: NextBatch) -> bool:
        now = self._engine.core.next_batch(len(batch.fills))
        return now is not None and now.fill_ids == batch.fill_ids

    async def _is_due(self, batch: NextBatch | None) -> bool:
        core = self._engine.core
        if batch is None or self.fenced or time.monotonic() < self._resume_at:
            return False
        pending = core.pending_batches()
        if len(pending) >= (1 if self._splitter.is_searching else self._config.max_in_flight):
            return False
        # After a reorg or a dropped batch the chain of heads must mend before anything is put on top of it.
        if pending and pending[0].prev != core.chain_head:
            return False
        fills, config = len(batch.fills), self._config
        if self._splitter.is_searching or fills >= config.full_fills or core.waiting > fills:
            return True
        waited_ms = self._engine.now_ms() - batch.oldest_ms
        if waited_ms < config.batch_delay_ms:
            return False
        return waited_ms >= config.batch_max_delay_ms or fills >= self._pace.wanted(
            (await self._sender.prices()).base_fee_wei
        )

    async def _next_nonce(self) -> int:
        """Behind the batches that are under way, else the account's next one."""
        core = self._engine.core
        pending = core.pending_batches()
        if pending:
            return pending[-1].nonce + 1
        return await self._sender.used_nonces(core.chain_hash, core.last_batch[1] + 1)
