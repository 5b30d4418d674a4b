# SPDX-License-Identifier: AGPL-3.0-only
"""The demo's audit passes a sound exchange, and fails one in which any single figure was tampered with."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stack.demo.audit import audit, rejected_share
from stack.demo.facts import ChainFacts, Facts, IndexerFacts, RelayerFacts, SeenFill
from stack.demo.model import SCALE
from stack.demo.raw import Event

VAULT = "0x" + "0a" * 20
TAKER = ("0x" + "01" * 20, 0)
MAKER = ("0x" + "02" * 20, 3)
KEEPER = ("0x" + "03" * 20, 0)
BACKSTOP = ("0x" + "04" * 20, 0)
DEPOSIT = 1_000_000_000
INSURANCE = 5_000_000
BUY, SELL, BID, LATE = ("0x" + digit * 64 for digit in "abcd")
PRICE = 2_000_000
G = 1_001
"""The index at the second hour: a lot longs pays so many 1 / 2^32 of a micro-USDC."""
HOUR = 3_600
SLOPE = 7 * PRICE * 2**32 // (10**8 * HOUR)


def word(size: int, quote: int) -> int:
    return (size & 2**64 - 1) << 192 | (quote & 2**128 - 1) << 64


def detail(fill_id: int, price: int, size: int, sold: bool) -> int:
    fees = 350 << 32
    accounts = TAKER[1] << 64 | MAKER[1] << 48
    return fill_id << 192 | price << 144 | size << 96 | 1 << 80 | accounts | fees | sold


class _Chain:
    """Writes events with rising places."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now = HOUR - 60

    def add(self, transaction: str, name: str, **args: Any) -> None:
        self.events.append(Event(name, "0x", transaction, (len(self.events), 0), args, self.now))

    def settled(self, transaction: str, fees: int) -> None:
        head = {"prev": "0x0", "next": "0x1"}
        self.add(transaction, "BatchSettled", operator=KEEPER[0], **head, settled=1, rejected=0, fees=fees)


def fill_event(chain: _Chain, transaction: str, price: int, sold: bool, taker: int, maker: int, number: int) -> None:
    chain.add(
        transaction,
        "Fill",
        taker=TAKER[0],
        maker=MAKER[0],
        detail=detail(number, price, 10 if number == 1 else 4, sold),
        taker_order=SELL if sold else BUY,
        maker_order=BID if sold else LATE,
        taker_position=taker,
        maker_position=maker,
    )


