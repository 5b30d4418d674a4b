# SPDX-License-Identifier: AGPL-3.0-only
"""Events that have no table of their own, of every contract.

Those of before are not made up: `ouro indexer rebuild` fills the table from the chain.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "contract_events",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_contract_events")),
    )
    index = op.f("ix_contract_events_name_block_number_log_index")
    op.create_index(index, "contract_events", ["name", "block_number", "log_index"])


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("contract_events")
