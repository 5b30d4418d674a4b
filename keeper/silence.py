# SPDX-License-Identifier: AGPL-3.0-only
"""Ends markets for ever once no batch was settled for 72 hours, so that everybody can leave. Off unless switched on.

The contract lets anybody do it then. It cannot be taken back, and a ticker is never used twice.
"""

from keeper.executor import Action, Executor
from keeper.functions import BEGIN_SETTLING, LAST_BATCH
from keeper.outcome import Attempt, Outcome
from keeper.ports import Call, Clock
from keeper.reading import ask
from keeper.rest import Rest
from keeper.survey import Survey, Surveyor
from ouro import events
from ouro.markets import MarketState

NAME = "silence"
SILENCE_S = 72 * 3_600
"""From when on the contract lets anybody end a market."""
RETRY_AFTER_S = 300.0


class SilentExchange:
    """Begins the end of markets after `after_s` (72 hours or more) without a batch: of those named, or of all."""

    name = NAME

    def __init__(
        self,
        surveyor: Surveyor,
        executor: Executor,
        clock: Clock,
        *,
        after_s: int = SILENCE_S,
        markets: tuple[str, ...] | None = None,
    ) -> None:
        self.surveyor = surveyor
        self.executor = executor
        self.after_s = max(after_s, SILENCE_S)
        self.markets = markets
        self._resting = Rest(clock, RETRY_AFTER_S)

    def due(self, survey: Survey) -> list[int]:
        """Ids of the markets to end. None before a first batch: the contract counts from that."""
        [[last_batch]] = ask(self.surveyor.chain, [(self.surveyor.exchange, LAST_BATCH, ())], survey.head)
        if not last_batch or survey.head.time_s < last_batch + self.after_s:
            return []
        return [
            view.id
            for view in survey.markets.values()
            if MarketState.UNLISTED < view.state < MarketState.SETTLING
            and (self.markets is None or view.ticker in self.markets)
            and view.id not in self._resting
        ]

    def round(self) -> list[Outcome]:
        """End what is due. Raises `ChainError`."""
        survey = self.surveyor.survey()
        due = self.due(survey)
        for market_id in due:
            self._resting.add(market_id)
        return self.executor.run([self._action(survey, market_id) for market_id in due])

    def _action(self, survey: Survey, market_id: int) -> Action:
        def rival(event: events.Event) -> str:
            return "somebody" if isinstance(event, events.SettlingBegun) and event.market == market_id else ""

        call = Call(self.surveyor.exchange, BEGIN_SETTLING.encode(market_id), self.executor.address)
        return Action(Attempt(NAME, f"the end of {survey.markets[market_id].ticker}"), call, rival=rival)
