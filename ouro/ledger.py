# SPDX-License-Identifier: Apache-2.0
"""What accounts and markets hold, following the contracts' events alone: a pure reducer.

Positions are the words that the events carry, cash is what the events say it is after each change, so nothing is
computed twice and nothing can drift. Between events indices follow from the time alone.

A premium counts for funding by the index price that `PricePushed` of the exchange's oracle said last (or whoever reads
the oracle, in an event from `READ`); the share of a registered referrer is
known from the `ReferralAccrued` before the fill, so that a fill whose fee is too small to share counts whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec

from ouro import events
from ouro.codec import PositionWord
from ouro.markets import Market, MarketState
from ouro.maths import funding, margin
from ouro.maths.funding import HOUR_S, FundingState
from ouro.units import MAX_AHEAD_MS

AccountKey = tuple[str, int]
"""Owner (checksummed) and subaccount number."""

READ = ""
"""The address from which a `PricePushed` is that nobody logged: the price of an oracle that was asked for it."""

_FLAT = PositionWord(0, 0, 0)


class Account(msgspec.Struct, frozen=True):
    """Cash in micro-USDC and positions by market id. A flat position stays, for its newest one-shot time."""

    cash: int = 0
    positions: Mapping[int, PositionWord] = {}


class MarketLedger(msgspec.Struct, frozen=True):
    """Indices (scaled) as of the start of `hour` (hours since 1970), what both grow by in a second of it, its rate
    (1e-8); what its prints gathered for the next one; index price, its time; lots that are long.
    """

    g_long: int = 0
    g_short: int = 0
    slope: int = 0
    rate: int = 0
    hour: int = 0
    premium_sum: int = 0
    volume_sum: int = 0
    index_price: int = 0
    published_at: int = 0
    open_interest: int = 0

    @property
    def funding(self) -> FundingState:
        """What funding is computed from."""
        return FundingState(
            self.g_long,
            self.g_short,
            self.slope,
            self.rate,
            self.hour,
            self.premium_sum,
            self.volume_sum,
            self.open_interest,
        )


_EMPTY = Account()
_NEW_MARKET = MarketLedger()
_ENDS_A_CALL = (events.BatchSettled, events.Liquidated, events.Deleveraged, events.CloseExecuted)


def in_effect_order(logs: Iterable[events.Event]) -> Iterator[events.Event]:
    """Log order, but the indices of a call before what the call did with them.

    The contract opens an hour first and logs it last: `FundingAccrued` follows the fills (or the closed position) that
    it was in force for.
    """
    call: list[events.Event] = []
    transaction = None
    for event in logs:
        if event.where.transaction_hash != transaction:
            yield from _indices_first(call)
            call, transaction = [], event.where.transaction_hash
        call.append(event)
        if isinstance(event, _ENDS_A_CALL):
            yield from _indices_first(call)
            call = []
    yield from _indices_first(call)


def _indices_first(call: list[events.Event]) -> list[events.Event]:
    return sorted(call, key=lambda event: not isinstance(event, events.FundingAccrued))


class Ledger:
    """State after the events applied so far, from the deployment on.

    The values in the tables are frozen and replaced, so `copy` costs three shallow dicts.
    """

    __slots__ = (
        "_shared",
        "accounts",
        "backstop",
        "fees",
        "insurance",
        "markets",
        "markets_state",
        "oracle",
        "referrals",
        "referrer_share_ppm",
    )

    def __init__(self, markets: Iterable[Market] = ()) -> None:
        """`markets` are those of the deployment; MarketListed and MarketChanged add and update."""
        self.accounts: dict[AccountKey, Account] = {}
        self.markets: dict[int, Market] = {market.id: market for market in markets}
        self.markets_state: dict[int, MarketLedger] = dict.fromkeys(self.markets, _NEW_MARKET)
        self.insurance = 0
        self.fees = 0
        self.backstop = ""
        self.oracle = ""
        self.referrals: dict[int, int] = {}
        """What waits for each referrer, micro-USDC by number."""
        self.referrer_share_ppm = 0
        self._shared = False

    def copy(self) -> Ledger:
        """An independent ledger in the same state."""
        other = Ledger.__new__(Ledger)
        other.accounts = self.accounts.copy()
        other.markets = self.markets.copy()
        other.markets_state = self.markets_state.copy()
        other.insurance = self.insurance
        other.fees = self.fees
        other.backstop = self.backstop
        other.oracle = self.oracle
        other.referrals = self.referrals.copy()
        other.referrer_share_ppm = self.referrer_share_ppm
        other._shared = self._shared
        return other

    def is_fresh(self, market_id: int, now_s: int) -> bool:
        """Whether the market's index price counts as fresh at a time; a settled market's always does."""
        market, state = self.markets[market_id], self._state(market_id)
        if market.state == MarketState.SETTLED:
            return True
        youngest = now_s + MAX_AHEAD_MS // 1000
        return state.index_price != 0 and now_s - market.max_price_age_s <= state.published_at <= youngest

    def indices(self, market_id: int, now_s: int) -> tuple[int, int]:
        """Both sides' indices, longs' first, as the contract would say them at a time."""
        state = self._state(market_id).funding
        if self.markets[market_id].state != MarketState.SETTLED and self.is_fresh(market_id, now_s):
            state = funding.touch(state, now_s, self._state(market_id).index_price)
        return funding.indices(state, now_s)

    def margin(self, owner: str, subaccount: int, now_s: int) -> margin.Margin:
        """Equity and margins at the last index prices, at a time."""
        account = self.accounts.get((owner, subaccount), _EMPTY)
        legs = []
        for market_id, word in account.positions.items():
            if word.size:
                market, price = self.markets[market_id], self._state(market_id).index_price
                g_long, g_short = self.indices(market_id, now_s)
                imf = market.scaled_imf_ppm(self._state(market_id).open_interest, price)
                g = g_long if word.size > 0 else g_short
                legs.append(margin.Leg(word.size, word.q, g, price, imf, market.mmf_ppm))
        return margin.evaluate(account.cash, legs)

    def apply_all(self, logs: Iterable[events.Event]) -> None:
        """Follow the events of a block, in log order."""
        for event in in_effect_order(logs):
            self.apply(event)

    def apply(self, event: events.Event) -> None:
        """Follow one event, in the order of `in_effect_order`. Events that change no holdings are ignored."""
        match event:
            case events.Fill():
                detail = event.detail
                self._move(event.taker, detail.taker_subaccount, detail.market, event.taker_position)
                self._move(event.maker, detail.maker_subaccount, detail.market, event.maker_position)
                self._count(event)
            case events.Liquidated():
                self._move(event.account, event.subaccount, event.market, event.position)
                self._move(event.liquidator, event.liquidator_subaccount, event.market, event.liquidator_position)
            case events.Deleveraged() | events.CloseExecuted():
                self._move(event.account, event.subaccount, event.market, event.position)
            case events.HandedOver():
                self._move(event.counterparty, event.subaccount, event.market, event.position)
            case events.PositionSettled():
                held = self.accounts.get((event.account, event.subaccount), _EMPTY).positions.get(event.market, _FLAT)
                self._move(event.account, event.subaccount, event.market, PositionWord(0, 0, held.one_shot_ms))
            case events.PositionClosed() | events.Credited() | events.Debited() | events.DebtCovered():
                self._pay((event.account, event.subaccount), event.cash)
            case events.BackstopSet():
                self.backstop = event.backstop
            case events.BackstopChanged():
                self._pay((self.backstop, 0), event.cash)
            case events.OracleSet():
                self.oracle = event.oracle
            case events.PricePushed():
                if self._is_priced_by_oracle(event.market) and self._heeds(event.where.address):
                    self._update(event.market, index_price=event.price, published_at=event.published_at)
            case events.FundingAccrued():
                slope = funding.bounded_slope(event.rate, event.index_price, event.g_long, event.g_short)
                self._update(
                    event.market,
                    g_long=event.g_long,
                    g_short=event.g_short,
                    slope=slope,
                    rate=event.rate,
                    hour=event.at // HOUR_S,
                    premium_sum=0,
                    volume_sum=0,
                )
            case events.LossSpread():
                self._update(event.market, **{"g_long" if event.longs else "g_short": event.g})
            case events.SettlementFixed():
                self._update(event.market, index_price=event.price)
            case events.InsuranceChanged():
                self.insurance = event.balance
            case events.BatchSettled():
                self.fees += event.fees
            case events.FeesWithdrawn():
                self.fees -= event.amount
            case events.ReferralAccrued():
                self.referrals[event.number] = event.balance
                self._shared = True
            case events.ReferralClaimed():
                self.referrals[event.number] = 0
            case events.ReferrerShareSet():
                self.referrer_share_ppm = event.share_ppm
            case events.MarketListed():
                self._list(event)
            case events.MarketChanged():
                self._change(event)
            case events.MarginScaleSet():
                self.markets[event.market] = replace(
                    self.markets[event.market], scale_from=event.scale_from, scale_to=event.scale_to
                )
            case _:
                pass

    def _is_priced_by_oracle(self, market_id: int) -> bool:
        market = self.markets.get(market_id)
        return market is None or market.state != MarketState.SETTLED

    def _heeds(self, oracle: str) -> bool:
        """Whether prices from that address count: until an `OracleSet` was seen those of any."""
        return not self.oracle or oracle in (self.oracle, READ)

    def _pay(self, key: AccountKey, cash: int) -> None:
        account = self.accounts.get(key, _EMPTY)
        self.accounts[key] = Account(cash, account.positions)

    def _count(self, event: events.Fill) -> None:
        """Add to the sums of the running hour what the contract adds."""
        detail = event.detail
        share_ppm = self.referrer_share_ppm if self._shared else 0
        self._shared = False
        if not funding.counts(detail.taker_fee_ppm, detail.maker_fee_ppm, event.taker, event.maker, share_ppm):
            return
        state = self._state(detail.market)
        self._update(
            detail.market,
            premium_sum=state.premium_sum + detail.size * funding.premium(detail.price, state.index_price),
            volume_sum=state.volume_sum + detail.size,
        )

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
        # Its clock of funding starts, by the time of the block where the log tells it.
        self._update(event.market, hour=(event.where.block_time or 0) // HOUR_S)
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
