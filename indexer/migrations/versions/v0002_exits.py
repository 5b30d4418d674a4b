# SPDX-License-Identifier: AGPL-3.0-only
"""Funding by slope, margin by open interest, closes without the operator, ends of markets, session keys, referrers.

The chain tables are rebuilt from the chain (`ouro indexer rebuild`): what the earlier schema did not keep is not here.
"""

import sqlalchemy as sa
from alembic import op

from indexer.store.types import Wide

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _fact(name: str, *columns: "sa.Column[object]", by_owner: bool = True) -> None:
    op.create_table(
        name,
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f(f"pk_{name}")),
    )
    if by_owner:
        op.create_index(op.f(f"ix_{name}_owner_subaccount"), name, ["owner", "subaccount"])


def upgrade() -> None:
    """Add the new tables and columns."""
    with op.batch_alter_table("markets") as table:
        for name in ("scale_from", "scale_to", "settle_at"):
            table.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("market_states") as table:
        table.add_column(sa.Column("slope", Wide(), nullable=False, server_default="0"))
        table.drop_column("accrued_at")
    with op.batch_alter_table("batches") as table:
        table.add_column(sa.Column("fees", Wide(), nullable=False, server_default="0"))
    _fact(
        "deleveragings",
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("insurance_fee", Wide(), nullable=False),
        sa.Column("covered", Wide(), nullable=False),
    )
    _fact(
        "settlements",
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("covered", Wide(), nullable=False),
    )
    _fact(
        "backstop_changes",
        sa.Column("delta", Wide(), nullable=False),
        sa.Column("cash", Wide(), nullable=False),
        by_owner=False,
    )
    _fact(
        "debts_covered",
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("amount", Wide(), nullable=False),
        by_owner=False,
    )
    op.create_table(
        "close_requests",
        sa.Column("owner", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("subaccount", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("market", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("left", sa.BigInteger(), nullable=False),
        sa.Column("ready_at", sa.BigInteger(), nullable=False),
        sa.Column("requested_block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "subaccount", "market", name=op.f("pk_close_requests")),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("value", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "session_keys",
        sa.Column("owner", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("markets", sa.String(length=40), nullable=False),
        sa.Column("budget", Wide(), nullable=False),
        sa.Column("expiry", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("nonce", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_session_keys")),
    )
    op.create_table(
        "referrers",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("balance", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_referrers")),
    )
    op.create_index(op.f("ix_referrers_owner"), "referrers", ["owner"])


def downgrade() -> None:
    """Drop them again."""
    op.drop_index(op.f("ix_referrers_owner"), table_name="referrers")
    for name in ("referrers", "session_keys", "settings", "close_requests", "debts_covered", "backstop_changes"):
        op.drop_table(name)
    for name in ("settlements", "deleveragings"):
        op.drop_index(op.f(f"ix_{name}_owner_subaccount"), table_name=name)
        op.drop_table(name)
    with op.batch_alter_table("batches") as table:
        table.drop_column("fees")
    with op.batch_alter_table("market_states") as table:
        table.add_column(sa.Column("accrued_at", sa.BigInteger(), nullable=False, server_default="0"))
        table.drop_column("slope")
    with op.batch_alter_table("markets") as table:
        for name in ("scale_from", "scale_to", "settle_at"):
            table.drop_column(name)
