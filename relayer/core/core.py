# SPDX-License-Identifier: AGPL-3.0-only
"""The core itself: one method that takes an input, and queries."""

from __future__ import annotations

from ouro.ledger import Ledger
from ouro.units import MAX_BATCH_FILLS
from relayer.core import amending, cancelling, firing, placing, settling, withdrawing
from relayer.core.accounts import AccountEntry
from relayer.core.config import CoreConfig
from relayer.core.errors import InputRefusedError, RefusedError
from relayer.core.fills import Batch
from relayer.core.inputs import (
    AnyCancel,
    BatchBuilt,
    BatchFate,
    Cancel,
    CancelAll,
    CancelAllAfter,
    CancelByClientId,
    ChainBlock,
    ChainRevert,
    Input,
    Place,
    ReserveWithdrawal,
    SettlementCapacity,
    Tick,
    UndoFills,
)
from relayer.core.outputs import Ack, NextBatch, OrderState, Output
from relayer.core.snapshot import dump, restore, state_hash
from relayer.core.state import State


class Core:
    """Deterministic: the same inputs in the same order give the same outputs and the same hashes, in every process."""

    def __init__(self, config: CoreConfig, state: State | None = None) -> None:
        self.config = config
        self._state = State(config) if state is None else state

    @classmethod
    def restore(cls, config: CoreConfig, snapshot: bytes) -> Core:
        """A core that continues like the one whose `dump` this is. Raises ValueError when it is none."""
        return cls(config, restore(config, snapshot))

    def dump(self) -> bytes:
        """The whole state in canonical form; `state_hash` is its sha256."""
        return dump(self._state)

    def apply(self, item: Input) -> list[Output]:
        """Takes one input and says what came of it; the answer to a command (`Ack`) comes last.

        Raises InputRefusedError, without any change, for an input that its maker should not have made.
        """
        state = self._state
        ack: Ack | None = None
        try:
            ack = self._dispatch(item)
        except RefusedError as refusal:
            ack = _refused(refusal, item)
        firing.run(state)
        state.recorder.input_seq += 1
        return state.recorder.flush(state.now_ms, len(state.queue), ack)

    def _dispatch(self, item: Input) -> Ack | None:
        state = self._state
        match item:
            case Place():
                return placing.place(state, item)
            case Cancel():
                return cancelling.cancel(state, item)
            case CancelByClientId():
                return cancelling.cancel_by_client_id(state, item)
            case Tick():
                self._tick(item)
            case ChainBlock():
                settling.block(state, item)
            case BatchBuilt():
                settling.batch_built(state, item)
            case BatchFate():
                settling.batch_fate(state, item)
            case UndoFills():
                settling.undo_fills(state, item)
            case SettlementCapacity():
                settling.capacity(state, item)
            case CancelAll():
                return cancelling.cancel_all(state, item)
            case CancelAllAfter():
                return cancelling.cancel_all_after(state, item)
            case ReserveWithdrawal():
                return withdrawing.reserve(state, item)
            case ChainRevert():
                settling.revert(state, item)
        return None

    def _tick(self, item: Tick) -> None:
        state = self._state
        state.signing_ms = max(state.signing_ms, item.now_ms - item.ahead_ms)
        amending.forget_refused(state)
        if item.now_ms <= state.now_ms:
            return
        state.now_ms = item.now_ms
        state.shadow.time_s = state.time_s
        withdrawing.forget_refused(state)
        cancelling.on_time(state)
        settling.on_time(state)

    # Queries: none of them changes anything.

    @property
    def input_seq(self) -> int:
        """How many inputs were applied; equals the journal's sequence number of the last one."""
        return self._state.recorder.input_seq

    @property
    def seq(self) -> int:
        """Number of the last public record."""
        return self._state.recorder.seq

    @property
    def now_ms(self) -> int:
        """The time of the last tick."""
        return self._state.now_ms

    @property
    def chain_number(self) -> int:
        """Number of the last block, 0 before the first."""
        return self._state.chain.number

    @property
    def chain_hash(self) -> bytes:
        """Hash of the last block."""
        return self._state.chain.hash

    @property
    def time_s(self) -> int:
        """Seconds by which orders expire and prices grow stale."""
        return self._state.time_s

    @property
    def ledger(self) -> Ledger:
        """What accounts and markets hold as of the last block; not to be changed, and another one after the next."""
        return self._state.chain.head.ledger

    @property
    def chain_time_s(self) -> int:
        """Time of the last block."""
        return self._state.chain.time_s

    @property
    def chain_blocks(self) -> list[tuple[int, bytes]]:
        """Number and hash of the blocks a revert may return to, oldest first."""
        return [(block.number, block.hash) for block in self._state.chain.blocks]

    @property
    def chain_head(self) -> bytes:
        """The operator's journal head as the chain stores it at the last block."""
        return self._state.chain.head.head

    def is_own_head(self, head: bytes) -> bool:
        """Whether one of our newest 4,096 batches leaves this journal head, or it is the zero that all begins with."""
        return head in self._state.heads

    @property
    def next_prev(self) -> bytes:
        """`prev` of the next batch: `next` of the newest pending one, else the head on chain."""
        pending = self.pending_batches()
        return pending[-1].next if pending else self.chain_head

    def next_batch(self, most_fills: int = MAX_BATCH_FILLS) -> NextBatch | None:
        """What should be settled next, None when nothing waits. `most_fills` is exceeded only by what must stay
        together.
        """
        return self._state.queue.next_batch(most_fills)

    @property
    def last_fill_id(self) -> int:
        """Id of the newest fill: how many were matched."""
        return self._state.last_fill_id

    @property
    def waiting(self) -> int:
        """Fills that are in no batch."""
        return len(self._state.queue)

    @property
    def max_unsettled(self) -> int:
        """Fills that may wait for the chain before nothing new may open risk."""
        return self._state.max_unsettled_fills

    def pending_batches(self) -> list[Batch]:
        """Batches that were built and have neither landed nor been dropped, by number; a reorg brings one back."""
        return sorted(
            (batch for batch in self._state.batches.values() if batch.is_pending), key=lambda batch: batch.number
        )

    @property
    def last_batch(self) -> tuple[int, int]:
        """Number and transaction nonce of the newest batch ever built, (0, -1) before the first."""
        return self._state.last_batch

    @property
    def unsettled(self) -> int:
        """Fills that the chain has not decided on."""
        return len(self._state.unsettled)

    @property
    def is_backlogged(self) -> bool:
        """Whether so much waits for the chain, or for so long, that nothing new may open risk."""
        return self._state.is_backlogged()

    @property
    def is_firing(self) -> bool:
        """Whether triggered orders are left for the next input: one lets only so many of them go."""
        return bool(self._state.waiting.dirty)

    def order(self, order_id: bytes) -> OrderState | None:
        """An order by id; None when it was never accepted, or has expired and is forgotten."""
        order = self._state.orders.get(order_id)
        return None if order is None else order.state()

    def order_by_client_id(self, account: str, subaccount: int, client_id: str) -> OrderState | None:
        """An order by its client id."""
        entry = self._state.accounts.get((account, subaccount))
        order = None if entry is None else entry.client_ids.get(client_id)
        return None if order is None else order.state()

    def takes_away(self, item: AnyCancel) -> bool:
        """Whether a cancel, if it were applied now, would end an order."""
        return cancelling.takes_away(self._state, item)

    def book(self, ticker: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]], int]:
        """Bids and asks as (price, lots) best first, and the number of the last book record; KeyError if unknown."""
        for venue in self._state.venues.values():
            if venue.ticker == ticker:
                return venue.book.bids.depth(), venue.book.asks.depth(), venue.book.seq
        raise KeyError(ticker)

    def withdrawable(self, account: str, subaccount: int) -> int:
        """Micro-USDC an instant withdrawal could take now."""
        entry = self._state.accounts.get((account, subaccount)) or AccountEntry(account, subaccount)
        return self._state.shadow.withdrawable(entry)

    def may_sign(self, account: str, signer: str) -> bool:
        """Whether the signer is the account, or a session key that was ever registered for it."""
        return signer == account or (account, signer) in self._state.chain.head.keys

    def is_revoked(self, account: str, signer: str) -> bool:
        """Whether the signer was a session key of the account, and its revocation was seen."""
        key = self._state.chain.head.keys.get((account, signer))
        return signer != account and key is not None and key.is_revoked

    def is_known(self, signer: str) -> bool:
        """Whether a signer ever had a deposit, or is somebody's session key. Other keys cost nothing: what they say
        need not be written.
        """
        return signer in self._state.chain.head.owners or signer in self._state.chain.head.key_signers

    def has_deposited(self, owner: str) -> bool:
        """Whether anything was ever credited to an owner. Keys cost nothing: what others say need not be written."""
        return owner in self._state.chain.head.owners

    def state_hash(self) -> bytes:
        """Hash of the whole state in canonical form; walks everything."""
        return state_hash(self._state)

    def trail_hash(self) -> bytes:
        """Rolling hash of every input's number, time and outputs: what each group in the journal stores."""
        return self._state.recorder.trail


def _refused(refusal: RefusedError, item: Input) -> Ack:
    order_id = "0x" + item.order_id.hex() if isinstance(item, Place | Cancel) else ""
    return Ack(
        input_seq=0,
        ok=False,
        http_status=refusal.http_status,
        seq=0,
        error_code=refusal.code,
        message=refusal.message,
        param=refusal.param,
        order_id=order_id,
        client_id=item.client_id if isinstance(item, Place | CancelByClientId) else "",
        filled=refusal.filled,
        free_slots=refusal.free_slots,
        next_revision=refusal.next_revision,
    )


__all__ = ["Core", "InputRefusedError"]
