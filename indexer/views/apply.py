# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: the events of one block become rows."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from indexer.store import schema
from indexer.views import custody, fills, markets, notes, referrals
from indexer.views.block import Block, fact, hex_of
from indexer.views.candles import RESOLUTIONS, Bars, begun, extend, started_at
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
        rows, block, bars = self._rows, self._block, Bars()
        for event in found:
            match event:
                case events.Fill():
                    fills.filled(rows, block, event, bars, referrals.share_ppm(rows) if self._is_shared else 0)
                    self._is_shared = False
                    continue
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
                case _:
                    view = VIEWS.get(type(event))
                    if view is not None:
                        view(rows, block, event)
            if type(event) in notes.NOTED:
                notes.noted(rows, block, event)
        write_candles(rows, block, bars)


def write_candles(rows: Rows, block: Block, bars: Bars) -> None:
    """What the block's fills traded, into the candles of every resolution."""
    for market, bar in bars.of.items():
        for resolution_s in RESOLUTIONS.values():
            key = (market, resolution_s, started_at(block.time_s, resolution_s))
            candle = rows.edit(schema.candles, *key)
            if candle is None:
                rows.put(schema.candles, begun(key, bar))
            else:
                extend(candle, bar)


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


def _slot_cancelled(rows: Rows, block: Block, event: events.SlotCancelled) -> None:
    _chain_cancel(rows, block, event, event.signer, slot=event.slot)


def _all_cancelled(rows: Rows, block: Block, event: events.AllCancelled) -> None:
    _chain_cancel(rows, block, event, event.account, subaccount=event.subaccount)


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


VIEWS: Final[Mapping[type[Event], Callable[[Rows, Block, Any], None]]] = {
    events.CloseRequested: fills.close_requested,
    events.PositionSettled: fills.position_settled,
    events.Liquidated: fills.liquidated,
    events.DebtCovered: custody.debt_covered,
    events.BackstopSet: custody.backstop_set,
    events.BackstopChanged: custody.backstop_changed,
    events.PositionClosed: custody.position_closed,
    events.Credited: custody.cash_changed,
    events.Debited: custody.cash_changed,
    events.Deposited: custody.deposited,
    events.Withdrawn: custody.withdrawn,
    events.WithdrawalRequested: custody.withdrawal_requested,
    events.WithdrawalCancelled: custody.withdrawal_cancelled,
    events.InsuranceChanged: custody.insurance_changed,
    events.FeesWithdrawn: custody.fees_withdrawn,
    events.MarginScaleSet: markets.margin_scaled,
    events.SettlingBegun: markets.settling_begun,
    events.SettlementFixed: markets.settlement_fixed,
    events.FundingAccrued: markets.funding_accrued,
    events.LossSpread: markets.loss_spread,
    events.OracleSet: markets.oracle_set,
    events.PricePushed: markets.price_pushed,
    events.MarketListed: markets.listed,
    events.MarketChanged: markets.changed,
    events.ReferrerRegistered: referrals.registered,
    events.ReferralClaimed: referrals.claimed,
    events.ReferrerShareSet: referrals.share_set,
    events.SessionKeyRegistered: referrals.key_registered,
    events.SessionKeyRevoked: referrals.key_revoked,
    events.FillRejected: _rejected,
    events.BatchSettled: _batch,
    events.SlotCancelled: _slot_cancelled,
    events.AllCancelled: _all_cancelled,
}
"""What an event does by itself. Of those that are not here a note says all."""
