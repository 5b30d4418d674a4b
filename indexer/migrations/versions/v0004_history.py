# SPDX-License-Identifier: AGPL-3.0-only
"""Histories: funding payments, profit by the hour, what accounts traded by the day; indices to query trades by.

Rows of before are not made up: `ouro indexer rebuild` fills the tables from the chain.
"""

import sqlalchemy as sa
from alembic import op

from indexer.store.types import Wide

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _account() -> "list[sa.Column[object]]":
    return [
        sa.Column("owner", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("subaccount", sa.Integer(), autoincrement=False, nullable=False),
    ]


def upgrade() -> None:
    """Add the tables and the indices."""
    with op.batch_alter_table("market_states") as table:
        table.add_column(sa.Column("hour_price", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "funding_payments",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        *_account(),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("g", Wide(), nullable=False),
        sa.Column("amount", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", "owner", "subaccount", name=op.f("pk_funding_payments")),
    )
    op.create_table(
        "net_transfers",
        *_account(),
        sa.Column("amount", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "subaccount", name=op.f("pk_net_transfers")),
    )
    op.create_table(
        "account_days",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        *_account(),
        sa.Column("volume", Wide(), nullable=False),
        sa.Column("fees", Wide(), nullable=False),
        sa.Column("fills", sa.Integer(), nullable=False),
        sa.Column("pnl", Wide(), nullable=True),
        sa.PrimaryKeyConstraint("day", "owner", "subaccount", name=op.f("pk_account_days")),
    )
    op.create_table(
        "pnl_ticks",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        *_account(),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("block_time_s", sa.BigInteger(), nullable=False),
        sa.Column("equity", Wide(), nullable=False),
        sa.Column("transferred", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "owner", "subaccount", name=op.f("pk_pnl_ticks")),
    )
    for table_name, columns in _INDICES:
        op.create_index(op.f(f"ix_{table_name}_{'_'.join(columns)}"), table_name, columns)
    held = sa.text("size <> 0")
    op.create_index("ix_position_words_held", "position_words", ["market"], sqlite_where=held, postgresql_where=held)


_INDICES = [
    ("funding_payments", ["owner", "subaccount", "block_number", "log_index"]),
    ("pnl_ticks", ["owner", "subaccount", "time_s"]),
    ("account_days", ["owner", "subaccount", "day"]),
    ("accounts", ["updated_block"]),
    ("trades", ["market", "price", "block_number", "log_index"]),
    ("trades", ["market", "size", "block_number", "log_index"]),
]


def downgrade() -> None:
    """Drop them again."""
    op.drop_index("ix_position_words_held", table_name="position_words")
    for table_name, columns in _INDICES:
        op.drop_index(op.f(f"ix_{table_name}_{'_'.join(columns)}"), table_name=table_name)
    for name in ("funding_payments", "net_transfers", "account_days", "pnl_ticks"):
        op.drop_table(name)
    with op.batch_alter_table("market_states") as table:
        table.drop_column("hour_price")
