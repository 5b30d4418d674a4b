# SPDX-License-Identifier: Apache-2.0
"""Answers of the exchange as typed records.

Names follow the wire (`oraclePrice` is `oracle_price`). Prices, sizes and money are human decimals (`Decimal`), never
floats; heights and sequence numbers are integers. Fields the exchange adds later are ignored.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the answers: camelCase on the wire, unknown fields ignored."""


class PlacedOrder(Record, frozen=True):
    """What the relayer did with an order: `status` OPEN, UNTRIGGERED, FILLED or CANCELED, and how much filled at once.

    `seq` is the record to wait for with `at_seq`; `reason` says why it was cancelled.
    """

    id: str
    status: str
    seq: int
    client_id: str = ""
    filled: Decimal = Decimal(0)
    reason: str = ""


class BatchItem(Record, frozen=True):
    """The answer to one order of a batch: the HTTP status and the body it would have had alone."""

    status: int
    body: dict[str, object]


class BatchAnswer(Record, frozen=True):
    """The answers to a batch, in its order."""

    results: tuple[BatchItem, ...]


class Acknowledged(Record, frozen=True):
    """A cancel, cancel-all or dead man's switch was recorded under `seq`."""

    seq: int
    id: str = ""
    status: str = ""
    cancelled: tuple[str, ...] = ()


class Verification(Record, frozen=True):
    """Why a signed order is or is not acceptable as a signature."""

    valid: bool
    expected_signer: str = ""
    recovered: str | None = None
    digest: str = ""
    reason: str | None = None


class Cosignature(Record, frozen=True):
    """The operator's signature under a withdrawal; the Vault pays at once when it sees it next to the owner's."""

    cosignature: str
    seq: int = 0


class ServerTime(Record, frozen=True):
    """The server's clock: ISO time and seconds since 1970."""

    iso: datetime
    epoch: Decimal


class Height(Record, frozen=True):
    """The newest block the indexer has applied."""

    height: int
    time: datetime | None = None


class PerpetualMarket(Record, frozen=True):
    """A market as traded: status, index price, fractions and steps."""

    ticker: str
    status: str
    tick_size: Decimal
    step_size: Decimal
    oracle_price: Decimal | None = None
    clob_pair_id: str = ""
    initial_margin_fraction: Decimal = Decimal(0)
    maintenance_margin_fraction: Decimal = Decimal(0)
    open_interest: Decimal = Decimal(0)
    next_funding_rate: Decimal | None = None
    price_change_24h: Decimal | None = msgspec.field(name="priceChange24H", default=None)
    volume_24h: Decimal | None = msgspec.field(name="volume24H", default=None)
    trades_24h: int = msgspec.field(name="trades24H", default=0)


class Level(NamedTuple):
    """One price of the book and the size resting there, both human decimals."""

    price: Decimal
    size: Decimal


class Book(NamedTuple):
    """An order book, best prices first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class BookLevel(Record, frozen=True):
    """A level as the book snapshot writes it."""

    price: Decimal
    size: Decimal


class Trade(Record, frozen=True):
    """One settled print of the tape; `side` is the taker's."""

    id: str
    side: str
    size: Decimal
    price: Decimal
    created_at: datetime
    type: str = "LIMIT"
    created_at_height: int | None = None


class Candle(Record, frozen=True):
    """Open, high, low, close over one resolution."""

    started_at: datetime
    ticker: str
    resolution: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    base_token_volume: Decimal
    usd_volume: Decimal = Decimal(0)
    trades: int = 0


class Funding(Record, frozen=True):
    """One hour's funding rate of a market."""

    ticker: str
    rate: Decimal
    price: Decimal
    effective_at: datetime
    effective_at_height: int | None = None


class ContractEvent(Record, frozen=True):
    """What a contract logged: numbers in `arguments` are digits in text, bytes 0x hex. `contract` is the name of the
    address in the deployment, if it has one there; `status` is `confirmed` or `final`.
    """

    id: str
    name: str
    address: str
    arguments: dict[str, object]
    created_at: datetime
    created_at_height: int
    transaction_hash: str
    status: str = ""
    contract: str | None = None


