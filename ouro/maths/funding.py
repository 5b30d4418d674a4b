# SPDX-License-Identifier: Apache-2.0
"""Funding (protocol, section 5)."""

from dataclasses import dataclass, replace

from ouro.units import SCALE, trunc_div

HOUR_S = 3_600
RATE_UNIT = 100_000_000
"""Rates and premiums count in 1e-8."""
PREMIUM_CLAMP = 5_000
RATE_CAP = 10_000
MIN_FEE_PPM = 200
MAX_INDEX = 1 << 78
"""Bound of an index's absolute value."""


@dataclass(frozen=True, slots=True)
class FundingState:
    """A market's indices (scaled) and what the next rate is made of. `hour` counts hours since 1970."""

    g_long: int
    g_short: int
    last_s: int
    rate: int
    premium_sum: int
    volume_sum: int
    hour: int
    open_interest: int


def premium(price: int, index_price: int) -> int:
    """(price - index) / index in 1e-8, towards zero, clamped to 0.5%."""
    raw = trunc_div((price - index_price) * RATE_UNIT, index_price)
    return max(-PREMIUM_CLAMP, min(PREMIUM_CLAMP, raw))


def counts(taker_fee_ppm: int, maker_fee_ppm: int, taker: str, maker: str) -> bool:
    """Whether a fill's premium counts: between owners and for a fee."""
    return taker != maker and taker_fee_ppm + maker_fee_ppm >= MIN_FEE_PPM


def next_rate(premium_sum: int, volume_sum: int, open_interest: int) -> int:
    """The hourly rate that an hour's sums set, 1e-8 per hour."""
    weight = max(volume_sum, open_interest // 2)
    if weight == 0:
        return 0
    return max(-RATE_CAP, min(RATE_CAP, trunc_div(premium_sum, weight)))


def accrual(rate: int, price: int, elapsed_s: int) -> int:
    """What one lot of the long side pays, scaled."""
    return trunc_div(rate * price * elapsed_s * SCALE, RATE_UNIT * HOUR_S)


def accrue(state: FundingState, now_s: int, price: int) -> FundingState:
    """The state touched at `now_s` with a fresh index price."""
    if now_s == state.last_s:
        return state
    hour = now_s // HOUR_S
    if hour == state.hour:
        moved = accrual(state.rate, price, now_s - state.last_s)
        return replace(_moved(state, moved), last_s=now_s)
    boundary = (state.hour + 1) * HOUR_S
    rate = next_rate(state.premium_sum, state.volume_sum, state.open_interest)
    moved = accrual(state.rate, price, boundary - state.last_s)
    moved += accrual(rate, price, min(now_s, boundary + HOUR_S) - boundary)
    return replace(
        _moved(state, moved),
        last_s=now_s,
        rate=rate if hour == state.hour + 1 else 0,
        premium_sum=0,
        volume_sum=0,
        hour=hour,
    )


def _moved(state: FundingState, by: int) -> FundingState:
    """Both indices moved, or neither: at its bound an index stands still, as in the contract."""
    g_long, g_short = state.g_long + by, state.g_short + by
    if abs(g_long) > MAX_INDEX or abs(g_short) > MAX_INDEX:
        return state
    return replace(state, g_long=g_long, g_short=g_short)
