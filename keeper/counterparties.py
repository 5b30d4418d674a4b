# SPDX-License-Identifier: AGPL-3.0-only
"""Who stands opposite a position that has to be closed without an order, and in which order they are taken.

Whoever profits most from the position, by its own quote, at the highest leverage, comes first:

    score = profit / |quote| * notional / equity        for a profit
    score = profit / |quote| / (notional / equity)      for a loss
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keeper.executor import WATERFALL_GAS, Action, Executor, Simulated
from keeper.functions import MARKET_INDICES, Function
from keeper.outcome import Attempt
from keeper.ports import Call, RefusedError
from keeper.reading import ask
from keeper.survey import MarketView, Survey, Surveyor
from keeper.watch import Account
from ouro.codec import PositionWord
from ouro.units import PPM, SCALE

MOST = 16
"""Counterparties that one call may name."""
TRIES = 8
LACKS_MARGIN = "counterparty lacks margin"


@dataclass(frozen=True)
class Target:
    """A position to close: signed lots held, and lots (positive) of it to close."""

    account: Account
    market: MarketView
    held: int
    lots: int


def score(position: PositionWord, g: int, price: int, equity_scaled: int) -> int:
    """In ppm of ppm; `g` is the index of the position's side. The lowest for an account that is worth nothing."""
    quote_scaled = position.q - position.size * g
    profit_scaled = quote_scaled + position.size * price * SCALE
    if equity_scaled <= 0:
        return -(10**30)
    return_ppm = profit_scaled * PPM // max(1, abs(quote_scaled))
    leverage_ppm = max(1, abs(position.size) * price * SCALE * PPM // equity_scaled)
    return return_ppm * leverage_ppm if return_ppm > 0 else return_ppm * PPM * PPM // leverage_ppm


class Counterparties:
    """The queue of each side of each market, and what earlier closes of the same round have used of it."""

    def __init__(self, surveyor: Surveyor, survey: Survey, first: Account | None = None) -> None:
        """`first` comes before all others where it stands opposite."""
        self.surveyor = surveyor
        self.survey = survey
        self.first = first
        self._queues: dict[tuple[int, bool], list[Account]] = {}
        self._left: dict[tuple[Account, int], int] = {}

    def choose(self, target: Target, excluded: Iterable[Account] = ()) -> list[tuple[Account, int]]:
        """Whom to name, best first, and how many lots each."""
        left_out = {target.account, *excluded}
        missing = target.lots
        chosen = []
        for account in self._queue(target):
            lots = min(missing, self._of(account, target.market.id))
            if lots > 0 and account not in left_out:
                chosen.append((account, lots))
                missing -= lots
            if missing == 0 or len(chosen) == MOST:
                break
        return chosen

    def health(self, account: Account) -> int:
        """Equity by maintenance margin, in ppm."""
        margin = self.survey.health[account].margin
        return margin.equity_scaled * PPM // max(1, margin.mm_scaled)

    def use(self, target: Target, chosen: Sequence[tuple[Account, int]]) -> None:
        """Remember what was named, so that nobody is asked for the same lots twice in a round."""
        for account, lots in chosen:
            self._left[account, target.market.id] = self._of(account, target.market.id) - lots

    def give_back(self, target: Target, chosen: Sequence[tuple[Account, int]]) -> None:
        """Take back what `use` remembered."""
        for account, lots in chosen:
            self._left[account, target.market.id] += lots

    def _of(self, account: Account, market_id: int) -> int:
        held = abs(self.surveyor.watch.lots_of(account, market_id))
        return self._left.get((account, market_id), held)

    def _queue(self, target: Target) -> list[Account]:
        key = (target.market.id, target.held > 0)
        if key not in self._queues:
            self._queues[key] = self._ranked(target)
        return self._queues[key]

    def _ranked(self, target: Target) -> list[Account]:
        market, watch = target.market, self.surveyor.watch
        [indices] = ask(self.surveyor.chain, [(self.surveyor.exchange, MARKET_INDICES, (market.id,))], self.survey.head)
        g = indices[1] if target.held > 0 else indices[0]

        def rank(account: Account) -> tuple[bool, int, Account]:
            word = watch.ledger.accounts[account].positions[market.id]
            equity = self.survey.health[account].margin.equity_scaled
            return (account != self.first, -score(word, g, market.price, equity), account)

        return sorted(watch.opposite(market.id, target.held), key=rank)


def close_against(
    targets: Sequence[Target], function: Function, name: str, counterparties: Counterparties, executor: Executor
) -> list[Simulated | RefusedError]:
    """For each target a close by `function` that would succeed now, or why none does.

    One counterparty that lacks margin makes a whole close fail, so the thinnest is left out until the others pass.
    """
    excluded: dict[int, set[Account]] = {place: set() for place in range(len(targets))}
    found: dict[int, Simulated | RefusedError] = {}
    for _ in range(TRIES):
        actions, named = [], []
        for place in excluded.keys() - {place for place, each in found.items() if not _lacks_margin(each)}:
            chosen = counterparties.choose(targets[place], excluded[place])
            if chosen:
                actions.append(_action(targets[place], function, name, chosen, counterparties, executor))
                named.append((place, chosen))
                counterparties.use(targets[place], chosen)
            else:
                found.setdefault(place, RefusedError("nobody stands opposite"))
        for (place, chosen), answer in zip(named, executor.simulate(actions), strict=True):
            found[place] = answer
            if isinstance(answer, RefusedError):
                counterparties.give_back(targets[place], chosen)
            if _lacks_margin(answer):
                excluded[place].add(min((account for account, _ in chosen), key=counterparties.health))
        if not any(_lacks_margin(each) for each in found.values()):
            break
    return [found[place] for place in range(len(targets))]


def _lacks_margin(answer: Simulated | RefusedError) -> bool:
    return isinstance(answer, RefusedError) and answer.reason == LACKS_MARGIN


def _action(
    target: Target,
    function: Function,
    name: str,
    chosen: Sequence[tuple[Account, int]],
    counterparties: Counterparties,
    executor: Executor,
) -> Action:
    owner, subaccount = target.account
    keys = [int(account, 16) << 16 | number for (account, number), _ in chosen]
    data = function.encode(owner, subaccount, target.market.id, keys, [lots for _, lots in chosen])
    lots = sum(lots for _, lots in chosen)
    subject = f"{target.market.ticker} of {owner}/{subaccount}, {lots} lots against {len(chosen)} accounts"
    call = Call(counterparties.surveyor.exchange, data, executor.address)
    return Action(Attempt(name, subject, lots), call, headroom=WATERFALL_GAS)
