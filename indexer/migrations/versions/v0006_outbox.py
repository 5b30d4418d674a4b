# SPDX-License-Identifier: AGPL-3.0-only
"""The outbox of the streams, and how far the following process is, for those that only serve."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and the one row that numbers letters."""
    head = op.create_table(
        "outbox_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="The newest letter."),
        sa.Column("pruned", sa.BigInteger(), nullable=False, comment="The newest letter that is no longer to be had."),
        sa.Column(
            "origin",
            sa.String(length=80),
            nullable=False,
            comment="Tells a database that was restored from this one.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_head")),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=False, comment="Empty: for everybody."),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="Milliseconds since 1970."),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_owner_seq"), "outbox", ["owner", "seq"])
    op.create_table(
        "follower",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False, comment="Newest block that the node announces."),
        sa.Column("node_ms", sa.BigInteger(), nullable=False, comment="When the node last answered."),
        sa.Column("head_ms", sa.BigInteger(), nullable=False, comment="When the node last had a new head."),
        sa.Column("relayer_ms", sa.BigInteger(), nullable=False, comment="When the relayer's log last answered."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follower")),
    )
    op.bulk_insert(head, [{"id": 1, "epoch": secrets.token_hex(8), "seq": 0, "pruned": 0, "origin": ""}])


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("follower")
    op.drop_index(op.f("ix_outbox_owner_seq"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("outbox_head")