def sound() -> Facts:
    """Two fills between two accounts, an hour of funding between them, a rejected fill and a liquidation."""
    chain = _Chain()
    for account in (TAKER, MAKER, KEEPER):
        chain.add(f"deposit {account}", "Transfer", sender=VAULT, receiver=VAULT, value=0)
        chain.add(
            f"deposit {account}", "Deposited", account=account[0], subaccount=account[1], amount=DEPOSIT, payer=""
        )
        chain.add(
            f"deposit {account}", "Credited", account=account[0], subaccount=account[1], amount=DEPOSIT, cash=DEPOSIT
        )
    chain.add("name", "BackstopSet", backstop=BACKSTOP[0])
    cash = {TAKER: DEPOSIT, MAKER: DEPOSIT, KEEPER: DEPOSIT, BACKSTOP: 30_000}
    chain.add("donate", "Donated", payer=KEEPER[0], amount=INSURANCE)
    chain.add("donate", "InsuranceChanged", delta=INSURANCE, balance=INSURANCE)

    # the taker buys 10 lots for 20 USDC and a fee of 0.007
    bought, sold = -(20_000_000 + 7_000) * SCALE, 20_000_000 * SCALE
    fill_event(chain, "one", PRICE, False, word(10, bought), word(-10, sold), 1)
    chain.settled("one", 7_000)
    chain.now = HOUR

    # then, on an index of G, sells 4 of them for 8.4 USDC and a fee of 0.00294; another fill is rejected
    taker_quote = bought + (8_400_000 - 2_940) * SCALE + (6 - 10) * G
    maker_quote = sold - 8_400_000 * SCALE + (-6 + 10) * G
    # what was opened on index 0 is carried over: Q - s0 G + s1 G
    fill_event(chain, "two", 2_100_000, True, word(6, taker_quote), word(-6, maker_quote), 2)
    chain.add("two", "FillRejected", fill_id=3, order_id=LATE, fault_class=2, reason="margin")
    chain.add("two", "FundingAccrued", market=1, g_long=G, g_short=G, rate=7, index_price=PRICE, at=HOUR)
    chain.settled("two", 2_940)
    chain.now += 10
    later = G + 10 * SLOPE

    # the keeper takes the last 6 over at 1.9, of which the fund keeps 0.01 a lot
    left = taker_quote - 6 * later + 6 * (1_900_000 - 10_000) * SCALE
    realised = left // SCALE
    # and gives half of it to the backstop
    chain.add("three", "BackstopChanged", delta=30_000, cash=30_000)
    chain.add("three", "InsuranceChanged", delta=30_000, balance=INSURANCE + 30_000)
    keeper_quote = -6 * 1_900_000 * SCALE + 6 * later
    chain.add(
        "three",
        "Liquidated",
        account=TAKER[0],
        liquidator=KEEPER[0],
        subaccount=0,
        liquidator_subaccount=0,
        market=1,
        size=6,
        price=1_900_000,
        insurance_fee=60_000,
        covered=0,
        position=word(0, left),
        liquidator_position=word(6, keeper_quote),
    )
    cash[TAKER] += realised
    chain.add("out", "Withdrawn", account=TAKER[0], subaccount=0, amount=100, to=TAKER[0], id_or_nonce=1, instant=True)
    cash[TAKER] -= 100
    chain.add("out", "Debited", account=TAKER[0], subaccount=0, amount=100, cash=cash[TAKER])

    # an hour later somebody opens the next one, which has no rate
    chain.now = 2 * HOUR
    end = G + 3_600 * SLOPE
    chain.add("poke", "FundingAccrued", market=1, g_long=end, g_short=end, rate=0, index_price=PRICE, at=2 * HOUR)

    price = 1_950_000
    facts = ChainFacts(
        events=chain.events,
        supply=5 * DEPOSIT + INSURANCE,
        tokens={VAULT: 3 * DEPOSIT + INSURANCE - 100, TAKER[0]: 2 * DEPOSIT + 100},
        vault=VAULT,
        cash=cash,
        equity={
            TAKER: cash[TAKER] * SCALE,
            MAKER: cash[MAKER] * SCALE + maker_quote + 6 * end - 6 * price * SCALE,
            BACKSTOP: cash[BACKSTOP] * SCALE,
            KEEPER: cash[KEEPER] * SCALE + keeper_quote - 6 * end + 6 * price * SCALE,
        },
        positions={(TAKER, 1): word(0, 0), (MAKER, 1): word(-6, maker_quote), (KEEPER, 1): word(6, keeper_quote)},
        indices={1: (end, end)},
        open_interest={1: 6},
        insurance=INSURANCE + 30_000,
        fees=9_940,
    )
    one = SeenFill(1, "BTC-USD", PRICE, 10, TAKER, MAKER, BUY, LATE, False, 7_000, 0)
    two = SeenFill(2, "BTC-USD", 2_100_000, 4, TAKER, MAKER, SELL, BID, True, 2_940, 0)
    three = replace(one, fill_id=3, size=1)
    orders = {BUY: 10, LATE: 10, SELL: 4, BID: 4}
    return Facts(
        chain=facts,
        relayer=RelayerFacts(
            fills={1: one, 2: two, 3: three},
            statuses={1: "final", 2: "confirmed", 3: "rejected"},
            settled_twice=[],
            orders={order: {"size": 20, "filled": filled} for order, filled in orders.items()},
        ),
        indexer=IndexerFacts(
            height=9,
            fills={1: one, 2: two},
            sides={1: 2, 2: 2},
            liquidations=2,
            positions={(MAKER, "BTC-USD"): -6, (KEEPER, "BTC-USD"): 6},
            cash=dict(cash),
            equity={account: equity // SCALE for account, equity in facts.equity.items()},
        ),
        tickers={1: "BTC-USD"},
        acknowledged=[BUY, SELL],
    )


def failed(facts: Facts) -> set[str]:
    return {check.question for check in audit(facts) if not check.passed}


def test_a_sound_exchange_passes() -> None:
    assert [check.faults for check in audit(sound()) if not check.passed] == []


def test_the_share_of_rejected_fills() -> None:
    assert rejected_share(sound()) == (1, 3)


def chain(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, chain=replace(facts.chain, **changes))


def relayer(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, relayer=replace(facts.relayer, **changes))


def indexer(**changes: Any) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, indexer=replace(facts.indexer, **changes))


def event(name: str, which: int = 0, **changes: Any) -> Callable[[Facts], Facts]:
    """The `which`-th event of a name, told differently."""

    def altered(facts: Facts) -> Facts:
        events = list(facts.chain.events)
        at = [place for place, found in enumerate(events) if found.name == name][which]
        events[at] = replace(events[at], args={**events[at].args, **changes})
        return replace(facts, chain=replace(facts.chain, events=events))

    return altered


