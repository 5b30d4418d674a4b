# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: candles of every resolution, one block at a time."""

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


class Bar:
    """What was traded of a market in a stretch of time, in order; `open_interest` is before the first trade."""

    __slots__ = ("close", "high", "low", "notional", "open", "open_interest", "trades", "volume")

    def __init__(self, price: int, size: int, open_interest: int) -> None:
        self.open = self.high = self.low = self.close = price
        self.volume, self.notional, self.trades = size, price * size, 1
        self.open_interest = open_interest

    def add(self, price: int, size: int) -> None:
        """Another trade."""
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.volume += size
        self.notional += price * size
        self.trades += 1


class Bars:
    """The bars of one block, by market: whatever the resolution, all of its trades fall into the same candle."""

    def __init__(self) -> None:
        self.of: dict[int, Bar] = {}

    def add(self, market: int, price: int, size: int, open_interest: int) -> None:
        bar = self.of.get(market)
        if bar is None:
            self.of[market] = Bar(price, size, open_interest)
        else:
            bar.add(price, size)


def begun(key: tuple[int, int, int], bar: Bar) -> dict[str, Any]:
    """A candle with its first trades. `key`: market, resolution, start."""
    market, resolution_s, start = key
    return {
        "market": market,
        "resolution_s": resolution_s,
        "started_at": start,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "notional": bar.notional,
        "trades": bar.trades,
        "starting_open_interest": bar.open_interest,
    }


def extend(candle: dict[str, Any], bar: Bar) -> None:
    """Add further trades to a candle."""
    candle["high"] = max(candle["high"], bar.high)
    candle["low"] = min(candle["low"], bar.low)
    candle["close"] = bar.close
    candle["volume"] += bar.volume
    candle["notional"] += bar.notional
    candle["trades"] += bar.trades
