# SPDX-License-Identifier: AGPL-3.0-only
"""Markets and how far the tables are: what nearly every read needs, in the reader's own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from indexer.reads.text import fixed, quotient
from indexer.store.order_schema import relayer_cursor
from indexer.store.query import rows
from indexer.store.schema import chain_cursor, market_states, markets


@dataclass(frozen=True)
class Listing:
    """A market's identity, parameters and present state, in protocol units."""

    id: int
    ticker: str
    size_decimals: int
    price_decimals: int
    row: Mapping[str, Any]

    def size(self, lots: int) -> str:
        return fixed(lots, self.size_decimals)

    def price(self, price: int) -> str:
        return fixed(price, self.price_decimals)

    def average(self, notional: int, lots: int) -> str:
        """Average price of `lots` that cost `notional` micro-USDC."""
        return quotient(notional, lots, self.price_decimals)


@dataclass(frozen=True)
class Catalog:
    """All markets, by id and by ticker, and the position of the tables."""

    by_id: Mapping[int, Listing]
    by_ticker: Mapping[str, Listing]
    height: int
    time_s: int
    final: int
    version: int
    seq: int
    epoch: int

    def status_of(self, block_number: int) -> str:
        """`final` or `confirmed`."""
        return "final" if block_number <= self.final else "confirmed"


def catalog(connection: Connection) -> Catalog:
    """Read the markets and both cursors."""
    query = (
        select(markets, market_states)
        .join(market_states, markets.c.market == market_states.c.market)
        .order_by(markets.c.market)
    )
    found = [
        Listing(row["market"], row["ticker"], row["size_decimals"], row["price_decimals"], row)
        for row in rows(connection, query)
    ]
    chain = connection.execute(select(chain_cursor)).first()
    relayer = connection.execute(select(relayer_cursor)).first()
    return Catalog(
        by_id={listing.id: listing for listing in found},
        by_ticker={listing.ticker: listing for listing in found},
        height=chain.block_number if chain else 0,
        time_s=chain.time_s if chain else 0,
        final=chain.final_block if chain else 0,
        version=chain.version if chain else 0,
        seq=relayer.seq if relayer else 0,
        epoch=relayer.epoch if relayer else 0,
    )
