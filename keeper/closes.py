# SPDX-License-Identifier: AGPL-3.0-only
"""Executes closes that owners asked for six hours ago, in the hour in which they may be.

Counterparties are paid half a percent; the keeper's own account comes first where it stands opposite.
"""

from keeper.counterparties import Counterparties, Target, close_against
from keeper.executor import Executor, Simulated
from keeper.functions import EXECUTE_CLOSE
from keeper.outcome import Attempt, Outcome
from keeper.ports import Clock, RefusedError
from keeper.rest import Rest
from keeper.survey import Survey, Surveyor

NAME = "closes"
LIFE_S = 3_600


class RequestedCloses:
    """Closes what is due."""

    name = NAME

    def __init__(
        self, surveyor: Surveyor, executor: Executor, clock: Clock, *, subaccount: int = 0, retry_after_s: float = 30.0
    ) -> None:
        self.surveyor = surveyor
        self.executor = executor
        self.subaccount = subaccount
        self._resting = Rest(clock, retry_after_s)

    def due(self, survey: Survey) -> list[Target]:
        """Requests that may be executed at the newest block, those that lapse first before the others. A price from
        before a request was due does not count.
        """
        watch = self.surveyor.watch
        found = []
        for request in sorted(watch.closes.values(), key=lambda each: each.ready_at):
            market = survey.markets[request.market]
            held = watch.lots_of(request.account, request.market)
            is_due = request.ready_at <= survey.head.time_s < request.ready_at + LIFE_S
            is_held = held != 0 and (held > 0) == request.is_long
            is_priced = market.is_open and market.published_at >= request.ready_at
            if is_due and is_held and is_priced and (request.account, request.market) not in self._resting:
                found.append(Target(request.account, market, held, min(request.lots, abs(held))))
        return found

    def round(self) -> list[Outcome]:
        """Execute what is due. Raises `ChainError`."""
        survey = self.surveyor.survey()
        counterparties = Counterparties(self.surveyor, survey, (self.executor.address, self.subaccount))
        ready: list[Simulated] = []
        outcomes = []
        targets = self.due(survey)
        answers = close_against(targets, EXECUTE_CLOSE, NAME, counterparties, self.executor)
        for target, answer in zip(targets, answers, strict=True):
            if isinstance(answer, RefusedError):
                self._resting.add((target.account, target.market.id))
                owner, subaccount = target.account
                subject = f"{target.market.ticker} of {owner}/{subaccount}, {target.lots} lots"
                outcomes.append(self.executor.skip(Attempt(NAME, subject, target.lots), answer.reason))
            else:
                ready.append(answer)
        return outcomes + self.executor.send(ready, survey.head.number)
