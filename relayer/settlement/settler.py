# SPDX-License-Identifier: AGPL-3.0-only
"""Builds batches of matched fills, sends them, and watches them until the chain has decided.

Exactly once, for these reasons. A batch is on disk with its nonce and its raw transaction before it is sent, and after
a restart the same bytes are sent again. The contract takes a batch only on the journal head before it, so of two
batches on one head at most one lands. A batch is given up only when, at the very block the core has followed to, its
nonce is used and its settlement is not among the events: then its transaction, and each with the same nonce, can land
no more.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from ouro import codec
from relayer.chain_watch import ChainWatcher, Rpc, RpcError, RpcUnreachableError
from relayer.core import Batch, NextBatch
from relayer.core.inputs import BatchBuilt, BatchFate
from relayer.core.settling import DROPPED
from relayer.engine import Engine, StoppedError
from relayer.logs import logger
from relayer.settlement.fees import Fees, fees_of_history, gas_limit
from relayer.settlement.operator import Operator, transaction_hash

log = logger("settlement")

LOOK_S = 0.2
BALANCE_EVERY_S = 30.0
LONGEST_PAUSE_S = 30.0


class SettlerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How settlement weighs delay against gas.

    A batch goes when it is full or its oldest fill has waited `batch_delay_ms`. Up to `max_in_flight` batches are sent
    ahead, each on the head that the one before leaves. What is not in a block after `resend_s` is sent again, after
    `bump_s` with a higher fee, up to `max_fee_wei` per gas.
    """

    exchange: str
    batch_delay_ms: int = 250
    full_fills: int = 32
    max_in_flight: int = 4
    resend_s: float = 4.0
    bump_s: float = 20.0
    max_fee_wei: int = 500 * 10**9


class _Sent:
    """When this process last sent a batch, and when it last raised the fee."""

    __slots__ = ("bumped_at", "sent_at")

    def __init__(self, now: float) -> None:
        self.sent_at = -math.inf
        self.bumped_at = now


