# SPDX-License-Identifier: AGPL-3.0-only
"""The risk monitor: looks over all accounts of the chain's ledger now and then, and says by gauges what it saw.

It looks at the ledger of one block, a slice at a time, so that orders do not wait for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ouro.ledger import Ledger
from ouro.units import MICRO
from relayer.engine import Engine

SLICE = 64
NEAR_PERCENT = 110
"""Equity below this share of maintenance margin is near liquidation."""


@dataclass
class Exposure:
    """What all accounts together hold: lots by market, and the largest owner's."""

    accounts: int = 0
    near: int = 0
    liquidatable: int = 0
    lots: dict[int, dict[str, int]] = field(default_factory=dict)

    def add(self, ledger: Ledger, owner: str, subaccount: int, time_s: int) -> None:
        """Counts one account."""
        account = ledger.accounts[owner, subaccount]
        held = [(market_id, word.size) for market_id, word in account.positions.items() if word.size]
        if not held:
            return
        self.accounts += 1
        for market_id, size in held:
            of_market = self.lots.setdefault(market_id, {})
            of_market[owner] = of_market.get(owner, 0) + abs(size)
        found = ledger.margin(owner, subaccount, time_s)
        if found.equity_scaled < found.mm_scaled:
            self.liquidatable += 1
        elif found.equity_scaled * 100 < found.mm_scaled * NEAR_PERCENT:
            self.near += 1

    def concentration_ppm(self, market_id: int) -> int:
        """The largest owner's share of all positions in a market; both sides count."""
        lots = self.lots.get(market_id, {})
        return max(lots.values()) * 1_000_000 // sum(lots.values()) if lots else 0


class RiskMonitor:
    """Looks every `every_s` seconds."""

    def __init__(self, engine: Engine, *, every_s: float) -> None:
        self._engine = engine
        self._every_s = every_s

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> Exposure:
        """Looks once, and sets the gauges."""
        core = self._engine.core
        ledger, time_s = core.ledger.copy(), core.time_s
        exposure = Exposure()
        for number, (owner, subaccount) in enumerate(ledger.accounts):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            exposure.add(ledger, owner, subaccount, time_s)
        self._say(ledger, exposure, time_s)
        return exposure

    def _say(self, ledger: Ledger, exposure: Exposure, time_s: int) -> None:
        metrics = self._engine.metrics
        metrics.insurance.set(ledger.insurance / MICRO)
        metrics.accounts.labels("with positions").set(exposure.accounts)
        metrics.accounts.labels("near liquidation").set(exposure.near)
        metrics.accounts.labels("liquidatable").set(exposure.liquidatable)
        for market_id, market in ledger.markets.items():
            figures = ledger.markets_state[market_id]
            metrics.open_interest.labels(market.ticker).set(figures.open_interest * figures.index_price / MICRO)
            metrics.concentration.labels(market.ticker).set(exposure.concentration_ppm(market_id) / 1_000_000)
            if figures.published_at:
                metrics.price_age.labels(market.ticker).set(max(0, time_s - figures.published_at))
