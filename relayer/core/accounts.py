# SPDX-License-Identifier: AGPL-3.0-only
"""What the core knows of a subaccount beside the chain: open orders, what they reserve, unsettled fills, promises."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from relayer.core.native import mypyc_attr
from relayer.core.orders import LiveOrder

if TYPE_CHECKING:
    from relayer.core.fills import MatchedFill
    from relayer.core.shadow import ShadowAccount

AccountKey = tuple[str, int]


@mypyc_attr(allow_interpreted_subclasses=True)
class Exposure:
    """Sums over the open orders of an account in one market that may open risk: lots and notional at their limits."""

    __slots__ = ("buy_lots", "buy_notional", "sell_lots", "sell_notional")

    def __init__(self) -> None:
        self.buy_lots = 0
        self.buy_notional = 0
        self.sell_lots = 0
        self.sell_notional = 0

    def add(self, sell: bool, lots: int, price: int) -> None:
        """Adds (or with negative lots takes away) what an order offers."""
        if sell:
            self.sell_lots += lots
            self.sell_notional += lots * price
        else:
            self.buy_lots += lots
            self.buy_notional += lots * price

    @property
    def is_empty(self) -> bool:
        """Nothing is reserved."""
        return not self.buy_lots and not self.sell_lots


@mypyc_attr(allow_interpreted_subclasses=True)
class Reservation:
    """A co-signed instant withdrawal that has not landed: micro-USDC, and the last second it can land in."""

    __slots__ = ("amount", "deadline", "nonce", "to")

    def __init__(self, amount: int, to: str, nonce: int, deadline: int) -> None:
        self.amount = amount
        self.to = to
        self.nonce = nonce
        self.deadline = deadline


class AccountEntry:
    """One subaccount. `disarms` is when the switch of each signer fires (ms). `shadow` is a cache of its recomputed
    state, dropped whenever the chain or its fills change.
    """

    __slots__ = (
        "client_ids",
        "disarms",
        "exposures",
        "key",
        "open_orders",
        "owner",
        "reservations",
        "shadow",
        "subaccount",
        "unsettled",
    )

    def __init__(self, owner: str, subaccount: int) -> None:
        self.owner = owner
        self.subaccount = subaccount
        self.key: AccountKey = (owner, subaccount)
        self.open_orders: dict[bytes, LiveOrder] = {}
        self.exposures: dict[int, Exposure] = {}
        self.unsettled: list[MatchedFill] = []
        self.reservations: dict[int, Reservation] = {}
        self.client_ids: dict[str, LiveOrder] = {}
        self.disarms: dict[str, int] = {}
        self.shadow: ShadowAccount | None = None

    def expose(self, order: LiveOrder, lots: int) -> None:
        """Counts `lots` more (fewer, if negative) of an order among what this account may still open."""
        if order.reduce_only or not lots:
            return
        market_id = order.venue.id
        exposure = self.exposures.get(market_id)
        if exposure is None:
            exposure = self.exposures[market_id] = Exposure()
        exposure.add(order.sell, lots, order.limit_price)
        if exposure.is_empty:
            del self.exposures[market_id]

    def add_unsettled(self, fill: MatchedFill) -> None:
        """Puts a fill into its place by id."""
        if self.unsettled and self.unsettled[-1].id > fill.id:
            insort(self.unsettled, fill, key=lambda other: other.id)
        else:
            self.unsettled.append(fill)

    def drop_unsettled(self, fill: MatchedFill) -> None:
        """Takes a fill out that the chain has executed or that was undone."""
        self.unsettled.remove(fill)
