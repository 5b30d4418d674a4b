# SPDX-License-Identifier: AGPL-3.0-only
"""Sells what the liquidator took over: reduce-only market orders on the exchange, through the SDK like any trader."""

from dataclasses import dataclass
from decimal import Decimal

from keeper.executor import Executor
from keeper.outcome import Attempt, Outcome, Result
from keeper.ports import ChainError, Clock
from keeper.rest import Rest
from keeper.survey import MarketView, Surveyor
from keeper.watch import Account
from ouro.client import ClientError, OuroClient
from ouro.markets import MarketState
from ouro.orders import Side

NAME = "unwind"


@dataclass(frozen=True)
class UnwindSettings:
    """`max_slippage` is a fraction of the index price; `max_notional` (micro-USDC) bounds one order."""

    subaccount: int = 0
    max_slippage: Decimal = Decimal("0.01")
    max_notional: int | None = None
    pause_s: float = 10.0


class Unwinder:
    """Closes the keeper's own positions, an order per market and round. It trades nothing that it does not hold."""

    name = NAME

    def __init__(
        self, surveyor: Surveyor, executor: Executor, client: OuroClient, clock: Clock, settings: UnwindSettings
    ) -> None:
        self.surveyor = surveyor
        self.executor = executor
        self.client = client
        self.settings = settings
        self._own: Account = (executor.address, settings.subaccount)
        # What was sold is settled some blocks later, and must not be sold again meanwhile.
        self._resting = Rest(clock, settings.pause_s)

    def round(self) -> list[Outcome]:
        """Offer what is held. Raises `ChainError`."""
        survey = self.surveyor.survey()
        words = self.surveyor.positions([self._own], survey.head).get(self._own, {})
        outcomes = []
        for market_id, word in words.items():
            view = survey.markets[market_id]
            trades = view.is_fresh and view.state in (MarketState.ACTIVE, MarketState.REDUCE_ONLY)
            if trades and view.id not in self._resting:
                self._resting.add(view.id)
                outcomes.append(self.executor.tell(self._sell(view, word.size)))
        return outcomes

    def _sell(self, view: MarketView, held: int) -> Outcome:
        most = self.settings.max_notional
        lots = abs(held) if most is None else min(abs(held), max(1, most // view.price))
        side = Side.SELL if held > 0 else Side.BUY
        attempt = Attempt(NAME, f"{side} {lots} lots of {view.ticker}", lots)
        if self.executor.dry_run:
            return Outcome(attempt, Result.SKIPPED, "dry run")
        market = self.surveyor.watch.ledger.markets[view.id]
        try:
            placed = self.client.orders.place_market_order(
                view.ticker,
                side,
                market.size(lots),
                self.settings.max_slippage,
                reduce_only=True,
                subaccount=self.settings.subaccount,
            )
        except ClientError as error:
            return Outcome(attempt, Result.SKIPPED, str(error))
        except ValueError as error:
            raise ChainError(f"the exchange announces something else than the chain: {error}") from error
        filled = market.lots(placed.filled)
        if not filled:
            return Outcome(attempt, Result.SKIPPED, "nobody within the slippage")
        return Outcome(attempt, Result.WON, lots=filled)
