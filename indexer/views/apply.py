# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: the events of one block become rows."""

from collections.abc import Iterable, Iterator

from indexer.store import schema
from indexer.views import custody, fills, markets
from indexer.views.block import Block, fact, hex_of
from indexer.views.rows import Rows
from ouro import events
from ouro.events import Event


def apply_block(rows: Rows, block: Block) -> None:
    """Write a block's header and everything its events say. Writes nothing for a block without events."""
    if not block.events:
        return
    rows.add(
        schema.blocks,
        {
            "block_number": block.number,
            "hash": block.hash,
            "parent_hash": block.parent_hash,
            "time_s": block.time_s,
        },
    )
    for event in in_effect_order(block.events):
        _apply(rows, block, event)


def in_effect_order(logs: Iterable[Event]) -> Iterator[Event]:
    """Log order, but the indices of a call before what the call did with them.

    The contract accrues funding first and logs it last: `FundingAccrued` follows the fills (or the closed position)
    that it was in force for. A call of ours ends with `BatchSettled` or `Liquidated`.
    """
    call: list[Event] = []
    transaction = None
    for event in logs:
        if event.where.transaction_hash != transaction:
            yield from _indices_first(call)
            call, transaction = [], event.where.transaction_hash
        call.append(event)
        if isinstance(event, events.BatchSettled | events.Liquidated):
            yield from _indices_first(call)
            call = []
    yield from _indices_first(call)


def _indices_first(call: list[Event]) -> list[Event]:
    return sorted(call, key=lambda event: not isinstance(event, events.FundingAccrued))


def _apply(rows: Rows, block: Block, event: Event) -> None:
    match event:
        case events.Fill():
            fills.filled(rows, block, event)
        case events.Liquidated():
            fills.liquidated(rows, block, event)
        case events.FillRejected():
            _rejected(rows, block, event)
        case events.BatchSettled():
            _batch(rows, block, event)
        case events.PositionClosed():
            custody.position_closed(rows, block, event)
        case events.Credited() | events.Debited():
            custody.cash_changed(rows, block, event)
        case events.Deposited():
            custody.deposited(rows, block, event)
        case events.Withdrawn():
            custody.withdrawn(rows, block, event)
        case events.WithdrawalRequested():
            custody.withdrawal_requested(rows, block, event)
        case events.WithdrawalCancelled():
            custody.withdrawal_cancelled(rows, block, event)
        case events.InsuranceChanged():
            custody.insurance_changed(rows, block, event)
        case events.FeesCollected():
            custody.fees_collected(rows, block, event)
        case events.FeesWithdrawn():
            custody.fees_withdrawn(rows, block, event)
        case events.FundingAccrued():
            markets.funding_accrued(rows, block, event)
        case events.LossSpread():
            markets.loss_spread(rows, block, event)
        case events.PricePushed():
            markets.price_pushed(rows, block, event)
        case events.MarketListed():
            markets.listed(rows, block, event)
        case events.MarketChanged():
            markets.changed(rows, block, event)
        case events.SlotCancelled():
            _chain_cancel(rows, block, event, event.signer, slot=event.slot)
        case events.AllCancelled():
            _chain_cancel(rows, block, event, event.account, subaccount=event.subaccount)
        case _:
            # Roles and the oracle's address: who may act is read from the contracts.
            return


def _rejected(rows: Rows, block: Block, event: events.FillRejected) -> None:
    rows.add(
        schema.rejected_fills,
        fact(
            block,
            event,
            fill_id=str(event.fill_id),
            order_id=hex_of(event.order_id) if any(event.order_id) else None,
            fault_class=event.fault_class,
            reason=event.reason,
        ),
    )


def _batch(rows: Rows, block: Block, event: events.BatchSettled) -> None:
    rows.add(
        schema.batches,
        fact(
            block,
            event,
            operator=event.operator,
            prev=hex_of(event.prev),
            next=hex_of(event.next),
            settled=event.settled,
            rejected=event.rejected,
        ),
    )


def _chain_cancel(
    rows: Rows,
    block: Block,
    event: events.SlotCancelled | events.AllCancelled,
    account: str,
    *,
    slot: int | None = None,
    subaccount: int | None = None,
) -> None:
    rows.add(
        schema.chain_cancels,
        fact(
            block,
            event,
            account=account,
            slot=slot,
            subaccount=subaccount,
            stamp=event.stamp,
            effective_at=event.effective_at,
        ),
    )
