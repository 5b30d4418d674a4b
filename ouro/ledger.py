# SPDX-License-Identifier: Apache-2.0
"""The contracts' state as their events tell it: accounts, positions, markets, insurance, fees.

A pure reducer: feed it every event in order from the first block of the deployment. Position words arrive whole, so a
closed position (size 0) only needs its quote dropped; its cash follows in `PositionClosed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ouro import events
from ouro.codec import PositionWord
from ouro.markets import Market
from ouro.maths.margin import Leg, Margin, evaluate

AccountKey = tuple[str, int]
"""Owner (checksummed) and subaccount."""


@dataclass(slots=True)
class Account:
    """Cash in micro-USDC and the word of every market that was ever traded (size 0: flat)."""

    cash: int = 0
    positions: dict[int, PositionWord] = field(default_factory=dict)

    def copy(self) -> Account:
        return Account(self.cash, dict(self.positions))


@dataclass(slots=True)
class MarketLedger:
    """Indices (scaled) as last accrued at `accrued_at`, rate (1e-8 per hour), price as last pushed, open interest."""

    g_long: int = 0
    g_short: int = 0
    rate: int = 0
    accrued_at: int = 0
    index_price: int = 0
    published_at: int = 0
    open_interest: int = 0

    def g(self, size: int) -> int:
        """The index of the side that a position of this size is on."""
        if size == 0:
            return 0
        return self.g_long if size > 0 else self.g_short


class Ledger:
    """Apply events in order; read anything. Not safe to share between threads."""

    def __init__(self, markets: Iterable[Market] = ()) -> None:
        self.markets: dict[int, Market] = {market.id: market for market in markets}
        self.markets_state: dict[int, MarketLedger] = {id_: MarketLedger() for id_ in self.markets}
        self.accounts: dict[AccountKey, Account] = {}
        self.insurance = 0
        self.fees = 0

    def copy(self) -> Ledger:
        """An independent copy."""
        other = Ledger()
        other.markets = dict(self.markets)
        other.markets_state = {id_: replace(state) for id_, state in self.markets_state.items()}
        other.accounts = {key: account.copy() for key, account in self.accounts.items()}
        other.insurance = self.insurance
        other.fees = self.fees
        return other

    def apply(self, event: events.Event) -> None:
        """Follow one event."""
        match event:
            case events.Fill():
                detail = event.detail
                self._move(event.taker, detail.taker_subaccount, detail.market, event.taker_position)
                self._move(event.maker, detail.maker_subaccount, detail.market, event.maker_position)
            case events.Liquidated():
                self._move(event.account, event.subaccount, event.market, event.position)
                self._move(event.liquidator, event.liquidator_subaccount, event.market, event.liquidator_position)
            case events.PositionClosed() | events.Credited() | events.Debited():
                self._account(event.account, event.subaccount).cash = event.cash
            case events.FundingAccrued():
                market = self._market(event.market)
                market.g_long, market.g_short = event.g_long, event.g_short
                market.rate, market.accrued_at = event.rate, event.at
            case events.LossSpread():
                market = self._market(event.market)
                if event.longs:
                    market.g_long = event.g
                else:
                    market.g_short = event.g
            case events.PricePushed():
                market = self._market(event.market)
                market.index_price, market.published_at = event.price, event.published_at
            case events.InsuranceChanged():
                self.insurance = event.balance
            case events.FeesCollected():
                self.fees = event.balance
            case events.FeesWithdrawn():
                self.fees -= event.amount
            case events.MarketListed():
                self._list(event)
            case events.MarketChanged():
                self._change(event)
            case _:
                pass

    def margin(self, owner: str, subaccount: int) -> Margin:
        """Equity and margins at the last pushed prices and accrued indices; all zero for an unknown account."""
        account = self.accounts.get((owner, subaccount))
        if account is None:
            return Margin(0, 0, 0)
        legs = []
        for market_id, word in account.positions.items():
            if word.size:
                market, state = self.markets[market_id], self._market(market_id)
                legs.append(
                    Leg(word.size, word.q, state.g(word.size), state.index_price, market.imf_ppm, market.mmf_ppm)
                )
        return evaluate(account.cash, legs)

    def _account(self, owner: str, subaccount: int) -> Account:
        return self.accounts.setdefault((owner, subaccount), Account())

    def _market(self, market_id: int) -> MarketLedger:
        return self.markets_state.setdefault(market_id, MarketLedger())

    def _move(self, owner: str, subaccount: int, market_id: int, word: PositionWord) -> None:
        account = self._account(owner, subaccount)
        before = account.positions.get(market_id)
        self._market(market_id).open_interest += max(word.size, 0) - max(before.size if before else 0, 0)
        account.positions[market_id] = word if word.size else PositionWord(0, 0, word.one_shot_ms)

    def _list(self, event: events.MarketListed) -> None:
        self._market(event.market)
        self.markets.setdefault(
            event.market,
            Market(
                id=event.market,
                ticker=event.ticker,
                size_decimals=event.size_decimals,
                price_decimals=event.price_decimals,
                tick=event.tick,
                imf_ppm=0,
                mmf_ppm=0,
                band_ppm=0,
                max_open_interest=0,
                max_price_age_s=0,
                liquidation_floor_ppm=0,
                state=0,
            ),
        )

    def _change(self, event: events.MarketChanged) -> None:
        self.markets[event.market] = replace(
            self.markets[event.market],
            imf_ppm=event.imf,
            mmf_ppm=event.mmf,
            band_ppm=event.band,
            tick=event.tick,
            max_open_interest=event.max_open_interest,
            max_price_age_s=event.max_price_age,
            liquidation_floor_ppm=event.liquidation_floor,
            state=event.state,
        )
