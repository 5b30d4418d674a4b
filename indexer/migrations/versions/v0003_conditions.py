# SPDX-License-Identifier: AGPL-3.0-only
"""What orders say beside their signed price and size: conditions, self-trade mode, amends, who may see them.

The relayer's log is followed on from the cursor: rows of before have the values of an order without conditions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    texts = {"type": (20, "LIMIT"), "self_trade": (12, "CANCEL_TAKER"), "trigger": (12, "NONE")}
    texts |= {"parent": (66, ""), "oco": (64, ""), "replaces": (66, "")}
    numbers = ("trigger_price", "not_before", "arm_price", "referrer", "withheld")
    with op.batch_alter_table("orders") as table:
        table.alter_column("client_id", existing_type=sa.String(40), type_=sa.String(64), existing_nullable=False)
        for name, (length, usual) in texts.items():
            table.add_column(sa.Column(name, sa.String(length), nullable=False, server_default=usual))
        for name in numbers:
            note = "Milliseconds since 1970; 0: at once." if name == "not_before" else None
            table.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0", comment=note))
        table.add_column(sa.Column("max_fee_ppm", sa.Integer(), nullable=False, server_default="0"))
        for name in ("immediate", "private"):
            note = "Never live so far: for its owner alone." if name == "private" else None
            table.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false(), comment=note))
