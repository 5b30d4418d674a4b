# SPDX-License-Identifier: AGPL-3.0-only
"""Touches markets that nobody traded in since the hour changed: an hour that nobody opens has no funding."""

from keeper.executor import Action, Executor
from keeper.functions import MARKET_INDICES, POKE
from keeper.outcome import Attempt, Outcome
from keeper.ports import Call
from keeper.reading import ask
from keeper.survey import Survey, Surveyor
from ouro import events
from ouro.markets import MarketState
from ouro.maths.funding import HOUR_S

NAME = "funding"


class FundingPoker:
    """Pokes each market once in every hour that nobody opened."""

    name = NAME

    def __init__(self, surveyor: Surveyor, executor: Executor) -> None:
        self.surveyor = surveyor
        self.executor = executor

    def due(self, survey: Survey) -> list[int]:
        """Ids of the markets whose hour is an earlier one than that of the newest block. A settled one has none, and
        one whose price is stale has to wait.
        """
        ids = [view.id for view in survey.markets.values() if view.is_fresh and view.state != MarketState.SETTLED]
        exchange = self.surveyor.exchange
        answers = ask(self.surveyor.chain, [(exchange, MARKET_INDICES, (id_,)) for id_ in ids], survey.head)
        this_hour = survey.head.time_s // HOUR_S
        return [
            id_ for id_, (_, _, started_at, _) in zip(ids, answers, strict=True) if started_at // HOUR_S < this_hour
        ]

    def round(self) -> list[Outcome]:
        """Poke what is due. Raises `ChainError`."""
        survey = self.surveyor.survey()
        return self.executor.run([self._action(survey, market_id) for market_id in self.due(survey)])

    def _action(self, survey: Survey, market_id: int) -> Action:
        def gained(found: list[events.Event]) -> tuple[int, int] | None:
            return (0, 0) if any(isinstance(event, events.FundingAccrued) for event in found) else None

        call = Call(self.surveyor.exchange, POKE.encode(market_id), self.executor.address)
        return Action(Attempt(NAME, survey.markets[market_id].ticker), call, gained)
