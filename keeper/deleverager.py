# SPDX-License-Identifier: AGPL-3.0-only
"""The end of the waterfall: hands positions of insolvent accounts to the opposite side when nothing else pays.

The contract allows it only then, so a simulation tells; what others can still pay for is passed over in silence.
"""

from keeper.counterparties import Counterparties, Target, close_against
from keeper.executor import Executor, Simulated
from keeper.functions import DELEVERAGE
from keeper.outcome import Attempt, Outcome
from keeper.ports import Clock, RefusedError
from keeper.rest import Rest
from keeper.survey import Survey, Surveyor

NAME = "deleveraging"
NOT_YET = "nothing is left unpaid"


class Deleverager:
    """Closes insolvent accounts against those who profit most."""

    name = NAME

    def __init__(
        self, surveyor: Surveyor, executor: Executor, clock: Clock, *, at_once: int = 16, retry_after_s: float = 10.0
    ) -> None:
        self.surveyor = surveyor
        self.executor = executor
        self.at_once = at_once
        self._resting = Rest(clock, retry_after_s)

    def targets(self, survey: Survey) -> list[Target]:
        """Positions of insolvent accounts in open markets, the deepest first."""
        insolvent = [
            account for account, health in survey.health.items() if health.is_insolvent and not health.is_stale
        ]
        insolvent.sort(key=lambda account: (survey.health[account].margin.equity_scaled, account))
        found = []
        for account, words in self.surveyor.positions(insolvent, survey.head).items():
            for market_id, word in words.items():
                market = survey.markets[market_id]
                if market.is_open and (account, market_id) not in self._resting:
                    found.append(Target(account, market, word.size, abs(word.size)))
        return found

    def round(self) -> list[Outcome]:
        """Close what nobody else pays for. Raises `ChainError`."""
        survey = self.surveyor.survey()
        counterparties = Counterparties(self.surveyor, survey)
        ready: list[Simulated] = []
        outcomes = []
        targets = self.targets(survey)[: self.at_once]
        answers = close_against(targets, DELEVERAGE, NAME, counterparties, self.executor)
        for target, answer in zip(targets, answers, strict=True):
            if isinstance(answer, Simulated):
                ready.append(answer)
                continue
            if answer.reason != NOT_YET:
                outcomes.append(self._skip(target, answer))
        return outcomes + self.executor.send(ready, survey.head.number)

    def _skip(self, target: Target, refusal: RefusedError) -> Outcome:
        self._resting.add((target.account, target.market.id))
        owner, subaccount = target.account
        subject = f"{target.market.ticker} of {owner}/{subaccount}, {target.lots} lots"
        return self.executor.skip(Attempt(NAME, subject, target.lots), refusal.reason)
