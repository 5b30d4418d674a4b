# SPDX-License-Identifier: AGPL-3.0-only
"""The liquidation bot: finds accounts below maintenance margin and takes their positions over.

It needs a key and a node, and a subaccount of its own with margin in it, because what it takes over it then holds. It
knows nothing of the relayer.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum

from keeper.depth import Depth, DepthReader
from keeper.executor import WATERFALL_GAS, Action, Executor, Simulated
from keeper.functions import LIQUIDATE
from keeper.opportunity import Funds, Opportunity, appraise, ranked, unscaled
from keeper.outcome import Attempt, Outcome, Result
from keeper.ports import Call, Clock, RefusedError
from keeper.rest import Rest
from keeper.survey import Survey, Surveyor
from keeper.watch import Account
from ouro import events
from ouro.units import ceil_div

log = logging.getLogger(__name__)

NAME = "liquidation"
WEI = 10**18


class Rescue(StrEnum):
    """Which take-overs that do not pay are done all the same, for the exchange's sake."""

    NONE = "none"
    BANKRUPT = "bankrupt"
    """Those of accounts beyond bankruptcy, which pay nobody."""
    ALL = "all"


@dataclass(frozen=True)
class Settings:
    """How the bot behaves. Money in micro-USDC.

    `min_profit` is after gas and the cost to sell again: by the book and `taker_fee_ppm` where a book is read, for what
    it does not carry, and without one, `unwind_cost_ppm` of the notional; gas is valued at the index price of
    `gas_market`, if the exchange lists it. `max_position` bounds the notional that the bot holds in all. A refused
    account is left alone for `retry_after_s`. `at_once` take-overs are sent in a round.
    """

    subaccount: int = 0
    min_profit: int = 0
    unwind_cost_ppm: int = 0
    taker_fee_ppm: int = 0
    rescue: Rescue = Rescue.BANKRUPT
    max_position: int | None = None
    gas_market: str = "ETH-USD"
    retry_after_s: float = 10.0
    at_once: int = 16


