# SPDX-License-Identifier: AGPL-3.0-only
"""Referrers and what waits for them; session keys."""

from indexer.store import schema
from indexer.views.block import Block, StartBlockError
from indexer.views.custody import TRANSFER_IN, transferred
from indexer.views.rows import Rows
from ouro import events

REFERRALS = "referrals"
SHARE = "referrer_share_ppm"


def registered(rows: Rows, block: Block, event: events.ReferrerRegistered) -> None:  # noqa: ARG001
    rows.put(
        schema.referrers,
        {"number": event.number, "owner": event.account, "subaccount": event.subaccount, "balance": 0},
    )


def accrued(rows: Rows, block: Block, event: events.ReferralAccrued) -> None:  # noqa: ARG001
    _set_balance(rows, event.number, event.balance)
    _add_to_total(rows, event.amount)


def claimed(rows: Rows, block: Block, event: events.ReferralClaimed) -> None:
    """What waited became an account's cash; the `Credited` that follows says its cash."""
    _set_balance(rows, event.number, 0)
    _add_to_total(rows, -event.amount)
    transferred(rows, block, event, TRANSFER_IN, event.where.address)


def share_set(rows: Rows, block: Block, event: events.ReferrerShareSet) -> None:  # noqa: ARG001
    rows.put(schema.settings, {"name": SHARE, "value": str(event.share_ppm)})


def share_ppm(rows: Rows) -> int:
    """What a registered referrer gets of a fee."""
    found = rows.get(schema.settings, SHARE)
    return int(found["value"]) if found else 0


def key_registered(rows: Rows, block: Block, event: events.SessionKeyRegistered) -> None:  # noqa: ARG001
    rows.put(
        schema.session_keys,
        {
            "owner": event.account,
            "key": event.key,
            "markets": ",".join(map(str, event.markets)),
            "budget": event.budget,
            "expiry": event.expiry,
            "revoked_at": None,
            "nonce": event.nonce,
        },
    )


def key_revoked(rows: Rows, block: Block, event: events.SessionKeyRevoked) -> None:  # noqa: ARG001
    known = rows.get(schema.session_keys, event.account, event.key)
    if known is not None:
        rows.put(schema.session_keys, {**known, "revoked_at": event.effective_at})


def _set_balance(rows: Rows, number: int, balance: int) -> None:
    known = rows.get(schema.referrers, number)
    if known is None:
        raise StartBlockError(f"referrer {number} earned before registering")
    rows.put(schema.referrers, {**known, "balance": balance})


def _add_to_total(rows: Rows, amount: int) -> None:
    held = rows.get(schema.totals, REFERRALS)
    rows.put(schema.totals, {"name": REFERRALS, "amount": (held["amount"] if held else 0) + amount})
