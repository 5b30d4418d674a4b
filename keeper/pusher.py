# SPDX-License-Identifier: AGPL-3.0-only
"""Brings signed prices to the PushedOracle when what is there grows old, or the price has moved."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from keeper.executor import Action, Executor
from keeper.feeds import Feed, Feeds, Kind, of_kind
from keeper.functions import PUSH
from keeper.outcome import Attempt, Outcome
from keeper.ports import Call, ChainError
from keeper.survey import Survey, Surveyor
from ouro import events
from ouro.units import MAX_AHEAD_MS, MAX_PRICE, PPM
from ouro.urls import shown

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
            # Not the error itself, which repeats the address.
            raise SourceError(f"{self._shown()} gives no prices: {type(error).__name__}") from None
        if not isinstance(records, list):
            raise SourceError(f"{self._shown()} holds no array of prices")
        return [SignedPrice.parse(record) for record in records]

    def _shown(self) -> str:
        """A path, or the host of an address, which may hold a key."""
        return shown(self.place) if "://" in self.place else self.place


@dataclass(frozen=True)
class PushSettings:
    """A price is pushed when the one on chain is `after_age_ppm` of its largest age old, or `deviation_ppm` away."""

    after_age_ppm: int = 500_000
    deviation_ppm: int = 2_000


def is_due(settings: PushSettings, survey: Survey, feed: Feed, price: int, published_at: int) -> bool:
    """Whether a price (micro-USDC per lot) is newer than the source's on chain, not ahead of it, and needed there."""
    now = survey.head.time_s
    if not 0 < price <= MAX_PRICE or not feed.published_at < published_at <= now + MAX_AHEAD_MS // 1000:
        return False
    is_old = (now - feed.published_at) * PPM >= settings.after_age_ppm * feed.max_age_s
    return is_old or abs(price - feed.price) * PPM >= settings.deviation_ppm * feed.price


class OraclePusher:
    """Pushes what a source has signed to the PushedOracle that prices the exchange, or is one of its router's sources.
    Anyone may, and racing does no harm.
    """

    name = NAME

    def __init__(
        self, surveyor: Surveyor, executor: Executor, source: PriceSource, settings: PushSettings | None = None
    ) -> None:
        self.surveyor = surveyor
        self.executor = executor
        self.source = source
        self.settings = settings or PushSettings()
        self._feeds = Feeds(surveyor.chain, surveyor.exchange)

    def due(self, survey: Survey) -> list[tuple[Feed, SignedPrice]]:
        """Prices to push, and whose they are. Raises `SourceError`, `ChainError`."""
        newest: dict[tuple[str, bytes], tuple[Feed, SignedPrice]] = {}
        feeds = of_kind(self._feeds.read(survey), Kind.PUSHED)
        for price in self.source.prices():
            for feed in feeds:
                if int.from_bytes(feed.id, "big") != price.market:
                    continue
                name = (feed.account, feed.id)
                is_newer = name not in newest or newest[name][1].published_at < price.published_at
                if is_newer and is_due(self.settings, survey, feed, price.price, price.published_at):
                    newest[name] = feed, price
        return list(newest.values())

    def round(self) -> list[Outcome]:
        """Push what is due. Raises `ChainError`, also for a source that cannot be read."""
        survey = self.surveyor.survey()
        try:
            due = self.due(survey)
        except SourceError as error:
            raise ChainError(str(error)) from error
        by_oracle: dict[str, list[tuple[Feed, SignedPrice]]] = {}
        for feed, price in due:
            by_oracle.setdefault(feed.account, []).append((feed, price))
        return self.executor.run([self._action(survey, oracle, each[:MOST]) for oracle, each in by_oracle.items()])

    def _action(self, survey: Survey, oracle: str, due: list[tuple[Feed, SignedPrice]]) -> Action:
        def gained(found: list[events.Event]) -> tuple[int, int] | None:
            return (0, 0) if any(isinstance(event, events.PricePushed) for event in found) else None

        entries = [(each.market, each.price, each.published_at, each.r, each.vs) for _, each in due]
        subject = ", ".join(f"{survey.markets[feed.market].ticker} at {each.price}" for feed, each in due)
        return Action(Attempt(NAME, subject), Call(oracle, PUSH.encode(entries), self.executor.address), gained)
