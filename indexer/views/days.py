# SPDX-License-Identifier: AGPL-3.0-only
"""What an account traded and had made by the end of a day (UTC): what rankings are made of."""

from indexer.store import schema
from indexer.views.block import Block
from indexer.views.positions import Account
from indexer.views.rows import Row, Rows

DAY_S = 86_400


def traded(rows: Rows, block: Block, account: Account, *, volume: int, fee: int) -> None:
    """Count one side of a fill, micro-USDC."""
    number = block.time_s // DAY_S
    day = rows.edit(schema.account_days, number, account.owner, account.subaccount)
    if day is None:
        day = day_of(rows, number, account)
        rows.put(schema.account_days, day)
    day["volume"] += volume
    day["fees"] += fee
    day["fills"] += 1


def closed_hour(rows: Rows, hour_end_s: int, account: Account, pnl: int) -> None:
    """Note the profit since the account began, as of the end of an hour."""
    rows.put(schema.account_days, {**day_of(rows, closed_day(hour_end_s), account), "pnl": pnl})


def closed_day(hour_end_s: int) -> int:
    """The day of an hour that ends then; midnight belongs to the day that ends."""
    return (hour_end_s - 1) // DAY_S


def day_of(rows: Rows, day: int, account: Account) -> Row:
    """A copy of an account's row of a day, counted from 1970."""
    found = rows.get(schema.account_days, day, account.owner, account.subaccount)
    if found is not None:
        return dict(found)
    key = {"day": day, "owner": account.owner, "subaccount": account.subaccount}
    return {**key, "volume": 0, "fees": 0, "fills": 0, "pnl": None}
