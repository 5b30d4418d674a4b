# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: which trades a subscription wants. The names and ends are those of `/v4/query/trades`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

_MAX_DIGITS = 40


class TradeFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Nothing given: everything. Ends are inclusive, in human units; `side` is the taker's."""

    side: str = ""
    type: str = ""
    price_min: str = ""
    price_max: str = ""
    size_min: str = ""
    size_max: str = ""

    def __post_init__(self) -> None:
        """Raises `ValueError` for what is no number."""
        for text in (self.price_min, self.price_max, self.size_min, self.size_max):
            if text:
                _number(text)
        if self.side.upper() not in ("", "BUY", "SELL"):
            raise ValueError("side of a filter is BUY or SELL")

    def keeps(self, trade: Mapping[str, Any]) -> bool:
        """Whether a trade, as the API writes it, is wanted."""
        types = [part.strip() for part in self.type.upper().split(",") if part.strip()]
        return (
            (not self.side or trade["side"] == self.side.upper())
            and (not types or trade["type"] in types)
            and _within(trade["price"], self.price_min, self.price_max)
            and _within(trade["size"], self.size_min, self.size_max)
        )

    def snapshot(self, contents: Mapping[str, Any]) -> dict[str, Any]:
        """What is wanted of a snapshot."""
        return {**contents, "trades": [trade for trade in contents["trades"] if self.keeps(trade)]}

    def update(self, contents: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is wanted of an update; None: nothing. What a reorg took back is told whole."""
        found = self.snapshot(contents)
        return found if found["trades"] or "reverted" in found else None


def _within(text: str, least: str, most: str) -> bool:
    value = Decimal(text)
    return (not least or value >= Decimal(least)) and (not most or value <= Decimal(most))


def _number(text: str) -> None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or len(text) > _MAX_DIGITS:
        raise ValueError(f'a filter\'s ends are numbers in text such as "0.25", not {text[:_MAX_DIGITS]!r}')
