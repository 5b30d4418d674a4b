# SPDX-License-Identifier: AGPL-3.0-only
"""Cash: deposits, withdrawals and their queue, transfers between an account and the exchange's own funds, totals."""

from indexer.store import schema
from indexer.views.block import Block, StartBlockError, fact
from indexer.views.positions import Account, touch_account
from indexer.views.rows import Rows
from ouro import events

DEPOSIT, WITHDRAWAL, TRANSFER_IN = "DEPOSIT", "WITHDRAWAL", "TRANSFER_IN"
INSURANCE, FEES = "insurance", "fees"
BACKSTOP = "backstop"


def transfer_id(transaction_hash: str, log_index: int) -> str:
    """The public id of a transfer."""
    return f"{transaction_hash}-{log_index}"


def cash_changed(rows: Rows, block: Block, event: events.Credited | events.Debited | events.PositionClosed) -> None:
    """Every event that carries an account's cash after it."""
    touch_account(rows, block, Account(event.account, event.subaccount), event.cash)


def position_closed(rows: Rows, block: Block, event: events.PositionClosed) -> None:
    cash_changed(rows, block, event)
    rows.add(
        schema.position_closes,
        fact(
            block,
            event,
            owner=event.account,
            subaccount=event.subaccount,
            market=event.market,
            realised=event.realised,
            cash=event.cash,
        ),
    )


def transferred(
    rows: Rows,
    block: Block,
    event: events.Deposited | events.Withdrawn | events.FeesWithdrawn | events.ReferralClaimed,
    kind: str,
    counterparty: str,
) -> None:
    """Money came into an account or left it, and its net transfers say so."""
    rows.add(
        schema.transfers,
        fact(
            block,
            event,
            owner=event.account,
            subaccount=event.subaccount,
            type=kind,
            amount=event.amount,
            counterparty=counterparty,
        ),
    )
    delta = -event.amount if kind == WITHDRAWAL else event.amount
    before = net_transfers(rows, event.account, event.subaccount)
    rows.put(
        schema.net_transfers,
        {"owner": event.account, "subaccount": event.subaccount, "amount": before + delta},
    )


def net_transfers(rows: Rows, owner: str, subaccount: int) -> int:
    """What came into an account less what left it, micro-USDC."""
    found = rows.get(schema.net_transfers, owner, subaccount)
    return found["amount"] if found else 0


def deposited(rows: Rows, block: Block, event: events.Deposited) -> None:
    transferred(rows, block, event, DEPOSIT, event.payer)


def withdrawn(rows: Rows, block: Block, event: events.Withdrawn) -> None:
    transferred(rows, block, event, WITHDRAWAL, event.to)
    if not event.instant:
        request = rows.get(schema.withdrawal_requests, event.id_or_nonce)
        if request is not None:
            paid = (request["paid"] or 0) + event.amount
            rows.put(schema.withdrawal_requests, {**request, "status": "PAID", "paid": paid})


def withdrawal_requested(rows: Rows, block: Block, event: events.WithdrawalRequested) -> None:
    """A new request; or what is left of one after a part was paid: `amount` is what still waits."""
    earlier = rows.get(schema.withdrawal_requests, event.id)
    rows.put(
        schema.withdrawal_requests,
        {
            "id": event.id,
            "owner": event.account,
            "subaccount": event.subaccount,
            "amount": event.amount,
            "to": event.to,
            "ready_at": event.ready_at,
            "status": "PENDING",
            "paid": earlier["paid"] if earlier else None,
            "requested_block": block.number,
        },
    )


def withdrawal_cancelled(rows: Rows, block: Block, event: events.WithdrawalCancelled) -> None:  # noqa: ARG001
    request = rows.get(schema.withdrawal_requests, event.id)
    if request is not None:
        rows.put(schema.withdrawal_requests, {**request, "status": "CANCELLED"})


def insurance_changed(rows: Rows, block: Block, event: events.InsuranceChanged) -> None:
    rows.add(schema.insurance_changes, fact(block, event, delta=event.delta, balance=event.balance))
    rows.put(schema.totals, {"name": INSURANCE, "amount": event.balance})


def backstop_set(rows: Rows, block: Block, event: events.BackstopSet) -> None:  # noqa: ARG001
    rows.put(schema.settings, {"name": BACKSTOP, "value": event.backstop})


def backstop_changed(rows: Rows, block: Block, event: events.BackstopChanged) -> None:
    """The backstop's account 0 paid for a hole, or earned its part of a liquidation."""
    rows.add(schema.backstop_changes, fact(block, event, delta=event.delta, cash=event.cash))
    named = rows.get(schema.settings, BACKSTOP)
    if named is None:
        raise StartBlockError("the backstop paid before it was named")
    touch_account(rows, block, Account(named["value"], 0), event.cash)


def debt_covered(rows: Rows, block: Block, event: events.DebtCovered) -> None:
    account = Account(event.account, event.subaccount)
    touch_account(rows, block, account, event.cash)
    rows.add(
        schema.debts_covered,
        fact(block, event, owner=account.owner, subaccount=account.subaccount, amount=event.amount),
    )


def fees_collected(rows: Rows, block: Block, event: events.BatchSettled) -> None:
    """What a batch brought in, referrers' shares taken off."""
    if event.fees:
        held = rows.get(schema.totals, FEES)
        balance = (held["amount"] if held else 0) + event.fees
        rows.add(schema.fee_changes, fact(block, event, delta=event.fees, balance=balance))
        rows.put(schema.totals, {"name": FEES, "amount": balance})


def fees_withdrawn(rows: Rows, block: Block, event: events.FeesWithdrawn) -> None:
    """Collected fees became an account's cash, past the Vault; the `Credited` that follows says its cash."""
    held = rows.get(schema.totals, FEES)
    balance = (held["amount"] if held else 0) - event.amount
    rows.add(schema.fee_changes, fact(block, event, delta=-event.amount, balance=balance))
    transferred(rows, block, event, TRANSFER_IN, event.where.address)
    rows.put(schema.totals, {"name": FEES, "amount": balance})