SOUND = sound()
CHAIN, RELAYER, INDEXER = SOUND.chain, SOUND.relayer, SOUND.indexer
TAMPERED: dict[str, Callable[[Facts], Facts]] = {
    "a token minted from nowhere": chain(tokens={**CHAIN.tokens, TAKER[0]: 2 * DEPOSIT + 101}),
    "a token gone from the vault": chain(tokens={**CHAIN.tokens, VAULT: 3 * DEPOSIT + INSURANCE - 101}),
    "one unit of cash too much": chain(cash={**CHAIN.cash, MAKER: DEPOSIT + 1}),
    "one unit of cash too little": chain(cash={**CHAIN.cash, MAKER: DEPOSIT - 1}),
    "a cent moved between accounts": chain(cash={**CHAIN.cash, MAKER: DEPOSIT + 1, KEEPER: CHAIN.cash[KEEPER] - 1}),
    "insurance": chain(insurance=CHAIN.insurance + 1),
    "fees": chain(fees=CHAIN.fees - 1),
    "a position's size": chain(positions={**CHAIN.positions, (MAKER, 1): CHAIN.positions[MAKER, 1] + (1 << 192)}),
    "a position's quote by the least": chain(
        positions={**CHAIN.positions, (MAKER, 1): CHAIN.positions[MAKER, 1] + (1 << 64)}
    ),
    "an index": chain(indices={1: (G + 1, G)}),
    "open interest": chain(open_interest={1: 7}),
    "equity": chain(equity={**CHAIN.equity, KEEPER: CHAIN.equity[KEEPER] + SCALE}),
    "a fill's fee": event("BatchSettled", fees=6_999),
    "what the backstop earned": event("BackstopChanged", delta=29_999, cash=29_999),
    "the rate of an hour": event("FundingAccrued", rate=8),
    "what an hour brought": event("FundingAccrued", 1, g_long=G + 3_600 * SLOPE + 1, g_short=G + 3_600 * SLOPE + 1),
    "a fill's price": event("Fill", detail=detail(1, PRICE + 1, 10, sold=False)),
    "a fill settled again": lambda facts: replace(
        facts,
        chain=replace(facts.chain, events=[*facts.chain.events, *(e for e in facts.chain.events if e.name == "Fill")]),
    ),
    "funding that only longs pay": event("FundingAccrued", g_short=0),
    "a deposit that never came": event("Deposited", amount=DEPOSIT + 1),
    "what a liquidation cost": event("Liquidated", price=1_900_001),
    "a rejection nobody saw": lambda facts: replace(
        facts, chain=replace(facts.chain, events=[e for e in facts.chain.events if e.name != "FillRejected"])
    ),
    "the relayer forgot a fill": relayer(
        fills={1: RELAYER.fills[1], 3: RELAYER.fills[3]}, statuses={1: "final", 3: "rejected"}
    ),
    "the relayer has another size": relayer(fills={**RELAYER.fills, 2: replace(RELAYER.fills[2], size=5)}),
    "the relayer still waits": relayer(statuses={**RELAYER.statuses, 2: "submitted"}),
    "the relayer takes a settled fill for rejected": relayer(statuses={**RELAYER.statuses, 2: "rejected"}),
    "the relayer takes a rejected fill for settled": relayer(statuses={**RELAYER.statuses, 3: "confirmed"}),
    "the relayer confirmed a fill in two places": relayer(settled_twice=[2]),
    "an acknowledged order is lost": relayer(orders={k: v for k, v in RELAYER.orders.items() if k != SELL}),
    "an order is filled by another amount": relayer(orders={**RELAYER.orders, BID: {"size": 20, "filled": 5}}),
    "an order is filled beyond its size": relayer(orders={**RELAYER.orders, BID: {"size": 3, "filled": 4}}),
    "the indexer lacks a fill": indexer(fills={1: INDEXER.fills[1]}),
    "the indexer has a side twice": indexer(sides={1: 2, 2: 3}),
    "the indexer has another fee": indexer(fills={**INDEXER.fills, 1: replace(INDEXER.fills[1], taker_fee=6_999)}),
    "the indexer lacks a liquidation": indexer(liquidations=1),
    "the indexer has another position": indexer(positions={**INDEXER.positions, (MAKER, "BTC-USD"): -5}),
    "the indexer has a position too many": indexer(positions={**INDEXER.positions, (TAKER, "BTC-USD"): 1}),
    "the indexer has another balance": indexer(cash={**INDEXER.cash, TAKER: INDEXER.cash[TAKER] + 1}),
    "the indexer has another equity": indexer(equity={**INDEXER.equity, TAKER: INDEXER.equity[TAKER] - 1}),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED.keys())
def test_a_tampered_figure_fails(tamper: Callable[[Facts], Facts]) -> None:
    assert failed(tamper(sound()))


def test_dust_may_not_favour_an_account() -> None:
    """A unit more of claims than tokens is too much, whatever was rounded."""
    robbed = chain(cash={**CHAIN.cash, MAKER: DEPOSIT + 1})(sound())
    assert "Do cash, positions, insurance and fees add up to the Vault's tokens?" in failed(robbed)
