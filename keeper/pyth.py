# SPDX-License-Identifier: AGPL-3.0-only
"""Brings Pyth's signed prices to the router's Pyth adapter, and pays Pyth's fee for them.

The router says which of Pyth's prices the exchange is priced by. A Hermes server hands them out, signed by Pyth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import httpx

from keeper.executor import Action, Executor
from keeper.feeds import Feed, Feeds, Kind, of_kind
from keeper.functions import UPDATE, UPDATE_FEE
from keeper.outcome import Attempt, Outcome
from keeper.ports import Call, ChainError, RefusedError
from keeper.pusher import PushSettings, SourceError, is_due
from keeper.survey import Survey, Surveyor
from ouro.eip712 import keccak
from ouro.urls import shown

NAME = "pyth"
TIMEOUT_S = 10.0
IDS_AT_ONCE = 16
MOST_UPDATES, MOST_BYTES = 4, 8_192
"""What the adapter takes in one call."""
MOST_FEE_WEI = 10**16
MOST_EXPONENT = 50
_UPDATED = "0x" + keccak(b"PriceFeedUpdate(bytes32,uint64,int64,uint64)").hex()


@dataclass(frozen=True)
class PythPrice:
    """`value` * 10^`exponent` USD, published at a time in seconds."""

    value: int
    exponent: int
    published_at: int

    def per_lot(self, size_decimals: int) -> int:
        """Micro-USDC per lot, to the nearest, as the adapter counts."""
        exact = Fraction(self.value) * Fraction(10) ** (self.exponent + 6 - size_decimals)
        return int(exact + Fraction(1, 2))


@dataclass(frozen=True)
class Bundle:
    """Signed updates, and what is in them by price id."""

    updates: tuple[bytes, ...]
    prices: dict[bytes, PythPrice]


class PriceServer(Protocol):
    """Who hands out Pyth's signed prices."""

    def latest(self, ids: Sequence[bytes]) -> Bundle:
        """The newest of each id. Raises `SourceError`."""


class Hermes:
    """A Hermes server behind an HTTP address."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def latest(self, ids: Sequence[bytes]) -> Bundle:
        query: list[tuple[str, str | int | float | bool | None]] = [("ids[]", "0x" + id_.hex()) for id_ in ids]
        query += [("encoding", "hex"), ("parsed", "true")]
        try:
            answer = httpx.get(f"{self.url}/v2/updates/price/latest", params=query, timeout=TIMEOUT_S)
            record = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise SourceError(f"{shown(self.url)} gives no prices: {type(error).__name__}") from None
        try:
            return _bundle(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SourceError(f"{shown(self.url)} answers what is no price update: {error!r}") from error


def _bundle(record: Any) -> Bundle:
    if record["binary"]["encoding"] != "hex":
        raise ValueError(f"encoded as {record['binary']['encoding']!r}, not hex")
    updates = tuple(_bytes(each) for each in record["binary"]["data"])
    if not 0 < len(updates) <= MOST_UPDATES or max(map(len, updates)) > MOST_BYTES:
        sizes = ", ".join(str(len(each)) for each in updates)
        raise ValueError(f"updates of {sizes or 'no'} bytes; the adapter takes {MOST_UPDATES} of {MOST_BYTES}")
    return Bundle(updates, {_bytes(each["id"]): _price(each["price"]) for each in record["parsed"]})


def _price(record: Any) -> PythPrice:
    exponent = int(record["expo"])
    if abs(exponent) > MOST_EXPONENT:
        raise ValueError(f"an exponent of {exponent}")
    return PythPrice(int(record["price"]), exponent, int(record["publish_time"]))


def _bytes(text: Any) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))


class PythPusher:
    """Updates what Pyth says on the chain when that grows old or the price has moved; anyone may, racing does no harm.
    Pays at most `max_fee_wei` for an update.
    """

    name = NAME

    def __init__(
        self,
        surveyor: Surveyor,
        executor: Executor,
        server: PriceServer,
        settings: PushSettings | None = None,
        *,
        max_fee_wei: int = MOST_FEE_WEI,
    ) -> None:
        self.surveyor = surveyor
        self.executor = executor
        self.server = server
        self.settings = settings or PushSettings()
        self.max_fee_wei = max_fee_wei
        self._feeds = Feeds(surveyor.chain, surveyor.exchange)

    def round(self) -> list[Outcome]:
        """Update what is due. Raises `ChainError`, also for a server that cannot be read."""
        survey = self.surveyor.survey()
        by_contract: dict[str, dict[bytes, list[Feed]]] = {}
        for feed in of_kind(self._feeds.read(survey), Kind.PYTH):
            by_contract.setdefault(feed.account, {}).setdefault(feed.id, []).append(feed)
        outcomes = []
        for feeds in by_contract.values():
            for start in range(0, len(feeds), IDS_AT_ONCE):
                ids = list(feeds)[start : start + IDS_AT_ONCE]
                outcomes += self._update(survey, {id_: feeds[id_] for id_ in ids})
        return outcomes

    def _update(self, survey: Survey, feeds: dict[bytes, list[Feed]]) -> list[Outcome]:
        """Each price in an update costs a fee, so that only those that are due are fetched for it."""
        due = self._due(survey, feeds, self._latest(list(feeds)))
        if not due:
            return []
        bundle = self._latest(due)
        adapter = feeds[due[0]][0].adapter
        names = ", ".join(survey.markets[feed.market].ticker for id_ in due for feed in feeds[id_])
        fee_call = Call(adapter, UPDATE_FEE.encode(bundle.updates))
        [answer] = self.surveyor.chain.call_many([fee_call], survey.head.hash)
        if isinstance(answer, RefusedError):
            return [self.executor.skip(Attempt(NAME, names), f"Pyth refuses the update: {answer.reason}")]
        [fee] = UPDATE_FEE.decode(answer)
        attempt = Attempt(NAME, f"{names} for a fee of {fee} wei")
        if fee > self.max_fee_wei:
            return [self.executor.skip(attempt, f"more than the {self.max_fee_wei} wei that an update may cost")]
        call = Call(adapter, UPDATE.encode(bundle.updates), self.executor.address, fee)
        return self.executor.run([Action(attempt, call, sign=_UPDATED)])

    def _due(self, survey: Survey, feeds: dict[bytes, list[Feed]], bundle: Bundle) -> list[bytes]:
        markets = self.surveyor.watch.ledger.markets
        found = []
        for id_, served in feeds.items():
            price = bundle.prices.get(id_)
            if price is not None and any(
                is_due(
                    self.settings, survey, feed, price.per_lot(markets[feed.market].size_decimals), price.published_at
                )
                for feed in served
            ):
                found.append(id_)
        return found

    def _latest(self, ids: Sequence[bytes]) -> Bundle:
        try:
            return self.server.latest(ids)
        except SourceError as error:
            raise ChainError(str(error)) from error
