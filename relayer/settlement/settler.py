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
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from ouro import codec
from ouro.units import MAX_BATCH_FILLS
from relayer.chain_watch import ChainWatcher, Rpc, RpcError, RpcUnreachableError, answers
from relayer.core import Batch, InputRefusedError, NextBatch
from relayer.core.inputs import BatchBuilt, BatchFate, SettlementCapacity, UndoFills
from relayer.core.settling import DROPPED
from relayer.engine import Engine, StoppedError
from relayer.logs import logger
from relayer.settlement.fees import Fees, Market, gas_limit, market_of
from relayer.settlement.gas_money import GasMoney
from relayer.settlement.operator import Operator, transaction_hash
from relayer.settlement.pacing import Capacity, Pace, Splitter
from relayer.settlement.signers import SignerError

log = logger("settlement")

LOOK_S = 0.2
BALANCE_EVERY_S = 30.0
MARKET_EVERY_S = 5.0
CAPACITY_EVERY_S = 5.0
LONGEST_PAUSE_S = 30.0
_GWEI = 10**9
_CALL_GAS = 10_000_000
_KNOWN = ("already known", "already imported", "nonce too low")


class SettlerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How settlement weighs delay against gas.

    A batch goes when it is full, when its oldest fill has waited `batch_max_delay_ms`, or after `batch_delay_ms` when
    it has as many fills as pay off (`pacing.Pace`), a fill's waiting for a second being worth `delay_gwei`. Up to
    `max_in_flight` batches are sent ahead, each on the head that the one before leaves. What is not in a block after
    `resend_s` is sent again, after `bump_s` (or when the base fee has passed its offer) with a higher fee, up to
    `max_fee_wei` per gas, of which at most `max_tip_wei` is tip. `max_unsettled` bounds what measured capacity allows.
    There is an alarm when the gas money pays for fewer than `alarm_batches`.
    """

    exchange: str
    settle_window_s: int
    batch_delay_ms: int = 250
    batch_max_delay_ms: int = 2_000
    delay_gwei: int = 10_000
    full_fills: int = MAX_BATCH_FILLS
    max_in_flight: int = 4
    resend_s: float = 4.0
    bump_s: float = 20.0
    max_fee_wei: int = 500 * _GWEI
    max_tip_wei: int = 5 * _GWEI
    max_unsettled: int = 16_384
    alarm_batches: int = 500


class _Sent:
    """When this process first saw a batch, last sent it, and last raised its fee; whether it may be dearer already."""

    __slots__ = ("bumped_at", "fills", "known_at", "sent_at", "wants_bump", "wants_price")

    def __init__(self, now: float, fills: int) -> None:
        self.fills = fills
        self.known_at = now
        self.sent_at = -math.inf
        self.bumped_at = now
        self.wants_bump = False
        self.wants_price = False


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
        self._market: Market | None = None
        self._market_at = -math.inf
        self._market_block = b""
        self._pace = Pace(config.delay_gwei * _GWEI, time.monotonic())
        self._capacity = Capacity(config.max_in_flight, config.settle_window_s / 2, config.max_unsettled)
        self._capacity_at = -math.inf
        self._measured_at = time.monotonic()
        self._splitter = Splitter()
        self._gas_money = GasMoney(config.max_in_flight)
        self._unweighed: bytes = b""
        self._gap_since = math.inf
        self._signer_trouble = ""
        self._gas_trouble = ""

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
        return [text for text in (self._gas_trouble, self._signer_trouble, searching) if text]

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
                await asyncio.wait(wakers, timeout=BALANCE_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for waker in wakers:
                    waker.cancel()
        else:
            await asyncio.sleep(LOOK_S)

    async def _round(self) -> None:
        if not self._watcher.in_sight:
            return
        self._pace.note(self._engine.core.last_fill_id, time.monotonic())
        await self._look_at_balance()
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
        for number in [number for number in self._sent if number not in under_way]:
            sent = self._sent.pop(number)
            landed += sent.fills
            self._capacity.landed(now - sent.known_at)
            self._splitter.landed()
        self._capacity.looked(landed, self._engine.core.waiting, now - self._measured_at)
        self._measured_at = now
        oldest_s = max((now - self._sent[number].known_at for number in under_way if number in self._sent), default=0.0)
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
        used = await self._used_nonces(block, pending[0].nonce)
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
            sent = self._sent.setdefault(batch.number, _Sent(now, len(batch.fill_ids)))
            if place == 0 and await self._needs_bump(batch, sent, now):
                sent.bumped_at = now
                await self._bump(batch, sent)
            if now - sent.sent_at >= self._config.resend_s and batch.is_pending:
                sent.sent_at = now
                await self._broadcast(batch.number, batch.raw_txs[-1])

    async def _used_nonces(self, block: bytes, expected: int) -> int:
        """How many transactions of the operator are in the chain up to a block. A surprise must be said twice."""
        at = {"blockHash": "0x" + block.hex()}
        ask = ("eth_getTransactionCount", self._operator.address, at)
        used = await self._rpc.call(*ask, read=answers.quantity)
        if used != expected and await self._rpc.call(*ask, read=answers.quantity) != used:
            raise RpcUnreachableError("the node gives two answers for the operator's nonce")
        return used

    async def _give_up(self, dead: Sequence[Batch]) -> None:
        """The nonce is used and the batch did not settle: it was undone, or another transaction took the nonce."""
        core = self._engine.core
        reasons: list[str] = []
        undone: Batch | None = None
        for batch in dead:
            receipt = await self._receipt(batch)
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
            self._sent.pop(batch.number, None)
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
        if not await self._settles_nothing():
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

    async def _settles_nothing(self) -> bool:
        """Whether the chain would take a batch without fills on the head that the core knows."""
        core = self._engine.core
        call = {
            "from": self._operator.address,
            "to": self._config.exchange,
            "gas": hex(_CALL_GAS),
            "data": "0x" + codec.encode_settle(core.chain_head, b"\xff" * 32, (), ()).hex(),
        }
        try:
            await self._rpc.call("eth_call", call, "latest", read=answers.data)
        except RpcError:
            return False
        return True

    async def _receipt(self, batch: Batch) -> answers.Receipt | None:
        """What became of the one of a batch's transactions that is in a block."""
        for raw in reversed(batch.raw_txs):
            receipt = await self._receipt_of(raw)
            if receipt is not None:
                return receipt
        return None

    async def _receipt_of(self, raw: bytes) -> answers.Receipt | None:
        name = transaction_hash(raw)
        return await self._rpc.call("eth_getTransactionReceipt", name, read=_receipt_for(bytes.fromhex(name[2:])))

    async def _needs_bump(self, batch: Batch, sent: _Sent, now: float) -> bool:
        if sent.wants_price:
            return True
        waited = now - sent.bumped_at
        if waited < self._config.resend_s:
            return False
        if sent.wants_bump or waited >= self._config.bump_s:
            return True
        # What offers less than the base fee cannot be taken into any block.
        return _fees_of(batch.raw_txs[-1]).max_fee_wei < (await self._prices()).base_fee_wei

    async def _bump(self, batch: Batch, sent: _Sent) -> None:
        """The same call at the same nonce for another fee: higher, or the market's when the node takes the present one
        for more than the account has.
        """
        fields = _fields(batch.raw_txs[-1])
        before, market = _fees_of(batch.raw_txs[-1]), (await self._prices(fresh=True)).fees
        fees = market if sent.wants_price else before.bumped(market, self._config.max_fee_wei)
        is_new = fees != before if sent.wants_price else fees.replaces(before)
        sent.wants_bump = sent.wants_price = False
        if not batch.is_pending:
            return
        if not is_new:
            log.error("fee_cap_reached", batch=batch.number, max_fee_wei=before.max_fee_wei)
            return
        raw = await self._operator.sign_settlement(
            to=self._config.exchange,
            data=bytes(fields["data"]),
            nonce=batch.nonce,
            gas=fields["gas"],
            max_fee_wei=fees.max_fee_wei,
            priority_fee_wei=fees.priority_fee_wei,
        )
        if batch.number not in {each.number for each in self._engine.core.pending_batches()}:
            return  # the signing service took its time
        built = BatchBuilt(batch.number, batch.nonce, batch.fill_ids, batch.prev, batch.next, raw)
        await self._engine.apply([built])
        log.warning("fee_bumped", batch=batch.number, nonce=batch.nonce, max_fee_wei=fees.max_fee_wei)
        self._engine.metrics.batches.labels("bumped").inc()
        await self._broadcast(batch.number, raw)

    # New batches

    async def _build(self) -> bool:
        """Sends one new batch if it is time to. True when there may be another one to send at once."""
        core = self._engine.core
        if not await self._is_due(self._next_batch()):
            return False
        fees = (await self._prices()).fees
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
        sent = self._sent[number] = _Sent(time.monotonic(), len(batch.fills))
        sent.sent_at = time.monotonic()
        self._unweighed = raw
        self._engine.metrics.batches.labels("sent").inc()
        self._engine.metrics.batch_fills.observe(len(batch.fills))
        log.info("batch_sent", batch=number, nonce=nonce, fills=len(batch.fills), orders=len(batch.orders))
        await self._broadcast(number, raw)
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
        return waited_ms >= config.batch_max_delay_ms or fills >= self._pace.wanted((await self._prices()).base_fee_wei)

    async def _next_nonce(self) -> int:
        """Behind the batches that are under way, else the account's next one."""
        core = self._engine.core
        pending = core.pending_batches()
        if pending:
            return pending[-1].nonce + 1
        return await self._used_nonces(core.chain_hash, core.last_batch[1] + 1)

    async def _prices(self, *, fresh: bool = False) -> Market:
        """What gas costs, asked for again with each block."""
        now, block = time.monotonic(), self._engine.core.chain_hash
        is_old = block != self._market_block or now - self._market_at >= MARKET_EVERY_S
        if self._market is None or is_old or fresh:
            history = await self._rpc.call("eth_feeHistory", "0x5", "latest", [50], read=answers.history)
            self._market = market_of(history, self._config.max_fee_wei, self._config.max_tip_wei)
            self._market_at, self._market_block = now, block
        return self._market

    async def _broadcast(self, number: int, raw: bytes) -> None:
        """Hands a transaction to every node. What goes wrong here is mended by the next look after the batch."""
        said = await self._rpc.from_each("eth_sendRawTransaction", "0x" + raw.hex())
        refusals = [each for each in said if isinstance(each, RpcError)]
        if len(refusals) + sum(isinstance(each, RpcUnreachableError) for each in said) < len(said):
            return
        sent = self._sent.get(number)
        if sent is None:
            return
        for error in refusals:
            message = error.message.lower()
            if any(word in message for word in _KNOWN):
                continue
            # Another transaction at the nonce offers more; or the fees are more than the account could ever pay.
            sent.wants_bump = sent.wants_bump or "underpriced" in message
            sent.wants_price = sent.wants_price or "insufficient funds" in message
            log.error("node_refused_batch", batch=number, error=error.message)
        if not refusals:
            log.warning("batch_not_sent", batch=number, error=str(said[0]))

    async def _look_at_balance(self) -> None:
        """The operator's gas money, and the alarm on it."""
        now = time.monotonic()
        if now - self._balance_at < BALANCE_EVERY_S:
            return
        balance = await self._rpc.call("eth_getBalance", self._operator.address, "latest", read=answers.wei)
        market = await self._prices()
        if self._unweighed:
            receipt = await self._receipt_of(self._unweighed)
            if receipt is not None and receipt.succeeded:
                self._unweighed = b""
                self._gas_money.used(receipt.gas_used)
        self._balance_at = now
        left = self._gas_money.batches(balance, market)
        self._engine.metrics.operator_wei.set(balance)
        self._engine.metrics.operator_batches.set(left)
        if left >= self._config.alarm_batches:
            self._gas_trouble = ""
            return
        self._gas_trouble = (
            f"the gas money of {self._operator.address}, {balance} wei, pays for {left} more batches at the present "
            f"price: send it ether (the alarm is at {self._config.alarm_batches})"
        )
        log.error("gas_money_low", balance_wei=balance, batches=left)


def calldata(prev: bytes, head: bytes, batch: NextBatch) -> bytes:
    """The call of `settle` for a batch."""
    return codec.encode_settle(prev, head, batch.orders, map(codec.pack_fill, batch.fills))


def _receipt_for(name: bytes) -> Callable[[Any], answers.Receipt | None]:
    def read(value: Any) -> answers.Receipt | None:
        receipt = answers.receipt(value)
        if receipt is not None and receipt.transaction_hash != name:
            raise answers.NonsenseError("the receipt of another transaction than was asked for")
        return receipt

    return read


def _fields(raw: bytes) -> dict[str, Any]:
    """The fields of a raw transaction that this module made."""
    return dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())


def _fees_of(raw: bytes) -> Fees:
    fields = _fields(raw)
    return Fees(fields["maxFeePerGas"], fields["maxPriorityFeePerGas"])
