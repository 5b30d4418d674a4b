# SPDX-License-Identifier: AGPL-3.0-only
"""An account's fills in one market: without this, those in a market where it seldom trades are looked for among all."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAME = "ix_fills_owner_subaccount_market_block_number_log_index"


def upgrade() -> None:
    """Add the index."""
    op.create_index(op.f(_NAME), "fills", ["owner", "subaccount", "market", "block_number", "log_index"])


def downgrade() -> None:
    """Drop it again."""
    op.drop_index(op.f(_NAME), table_name="fills")
