# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: candles of every resolution, one trade at a time."""

from typing import Any

RESOLUTIONS: dict[str, int] = {
    "1MIN": 60,
    "5MINS": 300,
    "15MINS": 900,
    "30MINS": 1_800,
    "1HOUR": 3_600,
    "4HOURS": 14_400,
    "1DAY": 86_400,
}
"""Name of a resolution and its length in seconds."""


def started_at(time_s: int, resolution_s: int) -> int:
    """Start of the candle that `time_s` falls into, seconds since 1970."""
    return time_s - time_s % resolution_s


def begun(key: tuple[int, int, int], price: int, size: int, open_interest: int) -> dict[str, Any]:
    """A candle with its first trade. `key`: market, resolution, start; `open_interest` is before it."""
    market, resolution_s, start = key
    return {
        "market": market,
        "resolution_s": resolution_s,
        "started_at": start,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": size,
        "notional": price * size,
        "trades": 1,
        "starting_open_interest": open_interest,
    }


def extend(candle: dict[str, Any], price: int, size: int) -> None:
    """Add another trade to a candle."""
    if price > candle["high"]:
        candle["high"] = price
    elif price < candle["low"]:
        candle["low"] = price
    candle["close"] = price
    candle["volume"] += size
    candle["notional"] += price * size
    candle["trades"] += 1
