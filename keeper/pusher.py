# SPDX-License-Identifier: AGPL-3.0-only
"""Brings signed prices to the PushedOracle when what is there grows old, or the price has moved."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from keeper.executor import Action, Executor
from keeper.functions import ORACLE, PUSH
from keeper.outcome import Attempt, Outcome
from keeper.ports import Call, ChainError
from keeper.reading import ask
from keeper.survey import Survey, Surveyor
from ouro import addresses, events
from ouro.markets import MarketState
from ouro.units import MAX_AHEAD_MS, PPM

NAME = "oracle"
TIMEOUT_S = 10.0
MOST = 16
"""Prices that one push may carry."""


class SourceError(Exception):
    """A source of prices that cannot be read, or says something that is no price."""


@dataclass(frozen=True)
class SignedPrice:
    """Micro-USDC per lot, when it was published (s), and the signature's two words."""

    market: int
    price: int
    published_at: int
    r: int
    vs: int

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> "SignedPrice":
        """From `{"market", "price", "publishedAt", "signature"}`; the signature is 65 bytes, 0x hex. Raises
        `SourceError`.
        """
        try:
            raw = bytes.fromhex(str(record["signature"]).removeprefix("0x"))
            if len(raw) != 65 or raw[64] not in (27, 28):
                raise ValueError("the signature is not 65 bytes r, s, v")
            s = int.from_bytes(raw[32:64])
            vs = s | (raw[64] - 27) << 255
            return cls(
                int(record["market"]), int(record["price"]), int(record["publishedAt"]), int.from_bytes(raw[:32]), vs
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SourceError(f"{record!r} is no signed price: {error}") from error


class PriceSource(Protocol):
    """Where signed prices come from."""

    def prices(self) -> list[SignedPrice]:
        """The newest price of each market. Raises `SourceError`."""


class UrlSource:
    """A JSON array of signed prices, behind an HTTP address or in a file."""

    def __init__(self, place: str) -> None:
        self.place = place

    def prices(self) -> list[SignedPrice]:
        try:
            if self.place.startswith(("http://", "https://")):
                records = httpx.get(self.place, timeout=TIMEOUT_S).raise_for_status().json()
            else:
                records = json.loads(Path(self.place).read_text())
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise SourceError(f"{self.place} gives no prices: {error}") from error
        if not isinstance(records, list):
            raise SourceError(f"{self.place} holds no array of prices")
        return [SignedPrice.parse(record) for record in records]


@dataclass(frozen=True)
class PushSettings:
    """A price is pushed when the one on chain is `after_age_ppm` of its largest age old, or `deviation_ppm` away."""

    after_age_ppm: int = 500_000
    deviation_ppm: int = 2_000


class OraclePusher:
    """Pushes what a source has signed; anyone may, and racing does no harm."""

    name = NAME

    def __init__(
        self, surveyor: Surveyor, executor: Executor, source: PriceSource, settings: PushSettings | None = None
    ) -> None:
        self.surveyor = surveyor
        self.executor = executor
        self.source = source
        self.settings = settings or PushSettings()

    def due(self, survey: Survey) -> list[SignedPrice]:
        """Prices that are newer than the chain's, not ahead of it, and needed there. Raises `SourceError`."""
        youngest = survey.head.time_s + MAX_AHEAD_MS // 1000
        newest: dict[int, SignedPrice] = {}
        for price in self.source.prices():
            view = survey.markets.get(price.market)
            if (
                view is None
                or view.state == MarketState.SETTLED
                or not view.published_at < price.published_at <= youngest
            ):
                continue
            age_ppm = (survey.head.time_s - view.published_at) * PPM // view.max_price_age_s
            moved = abs(price.price - view.price) * PPM >= self.settings.deviation_ppm * view.price
            known = newest.get(price.market)
            is_newer = known is None or known.published_at < price.published_at
            if is_newer and (moved or age_ppm >= self.settings.after_age_ppm):
                newest[price.market] = price
        return list(newest.values())[:MOST]

    def round(self) -> list[Outcome]:
        """Push what is due. Raises `ChainError`, also for a source that cannot be read."""
        survey = self.surveyor.survey()
        try:
            due = self.due(survey)
        except SourceError as error:
            raise ChainError(str(error)) from error
        if not due:
            return []
        [[oracle]] = ask(self.surveyor.chain, [(self.surveyor.exchange, ORACLE, ())], survey.head)
        entries = [(each.market, each.price, each.published_at, each.r, each.vs) for each in due]

        def gained(found: list[events.Event]) -> tuple[int, int] | None:
            return (0, 0) if any(isinstance(event, events.PricePushed) for event in found) else None

        subject = ", ".join(f"{survey.markets[each.market].ticker} at {each.price}" for each in due)
        call = Call(addresses.parse(str(oracle)), PUSH.encode(entries), self.executor.address)
        return self.executor.run([Action(Attempt(NAME, subject), call, gained)])
