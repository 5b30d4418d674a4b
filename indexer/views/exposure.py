# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: the history of one position from flat to flat (or to a flip), in integers.

The contract keeps one quote per position, through flips and reductions; people want entry prices and realised profit.
With `bare` for the quote a position has now, scaled by 2^32 (`Q - size * G`), every exposure satisfies exactly

    bare - carry = SCALE * (money from closing - money for opening - fees) + funding

where `carry` is what an earlier exposure left in the quote at a flip. So funding needs no history of indices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from indexer.views.rows import Row
from ouro.units import SCALE

LONG, SHORT = "LONG", "SHORT"


class Exposure(msgspec.Struct, frozen=True):
    """Sizes in lots (`size` signed), money in micro-USDC. `side` is +1 or -1; `fees` are net of rebates."""

    side: int
    size: int
    max_size: int
    sum_open: int
    open_notional: int
    sum_close: int
    close_notional: int
    fees: int
    carry_scaled: int

    def flows(self) -> int:
        """Money that trades brought in since the exposure began, fees deducted."""
        return self.side * (self.close_notional - self.open_notional) - self.fees

    def funding_scaled(self, bare: int) -> int:
        """Funding (and losses spread over the side) received so far, scaled; negative when paid."""
        return bare - self.carry_scaled - self.flows() * SCALE


def exposure_of(row: Mapping[str, Any]) -> Exposure:
    """The exposure that a row of `positions` holds."""
    return Exposure(
        1 if row["side"] == LONG else -1,
        row["size"],
        row["max_size"],
        row["sum_open"],
        row["open_notional"],
        row["sum_close"],
        row["close_notional"],
        row["fees"],
        row["carry_scaled"],
    )


class Trade(msgspec.Struct, frozen=True):
    """What a trade did: the profit it realised, the quote that was left if it ended the exposure (None: it goes on),
    and the columns of the exposure that it began, if it did.
    """

    realised: int
    ended_bare: int | None = None
    opened: Row | None = None


def trade(row: Row | None, bare: int, delta: int, price: int, fee: int) -> Trade:
    """`delta` signed lots at `price` with `fee`, on the exposure of an open row of `positions` whose quote is `bare` (0
    when there is none). The row's columns are changed.

    A flip ends one exposure and begins another; its fee is shared by size.
    """
    if row is None:
        return Trade(0, None, _opened(delta, price, fee, carry=0))
    size, lots = row["size"], abs(delta)
    side = 1 if size > 0 else -1
    if (delta > 0) == (size > 0):
        row["size"] = size = size + delta
        row["max_size"] = max(row["max_size"], abs(size))
        row["sum_open"] += lots
        row["open_notional"] += lots * price
        row["fees"] += fee
        return Trade(0)
    closing = min(lots, abs(size))
    rest = lots - closing
    closing_fee = fee * closing // lots
    row["size"] = size - side * closing
    row["sum_close"] += closing
    row["close_notional"] += closing * price
    row["fees"] += closing_fee
    # Against the average entry price, rounded down.
    opened = row["sum_open"]
    realised = side * closing * (price * opened - row["open_notional"]) // opened
    if row["size"]:
        return Trade(realised)
    left = bare + (side * closing * price - closing_fee) * SCALE
    return Trade(realised, left, _opened(-side * rest, price, fee - closing_fee, carry=left) if rest else None)


def _opened(delta: int, price: int, fee: int, *, carry: int) -> Row:
    lots = abs(delta)
    return {
        "side": LONG if delta > 0 else SHORT,
        "size": delta,
        "max_size": lots,
        "sum_open": lots,
        "open_notional": lots * price,
        "sum_close": 0,
        "close_notional": 0,
        "fees": fee,
        "carry_scaled": carry,
    }
