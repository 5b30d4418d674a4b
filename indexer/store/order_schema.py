# SPDX-License-Identifier: AGPL-3.0-only
"""Relayer-order tables: what the relayer's event log said. Apart from the chain tables, which never read them.

Sizes are lots, prices micro-USDC per lot, times milliseconds since 1970. `seq` numbers its records.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table

from indexer.store.schema import Address, Hash, metadata

orders = Table(
    "orders",
    metadata,
    Column("id", Hash, primary_key=True),
    Column("client_id", String(64), nullable=False),
    Column("owner", Address, nullable=False),
    Column("subaccount", Integer, nullable=False),
    Column("market", String(16), nullable=False),
    Column("side", String(4), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("limit_price", BigInteger, nullable=False),
    Column("time_in_force", String(3), nullable=False),
    Column("post_only", Boolean, nullable=False),
    Column("reduce_only", Boolean, nullable=False),
    Column("expiry", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("signer", Address, nullable=False),
    Column("filled", BigInteger, nullable=False),
    Column("status", String(12), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("type", String(20), nullable=False),
    Column("self_trade", String(12), nullable=False),
    Column("trigger", String(12), nullable=False),
    Column("trigger_price", BigInteger, nullable=False),
    Column("immediate", Boolean, nullable=False),
    Column("not_before", BigInteger, nullable=False, comment="Milliseconds since 1970; 0: at once."),
    Column("parent", String(66), nullable=False),
    Column("oco", String(64), nullable=False),
    Column("arm_price", BigInteger, nullable=False),
    Column("replaces", String(66), nullable=False),
    Column("referrer", BigInteger, nullable=False),
    Column("max_fee_ppm", Integer, nullable=False),
    Column("withheld", BigInteger, nullable=False),
    Column("private", Boolean, nullable=False, comment="Never live so far: for its owner alone."),
    Column("created_seq", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_seq", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index(None, "owner", "subaccount", "created_seq"),
)

matches = Table(
    "matches",
    metadata,
    Column("fill_id", String(20), primary_key=True),
    Column("market", String(16), nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("taker_order_id", Hash, nullable=False),
    Column("maker_order_id", Hash, nullable=False),
    Column("taker", Address, nullable=False),
    Column("taker_subaccount", Integer, nullable=False),
    Column("maker", Address, nullable=False),
    Column("maker_subaccount", Integer, nullable=False),
    Column("taker_side", String(4), nullable=False),
    Column("taker_fee_ppm", Integer, nullable=False),
    Column("maker_fee_ppm", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("transaction_hash", String(66), nullable=False),
    Column("matched_ms", BigInteger, nullable=False),
    Column("updated_seq", BigInteger, nullable=False),
    comment="Fills as the relayer matched them, and how far they are; the settled ones are `fills`.",
)

book_levels = Table(
    "book_levels",
    metadata,
    Column("market", String(16), primary_key=True),
    Column("side", String(4), primary_key=True),
    Column("price", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
)

book_heads = Table(
    "book_heads",
    metadata,
    Column("market", String(16), primary_key=True),
    Column("book_seq", BigInteger, nullable=False),
)

relayer_cursor = Table(
    "relayer_cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column(
        "digest", String(64), nullable=False, comment="SHA-256 of the last record: tells another log from this one."
    ),
    Column("epoch", BigInteger, nullable=False, comment="Counts the logs followed so far."),
)

RELAYER_TABLES = (orders, matches, book_levels, book_heads)
