# SPDX-License-Identifier: AGPL-3.0-only
"""Which accounts an event without a table of its own speaks of, and the orders in which such events are asked for."""

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BY_ADDRESS = "ix_contract_events_address_block_number_log_index"
_BY_TRANSACTION = "ix_contract_events_transaction_hash"
_BY_ACCOUNT = "ix_event_accounts_account_block_number_log_index"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NOBODY = "0x" + "0" * 40
_ROWS = 1_000


def upgrade() -> None:
    """Add table and indexes, and fill the table from the events that are there."""
    accounts = op.create_table(
        "event_accounts",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", "account", name=op.f("pk_event_accounts")),
    )
    op.create_index(op.f(_BY_ACCOUNT), "event_accounts", ["account", "block_number", "log_index"])
    op.create_index(op.f(_BY_ADDRESS), "contract_events", ["address", "block_number", "log_index"])
    op.create_index(op.f(_BY_TRANSACTION), "contract_events", ["transaction_hash"])
    query = "SELECT block_number, log_index, arguments FROM contract_events ORDER BY block_number, log_index"
    rows = [
        {"block_number": block_number, "log_index": log_index, "account": account}
        for block_number, log_index, arguments in op.get_bind().execute(sa.text(query)).fetchall()
        for account in sorted(set(_accounts(json.loads(arguments))))
    ]
    for start in range(0, len(rows), _ROWS):
        op.bulk_insert(accounts, rows[start : start + _ROWS])


def downgrade() -> None:
    """Drop them again."""
    op.drop_index(op.f(_BY_TRANSACTION), table_name="contract_events")
    op.drop_index(op.f(_BY_ADDRESS), table_name="contract_events")
    op.drop_table("event_accounts")


def _accounts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _accounts(item)
    elif isinstance(value, str) and _ADDRESS.fullmatch(value) and value != _NOBODY:
        yield value
