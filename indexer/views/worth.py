# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: what positions are worth at a time, by the contract's own arithmetic (`ouro.maths`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ouro.markets import MarketState
from ouro.maths import funding, margin
from ouro.maths.funding import FundingState
from ouro.maths.margin import Leg
from ouro.units import MAX_AHEAD_MS

_MAX_AHEAD_S = MAX_AHEAD_MS // 1000


@dataclass(frozen=True)
class Present:
    """A market's indices brought up to a time, as the contract's views do, whether its price is fresh, and its initial
    margin as open interest scales it.
    """

    g_long: int
    g_short: int
    index: int
    fresh: bool
    imf_ppm: int


def present(row: Mapping[str, Any], now_s: int) -> Present:
    """`row` joins those of `markets` and `market_states`.

    Opens the hour if nobody has yet; a stale price opens none. A settled market stands still.
    """
    published_at, price = row["published_at"], row["index_price"]
    is_settled = row["state"] == MarketState.SETTLED
    fresh = bool(price) and published_at - _MAX_AHEAD_S <= now_s <= published_at + row["max_price_age"]
    state = funding_state(row)
    if fresh and not is_settled:
        state = funding.touch(state, now_s, price)
    g_long, g_short = funding.indices(state, now_s)
    imf = margin.scaled_imf(row["imf_ppm"], row["scale_from"], row["scale_to"], row["open_interest"] * price)
    return Present(g_long, g_short, price, fresh or is_settled, imf)


def funding_state(row: Mapping[str, Any]) -> FundingState:
    """The funding part of a row of `market_states`."""
    return FundingState(
        g_long=row["g_long"],
        g_short=row["g_short"],
        slope=row["slope"],
        rate=row["rate"],
        premium_sum=row["premium_sum"],
        volume_sum=row["volume_sum"],
        hour=row["hour"],
        open_interest=row["open_interest"],
    )


def leg(word: Mapping[str, Any], row: Mapping[str, Any], current: Present) -> Leg:
    """A position, as margin counts it. `row` is its market's."""
    return Leg(
        size=word["size"],
        q=word["quote_scaled"],
        g=current.g_long if word["size"] > 0 else current.g_short,
        price=current.index,
        imf_ppm=current.imf_ppm,
        mmf_ppm=row["mmf_ppm"],
    )
