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
from msgspec.structs import replace

from ouro.units import SCALE


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

    def price_pnl(self) -> int:
        """Profit of what is closed against the average entry price, rounded down."""
        return _price_pnl(self.side, self.close_notional, self.sum_close, self.open_notional, self.sum_open)

    def flows(self) -> int:
        """Money that trades brought in since the exposure began, fees deducted."""
        return self.side * (self.close_notional - self.open_notional) - self.fees

    def funding_scaled(self, bare: int) -> int:
        """Funding (and losses spread over the side) received so far, scaled; negative when paid."""
        return bare - self.carry_scaled - self.flows() * SCALE


EXPOSURE_COLUMNS = tuple(name for name in Exposure.__struct_fields__ if name != "side")


def exposure_of(row: Mapping[str, Any]) -> Exposure:
    """The exposure that a row of `positions` holds."""
    return Exposure(**{name: row[name] for name in EXPOSURE_COLUMNS}, side=1 if row["side"] == "LONG" else -1)


class Trade(msgspec.Struct, frozen=True):
    """What a trade did: the exposure it ended (and the quote left then), the one that stays, the profit it realised."""

    ended: Exposure | None
    ended_bare: int
    current: Exposure | None
    realised: int


def trade(exposure: Exposure | None, bare: int, delta: int, price: int, fee: int) -> Trade:
    """`delta` signed lots at `price` with `fee`, on an exposure whose quote is `bare` (0 when there is none).

    A flip ends one exposure and begins another; its fee is shared by size.
    """
    if exposure is None:
        return Trade(None, 0, _opened(delta, price, fee, carry=0), 0)
    if (delta > 0) == (exposure.side > 0):
        lots = abs(delta)
        size = exposure.size + delta
        grown = replace(
            exposure,
            size=size,
            max_size=max(exposure.max_size, abs(size)),
            sum_open=exposure.sum_open + lots,
            open_notional=exposure.open_notional + lots * price,
            fees=exposure.fees + fee,
        )
        return Trade(None, 0, grown, 0)
    closing = min(abs(delta), abs(exposure.size))
    rest = abs(delta) - closing
    closing_fee = fee * closing // abs(delta)
    reduced = replace(
        exposure,
        size=exposure.size - exposure.side * closing,
        sum_close=exposure.sum_close + closing,
        close_notional=exposure.close_notional + closing * price,
        fees=exposure.fees + closing_fee,
    )
    realised = _price_pnl(exposure.side, closing * price, closing, exposure.open_notional, exposure.sum_open)
    if reduced.size != 0:
        return Trade(None, 0, reduced, realised)
    left = bare + (exposure.side * closing * price - closing_fee) * SCALE
    current = _opened(-exposure.side * rest, price, fee - closing_fee, carry=left) if rest else None
    return Trade(reduced, left, current, realised)


def _opened(delta: int, price: int, fee: int, *, carry: int) -> Exposure:
    return Exposure(
        side=1 if delta > 0 else -1,
        size=delta,
        max_size=abs(delta),
        sum_open=abs(delta),
        open_notional=abs(delta) * price,
        sum_close=0,
        close_notional=0,
        fees=fee,
        carry_scaled=carry,
    )


def _price_pnl(side: int, close_notional: int, closed: int, open_notional: int, opened: int) -> int:
    return side * (close_notional * opened - open_notional * closed) // opened