class OrderRecord(Record, frozen=True):
    """An order as the indexer shows it. One that waits and was never live is not shown.

    `type` is LIMIT, MARKET, STOP_LIMIT, STOP_MARKET, TAKE_PROFIT, TAKE_PROFIT_MARKET, TRAILING_STOP or TWAP_SUBORDER.
    """

    id: str
    side: str
    size: Decimal
    price: Decimal
    status: str
    ticker: str
    subaccount_id: str = ""
    total_filled: Decimal = Decimal(0)
    client_id: str = ""
    type: str = "LIMIT"
    time_in_force: str = "GTT"
    post_only: bool = False
    reduce_only: bool = False
    subaccount_number: int = 0
    good_til_block_time: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    removal_reason: str | None = None
    trigger: str = "NONE"
    trigger_price: Decimal | None = None
    immediate: bool = False
    not_before: datetime | None = None
    parent: str = ""
    oco: str = ""
    slot: int = 0
    generation: int = 0
    revision: int = 0
    replaces: str = ""
    self_trade: str = "CANCEL_TAKER"


class Fill(Record, frozen=True):
    """One fill of an account; `fee` is in USDC, negative for a rebate."""

    id: str
    side: str
    liquidity: str
    market: str
    price: Decimal
    size: Decimal
    fee: Decimal
    created_at: datetime
    type: str = "LIMIT"
    order_id: str | None = None
    created_at_height: int | None = None
    subaccount_number: int = 0


class Position(Record, frozen=True):
    """A position; `size` is signed (negative for a short), money in USDC."""

    market: str
    status: str
    side: str
    size: Decimal
    entry_price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    realized_pnl: Decimal | None = None
    net_funding: Decimal | None = None
    max_size: Decimal | None = None
    exit_price: Decimal | None = None
    subaccount_number: int = 0
    created_at: datetime | None = None
    closed_at: datetime | None = None


class AssetPosition(Record, frozen=True):
    """Collateral of a subaccount."""

    symbol: str
    side: str
    size: Decimal
    subaccount_number: int = 0


class Subaccount(Record, frozen=True):
    """Equity and free collateral of one subaccount in USDC, with its open positions by ticker."""

    address: str
    subaccount_number: int
    equity: Decimal
    free_collateral: Decimal
    open_perpetual_positions: dict[str, Position] = {}
    asset_positions: dict[str, AssetPosition] = {}
    updated_at_height: int | None = None


class Counterparty(Record, frozen=True):
    """One end of a transfer."""

    address: str
    subaccount_number: int | None = None


class Transfer(Record, frozen=True):
    """A deposit or a withdrawal."""

    id: str
    sender: Counterparty
    recipient: Counterparty
    size: Decimal
    created_at: datetime
    type: str
    transaction_hash: str = ""


class FundingPayment(Record, frozen=True):
    """Funding of one position for an hour or what was left of it; `payment` in USDC, negative when the account pays."""

    ticker: str
    payment: Decimal
    size: Decimal
    side: str
    rate: Decimal
    oracle_price: Decimal
    created_at: datetime
    created_at_height: int | None = None


class Profit(Record, frozen=True):
    """An account at the end of an hour, in USDC; `total_pnl` is equity less all transfers ever."""

    equity: Decimal
    total_pnl: Decimal
    net_transfers: Decimal
    created_at: datetime


class SessionKey(Record, frozen=True):
    """A key that may sign orders for `address` in `markets` (none: all), for `budget` USDC of notional in all; ACTIVE,
    REVOKED or EXPIRED. `chain.session_key_scope` tells what is left of the budget.
    """

    address: str
    key: str
    markets: tuple[str, ...]
    budget: Decimal
    expires_at: datetime
    status: str
    revoked_at: datetime | None = None


class Referrer(Record, frozen=True):
    """A referrer's number, and what it may claim in USDC."""

    number: int
    address: str
    subaccount_number: int
    claimable: Decimal


class CloseRequest(Record, frozen=True):
    """A close without the operator; from `ready_at` on, for an hour, anybody may execute it."""

    market: str
    side: str
    size: Decimal
    remaining_size: Decimal
    ready_at: datetime
    status: str
    subaccount_number: int = 0


class QueuedWithdrawal(Record, frozen=True):
    """A delayed withdrawal as the indexer shows it: PENDING, PAID or CANCELLED; `size` in USDC."""

    id: int
    size: Decimal
    recipient: str
    ready_at: datetime
    status: str
    subaccount_number: int = 0
    paid: Decimal | None = None
