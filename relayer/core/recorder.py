# SPDX-License-Identifier: AGPL-3.0-only
"""Collects what one input changed and says it: each order and fill once, in its last state, then the book levels."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from relayer.core.fills import MatchedFill
from relayer.core.inputs import ZERO_HASH
from relayer.core.orders import LiveOrder
from relayer.core.outputs import Ack, BookOutput, FillOutput, OrderOutput, Output, WantSettlement
from relayer.core.venue import Venue

_encode = msgspec.msgpack.Encoder().encode


class Recorder:
    """Numbers the public records and keeps the rolling hash of everything said."""

    __slots__ = ("_fills", "_orders", "_venues", "input_seq", "seq", "trail")

    def __init__(self) -> None:
        self.seq = 0
        self.input_seq = 0
        self.trail = ZERO_HASH
        self._orders: dict[bytes, LiveOrder] = {}
        self._fills: dict[int, MatchedFill] = {}
        self._venues: dict[int, Venue] = {}

    def order(self, order: LiveOrder) -> None:
        """An order changed."""
        self._orders[order.id] = order

    def fill(self, fill: MatchedFill) -> None:
        """A fill is new or changed its status."""
        self._fills[fill.id] = fill

    def venue(self, venue: Venue) -> None:
        """Levels of this book may have changed."""
        self._venues[venue.id] = venue

    def flush(self, now_ms: int, waiting: int, ack: Ack | None) -> list[Output]:
        """Everything since the last flush. The answer to the command comes last, with the number of the last record."""
        outputs: list[Output] = []
        for order in self._orders.values():
            self.seq += 1
            outputs.append(OrderOutput(self.seq, now_ms, order.state()))
        new_fill = False
        for fill in self._fills.values():
            self.seq += 1
            outputs.append(fill_output(fill, self.seq, now_ms))
            new_fill = new_fill or fill.status == "matched"
        for venue in self._venues.values():
            bids, asks = venue.book.bids.take_changes(), venue.book.asks.take_changes()
            if bids or asks:
                self.seq += 1
                venue.book.seq += 1
                outputs.append(BookOutput(self.seq, now_ms, venue.ticker, bids, asks, venue.book.seq))
        if new_fill:
            outputs.append(WantSettlement(waiting))
        if ack is not None:
            outputs.append(msgspec.structs.replace(ack, input_seq=self.input_seq, seq=self.seq))
        self._orders.clear()
        self._fills.clear()
        self._venues.clear()
        self.trail = sha256(self.trail + _encode((self.input_seq, now_ms, outputs))).digest()
        return outputs


def fill_output(fill: MatchedFill, seq: int, now_ms: int) -> FillOutput:
    """The public record of a fill as it stands."""
    taker, maker = fill.taker, fill.maker
    return FillOutput(
        seq=seq,
        time_ms=now_ms,
        fill_id=fill.id,
        market=fill.venue.ticker,
        price=fill.price,
        size=fill.size,
        taker_order_id=taker.hex_id,
        maker_order_id=maker.hex_id,
        taker=taker.account.owner,
        taker_subaccount=taker.account.subaccount,
        maker=maker.account.owner,
        maker_subaccount=maker.account.subaccount,
        taker_side="SELL" if taker.sell else "BUY",
        taker_fee_ppm=fill.taker_fee_ppm,
        maker_fee_ppm=fill.maker_fee_ppm,
        status=fill.status.value,
        reason=fill.reason,
        transaction_hash=fill.transaction_hash,
    )
