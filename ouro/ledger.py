# SPDX-License-Identifier: Apache-2.0
"""What accounts and markets hold, following the contracts' events alone: a pure reducer.

Positions are the words that the events carry, cash is what the events say it is after each change, so nothing is
computed twice and nothing can drift. Indices are as old as the market's last touch: `margin` is exact at that
moment, and a little behind afterwards by the funding that accrued since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from ouro import events
from ouro.codec import PositionWord
from ouro.markets import Market, MarketState
from ouro.maths import margin

AccountKey = tuple[str, int]
"""Owner (checksummed) and subaccount number."""

_FLAT = PositionWord(0, 0, 0)


class Account(msgspec.Struct, frozen=True):
    """Cash in micro-USDC and positions by market id. A flat position stays, for its newest one-shot time."""

    cash: int = 0
    positions: Mapping[int, PositionWord] = {}


class MarketLedger(msgspec.Struct, frozen=True):
    """Indices (scaled), funding rate (1e-8 per hour) as of `accrued_at`; index price, its time; lots that are long."""

    g_long: int = 0
    g_short: int = 0
    rate: int = 0
    accrued_at: int = 0
    index_price: int = 0
    published_at: int = 0
    open_interest: int = 0

    def g(self, size: int) -> int:
        """The index of the side that a position of `size` lots is on; 0 for none."""
        return 0 if size == 0 else self.g_long if size > 0 else self.g_short


_EMPTY = Account()
_NEW_MARKET = MarketLedger()


class Ledger:
    """State after the events applied so far, from the deployment on.

    The values in the tables are frozen and replaced, so `copy` costs three shallow dicts.
    """

    __slots__ = ("accounts", "fees", "insurance", "markets", "markets_state")

    def __init__(self, markets: Iterable[Market] = ()) -> None:
        """`markets` are those of the deployment; MarketListed and MarketChanged add and update."""
        self.accounts: dict[AccountKey, Account] = {}
        self.markets: dict[int, Market] = {market.id: market for market in markets}
        self.markets_state: dict[int, MarketLedger] = dict.fromkeys(self.markets, _NEW_MARKET)
        self.insurance = 0
        self.fees = 0

    def copy(self) -> Ledger:
        """An independent ledger in the same state."""
        other = Ledger.__new__(Ledger)
        other.accounts = self.accounts.copy()
        other.markets = self.markets.copy()
        other.markets_state = self.markets_state.copy()
        other.insurance = self.insurance
        other.fees = self.fees
        return other

    def margin(self, owner: str, subaccount: int) -> margin.Margin:
        """Equity and margins at the index prices and indices of the last events."""
        account = self.accounts.get((owner, subaccount), _EMPTY)
        legs = []
        for market_id, word in account.positions.items():
            if word.size:
                market, state = self.markets[market_id], self.markets_state[market_id]
                legs.append(
                    margin.Leg(word.size, word.q, state.g(word.size), state.index_price, market.imf_ppm, market.mmf_ppm)
                )
        return margin.evaluate(account.cash, legs)

    def apply(self, event: events.Event) -> None:
        """Follow one event, in log order. Events that change no holdings are ignored."""
        match event:
            case events.Fill():
                detail = event.detail
                self._move(event.taker, detail.taker_subaccount, detail.market, event.taker_position)
                self._move(event.maker, detail.maker_subaccount, detail.market, event.maker_position)
            case events.Liquidated():
                self._move(event.account, event.subaccount, event.market, event.position)
                self._move(event.liquidator, event.liquidator_subaccount, event.market, event.liquidator_position)
            case events.PositionClosed() | events.Credited() | events.Debited():
                key = (event.account, event.subaccount)
                account = self.accounts.get(key, _EMPTY)
                self.accounts[key] = Account(event.cash, account.positions)
            case events.PricePushed():
                self._update(event.market, index_price=event.price, published_at=event.published_at)
            case events.FundingAccrued():
                self._update(
                    event.market,
                    g_long=event.g_long,
                    g_short=event.g_short,
                    rate=event.rate,
                    accrued_at=event.at,
                )
            case events.LossSpread():
                self._update(event.market, **{"g_long" if event.longs else "g_short": event.g})
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

    def _move(self, owner: str, subaccount: int, market_id: int, word: PositionWord) -> None:
        """Store a position. What a closed one brought reaches cash by its own event."""
        key = (owner, subaccount)
        account = self.accounts.get(key, _EMPTY)
        before = account.positions.get(market_id, _FLAT)
        after = word if word.size else PositionWord(0, 0, word.one_shot_ms)
        self.accounts[key] = Account(account.cash, {**account.positions, market_id: after})
        grown = max(after.size, 0) - max(before.size, 0)
        if grown:
            self._update(market_id, open_interest=self._state(market_id).open_interest + grown)

    def _state(self, market_id: int) -> MarketLedger:
        return self.markets_state.get(market_id, _NEW_MARKET)

    def _update(self, market_id: int, **figures: int) -> None:
        self.markets_state[market_id] = msgspec.structs.replace(self._state(market_id), **figures)

    def _list(self, event: events.MarketListed) -> None:
        known = self.markets.get(event.market)
        self.markets_state.setdefault(event.market, _NEW_MARKET)
        if known is None:
            # The parameters follow in a MarketChanged of the same transaction.
            self.markets[event.market] = Market(
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
                state=MarketState.UNLISTED,
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
