# SPDX-License-Identifier: AGPL-3.0-only
"""The end of a market: fixes its price as soon as that may be, closes positions at it, and has debts paid."""

from collections.abc import Iterator

from keeper.executor import Action, Executor
from keeper.functions import COVER_DEBT, FIX_SETTLEMENT, SETTLE_POSITIONS
from keeper.outcome import Attempt, Outcome
from keeper.ports import Call
from keeper.survey import Survey, Surveyor
from keeper.watch import Account, Ending
from ouro import events

NAME = "endings"
PATIENCE_S = 24 * 3_600
ACCOUNTS_AT_ONCE = 32


class EndedMarkets:
    """Whoever fixes a price first decides the moment, so it is done at once."""

    name = NAME

    def __init__(self, surveyor: Surveyor, executor: Executor) -> None:
        self.surveyor = surveyor
        self.executor = executor

    def round(self) -> list[Outcome]:
        """Do what is due in every market that ends. Raises `ChainError`."""
        survey = self.surveyor.survey()
        actions = list(self._debts(survey))
        for ending in self.surveyor.watch.endings.values():
            actions += self._fixing(survey, ending) if ending.everyone_from is None else self._closing(survey, ending)
        return self.executor.run(actions)

    def _fixing(self, survey: Survey, ending: Ending) -> Iterator[Action]:
        now, market = survey.head.time_s, survey.markets[ending.market]
        is_priced = market.published_at >= ending.settle_at or now >= ending.settle_at + PATIENCE_S
        if now >= ending.settle_at and is_priced:
            call = Call(self.surveyor.exchange, FIX_SETTLEMENT.encode(ending.market), self.executor.address)
            yield Action(Attempt(NAME, f"the price of {market.ticker}"), call)

    def _closing(self, survey: Survey, ending: Ending) -> Iterator[Action]:
        """Insolvent accounts first, the deepest before the others; for a day they are all."""
        everyone = ending.everyone_from is not None and survey.head.time_s >= ending.everyone_from
        watch = self.surveyor.watch
        holders = [account for account in survey.health if watch.lots_of(account, ending.market)]
        chosen = [account for account in holders if everyone or survey.health[account].is_insolvent]
        chosen.sort(key=lambda account: (survey.health[account].margin.equity_scaled, account))
        for start in range(0, len(chosen), ACCOUNTS_AT_ONCE):
            yield self._settling(survey, ending.market, chosen[start : start + ACCOUNTS_AT_ONCE])

    def _settling(self, survey: Survey, market_id: int, accounts: list[Account]) -> Action:
        keys = [int(owner, 16) << 16 | subaccount for owner, subaccount in accounts]

        def gained(found: list[events.Event]) -> tuple[int, int] | None:
            lots = sum(abs(event.size) for event in found if isinstance(event, events.PositionSettled))
            return (lots, 0) if lots else None

        call = Call(self.surveyor.exchange, SETTLE_POSITIONS.encode(market_id, keys), self.executor.address)
        subject = f"{len(accounts)} positions in {survey.markets[market_id].ticker}"
        return Action(Attempt(NAME, subject), call, gained)

    def _debts(self, survey: Survey) -> Iterator[Action]:
        """Only while there is something to pay with: the contract refuses otherwise."""
        watch = self.surveyor.watch
        backstop = watch.ledger.accounts.get((watch.ledger.backstop, 0))
        if survey.insurance == 0 and (backstop is None or backstop.cash <= 0):
            return
        for owner, subaccount in watch.debtors():
            call = Call(self.surveyor.exchange, COVER_DEBT.encode(owner, subaccount), self.executor.address)
            yield Action(Attempt(NAME, f"the debt of {owner}/{subaccount}"), call)
