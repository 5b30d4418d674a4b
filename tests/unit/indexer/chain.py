# SPDX-License-Identifier: AGPL-3.0-only
"""Events made by hand: blocks for the views, without a chain."""

from __future__ import annotations

from typing import Any

from indexer.views.block import Block
from ouro import events
from ouro.codec import FillDetail, PositionWord
from ouro.events import Event, LogPosition

LONG_SIDE = "0x" + "1" * 40
SHORT_SIDE = "0x" + "2" * 40
EXCHANGE = "0x" + "e" * 40


def hash_of(number: int, fork: int = 0) -> str:
    return f"0x{number:032x}{fork:032x}"


def where(block: int, log_index: int, transaction: int = 0, fork: int = 0) -> LogPosition:
    return LogPosition(block, hash_of(block, fork), f"0x{block:032x}{transaction:032x}", log_index, EXCHANGE)


class Blocks:
    """Makes blocks of events: `add` puts one of the present transaction into the present block."""

    def __init__(self, number: int = 1, time_s: int = 7_200, fork: int = 0) -> None:
        self.number, self.time_s, self.fork = number, time_s, fork
        self.transaction = 0
        self._events: list[Event] = []

    def add(self, kind: type[Event], **fields: Any) -> None:
        place = where(self.number, len(self._events), self.transaction, self.fork)
        self._events.append(kind(where=place, **fields))

    def list_market(self, market: int = 1, ticker: str = "BTC-USD", size_decimals: int = 4) -> None:
        self.add(
            events.MarketListed,
            market=market,
            ticker=ticker,
            size_decimals=size_decimals,
            price_decimals=6 - size_decimals,
            tick=100,
        )
        self.add(
            events.MarketChanged,
            market=market,
            imf=50_000,
            mmf=30_000,
            band=100_000,
            tick=100,
            max_open_interest=10**8,
            max_price_age=120,
            liquidation_floor=5_000,
            state=1,
        )

    def price(self, price: int, market: int = 1) -> None:
        self.add(events.PricePushed, market=market, price=price, published_at=self.time_s)

    def fill(
        self,
        fill_id: int,
        lots: int,
        price: int,
        taker_word: PositionWord,
        maker_word: PositionWord,
        *,
        taker_fee_ppm: int = 0,
    ) -> None:
        """LONG_SIDE takes `lots` (sells when negative) from SHORT_SIDE."""
        self.add(
            events.Fill,
            taker=LONG_SIDE,
            maker=SHORT_SIDE,
            detail=FillDetail(fill_id, price, abs(lots), 1, 0, 0, taker_fee_ppm, 0, lots < 0),
            taker_order=bytes([1]) * 32,
            maker_order=bytes([2]) * 32,
            taker_position=taker_word,
            maker_position=maker_word,
        )

    def settled(self, fills: int = 1, fees: int = 0) -> None:
        self.add(
            events.BatchSettled,
            operator=EXCHANGE,
            prev=bytes(32),
            next=bytes([1]) * 32,
            settled=fills,
            rejected=0,
            fees=fees,
        )
        self.transaction += 1

    def done(self, seconds: int = 10) -> Block:
        """The block; the next one follows it."""
        block = Block(
            self.number,
            hash_of(self.number, self.fork),
            hash_of(self.number - 1, self.fork),
            self.time_s,
            tuple(self._events),
        )
        self.number, self.time_s, self.transaction, self._events = self.number + 1, self.time_s + seconds, 0, []
        return block
