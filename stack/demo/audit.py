# SPDX-License-Identifier: AGPL-3.0-only
"""Do contracts, relayer and indexer agree to the unit, and is every token accounted for? Pure: facts in, checks out.

It stands on raw calls, token balances and `stack.demo.model`, and on nothing that the exchange itself calculates with.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from stack.demo.facts import Facts, SeenFill
from stack.demo.model import SCALE, Account, Model, fee
from stack.demo.raw import Event, unpack_detail, unpack_position

MOST_SHOWN = 5
SETTLED = ("confirmed", "final")

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Check:
    """One question with its answer; `faults` is empty if all is well."""

    question: str
    answer: str
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.faults


def audit(facts: Facts) -> list[Check]:
    """Every check, in the order of a report."""
    model = Model().replay(facts.chain.events)
    settled = {fill.fill_id: fill for fill in map(_settled(facts.tickers), _named(facts, "Fill"))}
    rejected = {event.args["fill_id"] for event in _named(facts, "FillRejected")}
    return [
        _tokens(facts),
        _vault(facts, model),
        _conservation(facts, model),
        _replay(model),
        _accounts(facts, model),
        _funds(facts, model),
        _market_sums(facts),
        _no_fill_twice(facts),
        _relayer_fills(facts, settled, rejected),
        _relayer_orders(facts, settled.values()),
        _indexer_fills(facts, settled),
        _indexer_positions(facts),
        _indexer_balances(facts),
    ]


def rejected_share(facts: Facts) -> tuple[int, int]:
    """How many fills the contract rejected, and of how many that it was given."""
    rejected = sum(1 for _ in _named(facts, "FillRejected"))
    return rejected, rejected + sum(1 for _ in _named(facts, "Fill"))


def _tokens(facts: Facts) -> Check:
    chain = facts.chain
    held = sum(chain.tokens.values())
    return _check(
        "Do all wallets and the Vault hold what was ever minted?",
        f"{_usdc(held)} USDC in {len(chain.tokens)} places",
        [] if held == chain.supply else [f"{held} held, {chain.supply} minted"],
    )


def _vault(facts: Facts, model: Model) -> Check:
    held, owed = facts.chain.tokens.get(facts.chain.vault, 0), model.deposited - model.withdrawn
    return _check(
        "Does the Vault hold deposits less withdrawals?",
        f"{_usdc(held)} USDC",
        [] if held == owed else [f"{held} held, {model.deposited} in and {model.withdrawn} out"],
    )


def _conservation(facts: Facts, model: Model) -> Check:
    """From the contracts' words alone: claims equal tokens but for rounding, which only ever favours the Vault."""
    chain = facts.chain
    claims = (sum(chain.cash.values()) + chain.insurance + chain.fees) * SCALE
    for (_, market), word in chain.positions.items():
        size, quote = unpack_position(word)
        g_long, g_short = chain.indices[market]
        claims += quote - size * (g_long if size > 0 else g_short if size < 0 else 0)
    dust = chain.tokens.get(chain.vault, 0) * SCALE - claims
    faults = []
    if not 0 <= dust <= model.dust_bound:
        faults.append(f"{dust} / 2^32 micro-USDC too much in the Vault, which may be 0 to {model.dust_bound}")
    if dust != model.dust:
        faults.append(f"{dust} / 2^32 micro-USDC too much in the Vault, {model.dust} by rounding")
    return _check(
        "Do cash, positions, insurance and fees add up to the Vault's tokens?",
        f"but for {-(-dust // SCALE)} micro-USDC of rounding in {model.closings} closings, in the Vault's favour",
        faults,
    )


def _replay(model: Model) -> Check:
    return _check("Do the events add up, one by one?", "every fee, position and balance", model.complaints)


def _accounts(facts: Facts, model: Model) -> Check:
    chain = facts.chain
    words = {key: unpack_position(word) for key, word in chain.positions.items()}
    computed = {key: (p.size, p.quote) for key, p in model.positions.items()}
    faults = _differences("cash", chain.cash, model.cash, 0)
    faults += _differences("position", words, computed, (0, 0))
    indices = {market: (index.g_long, index.g_short) for market, index in model.indices.items()}
    faults += _differences("indices", chain.indices, indices, (0, 0))
    return _check(
        "Is every account's word in storage what its history makes it?",
        f"{len(chain.cash)} accounts, {sum(1 for size, _ in words.values() if size)} open positions",
        faults,
    )


def _funds(facts: Facts, model: Model) -> Check:
    chain = facts.chain
    faults = []
    if chain.insurance != model.insurance:
        faults.append(f"insurance {chain.insurance}, computed {model.insurance}")
    if chain.fees != model.fees:
        faults.append(f"fees {chain.fees}, computed {model.fees}")
    answer = f"{_usdc(chain.insurance)} and {_usdc(chain.fees)} USDC"
    return _check("Are insurance fund and fees right?", answer, faults)


def _market_sums(facts: Facts) -> Check:
    chain, faults = facts.chain, []
    for market, open_interest in chain.open_interest.items():
        sizes = [unpack_position(word)[0] for (_, id_), word in chain.positions.items() if id_ == market]
        if sum(sizes):
            faults.append(f"sizes in market {market} sum to {sum(sizes)}")
        longs = sum(max(0, size) for size in sizes)
        if longs != open_interest:
            faults.append(f"{longs} lots are long in market {market}, {open_interest} stored")
    shown = ", ".join(f"{facts.tickers[market]} {lots} lots" for market, lots in chain.open_interest.items())
    return _check("Is there a short for every long?", f"open interest {shown}", faults)


