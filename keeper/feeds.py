# SPDX-License-Identifier: AGPL-3.0-only
"""Where the exchange's index prices come from: the sources of its router, or a PushedOracle that it reads itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from keeper.functions import ORACLE, PYTH, READINGS, SIGNER, SOURCES_OF, Function
from keeper.ports import Call, Chain, ChainError, Head, RefusedError
from keeper.reading import ask
from keeper.survey import MarketView, Survey
from ouro import addresses
from ouro.markets import MarketState


class Kind(StrEnum):
    """What a source is, by what its contract answers."""

    PUSHED = "pushed"
    PYTH = "pyth"
    OTHER = "other"


@dataclass(frozen=True)
class Feed:
    """A source's price of a market, micro-USDC per lot (0: none), and when it was published (s). `id` are the 32 bytes
    by which the source knows the market; `account` is who must be told prices: the PushedOracle, or Pyth's contract.
    """

    market: int
    adapter: str
    id: bytes
    kind: Kind
    account: str
    max_age_s: int
    is_enabled: bool
    price: int
    published_at: int
    is_own: bool = False
    """Whether the Exchange reads it itself, without a router."""


class Feeds:
    """Asks for them. What a contract is, it is asked once."""

    def __init__(self, chain: Chain, exchange: str) -> None:
        self.chain = chain
        self.exchange = exchange
        self._kinds: dict[str, tuple[Kind, str]] = {}

    def read(self, survey: Survey) -> list[Feed]:
        """The sources of all markets that have not ended, as they stand after the survey's block. None of an oracle
        that is neither router nor PushedOracle. Raises `ChainError`.
        """
        [[oracle]] = ask(self.chain, [(self.exchange, ORACLE, ())], survey.head)
        markets = [view for view in survey.markets.values() if has_index_price(view)]
        kind, account = self._kind(addresses.parse(str(oracle)), survey.head)
        if kind is Kind.PUSHED:
            return [_own(view, account) for view in markets]
        return self._routed(str(oracle), markets, survey.head)

    def _routed(self, router: str, markets: list[MarketView], head: Head) -> list[Feed]:
        calls = [Call(router, function.encode(view.id)) for function in (SOURCES_OF, READINGS) for view in markets]
        answers = self.chain.call_many(calls, head.hash)
        found = []
        for view, sources, readings in zip(markets, answers[: len(markets)], answers[len(markets) :], strict=True):
            if isinstance(sources, RefusedError) or isinstance(readings, RefusedError):
                continue
            _, _, _, named, enabled = SOURCES_OF.decode(sources)
            [said] = READINGS.decode(readings)
            for (adapter, id_, max_age), is_enabled, (price, at) in zip(named, enabled, said, strict=True):
                address = addresses.parse(str(adapter))
                kind, account = self._kind(address, head)
                found.append(Feed(view.id, address, bytes(id_), kind, account, max_age, is_enabled, price, at))
        return found

    def _kind(self, address: str, head: Head) -> tuple[Kind, str]:
        known = self._kinds.get(address)
        if known is None:
            known = self._kinds[address] = self._asked(address, head)
        return known

    def _asked(self, address: str, head: Head) -> tuple[Kind, str]:
        calls = [Call(address, function.encode()) for function in (SIGNER, PYTH)]
        signer, pyth = self.chain.call_many(calls, head.hash)
        if _address(SIGNER, signer):
            return Kind.PUSHED, address
        if account := _address(PYTH, pyth):
            return Kind.PYTH, account
        return Kind.OTHER, address


def of_kind(feeds: Iterable[Feed], kind: Kind) -> list[Feed]:
    """Those of one kind that count."""
    return [feed for feed in feeds if feed.kind is kind and feed.is_enabled]


def has_index_price(view: MarketView) -> bool:
    """Whether the oracle prices the market: not before it is listed, nor once its price is fixed for ever."""
    return view.state not in (MarketState.UNLISTED, MarketState.SETTLED)


def _own(view: MarketView, oracle: str) -> Feed:
    id_ = view.id.to_bytes(32, "big")
    return Feed(
        view.id, oracle, id_, Kind.PUSHED, oracle, view.max_price_age_s, True, view.price, view.published_at, True
    )


def _address(function: Function, answer: bytes | RefusedError) -> str:
    """ "" where the contract has no such function."""
    if isinstance(answer, RefusedError):
        return ""
    try:
        [found] = function.decode(answer)
    except ChainError:
        return ""
    return addresses.parse(str(found))
