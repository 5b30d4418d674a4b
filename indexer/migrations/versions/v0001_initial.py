# SPDX-License-Identifier: AGPL-3.0-only
"""The first schema: chain tables, relayer-order tables, bookkeeping."""

import sqlalchemy as sa
from alembic import op

from indexer.store.types import Wide

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "accounts",
        sa.Column("owner", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("subaccount", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cash", Wide(), nullable=False),
        sa.Column("created_block", sa.BigInteger(), nullable=False),
        sa.Column("updated_block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "subaccount", name=op.f("pk_accounts")),
    )
    op.create_table(
        "batches",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("operator", sa.String(length=42), nullable=False),
        sa.Column("prev", sa.String(length=66), nullable=False),
        sa.Column("next", sa.String(length=66), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_batches")),
    )
    op.create_table(
        "blocks",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("parent_hash", sa.String(length=66), nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", name=op.f("pk_blocks")),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "book_heads",
        sa.Column("market", sa.String(length=16), nullable=False),
        sa.Column("book_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("market", name=op.f("pk_book_heads")),
    )
    op.create_table(
        "book_levels",
        sa.Column("market", sa.String(length=16), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("price", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("market", "side", "price", name=op.f("pk_book_levels")),
    )
    op.create_table(
        "candles",
        sa.Column("market", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("resolution_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("open", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("close", sa.BigInteger(), nullable=False),
        sa.Column("volume", sa.BigInteger(), nullable=False),
        sa.Column("notional", Wide(), nullable=False),
        sa.Column("trades", sa.Integer(), nullable=False),
        sa.Column("starting_open_interest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("market", "resolution_s", "started_at", name=op.f("pk_candles")),
    )
    op.create_table(
        "chain_cancels",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("subaccount", sa.Integer(), nullable=True),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_chain_cancels")),
    )
    op.create_table(
        "chain_cursor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("deployment", sa.String(length=80), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("final_block", sa.BigInteger(), nullable=False),
        sa.Column(
            "version", sa.BigInteger(), nullable=False, comment="Counts changes of the chain tables, reorgs included."
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_cursor")),
    )
    op.create_table(
        "fee_changes",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("delta", Wide(), nullable=False),
        sa.Column("balance", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_fee_changes")),
    )
    op.create_table(
        "fills",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("liquidity", sa.String(length=5), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("type", sa.String(length=12), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("fee", Wide(), nullable=False),
        sa.Column("fee_ppm", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.String(length=66), nullable=True),
        sa.Column("counterparty", sa.String(length=42), nullable=False),
        sa.Column("counterparty_subaccount", sa.Integer(), nullable=False),
        sa.Column("size_before", sa.BigInteger(), nullable=False),
        sa.Column("size_after", sa.BigInteger(), nullable=False),
        sa.Column("sum_open_before", sa.BigInteger(), nullable=False),
        sa.Column("open_notional_before", Wide(), nullable=False),
        sa.Column("realised", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", "liquidity", name=op.f("pk_fills")),
    )
    op.create_index(op.f("ix_fills_order_id"), "fills", ["order_id"], unique=False)
    op.create_index(
        op.f("ix_fills_owner_subaccount_block_number_log_index"),
        "fills",
        ["owner", "subaccount", "block_number", "log_index"],
        unique=False,
    )
    op.create_table(
        "funding_accruals",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("g_long", Wide(), nullable=False),
        sa.Column("g_short", Wide(), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("index_price", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("opens_hour", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_funding_accruals")),
    )
    op.create_index(
        op.f("ix_funding_accruals_market_opens_hour_block_number"),
        "funding_accruals",
        ["market", "opens_hour", "block_number"],
        unique=False,
    )
    op.create_table(
        "insurance_changes",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("delta", Wide(), nullable=False),
        sa.Column("balance", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_insurance_changes")),
    )
    op.create_table(
        "liquidations",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("liquidator", sa.String(length=42), nullable=False),
        sa.Column("liquidator_subaccount", sa.Integer(), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("insurance_fee", Wide(), nullable=False),
        sa.Column("covered", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_liquidations")),
    )
    op.create_index(op.f("ix_liquidations_owner_subaccount"), "liquidations", ["owner", "subaccount"], unique=False)
    op.create_table(
        "losses",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("longs", sa.Boolean(), nullable=False),
        sa.Column("per_lot_scaled", Wide(), nullable=False),
        sa.Column("g", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_losses")),
    )
    op.create_table(
        "market_states",
        sa.Column("market", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("g_long", Wide(), nullable=False),
        sa.Column("g_short", Wide(), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("accrued_at", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("premium_sum", Wide(), nullable=False),
        sa.Column("volume_sum", sa.BigInteger(), nullable=False),
        sa.Column("index_price", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("open_interest", sa.BigInteger(), nullable=False),
        sa.Column("updated_block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("market", name=op.f("pk_market_states")),
    )
    op.create_table(
        "markets",
        sa.Column("market", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ticker", sa.String(length=16), nullable=False),
        sa.Column("size_decimals", sa.Integer(), nullable=False),
        sa.Column("price_decimals", sa.Integer(), nullable=False),
        sa.Column("tick", sa.BigInteger(), nullable=False),
        sa.Column("imf_ppm", sa.BigInteger(), nullable=False),
        sa.Column("mmf_ppm", sa.BigInteger(), nullable=False),
        sa.Column("band_ppm", sa.BigInteger(), nullable=False),
        sa.Column("max_open_interest", sa.BigInteger(), nullable=False),
        sa.Column("max_price_age", sa.BigInteger(), nullable=False),
        sa.Column("liquidation_floor_ppm", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("listed_block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("market", name=op.f("pk_markets")),
    )
    op.create_table(
        "matches",
        sa.Column("fill_id", sa.String(length=20), nullable=False),
        sa.Column("market", sa.String(length=16), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("taker_order_id", sa.String(length=66), nullable=False),
        sa.Column("maker_order_id", sa.String(length=66), nullable=False),
        sa.Column("taker", sa.String(length=42), nullable=False),
        sa.Column("taker_subaccount", sa.Integer(), nullable=False),
        sa.Column("maker", sa.String(length=42), nullable=False),
        sa.Column("maker_subaccount", sa.Integer(), nullable=False),
        sa.Column("taker_side", sa.String(length=4), nullable=False),
        sa.Column("taker_fee_ppm", sa.Integer(), nullable=False),
        sa.Column("maker_fee_ppm", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("matched_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fill_id", name=op.f("pk_matches")),
        comment="Fills as the relayer matched them, and how far they are; the settled ones are `fills`.",
    )
    op.create_table(
        "oracle_prices",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_oracle_prices")),
    )
    op.create_index(op.f("ix_oracle_prices_market_time_s"), "oracle_prices", ["market", "time_s"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=66), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("market", sa.String(length=16), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("limit_price", sa.BigInteger(), nullable=False),
        sa.Column("time_in_force", sa.String(length=3), nullable=False),
        sa.Column("post_only", sa.Boolean(), nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("expiry", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("signer", sa.String(length=42), nullable=False),
        sa.Column("filled", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    op.create_index(
        op.f("ix_orders_owner_subaccount_created_seq"), "orders", ["owner", "subaccount", "created_seq"], unique=False
    )
    op.create_table(
        "position_closes",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("realised", Wide(), nullable=False),
        sa.Column("cash", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_position_closes")),
    )
    op.create_index(
        op.f("ix_position_closes_owner_subaccount"), "position_closes", ["owner", "subaccount"], unique=False
    )
    op.create_table(
        "position_words",
        sa.Column("owner", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("subaccount", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("market", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("quote_scaled", Wide(), nullable=False),
        sa.Column("one_shot_ms", sa.BigInteger(), nullable=False),
        sa.Column("exposures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "subaccount", "market", name=op.f("pk_position_words")),
    )
    op.create_table(
        "positions",
        sa.Column("owner", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("subaccount", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("market", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("side", sa.String(length=5), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("max_size", sa.BigInteger(), nullable=False),
        sa.Column("sum_open", sa.BigInteger(), nullable=False),
        sa.Column("open_notional", Wide(), nullable=False),
        sa.Column("sum_close", sa.BigInteger(), nullable=False),
        sa.Column("close_notional", Wide(), nullable=False),
        sa.Column("fees", Wide(), nullable=False),
        sa.Column("carry_scaled", Wide(), nullable=False),
        sa.Column("net_funding", Wide(), nullable=False),
        sa.Column("realised", Wide(), nullable=False),
        sa.Column("created_block", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_block", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("owner", "subaccount", "market", "number", name=op.f("pk_positions")),
    )
    op.create_index(op.f("ix_positions_owner_status"), "positions", ["owner", "status"], unique=False)
    op.create_table(
        "recent_blocks",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("parent_hash", sa.String(length=66), nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", name=op.f("pk_recent_blocks")),
        comment="Every block that may still be reorganised away, with or without events of ours.",
    )
    op.create_table(
        "rejected_fills",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("fill_id", sa.String(length=20), nullable=False),
        sa.Column("order_id", sa.String(length=66), nullable=True),
        sa.Column("fault_class", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_rejected_fills")),
    )
    op.create_index(op.f("ix_rejected_fills_order_id"), "rejected_fills", ["order_id"], unique=False)
    op.create_table(
        "relayer_cursor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column(
            "digest",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256 of the last record: tells another log from this one.",
        ),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="Counts the logs followed so far."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relayer_cursor")),
    )
    op.create_table(
        "totals",
        sa.Column("name", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("amount", Wide(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_totals")),
    )
    op.create_table(
        "trades",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("type", sa.String(length=12), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("open_interest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_trades")),
    )
    op.create_index(
        op.f("ix_trades_market_block_number_log_index"), "trades", ["market", "block_number", "log_index"], unique=False
    )
    op.create_index(op.f("ix_trades_market_time_s"), "trades", ["market", "time_s"], unique=False)
    op.create_table(
        "transfers",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_s", sa.BigInteger(), nullable=False),
        sa.Column("transaction_hash", sa.String(length=66), nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=12), nullable=False),
        sa.Column("amount", Wide(), nullable=False),
        sa.Column("counterparty", sa.String(length=42), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_transfers")),
    )
    op.create_index(
        op.f("ix_transfers_owner_subaccount_block_number_log_index"),
        "transfers",
        ["owner", "subaccount", "block_number", "log_index"],
        unique=False,
    )
    op.create_table(
        "undo",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("table_name", sa.String(length=32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("block_number", "position", name=op.f("pk_undo")),
        comment="Images of state rows before a block changed them, as JSON; null: there was no row.",
    )
    op.create_table(
        "withdrawal_requests",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=False),
        sa.Column("subaccount", sa.Integer(), nullable=False),
        sa.Column("amount", Wide(), nullable=False),
        sa.Column("to", sa.String(length=42), nullable=False),
        sa.Column("ready_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("paid", Wide(), nullable=True),
        sa.Column("requested_block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawal_requests")),
    )
    op.create_index(op.f("ix_withdrawal_requests_owner"), "withdrawal_requests", ["owner"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index(op.f("ix_withdrawal_requests_owner"), table_name="withdrawal_requests")
    op.drop_table("withdrawal_requests")
    op.drop_table("undo")
    op.drop_index(op.f("ix_transfers_owner_subaccount_block_number_log_index"), table_name="transfers")
    op.drop_table("transfers")
    op.drop_index(op.f("ix_trades_market_time_s"), table_name="trades")
    op.drop_index(op.f("ix_trades_market_block_number_log_index"), table_name="trades")
    op.drop_table("trades")
    op.drop_table("totals")
    op.drop_table("relayer_cursor")
    op.drop_index(op.f("ix_rejected_fills_order_id"), table_name="rejected_fills")
    op.drop_table("rejected_fills")
    op.drop_table("recent_blocks")
    op.drop_index(op.f("ix_positions_owner_status"), table_name="positions")
    op.drop_table("positions")
    op.drop_table("position_words")
    op.drop_index(op.f("ix_position_closes_owner_subaccount"), table_name="position_closes")
    op.drop_table("position_closes")
    op.drop_index(op.f("ix_orders_owner_subaccount_created_seq"), table_name="orders")
    op.drop_table("orders")
    op.drop_index(op.f("ix_oracle_prices_market_time_s"), table_name="oracle_prices")
    op.drop_table("oracle_prices")
    op.drop_table("matches")
    op.drop_table("markets")
    op.drop_table("market_states")
    op.drop_table("losses")
    op.drop_index(op.f("ix_liquidations_owner_subaccount"), table_name="liquidations")
    op.drop_table("liquidations")
    op.drop_table("insurance_changes")
    op.drop_index(op.f("ix_funding_accruals_market_opens_hour_block_number"), table_name="funding_accruals")
    op.drop_table("funding_accruals")
    op.drop_index(op.f("ix_fills_owner_subaccount_block_number_log_index"), table_name="fills")
    op.drop_index(op.f("ix_fills_order_id"), table_name="fills")
    op.drop_table("fills")
    op.drop_table("fee_changes")
    op.drop_table("chain_cursor")
    op.drop_table("chain_cancels")
    op.drop_table("candles")
    op.drop_table("book_levels")
    op.drop_table("book_heads")
    op.drop_table("blocks")
    op.drop_table("batches")
    op.drop_table("accounts")
