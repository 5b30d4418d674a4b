# SPDX-License-Identifier: AGPL-3.0-only
"""Chain tables: rebuildable from the chain alone, equal row for row to those of a fresh sync.

Two kinds. *Facts* are one row per event, keyed by (block number, log index), which within one chain is (block hash, log
index); a reorg deletes them. *States* are current values that events replace; a reorg restores their earlier image from
`undo`. Money is micro-USDC, sizes are lots, prices micro-USDC per lot, times seconds since 1970.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from indexer.store.types import Wide

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

FACT = "fact"
STATE = "state"

Address = String(42)
Hash = String(66)


def _key(name: str, kind: "TypeEngine[Any]") -> "Column[Any]":
    return Column(name, kind, primary_key=True, autoincrement=False)


def _number(name: str) -> "Column[int]":
    return Column(name, BigInteger, nullable=False)


def _small(name: str) -> "Column[int]":
    return Column(name, Integer, nullable=False)


def _wide(name: str) -> "Column[int]":
    return Column(name, Wide, nullable=False)


def _text(name: str, kind: String) -> "Column[str]":
    return Column(name, kind, nullable=False)


def _fact(name: str, *columns: SchemaItem, per_side: bool = False, per_account: bool = False) -> Table:
    keys = [_key("block_number", BigInteger()), _key("log_index", Integer())]
    if per_side:
        keys.append(_key("liquidity", String(5)))
    if per_account:
        keys += [_key("owner", Address), _key("subaccount", Integer())]
    return Table(
        name, metadata, *keys, _number("time_s"), _text("transaction_hash", Hash), *columns, info={"kind": FACT}
    )


def _state(name: str, *columns: SchemaItem) -> Table:
    return Table(name, metadata, *columns, info={"kind": STATE})


blocks = Table(
    "blocks",
    metadata,
    _key("block_number", BigInteger()),
    Column("hash", Hash, nullable=False, unique=True),
    _text("parent_hash", Hash),
    _number("time_s"),
    info={"kind": FACT},
)

# Markets.

markets = _state(
    "markets",
    _key("market", Integer()),
    _text("ticker", String(16)),
    _small("size_decimals"),
    _small("price_decimals"),
    _number("tick"),
    _number("imf_ppm"),
    _number("mmf_ppm"),
    _number("band_ppm"),
    _number("max_open_interest"),
    _number("max_price_age"),
    _number("liquidation_floor_ppm"),
    _small("state"),
    _number("scale_from"),
    _number("scale_to"),
    _number("settle_at"),
    _number("listed_block"),
)

market_states = _state(
    "market_states",
    _key("market", Integer()),
    _wide("g_long"),
    _wide("g_short"),
    _wide("slope"),
    _number("rate"),
    _number("hour"),
    _number("hour_price"),
    _wide("premium_sum"),
    _number("volume_sum"),
    _number("index_price"),
    _number("published_at"),
    _number("open_interest"),
    _number("updated_block"),
)

oracle_prices = _fact(
    "oracle_prices",
    _small("market"),
    _number("price"),
    _number("published_at"),
    Index(None, "market", "time_s"),
)

funding_accruals = _fact(
    "funding_accruals",
    _small("market"),
    _wide("g_long"),
    _wide("g_short"),
    _number("rate"),
    _number("index_price"),
    _number("at"),
    Column("opens_hour", Boolean, nullable=False),
    Index(None, "market", "opens_hour", "block_number"),
)

funding_payments = _fact(
    "funding_payments",
    _small("market"),
    _small("number"),
    _number("size"),
    _number("rate"),
    _number("price"),
    _wide("g"),
    _wide("amount"),
    Index(None, "owner", "subaccount", "block_number", "log_index"),
    per_account=True,
)

losses = _fact(
    "losses", _small("market"), Column("longs", Boolean, nullable=False), _wide("per_lot_scaled"), _wide("g")
)

# Trading.

trades = _fact(
    "trades",
    _text("id", String(80)),
    _small("market"),
    _text("side", String(4)),
    _text("type", String(12)),
    _number("size"),
    _number("price"),
    _number("open_interest"),
    Index(None, "market", "block_number", "log_index"),
    Index(None, "market", "time_s"),
    Index(None, "market", "price", "block_number", "log_index"),
    Index(None, "market", "size", "block_number", "log_index"),
)

fills = _fact(
    "fills",
    _text("id", String(80)),
    _text("owner", Address),
    _small("subaccount"),
    _small("market"),
    _text("side", String(4)),
    _text("type", String(12)),
    _number("size"),
    _number("price"),
    _wide("fee"),
    _small("fee_ppm"),
    Column("order_id", Hash, nullable=True),
    _text("counterparty", Address),
    _small("counterparty_subaccount"),
    _number("size_before"),
    _number("size_after"),
    _number("sum_open_before"),
    _wide("open_notional_before"),
    _wide("realised"),
    Index(None, "owner", "subaccount", "block_number", "log_index"),
    Index(None, "owner", "subaccount", "market", "block_number", "log_index"),
    Index(None, "order_id"),
    per_side=True,
)

rejected_fills = _fact(
    "rejected_fills",
    _text("fill_id", String(20)),
    Column("order_id", Hash, nullable=True),
    Column("fault_class", SmallInteger, nullable=False),
    _text("reason", String(64)),
    Index(None, "order_id"),
)

batches = _fact(
    "batches",
    _text("operator", Address),
    _text("prev", Hash),
    _text("next", Hash),
    _small("settled"),
    _small("rejected"),
    _wide("fees"),
)

liquidations = _fact(
    "liquidations",
    _text("owner", Address),
    _small("subaccount"),
    _text("liquidator", Address),
    _small("liquidator_subaccount"),
    _small("market"),
    _number("size"),
    _number("price"),
    _wide("insurance_fee"),
    _wide("covered"),
    Index(None, "owner", "subaccount"),
)

deleveragings = _fact(
    "deleveragings",
    _text("owner", Address),
    _small("subaccount"),
    _small("market"),
    _number("size"),
    _number("price"),
    _wide("insurance_fee"),
    _wide("covered"),
    Index(None, "owner", "subaccount"),
)

close_requests = _state(
    "close_requests",
    _key("owner", Address),
    _key("subaccount", Integer()),
    _key("market", Integer()),
    _number("size"),
    _number("left"),
    _number("ready_at"),
    _number("requested_block"),
)

settlements = _fact(
    "settlements",
    _text("owner", Address),
    _small("subaccount"),
    _small("market"),
    _number("size"),
    _number("price"),
    _wide("covered"),
    Index(None, "owner", "subaccount"),
)

chain_cancels = _fact(
    "chain_cancels",
    _text("account", Address),
    Column("slot", Integer, nullable=True),
    Column("subaccount", Integer, nullable=True),
    _number("stamp"),
    _number("effective_at"),
)

candles = _state(
    "candles",
    _key("market", Integer()),
    _key("resolution_s", Integer()),
    _key("started_at", BigInteger()),
    _number("open"),
    _number("high"),
    _number("low"),
    _number("close"),
    _number("volume"),
    _wide("notional"),
    _small("trades"),
    _number("starting_open_interest"),
)

# Accounts.

accounts = _state(
    "accounts",
    _key("owner", Address),
    _key("subaccount", Integer()),
    _wide("cash"),
    _number("created_block"),
    _number("updated_block"),
    Index(None, "updated_block"),
)

net_transfers = _state(
    "net_transfers",
    _key("owner", Address),
    _key("subaccount", Integer()),
    _wide("amount"),
)

account_days = _state(
    "account_days",
    _key("day", Integer()),
    _key("owner", Address),
    _key("subaccount", Integer()),
    _wide("volume"),
    _wide("fees"),
    _small("fills"),
    Column("pnl", Wide, nullable=True),
    Index(None, "owner", "subaccount", "day"),
)

pnl_ticks = Table(
    "pnl_ticks",
    metadata,
    _key("block_number", BigInteger()),
    _key("owner", Address),
    _key("subaccount", Integer()),
    _number("time_s"),
    _number("block_time_s"),
    _wide("equity"),
    _wide("transferred"),
    Index(None, "owner", "subaccount", "time_s"),
    info={"kind": FACT},
)

position_words = _state(
    "position_words",
    _key("owner", Address),
    _key("subaccount", Integer()),
    _key("market", Integer()),
    _number("size"),
    _wide("quote_scaled"),
    _number("one_shot_ms"),
    _small("exposures"),
    Index("ix_position_words_held", "market", sqlite_where=text("size <> 0"), postgresql_where=text("size <> 0")),
)

positions = _state(
    "positions",
    _key("owner", Address),
    _key("subaccount", Integer()),
    _key("market", Integer()),
    _key("number", Integer()),
    _text("status", String(10)),
    _text("side", String(5)),
    _number("size"),
    _number("max_size"),
    _number("sum_open"),
    _wide("open_notional"),
    _number("sum_close"),
    _wide("close_notional"),
    _wide("fees"),
    _wide("carry_scaled"),
    _wide("net_funding"),
    _wide("realised"),
    _number("created_block"),
    _number("created_at"),
    Column("closed_block", BigInteger, nullable=True),
    Column("closed_at", BigInteger, nullable=True),
    Index(None, "owner", "status"),
)

position_closes = _fact(
    "position_closes",
    _text("owner", Address),
    _small("subaccount"),
    _small("market"),
    _wide("realised"),
    _wide("cash"),
    Index(None, "owner", "subaccount"),
)

# Custody and funds.

transfers = _fact(
    "transfers",
    _text("owner", Address),
    _small("subaccount"),
    _text("type", String(12)),
    _wide("amount"),
    _text("counterparty", Address),
    Index(None, "owner", "subaccount", "block_number", "log_index"),
)

withdrawal_requests = _state(
    "withdrawal_requests",
    _key("id", BigInteger()),
    _text("owner", Address),
    _small("subaccount"),
    _wide("amount"),
    _text("to", Address),
    _number("ready_at"),
    _text("status", String(10)),
    Column("paid", Wide, nullable=True),
    _number("requested_block"),
    Index(None, "owner"),
)

insurance_changes = _fact("insurance_changes", _wide("delta"), _wide("balance"))

backstop_changes = _fact("backstop_changes", _wide("delta"), _wide("cash"))

debts_covered = _fact("debts_covered", _text("owner", Address), _small("subaccount"), _wide("amount"))

fee_changes = _fact("fee_changes", _wide("delta"), _wide("balance"))

totals = _state("totals", _key("name", String(16)), _wide("amount"))

settings = _state("settings", _key("name", String(32)), _text("value", String(80)))

# Who may sign, and who is paid for bringing whom.

session_keys = _state(
    "session_keys",
    _key("owner", Address),
    _key("key", Address),
    _text("markets", String(40)),
    _wide("budget"),
    _number("expiry"),
    Column("revoked_at", BigInteger, nullable=True),
    Column("nonce", Wide, nullable=False),
)

referrers = _state(
    "referrers",
    _key("number", BigInteger()),
    _text("owner", Address),
    _small("subaccount"),
    _wide("balance"),
    Index(None, "owner"),
)

# What has no table of its own: who may do what, rules and notices, the price sources, the backstop's shares.

contract_events = _fact(
    "contract_events",
    _text("address", Address),
    _text("name", String(32)),
    _text("arguments", Text()),
    Index(None, "name", "block_number", "log_index"),
    Index(None, "address", "block_number", "log_index"),
    Index(None, "transaction_hash"),
)

event_accounts = Table(
    "event_accounts",
    metadata,
    _key("block_number", BigInteger()),
    _key("log_index", Integer()),
    _key("account", Address),
    Index(None, "account", "block_number", "log_index"),
    info={"kind": FACT},
)
"""Whom the events of `contract_events` speak of, the zero address left out."""

# Bookkeeping: not part of what a fresh sync must equal.

undo = Table(
    "undo",
    metadata,
    _key("block_number", BigInteger()),
    _key("position", Integer()),
    _text("table_name", String(32)),
    _text("key", Text()),
    Column("before", Text, nullable=True),
    comment="Images of state rows before a block changed them, as JSON; null: there was no row.",
)

recent_blocks = Table(
    "recent_blocks",
    metadata,
    _key("block_number", BigInteger()),
    _text("hash", Hash),
    _text("parent_hash", Hash),
    _number("time_s"),
    comment="Every block that may still be reorganised away, with or without events of ours.",
)

chain_cursor = Table(
    "chain_cursor",
    metadata,
    _key("id", Integer()),
    _text("deployment", String(80)),
    _number("block_number"),
    _text("hash", Hash),
    _number("time_s"),
    _number("final_block"),
    Column("version", BigInteger, nullable=False, comment="Counts changes of the chain tables, reorgs included."),
)


def tables_of(kind: str) -> list[Table]:
    """Chain tables of a kind, in the order of their definition."""
    return [table for table in metadata.sorted_tables if table.info.get("kind") == kind]
