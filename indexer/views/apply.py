# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: the events of one block become rows."""

from collections.abc import Iterable

from indexer.store import schema
from indexer.views import custody, fills, markets, notes, referrals
from indexer.views.block import Block, fact, hex_of
from indexer.views.hours import close_hour
from indexer.views.rows import Rows
from ouro import events
from ouro.events import Event
from ouro.ledger import in_effect_order


def apply_block(rows: Rows, block: Block) -> None:
    """Write a block's header and everything its events and prices say. Writes nothing for a block without either."""
    markets.prices_read(rows, block)
    if not block.is_kept:
        return
    close_hour(rows, block)
    rows.add(
        schema.blocks,
        {
            "block_number": block.number,
            "hash": block.hash,
            "parent_hash": block.parent_hash,
            "time_s": block.time_s,
        },
    )
    _Calls(rows, block).follow(in_effect_order(block.events))


class _Calls:
    """What earlier events of a call say of a later one: lots handed over before the position they came from, a
    referrer's share before the fill that pays it.
    """

    def __init__(self, rows: Rows, block: Block) -> None:
        self._rows = rows
        self._block = block
        self._handed: list[events.HandedOver] = []
        self._is_shared = False

    def follow(self, found: Iterable[Event]) -> None:
        rows, block = self._rows, self._block
        for event in found:
            if type(event) in notes.NOTED:
                notes.noted(rows, block, event)
            match event:
                case events.HandedOver():
                    self._handed.append(event)
                case events.Deleveraged():
                    fills.deleveraged(rows, block, event, self._handed)
                    self._handed = []
                case events.CloseExecuted():
                    fills.close_executed(rows, block, event, self._handed)
                    self._handed = []
                case events.ReferralAccrued():
                    referrals.accrued(rows, block, event)
                    self._is_shared = True
                case events.Fill():
                    fills.filled(rows, block, event, referrals.share_ppm(rows) if self._is_shared else 0)
                    self._is_shared = False
                case _:
                    _apply(rows, block, event)


def _apply(rows: Rows, block: Block, event: Event) -> None:
    match event:
        case events.CloseRequested():
            fills.close_requested(rows, block, event)
        case events.PositionSettled():
            fills.position_settled(rows, block, event)
        case events.DebtCovered():
            custody.debt_covered(rows, block, event)
        case events.BackstopSet():
            custody.backstop_set(rows, block, event)
        case events.BackstopChanged():
            custody.backstop_changed(rows, block, event)
        case events.MarginScaleSet():
            markets.margin_scaled(rows, block, event)
        case events.SettlingBegun():
            markets.settling_begun(rows, block, event)
        case events.SettlementFixed():
            markets.settlement_fixed(rows, block, event)
        case events.ReferrerRegistered():
            referrals.registered(rows, block, event)
        case events.ReferralClaimed():
            referrals.claimed(rows, block, event)
        case events.ReferrerShareSet():
            referrals.share_set(rows, block, event)
        case events.SessionKeyRegistered():
            referrals.key_registered(rows, block, event)
        case events.SessionKeyRevoked():
            referrals.key_revoked(rows, block, event)
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
        case events.FeesWithdrawn():
            custody.fees_withdrawn(rows, block, event)
        case events.FundingAccrued():
            markets.funding_accrued(rows, block, event)
        case events.LossSpread():
            markets.loss_spread(rows, block, event)
        case events.OracleSet():
            markets.oracle_set(rows, block, event)
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
            # A note says all of it.
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
            fees=event.fees,
        ),
    )
    custody.fees_collected(rows, block, event)


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
