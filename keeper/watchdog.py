# SPDX-License-Identifier: AGPL-3.0-only
"""Raises alarms when the exchange does not do what it should. It looks and tells; it sends nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from keeper.alarms import Alarm, AlarmBoard
from keeper.feeds import Feeds
from keeper.functions import LAST_BATCH
from keeper.outcome import Outcome
from keeper.ports import Clock
from keeper.reading import ask
from keeper.silence import SILENCE_S
from keeper.survey import Survey, Surveyor
from keeper.watch import Account
from ouro.markets import MarketState
from ouro.units import PPM

NAME = "watchdog"
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Limits:
    """When to raise an alarm; None: never.

    Prices: at `price_age_ppm` of their largest age. Insurance in micro-USDC. Gas money in wei, of operators and of the
    keeper itself. An account below maintenance for `liquidatable_s`. `unsettled_s` without a batch while the relayer
    says that fills wait; `silence_s` without a batch at all. `sources`: whether those of a router are looked at.
    """

    price_age_ppm: int | None = 800_000
    min_insurance: int | None = None
    min_operator_wei: int | None = 10**17
    min_own_wei: int | None = 10**16
    liquidatable_s: int | None = 60
    unsettled_s: int | None = 30
    silence_s: int | None = SILENCE_S * 2 // 3
    sources: bool = True


class RelayerState:
    """What a relayer says of itself at `/ready`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __call__(self) -> dict[str, Any]:
        """Its answer, ready or not. Raises `httpx.HTTPError` or `ValueError`."""
        answer = httpx.get(f"{self.url}/ready", timeout=TIMEOUT_S).json()
        if not isinstance(answer, dict):
            raise ValueError("the answer is no object")
        return answer


class Watchdog:
    """Looks at chain and relayer and keeps the alarms of what it sees up to date."""

    name = NAME

    def __init__(
        self,
        surveyor: Surveyor,
        clock: Clock,
        board: AlarmBoard,
        own: str,
        limits: Limits,
        relayer: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self.surveyor = surveyor
        self.clock = clock
        self.board = board
        self.own = own
        self.limits = limits
        self.relayer = relayer
        self._liquidatable_since: dict[Account, int] = {}
        self._unsettled_since: tuple[int, float] | None = None
        self._feeds = Feeds(surveyor.chain, surveyor.exchange)

    def round(self) -> list[Outcome]:
        """Look, and report. Raises `ChainError`."""
        survey = self.surveyor.survey()
        [[last_batch]] = ask(self.surveyor.chain, [(self.surveyor.exchange, LAST_BATCH, ())], survey.head)
        alarms = [
            *self._prices(survey),
            *self._sources(survey),
            *self._insurance(survey),
            *self._gas(),
            *self._unhealthy(survey),
            *self._silence(survey, int(last_batch)),
            *self._relayer(self.surveyor.watch.batches),
        ]
        self.board.report(NAME, alarms)
        return []

    def _prices(self, survey: Survey) -> Iterator[Alarm]:
        limit = self.limits.price_age_ppm
        for view in survey.markets.values():
            if limit is None or view.state in (MarketState.UNLISTED, MarketState.SETTLED):
                continue
            age = survey.head.time_s - view.published_at
            if view.price == 0:
                yield Alarm(f"price {view.ticker}", "the oracle has no price")
            elif age * PPM >= limit * view.max_price_age_s:
                yield Alarm(f"price {view.ticker}", f"the price is {age} s old, of at most {view.max_price_age_s}")

    def _sources(self, survey: Survey) -> Iterator[Alarm]:
        """Of a router: which of its sources say nothing that counts, long before too few are left for a price."""
        if not self.limits.sources:
            return
        for feed in self._feeds.read(survey):
            if feed.is_own or not feed.is_enabled:
                continue
            ticker, age = survey.markets[feed.market].ticker, survey.head.time_s - feed.published_at
            name = f"source {ticker} {feed.adapter}"
            if feed.price == 0:
                yield Alarm(name, f"the router's source of kind {feed.kind} has no price")
            elif age > feed.max_age_s:
                yield Alarm(name, f"the router's source of kind {feed.kind} is silent: {age} s, of {feed.max_age_s}")

    def _insurance(self, survey: Survey) -> Iterator[Alarm]:
        limit = self.limits.min_insurance
        if limit is not None and survey.insurance < limit:
            yield Alarm("insurance", f"the fund holds {survey.insurance} micro-USDC, less than {limit}")

    def _gas(self) -> Iterator[Alarm]:
        """Of every operator that the events name, and of the keeper."""
        wanted = [(name, f"operator {name}", self.limits.min_operator_wei) for name in self.surveyor.watch.operators]
        wanted.append((self.own, "the keeper", self.limits.min_own_wei))
        for address, who, limit in sorted(wanted, key=lambda each: each[1]):
            if limit is not None and (balance := self.surveyor.chain.balance(address)) < limit:
                yield Alarm(f"gas {address}", f"{who} holds {balance} wei, less than {limit}")

    def _unhealthy(self, survey: Survey) -> Iterator[Alarm]:
        now = survey.head.time_s
        known = self._liquidatable_since
        self._liquidatable_since = {account: known.get(account, now) for account in survey.liquidatable()}
        limit = self.limits.liquidatable_s
        for (owner, subaccount), since in self._liquidatable_since.items():
            if limit is not None and now - since >= limit:
                text = f"below maintenance margin for {now - since} s, and nobody takes over"
                yield Alarm(f"account {owner}/{subaccount}", text)

    def _silence(self, survey: Survey, last_batch: int) -> Iterator[Alarm]:
        limit, age = self.limits.silence_s, survey.head.time_s - last_batch
        if limit is not None and last_batch and age >= limit:
            yield Alarm("settlement silence", f"no batch for {age} s; after {SILENCE_S} s anybody may end a market")

    def _relayer(self, batches: int) -> Iterator[Alarm]:
        """What the relayer says of itself, held against the chain."""
        if self.relayer is None:
            return
        try:
            state = self.relayer()
        except (httpx.HTTPError, ValueError) as error:
            yield Alarm("relayer", f"does not answer: {error}")
            return
        if not state.get("ready"):
            yield Alarm("relayer", f"takes no orders: {state.get('reason', 'it gives no reason')}")
        if not state.get("unsettledFills"):
            self._unsettled_since = None
        elif self._unsettled_since is None or self._unsettled_since[0] != batches:
            self._unsettled_since = batches, self.clock.now()
        limit = self.limits.unsettled_s
        if limit is not None and self._unsettled_since is not None:
            waiting = self.clock.now() - self._unsettled_since[1]
            if waiting >= limit:
                text = f"{state['unsettledFills']} fills wait and no batch has been settled for {waiting:.0f} s"
                yield Alarm("settlement", text)
