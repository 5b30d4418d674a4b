# SPDX-License-Identifier: AGPL-3.0-only
"""Transactions on their way: what they offer, that every node has them, and what became of them.

A transaction leaves only after its bytes are on disk; a higher fee is another record at the same nonce.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from ouro import codec, node_answers
from relayer.chain_watch import Rpc, RpcError, RpcUnreachableError, answers
from relayer.core import Batch, NextBatch
from relayer.core.inputs import BatchBuilt
from relayer.engine import Engine
from relayer.logs import logger
from relayer.settlement.config import SettlerConfig
from relayer.settlement.fees import Fees, Market, market_of
from relayer.settlement.operator import Operator, transaction_hash

log = logger("settlement")

MARKET_EVERY_S = 5.0
_CALL_GAS = 10_000_000
_KNOWN = ("already known", "already imported", "nonce too low")


class Sent:
    """When this process first saw a batch, last sent it, and last raised its fee; whether it may be dearer already."""

    __slots__ = ("bumped_at", "fills", "known_at", "sent_at", "wants_bump", "wants_price")

    def __init__(self, now: float, fills: int) -> None:
        self.fills = fills
        self.known_at = now
        self.sent_at = -math.inf
        self.bumped_at = now
        self.wants_bump = False
        self.wants_price = False


class Sender:
    """The operator's transactions as the nodes have them. `sent` are those of batches under way, by batch number."""

    def __init__(self, engine: Engine, rpc: Rpc, operator: Operator, config: SettlerConfig) -> None:
        self._engine = engine
        self._rpc = rpc
        self._operator = operator
        self._config = config
        self.sent: dict[int, Sent] = {}
        self._market: Market | None = None
        self._market_at = -math.inf
        self._market_block = b""

    async def prices(self, *, fresh: bool = False) -> Market:
        """What gas costs, asked for again with each block."""
        now, block = time.monotonic(), self._engine.core.chain_hash
        is_old = block != self._market_block or now - self._market_at >= MARKET_EVERY_S
        if self._market is None or is_old or fresh:
            history = await self._rpc.call("eth_feeHistory", "0x5", "latest", [50], read=answers.history)
            self._market = market_of(history, self._config.max_fee_wei, self._config.max_tip_wei)
            self._market_at, self._market_block = now, block
        return self._market

    async def used_nonces(self, block: bytes, expected: int) -> int:
        """How many transactions of the operator are in the chain up to a block. A surprise must be said twice."""
        at = {"blockHash": "0x" + block.hex()}
        ask = ("eth_getTransactionCount", self._operator.address, at)
        used = await self._rpc.call(*ask, read=node_answers.quantity)
        if used != expected and await self._rpc.call(*ask, read=node_answers.quantity) != used:
            raise RpcUnreachableError("the node gives two answers for the operator's nonce")
        return used

    async def receipt(self, batch: Batch) -> answers.Receipt | None:
        """What became of the one of a batch's transactions that is in a block."""
        for raw in reversed(batch.raw_txs):
            receipt = await self.receipt_of(raw)
            if receipt is not None:
                return receipt
        return None

    async def receipt_of(self, raw: bytes) -> answers.Receipt | None:
        name = transaction_hash(raw)
        return await self._rpc.call("eth_getTransactionReceipt", name, read=_receipt_for(bytes.fromhex(name[2:])))

    async def settles_nothing(self) -> bool:
        """Whether the chain would take a batch without fills on the head that the core knows."""
        core = self._engine.core
        call = {
            "from": self._operator.address,
            "to": self._config.exchange,
            "gas": hex(_CALL_GAS),
            "data": "0x" + codec.encode_settle(core.chain_head, b"\xff" * 32, (), ()).hex(),
        }
        try:
            await self._rpc.call("eth_call", call, "latest", read=node_answers.hex_bytes)
        except RpcError:
            return False
        return True

    async def needs_bump(self, batch: Batch, sent: Sent, now: float) -> bool:
        if sent.wants_price:
            return True
        waited = now - sent.bumped_at
        if waited < self._config.resend_s:
            return False
        if sent.wants_bump or waited >= self._config.bump_s:
            return True
        # What offers less than the base fee cannot be taken into any block.
        return _fees_of(batch.raw_txs[-1]).max_fee_wei < (await self.prices()).base_fee_wei

    async def bump(self, batch: Batch, sent: Sent) -> None:
        """The same call at the same nonce for another fee: higher, or the market's when the node takes the present one
        for more than the account has.
        """
        fields = _fields(batch.raw_txs[-1])
        before, market = _fees_of(batch.raw_txs[-1]), (await self.prices(fresh=True)).fees
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
        await self.broadcast(batch.number, raw)

    async def broadcast(self, number: int, raw: bytes) -> None:
        """Hands a transaction to every node. What goes wrong here is mended by the next look after the batch."""
        said = await self._rpc.from_each("eth_sendRawTransaction", "0x" + raw.hex())
        refusals = [each for each in said if isinstance(each, RpcError)]
        if len(refusals) + sum(isinstance(each, RpcUnreachableError) for each in said) < len(said):
            return
        sent = self.sent.get(number)
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


def calldata(prev: bytes, head: bytes, batch: NextBatch) -> bytes:
    """The call of `settle` for a batch."""
    return codec.encode_settle(prev, head, batch.orders, map(codec.pack_fill, batch.fills))


def _receipt_for(name: bytes) -> Callable[[Any], answers.Receipt | None]:
    def read(value: Any) -> answers.Receipt | None:
        receipt = answers.receipt(value)
        if receipt is not None and receipt.transaction_hash != name:
            raise node_answers.NonsenseError("the receipt of another transaction than was asked for")
        return receipt

    return read


def _fields(raw: bytes) -> dict[str, Any]:
    """The fields of a raw transaction that this module made."""
    return dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())


def _fees_of(raw: bytes) -> Fees:
    fields = _fields(raw)
    return Fees(fields["maxFeePerGas"], fields["maxPriorityFeePerGas"])