def _no_fill_twice(facts: Facts) -> Check:
    ids = Counter(unpack_detail(event.args["detail"]).fill_id for event in _named(facts, "Fill"))
    faults = [f"fill {fill_id} settled {times} times" for fill_id, times in ids.items() if times > 1]
    faults += [f"fill {fill_id} confirmed in two transactions" for fill_id in facts.relayer.settled_twice]
    return _check("Was any fill settled twice?", f"no, {len(ids)} fills", faults)


def _relayer_fills(facts: Facts, settled: Mapping[int, SeenFill], rejected: set[int]) -> Check:
    relayer = facts.relayer
    faults = []
    for fill_id, status in relayer.statuses.items():
        if status in SETTLED:
            if relayer.fills[fill_id] != settled.get(fill_id):
                faults.append(f"fill {fill_id}: relayer {relayer.fills[fill_id]}, chain {settled.get(fill_id)}")
        elif status == "rejected":
            if fill_id in settled or fill_id not in rejected:
                faults.append(f"fill {fill_id} is rejected at the relayer, not on chain")
        else:
            faults.append(f"fill {fill_id} is still {status}")
    faults += [f"fill {fill_id} is unknown to the relayer" for fill_id in settled if fill_id not in relayer.fills]
    return _check("Does the relayer know exactly the fills of the chain?", f"{len(relayer.fills)} fills", faults)


def _relayer_orders(facts: Facts, settled: Iterable[SeenFill]) -> Check:
    """No acknowledged order is lost, and each is filled by what settled."""
    filled: Counter[str] = Counter()
    for fill in settled:
        filled[fill.taker_order] += fill.size
        filled[fill.maker_order] += fill.size
    orders = facts.relayer.orders
    faults = [f"order {order_id} is lost" for order_id in facts.acknowledged if order_id.lower() not in orders]
    for order_id, order in orders.items():
        if order["filled"] != filled[order_id]:
            faults.append(f"order {order_id} is filled {order['filled']} at the relayer, {filled[order_id]} on chain")
        if order["filled"] > order["size"]:
            faults.append(f"order {order_id} is filled beyond its size")
    faults += [f"order {order_id} settled but is unknown" for order_id in filled if order_id not in orders]
    answer = f"{len(facts.acknowledged)} acknowledged, {len(orders)} in the log"
    return _check("Does the relayer still know every order, and its fills?", answer, faults)


def _indexer_fills(facts: Facts, settled: Mapping[int, SeenFill]) -> Check:
    indexer = facts.indexer
    faults = [f"fill {i} has {n} sides" for i, n in indexer.sides.items() if n != 2]
    faults += _differences("fill", indexer.fills, settled, None)
    liquidated = sum(2 for _ in _named(facts, "Liquidated"))
    if indexer.liquidations != liquidated:
        faults.append(f"{indexer.liquidations} sides of liquidations, {liquidated} on chain")
    return _check("Is /v4/fills the chain's events?", f"{sum(indexer.sides.values())} sides", faults)


def _indexer_positions(facts: Facts) -> Check:
    sizes = {
        (account, facts.tickers[market]): unpack_position(word)[0]
        for (account, market), word in facts.chain.positions.items()
    }
    faults = _differences("position", facts.indexer.positions, sizes, 0)
    return _check("Is /v4/perpetualPositions in storage?", f"{len(facts.indexer.positions)} open", faults)


def _indexer_balances(facts: Facts) -> Check:
    equity = {account: value // SCALE for account, value in facts.chain.equity.items()}
    faults = _differences("cash", facts.indexer.cash, facts.chain.cash, 0)
    faults += _differences("equity", facts.indexer.equity, equity, 0)
    answer = f"{_usdc(sum(facts.indexer.cash.values()))} USDC of cash, {_usdc(sum(equity.values()))} of equity"
    return _check("Does the indexer show the contracts' balances?", answer, faults)


def _settled(tickers: Mapping[int, str]) -> Callable[[Event], SeenFill]:
    def settled(event: Event) -> SeenFill:
        args, detail = event.args, unpack_detail(event.args["detail"])
        taker: Account = (args["taker"], detail.taker_subaccount)
        notional = detail.price * detail.size
        return SeenFill(
            fill_id=detail.fill_id,
            market=tickers[detail.market],
            price=detail.price,
            size=detail.size,
            taker=taker,
            maker=(args["maker"], detail.maker_subaccount),
            taker_order=args["taker_order"],
            maker_order=args["maker_order"],
            taker_sold=detail.taker_sold,
            taker_fee=fee(notional, detail.taker_fee_ppm),
            maker_fee=fee(notional, detail.maker_fee_ppm),
        )

    return settled


def _named(facts: Facts, name: str) -> Iterator[Event]:
    return (event for event in facts.chain.events if event.name == name)


def _differences(what: str, said: Mapping[K, V], computed: Mapping[K, V], none: V | None) -> list[str]:
    """Entries that differ; one that is missing counts as `none`."""
    keys = [*said, *(key for key in computed if key not in said)]
    return [
        f"{what} of {key} is {said.get(key, none)}, computed {computed.get(key, none)}"
        for key in keys
        if said.get(key, none) != computed.get(key, none)
    ]


def _check(question: str, answer: str, faults: list[str]) -> Check:
    if len(faults) > MOST_SHOWN:
        faults = [*faults[:MOST_SHOWN], f"and {len(faults) - MOST_SHOWN} more"]
    return Check(question, answer, tuple(faults))


def _usdc(micro: int) -> str:
    sign = "-" if micro < 0 else ""
    return f"{sign}{abs(micro) // 10**6:,}.{abs(micro) % 10**6:06d}"