class Settler:
    """The only sender of the operator's transactions."""

    def __init__(
        self, engine: Engine, watcher: ChainWatcher, rpc: Rpc, operator: Operator, config: SettlerConfig
    ) -> None:
        self._engine = engine
        self._watcher = watcher
        self._rpc = rpc
        self._operator = operator
        self._config = config
        self._sent: dict[int, _Sent] = {}
        self._pause_s = 0.0
        self._resume_at = 0.0
        self._balance_at = -math.inf
        self._last_head = bytes(32)
        self._was_fenced = False

    @property
    def fenced(self) -> str:
        """Why nothing is settled any more, empty while all is well.

        Another sender on the same key shows by a journal head that none of our batches left.
        """
        head = self._engine.core.chain_head
        if head in self._engine.heads:
            return ""
        return (
            f"the journal head of {self._operator.address} on chain, 0x{head.hex()}, comes from none of this "
            "journal's batches: another relayer uses the same key, or this is not the journal that it settled from"
        )

    async def run(self) -> None:
        """Settles until cancelled."""
        while True:
            try:
                await self._round()
            except (RpcError, RpcUnreachableError) as error:
                log.warning("node_trouble", error=str(error))
                await asyncio.sleep(1)
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
                await asyncio.wait(wakers, timeout=BALANCE_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for waker in wakers:
                    waker.cancel()
        else:
            await asyncio.sleep(LOOK_S)

    async def _round(self) -> None:
        if not self._watcher.in_sight:
            return
        await self._look_at_balance()
        self._look_at_head()
        if self.fenced:
            return
        pending = self._engine.core.pending_batches()
        self._engine.metrics.in_flight.set(len(pending))
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

    # Batches that were sent

    async def _look_after(self) -> None:
        """Gives up what can land no more, sends again what is not in a block."""
        core = self._engine.core
        block = core.chain_hash
        used = int(
            await self._rpc.call("eth_getTransactionCount", self._operator.address, {"blockHash": "0x" + block.hex()}),
            16,
        )
        if core.chain_hash != block:
            return  # the chain moved on meanwhile: the answer is about another block
        dead = [batch for batch in core.pending_batches() if batch.nonce < used]
        if dead:
            await self._give_up(dead)
            return
        now = time.monotonic()
        for place, batch in enumerate(core.pending_batches()):
            sent = self._sent.setdefault(batch.number, _Sent(now))
            if place == 0 and now - sent.bumped_at >= self._config.bump_s:
                sent.bumped_at = now
                await self._bump(batch)
            if now - sent.sent_at >= self._config.resend_s:
                sent.sent_at = now
                await self._broadcast(batch.number, batch.raw_txs[-1])

    async def _give_up(self, dead: Sequence[Batch]) -> None:
        """The nonce is used and the batch did not settle: it was undone, or another transaction took the nonce."""
        reasons: list[str] = []
        for batch in dead:
            receipt = await self._receipt(batch)
            if receipt is not None and int(receipt["status"], 16):
                # A block that the core has yet to follow, or a node that kept the batch's events from it.
                log.error("batch_settled_unseen", batch=batch.number, block=int(receipt["blockNumber"], 16))
                await asyncio.sleep(1)
                return
            reasons.append(
                "another transaction used its nonce"
                if receipt is None
                else f"undone in block {int(receipt['blockNumber'], 16)}, {int(receipt['gasUsed'], 16)} gas used"
            )
        for batch, reason in zip(dead, reasons, strict=True):
            log.error("batch_dropped", batch=batch.number, nonce=batch.nonce, fills=len(batch.fill_ids), reason=reason)
            self._engine.metrics.batches.labels("dropped").inc()
        # Newest first: the head that a batch stands on is given up after the batch itself.
        still = {batch.number for batch in self._engine.core.pending_batches()}
        fates = [BatchFate(batch.number, DROPPED) for batch in reversed(dead) if batch.number in still]
        if fates:
            await self._engine.apply(fates)
        self._pause_s = min(max(1.0, self._pause_s * 2), LONGEST_PAUSE_S)
        self._resume_at = time.monotonic() + self._pause_s

    async def _receipt(self, batch: Batch) -> dict[str, Any] | None:
        """What became of the one of a batch's transactions that is in a block."""
        for raw in reversed(batch.raw_txs):
            receipt: dict[str, Any] | None = await self._rpc.call("eth_getTransactionReceipt", transaction_hash(raw))
            if receipt is not None:
                return receipt
        return None

    async def _bump(self, batch: Batch) -> None:
        """The same call at the same nonce for a higher fee."""
        fields = _fields(batch.raw_txs[-1])
        before = Fees(fields["maxFeePerGas"], fields["maxPriorityFeePerGas"])
        fees = before.bumped(await self._market_fees(), self._config.max_fee_wei)
        if not batch.is_pending:
            return
        if not fees.replaces(before):
            log.error("fee_cap_reached", batch=batch.number, max_fee_wei=before.max_fee_wei)
            return
        raw = self._operator.sign_settlement(
            to=self._config.exchange,
            data=bytes(fields["data"]),
            nonce=batch.nonce,
            gas=fields["gas"],
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
        )
        built = BatchBuilt(batch.number, batch.nonce, batch.fill_ids, batch.prev, batch.next, raw)
        await self._engine.apply([built])
        log.warning("fee_bumped", batch=batch.number, nonce=batch.nonce, max_fee_wei=fees.max_fee_wei)
        self._engine.metrics.batches.labels("bumped").inc()
        await self._broadcast(batch.number, raw)

    # New batches

    async def _build(self) -> bool:
        """Sends one new batch if it is time to. True when there may be another one to send at once."""
        core = self._engine.core
        if not self._is_due(core.next_batch()):
            return False
        fees = await self._market_fees()
        nonce = await self._next_nonce()
        # What the head anchors includes the fills below: they were decided before this point.
        await self._engine.durable()
        batch = core.next_batch()
        pending = core.pending_batches()
        if batch is None or not self._is_due(batch) or (pending and pending[-1].nonce + 1 != nonce):
            return False
        number = core.last_batch[0] + 1
        prev, head = core.next_prev, self._engine.journal.head
        raw = self._operator.sign_settlement(
            to=self._config.exchange,
            data=calldata(prev, head, batch),
            nonce=nonce,
            gas=gas_limit(len(batch.orders), len(batch.fills), batch.largest_group),
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
        )
        await self._engine.apply([BatchBuilt(number, nonce, batch.fill_ids, prev, head, raw)])
        sent = self._sent[number] = _Sent(time.monotonic())
        sent.sent_at = time.monotonic()
        self._sent = {known: value for known, value in self._sent.items() if known > number - 64}
        self._engine.metrics.batches.labels("sent").inc()
        self._engine.metrics.batch_fills.observe(len(batch.fills))
        log.info("batch_sent", batch=number, nonce=nonce, fills=len(batch.fills), orders=len(batch.orders))
        await self._broadcast(number, raw)
        return True

    def _is_due(self, batch: NextBatch | None) -> bool:
        core = self._engine.core
        if batch is None or self.fenced or time.monotonic() < self._resume_at:
            return False
        pending = core.pending_batches()
        if len(pending) >= self._config.max_in_flight:
            return False
        # After a reorg or a dropped batch the chain of heads must mend before anything is put on top of it.
        if pending and pending[0].prev != core.chain_head:
            return False
        waited_ms = self._engine.now_ms() - batch.oldest_ms
        return len(batch.fills) >= self._config.full_fills or waited_ms >= self._config.batch_delay_ms

    async def _next_nonce(self) -> int:
        """Behind the batches that are under way, else the account's next one."""
        pending = self._engine.core.pending_batches()
        if pending:
            return pending[-1].nonce + 1
        return int(await self._rpc.call("eth_getTransactionCount", self._operator.address, "latest"), 16)

    async def _market_fees(self) -> Fees:
        history = await self._rpc.call("eth_feeHistory", "0x5", "latest", [50])
        return fees_of_history(history, self._config.max_fee_wei)

    async def _broadcast(self, number: int, raw: bytes) -> None:
        """Hands a transaction to the node. What goes wrong here is mended by the next look after the batch."""
        try:
            await self._rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        except RpcError as error:
            known = any(
                word in error.message.lower() for word in ("already known", "already imported", "nonce too low")
            )
            if not known:
                log.error("node_refused_batch", batch=number, error=error.message)
        except RpcUnreachableError as error:
            log.warning("batch_not_sent", batch=number, error=str(error))

    async def _look_at_balance(self) -> None:
        """The operator's gas money, for the alarm on it."""
        now = time.monotonic()
        if now - self._balance_at >= BALANCE_EVERY_S:
            self._balance_at = now
            balance = await self._rpc.call("eth_getBalance", self._operator.address, "latest")
            self._engine.metrics.operator_wei.set(int(balance, 16))


def calldata(prev: bytes, head: bytes, batch: NextBatch) -> bytes:
    """The call of `settle` for a batch."""
    return codec.encode_settle(prev, head, batch.orders, map(codec.pack_fill, batch.fills))


def _fields(raw: bytes) -> dict[str, Any]:
    """The fields of a raw transaction that this module made."""
    return dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())