class Liquidator:
    """One round at a time; whoever owns it decides when."""

    name = NAME

    def __init__(
        self,
        surveyor: Surveyor,
        executor: Executor,
        clock: Clock,
        settings: Settings,
        book: DepthReader | None = None,
    ) -> None:
        self.surveyor = surveyor
        self.executor = executor
        self.settings = settings
        self.book = book
        self._resting = Rest(clock, settings.retry_after_s)

    @property
    def own(self) -> Account:
        """The account that takes over."""
        return (self.executor.address, self.settings.subaccount)

    def round(self) -> list[Outcome]:
        """Look once at every account and act on what is found. Raises `ChainError`."""
        survey = self.surveyor.survey()
        found = self.find(survey)
        outcomes = []
        ready: list[Simulated] = []
        sent: list[Opportunity] = []
        actions = [self._action(opportunity) for opportunity in found]
        for opportunity, action, answer in zip(found, actions, self.executor.simulate(actions), strict=True):
            reason = answer.reason if isinstance(answer, RefusedError) else self._not_worth(opportunity, answer, survey)
            if isinstance(answer, RefusedError) or reason:
                outcomes.append(self.executor.skip(action.attempt, reason))
                self._rest(opportunity)
            else:
                ready.append(answer)
                sent.append(opportunity)
        for opportunity, outcome in zip(sent, self.executor.send(ready, survey.head.number), strict=True):
            outcomes.append(outcome)
            if outcome.result is not Result.WON:
                self._rest(opportunity)
        return outcomes

    def find(self, survey: Survey) -> list[Opportunity]:
        """What to take over, best first: one position of an account, and no more than the own margin carries in all."""
        unhealthy = [account for account in survey.liquidatable() if account != self.own]
        if not unhealthy:
            return []
        held = {
            account: {market_id: word.size for market_id, word in words.items()}
            for account, words in self.surveyor.positions(unhealthy, survey.head).items()
        }
        funds = self._funds(survey, self._depth(survey, held))
        chosen: dict[Account, Opportunity] = {}
        # By what they are worth alone; then each with what the better ones leave of the margin.
        for account, market_id in self._order(survey, held, funds):
            if len(chosen) == self.settings.at_once:
                break
            opportunity = self._appraise(survey, held, account, market_id, funds)
            if opportunity is not None and account not in chosen:
                chosen[account] = opportunity
                funds = funds.after(opportunity)
        if not chosen and any(self._is_due(survey, account, id_) for account in held for id_ in held[account]):
            log.warning("%d accounts are below maintenance margin, but the keeper lacks free margin", len(held))
        return list(chosen.values())

    def _order(self, survey: Survey, held: dict[Account, dict[int, int]], funds: Funds) -> list[tuple[Account, int]]:
        alone = (
            self._appraise(survey, held, account, market_id, funds)
            for account, positions in held.items()
            for market_id in positions
        )
        best = ranked(opportunity for opportunity in alone if opportunity is not None)
        return [(opportunity.account, opportunity.market.id) for opportunity in best]

    def _appraise(
        self, survey: Survey, held: dict[Account, dict[int, int]], account: Account, market_id: int, funds: Funds
    ) -> Opportunity | None:
        if not self._is_due(survey, account, market_id):
            return None
        margin = unscaled(survey.health[account].margin, held[account], survey.markets)
        market = survey.markets[market_id]
        return appraise(account, margin, market, held[account][market_id], funds)

    def _is_due(self, survey: Survey, account: Account, market_id: int) -> bool:
        return survey.markets[market_id].is_open and (account, market_id) not in self._resting

    def _depth(self, survey: Survey, held: dict[Account, dict[int, int]]) -> Depth:
        """The book of every market in which something may be taken over."""
        ids = {id_ for account, sizes in held.items() for id_ in sizes if self._is_due(survey, account, id_)}
        markets = self.surveyor.watch.ledger.markets
        levels = {} if self.book is None else self.book(markets[id_] for id_ in sorted(ids))
        return Depth(levels, self.settings.unwind_cost_ppm, self.settings.taker_fee_ppm)

    def _funds(self, survey: Survey, depth: Depth) -> Funds:
        margin = self.surveyor.health([self.own], survey.head)[self.own].margin
        words = self.surveyor.positions([self.own], survey.head).get(self.own, {})
        positions = {market_id: word.size for market_id, word in words.items()}
        room = self.settings.max_position
        if room is not None:
            room -= sum(abs(size) * survey.markets[market_id].price for market_id, size in positions.items())
        return Funds(margin, positions, room, depth)

    def _not_worth(self, opportunity: Opportunity, simulated: Simulated, survey: Survey) -> str:
        """Why a take-over is left alone, "" if it is not."""
        rescue = self.settings.rescue
        if rescue is Rescue.ALL:
            return ""
        if opportunity.is_rescue:
            return "" if rescue is Rescue.BANKRUPT else "beyond bankruptcy, which pays nothing"
        profit = opportunity.profit - self._gas_in_micro(simulated.gas, survey)
        if profit < self.settings.min_profit:
            return f"expected profit of {profit} micro-USDC is too small"
        return ""

    def _gas_in_micro(self, gas: int, survey: Survey) -> int:
        """What so much gas costs now, rounded up; 0 if the exchange has no price for the chain's coin."""
        market = next((view for view in survey.markets.values() if view.ticker == self.settings.gas_market), None)
        if market is None:
            return 0
        lots_per_coin = 10 ** self.surveyor.watch.ledger.markets[market.id].size_decimals
        wei = gas * (survey.head.base_fee + self.executor.sender.fees.priority_fee)
        return ceil_div(wei * market.price * lots_per_coin, WEI)

    def _rest(self, opportunity: Opportunity) -> None:
        self._resting.add((opportunity.account, opportunity.market.id))

    def _action(self, opportunity: Opportunity) -> Action:
        (owner, subaccount), market = opportunity.account, opportunity.market
        data = LIQUIDATE.encode(owner, subaccount, market.id, opportunity.lots, self.settings.subaccount)
        subject = f"{market.ticker} of {owner}/{subaccount}, {opportunity.lots} of {abs(opportunity.held)} lots"
        sign = 1 if opportunity.held > 0 else -1

        def gained(found: list[events.Event]) -> tuple[int, int] | None:
            event = next(each for each in found if isinstance(each, events.Liquidated))
            return abs(event.size), sign * (market.price - event.price) * abs(event.size)

        def rival(event: events.Event) -> str:
            if isinstance(event, events.Liquidated) and (event.account, event.subaccount) == opportunity.account:
                return "" if event.liquidator == self.executor.address else event.liquidator
            return ""

        source = "book" if opportunity.by_book else "setting"
        attempt = Attempt(NAME, subject, opportunity.lots, opportunity.profit, opportunity.unwind_cost, source)
        call = Call(self.surveyor.exchange, data, self.executor.address)
        return Action(attempt, call, gained, rival, WATERFALL_GAS)
