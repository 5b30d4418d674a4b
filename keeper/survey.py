# SPDX-License-Identifier: AGPL-3.0-only
"""The exchange as it stands after one block: markets, and the health of every account that holds a position.

Who holds positions is known from the events since the deployment; how they stand is asked of the contract, for all of
them at the same block, so no figure of one block meets one of another.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from keeper.functions import INSURANCE, MARGIN_OF, MARGIN_SCALE, MARKET, OPEN_INTEREST, POSITION
from keeper.oracle import ChainOracle
from keeper.ports import Chain, Head, Oracle
from keeper.reading import View, ask
from keeper.watch import Account, ChainWatch
from ouro.codec import PositionWord, unpack_position
from ouro.deployment import Deployment
from ouro.markets import MarketState
from ouro.maths.margin import Margin, scaled_imf


@dataclass(frozen=True)
class MarketView:
    """A market at one block: index price in micro-USDC per lot and when it was published (s), ppm fractions (`imf_ppm`
    as open interest scales it), open interest in lots, largest age of a price in seconds.
    """

    id: int
    ticker: str
    price: int
    imf_ppm: int
    mmf_ppm: int
    liquidation_floor_ppm: int
    base_imf_ppm: int
    published_at: int = 0
    is_fresh: bool = True
    state: int = MarketState.ACTIVE
    open_interest: int = 0
    max_price_age_s: int = 0

    @property
    def is_open(self) -> bool:
        """Whether positions in it can be taken over: the price is fresh, and not fixed for ever."""
        return self.is_fresh and self.state != MarketState.SETTLED


@dataclass(frozen=True)
class Health:
    """An account's figures; `is_stale` when the price of one of its markets is."""

    margin: Margin
    is_stale: bool

    @property
    def is_liquidatable(self) -> bool:
        return self.margin.equity_scaled < self.margin.mm_scaled

    @property
    def is_insolvent(self) -> bool:
        return self.margin.equity_scaled < 0


@dataclass(frozen=True)
class Survey:
    """All of it, after block `head`. Insurance in micro-USDC."""

    head: Head
    markets: dict[int, MarketView]
    health: dict[Account, Health]
    insurance: int

    def liquidatable(self) -> list[Account]:
        """Accounts below maintenance margin."""
        return [account for account, health in self.health.items() if health.is_liquidatable]


class Surveyor:
    """Reads surveys, one per block."""

    def __init__(self, chain: Chain, deployment: Deployment, oracle: Oracle | None = None, **watching: int) -> None:
        self.chain = chain
        self.exchange = deployment.contracts.exchange
        self.oracle = oracle or ChainOracle(chain, self.exchange)
        self.watch = ChainWatch(chain, deployment, **watching)
        self.last: Survey | None = None

    def survey(self) -> Survey:
        """The newest block's. Raises `ChainError`."""
        head = self.watch.sync()
        if self.last is None or self.last.head.hash != head.hash:
            holders = self.watch.holders()
            health = self.health(holders, head)
            [[insurance]] = ask(self.chain, [(self.exchange, INSURANCE, ())], head)
            self.last = Survey(head, self._markets(head), health, insurance)
        return self.last

    def health(self, accounts: Iterable[Account], head: Head) -> dict[Account, Health]:
        """Figures of accounts after a block."""
        named = list(accounts)
        answers = ask(self.chain, [(self.exchange, MARGIN_OF, account) for account in named], head)
        return {
            account: Health(Margin(equity, initial, maintenance), stale)
            for account, (equity, initial, maintenance, stale) in zip(named, answers, strict=True)
        }

    def positions(self, accounts: Iterable[Account], head: Head) -> dict[Account, dict[int, PositionWord]]:
        """Positions by account and market id after a block, as the contract has them, flat ones left out."""
        wanted = [(account, market_id) for account in accounts for market_id in self.watch.markets_of(account)]
        views: list[View] = [(self.exchange, POSITION, (*account, market_id)) for account, market_id in wanted]
        found: dict[Account, dict[int, PositionWord]] = {}
        for (account, market_id), [word] in zip(wanted, ask(self.chain, views, head), strict=True):
            position = unpack_position(word)
            if position.size:
                found.setdefault(account, {})[market_id] = position
        return found

    def _markets(self, head: Head) -> dict[int, MarketView]:
        ids = sorted(self.watch.ledger.markets)
        prices = self.oracle.prices(ids, head)
        answers = ask(
            self.chain,
            [(self.exchange, view, (id_,)) for view in (MARKET, MARGIN_SCALE, OPEN_INTEREST) for id_ in ids],
            head,
        )
        terms, scales, interests = (answers[start : start + len(ids)] for start in range(0, 3 * len(ids), len(ids)))
        views = {}
        for id_, market, (scale_from, scale_to), [lots] in zip(ids, terms, scales, interests, strict=True):
            ticker, _, _, _, imf, mmf, _, _, max_age, floor, state = market
            price, published_at = prices[id_]
            if state == MarketState.SETTLED:
                price = self.watch.ledger.markets_state[id_].index_price
            views[id_] = MarketView(
                id=id_,
                ticker=ticker,
                price=price,
                imf_ppm=scaled_imf(imf, scale_from, scale_to, lots * price),
                mmf_ppm=mmf,
                liquidation_floor_ppm=floor,
                base_imf_ppm=imf,
                published_at=published_at,
                is_fresh=price > 0 and head.time_s <= published_at + max_age,
                state=state,
                open_interest=lots,
                max_price_age_s=max_age,
            )
        return views
