# SPDX-License-Identifier: Apache-2.0
"""Funding (protocol, section 5): within an hour the indices are a function of time alone."""

from dataclasses import dataclass, replace

from ouro.units import PPM, SCALE, trunc_div

HOUR_S = 3_600
RATE_UNIT = 100_000_000
"""Rates and premiums count in 1e-8."""
PREMIUM_CLAMP = 5_000
SLEW = 2_500
"""By how much a rate may move away from zero in an hour."""
MIN_FEE_PPM = 200
MAX_INDEX = 1 << 78
"""Bound of an index's absolute value."""


@dataclass(frozen=True, slots=True)
class FundingState:
    """A market's indices (scaled) as of the start of `hour`, what both grow by in a second of it, and what the next
    rate is made of. `hour` counts hours since 1970.
    """

    g_long: int
    g_short: int
    slope: int
    rate: int
    hour: int
    premium_sum: int
    volume_sum: int
    open_interest: int


def premium(price: int, index_price: int) -> int:
    """(price - index) / index in 1e-8, towards zero, clamped to 0.005%."""
    raw = trunc_div((price - index_price) * RATE_UNIT, index_price)
    return max(-PREMIUM_CLAMP, min(PREMIUM_CLAMP, raw))


def pays_enough(taker_fee_ppm: int, maker_fee_ppm: int, share_ppm: int = 0) -> bool:
    """Whether the exchange keeps enough of a fill's fees for its premium to count; `share_ppm` is what a registered
    referrer of one of its orders gets of them.
    """
    return (taker_fee_ppm + maker_fee_ppm) * (PPM - share_ppm) >= MIN_FEE_PPM * PPM


def counts(taker_fee_ppm: int, maker_fee_ppm: int, taker: str, maker: str, share_ppm: int = 0) -> bool:
    """Whether a fill's premium counts: between owners and for a fee."""
    return taker != maker and pays_enough(taker_fee_ppm, maker_fee_ppm, share_ppm)


def next_rate(rate: int, premium_sum: int, volume_sum: int, open_interest: int) -> int:
    """The rate that an hour at `rate` leaves to the next, 1e-8 per hour."""
    weight = max(volume_sum, open_interest // 2)
    if weight == 0:
        return 0
    return max(min(rate, 0) - SLEW, min(max(rate, 0) + SLEW, trunc_div(premium_sum, weight)))


def slope(rate: int, price: int) -> int:
    """What the indices grow by in a second at an hourly rate, scaled."""
    return trunc_div(rate * price * SCALE, RATE_UNIT * HOUR_S)


def bounded_slope(rate: int, price: int, g_long: int, g_short: int) -> int:
    """The slope of an hour that begins at these indices: none when they could pass their bound."""
    steep = slope(rate, price)
    return 0 if max(abs(g_long), abs(g_short)) + abs(steep) * HOUR_S > MAX_INDEX else steep


def growth(slope_: int, hour: int, now_s: int) -> int:
    """What both indices have grown by since the start of `hour`, which ends after 3,600 seconds."""
    start = hour * HOUR_S
    return slope_ * (min(now_s, start + HOUR_S) - start)


def touch(state: FundingState, now_s: int, price: int) -> FundingState:
    """The state touched at `now_s` with a fresh index price: the first touch of an hour opens it."""
    hour = now_s // HOUR_S
    if hour <= state.hour:
        return state
    rate = next_rate(state.rate, state.premium_sum, state.volume_sum, state.open_interest)
    ended = state.slope * HOUR_S
    g_long, g_short = state.g_long + ended, state.g_short + ended
    slope_ = bounded_slope(rate, price, g_long, g_short)
    opened = replace(
        state, g_long=g_long, g_short=g_short, slope=slope_, rate=rate, hour=hour, premium_sum=0, volume_sum=0
    )
    if hour == state.hour + 1:
        return opened
    # Hours after one that nothing happened in have no rate.
    whole = slope_ * HOUR_S
    return replace(opened, g_long=g_long + whole, g_short=g_short + whole, slope=0, rate=0)


def indices(state: FundingState, now_s: int) -> tuple[int, int]:
    """Both indices, longs' first, at `now_s`."""
    grown = growth(state.slope, state.hour, now_s)
    return state.g_long + grown, state.g_short + grown
