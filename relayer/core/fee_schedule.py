# SPDX-License-Identifier: AGPL-3.0-only
"""What an owner pays: the tier of the published schedule that his volume of the last 30 days has reached.

Volume is the notional of his fills on chain, by UTC day, that of today and of the 29 days before; fills between his own
subaccounts count nothing. While no schedule is published, everybody pays what the configuration says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relayer.core.chain_state import ChainState
    from relayer.core.orders import LiveOrder

USDC = 10**6
DAY_S = 86_400
DAYS = 30

Fees = tuple[int, int]
"""Taker's and maker's, ppm of notional."""


class FeeSchedule:
    """Tiers and volumes are those of the last block."""

    __slots__ = ("_cache", "_chain", "_default", "_today")

    def __init__(self, default: Fees, chain: ChainState) -> None:
        self._default = default
        self._chain = chain
        self._today = 0
        self._cache: dict[str, Fees] = {}

    def follow(self, chain: ChainState, time_s: int) -> None:
        """Goes by the state of the chain at that time from now on."""
        self._chain = chain
        self._today = time_s // DAY_S
        self._cache.clear()

    def of(self, owner: str) -> Fees:
        """What an owner's fills pay, rebates negative."""
        tiers = self._chain.fee_tiers
        if not tiers:
            return self._default
        found = self._cache.get(owner)
        if found is None:
            volume = self.volume(owner)
            tier = next(tier for tier in reversed(tiers) if tier.volume * USDC <= volume)
            found = self._cache[owner] = (tier.taker_ppm, tier.maker_ppm)
        return found

    def volume(self, owner: str) -> int:
        """Notional of 30 days, micro-USDC."""
        oldest = self._today - DAYS + 1
        return sum(notional for day, notional in self._chain.volumes.get(owner, ()) if day >= oldest)

    def of_fill(self, taker: LiveOrder, maker: LiveOrder) -> Fees:
        """What both sides of a fill pay: never more than they signed for, and no rebate beyond what the taker pays."""
        taker_ppm = min(self.of(taker.account.owner)[0], taker.max_fee_ppm)
        maker_ppm = min(self.of(maker.account.owner)[1], maker.max_fee_ppm)
        return taker_ppm, max(maker_ppm, -taker_ppm)
