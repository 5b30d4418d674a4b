# SPDX-License-Identifier: AGPL-3.0-only
"""Matching speed: the whole core, its book alone, and (given an interpreter that has it) PyPI's matching-engine.

    python -m bench.matching                                  # ours
    python -m bench.matching --peer /path/to/venv/bin/python  # and the peer, in the same run

One stream of operations for all: 60% resting orders, 35% cancels, 5% that match, on 400 accounts and one market.
"Core" is `Core.apply` with everything on: unpacking the signed words, every rule, slots, idempotency, margin with
reservations before each order, the contract's predicate for both sides of each fill, self-trade prevention, public
records and their rolling hash. The peer and "book" keep a book of orders with events, and no accounts' margin.
"""

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from ouro import codec
from ouro.eip712 import keccak
from ouro.markets import Market
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger
from relayer.core import Core, CoreConfig
from relayer.core.book import Book
from relayer.core.inputs import Cancel, ChainBlock, Input, Log, Place, Tick
from relayer.core.orders import LiveOrder

START_MS = 1_700_000_000_000
PRICE, TICK = 2_300_000, 100
ACCOUNTS = 400
Operation = tuple[str, int, int, bool, int, int]

PEER = """
import gc, json, sys, time
from matching_engine.domain import CancelOrder, NewOrder, OrderType, SelfTradePrevention
from matching_engine.domain import SequencedCommand, Side, TimeInForce
from matching_engine.engine import MatchingEngine
commands = []
for seq, (kind, order_id, account, sell, price, size) in enumerate(json.load(open(sys.argv[1])), 1):
    if kind == "cancel":
        command = CancelOrder(order_id=order_id, account=account)
    else:
        command = NewOrder(
            order_id=order_id, account=account, side=Side.SELL if sell else Side.BUY, order_type=OrderType.LIMIT,
            tif=TimeInForce.IOC if kind == "take" else TimeInForce.GTC, price=price, qty=size,
            stp=SelfTradePrevention.CANCEL_TAKER,
        )
    commands.append(SequencedCommand(seq=seq, ts=seq, command=command))
engine = MatchingEngine()
gc.disable()
started = time.perf_counter()
for command in commands:
    engine.process(command)
print(len(commands) / (time.perf_counter() - started))
"""


def operations(count: int) -> list[Operation]:
    """(kind, order number, account, sells, price, lots): a book that lives around one price."""
    rng = Random(1)
    live: list[tuple[int, int]] = []
    made: list[Operation] = []
    for number in range(1, count + 1):
        chance = rng.random()
        if chance < 0.35 and live:
            at = rng.randrange(len(live))
            live[at], live[-1] = live[-1], live[at]
            order, account = live.pop()
            made.append(("cancel", order, account, False, 0, 0))
        else:
            account, sell = rng.randrange(ACCOUNTS), rng.random() < 0.5
            kind = "take" if chance > 0.95 else "add"
            steps = rng.randrange(1, 60)
            away = steps if (kind == "add") == sell else -steps
            made.append((kind, number, account, sell, PRICE + TICK * away, rng.randrange(1, 20)))
            if kind == "add":
                live.append((number, account))
    return made


def measure(run: Callable[[], None], count: int) -> float:
    """Operations per second, without the garbage collector as in the peer."""
    gc.collect()
    gc.disable()
    started = time.perf_counter()
    run()
    taken = time.perf_counter() - started
    gc.enable()
    return count / taken


def address(number: int) -> str:
    return to_checksum_address(number.to_bytes(20, "big"))


EXCHANGE, VAULT, ORACLE, OPERATOR = (address(number) for number in range(1, 5))


def funded_core() -> Core:
    """A core whose accounts have money; limits on unsettled fills are out of the way, as nothing settles here."""
    market = Market(1, "BTC-USD", 4, 2, TICK, 50_000, 30_000, 100_000, 10**12, 10**6, 5_000)
    core = Core(
        CoreConfig(
            chain_id=31337,
            exchange=EXCHANGE,
            vault=VAULT,
            oracle=ORACLE,
            operator=OPERATOR,
            markets=(market,),
            max_unsettled_fills=10**9,
            max_open_orders=10**6,
            backlog_age_ms=10**12,
        )
    )
    credited, pushed = (
        keccak(b"Credited(address,uint256,uint256,int256)"),
        keccak(b"PricePushed(uint256,uint256,uint256)"),
    )
    logs = [
        Log(
            EXCHANGE,
            (credited, encode(["address"], [address(100 + number)])),
            encode(["uint256", "uint256", "int256"], [0, 10**13, 10**13]),
            bytes(32),
            number,
        )
        for number in range(ACCOUNTS)
    ]
    price_data = encode(["uint256", "uint256"], [PRICE, START_MS // 1000])
    logs.append(Log(ORACLE, (pushed, encode(["uint256"], [1])), price_data, bytes(32), ACCOUNTS))
    core.apply(Tick(START_MS))
    core.apply(ChainBlock(1, b"\1" * 32, bytes(32), START_MS // 1000, tuple(logs)))
    return core


def inputs_of(made: list[Operation]) -> list[Input]:
    """The same operations as signed orders and cancels."""
    items: list[Input] = []
    for at, (kind, number, account, sell, price, size) in enumerate(made, 1):
        who, order_id = address(100 + account), number.to_bytes(32, "big")
        if kind == "cancel":
            items.append(Cancel(who, 0, order_id, who, at))
            continue
        order = Order(
            market="BTC-USD",
            side=Side.SELL if sell else Side.BUY,
            size=size,
            limit_price=price,
            time_in_force=TimeInForce.IOC if kind == "take" else TimeInForce.GTT,
            post_only=False,
            reduce_only=False,
            trigger=Trigger.NONE,
            trigger_price=0,
            max_fee_ppm=1_000,
            expiry=START_MS // 1000 + 86_400,
            account=who,
            subaccount=0,
            self_trade=SelfTrade.CANCEL_TAKER,
            slot=0 if kind == "take" else number % 65_536,
            generation=START_MS - 10_000_000 + at,
            revision=0,
            referrer=0,
        )
        terms, amounts = codec.pack_terms(order, 1)
        items.append(Place(terms.to_bytes(32), amounts.to_bytes(32), bytes(32), bytes(32), order_id, who, str(number)))
    return items


def bench_core(made: list[Operation]) -> float:
    """`Core.apply`."""
    core, items = funded_core(), inputs_of(made)

    def run() -> None:
        apply = core.apply
        for item in items:
            apply(item)

    return measure(run, len(items))


def bench_book(made: list[Operation]) -> float:
    """The book and a bare matching loop, on orders that exist already."""
    book = Book()
    core = funded_core()
    venue, account = core._state.venues[1], core._state.account(address(100), 0)
    orders: dict[int, LiveOrder] = {}
    for item in inputs_of(made):
        if isinstance(item, Place):
            order = codec.unpack_order(int.from_bytes(item.terms), int.from_bytes(item.amounts), {1: "BTC-USD"})
            orders[int(item.client_id)] = LiveOrder(item, order, account, venue)

    def take(order: LiveOrder) -> None:
        side = book.side(not order.sell)
        while order.filled < order.size and book.crosses(order.sell, order.limit_price):
            maker = next(iter(side)).first
            assert maker is not None
            lots = min(order.size - order.filled, maker.resting)
            order.filled += lots
            side.resize(maker, maker.resting - lots)

    def run() -> None:
        for kind, number, *_ in made:
            order = orders[number]
            if kind == "cancel":
                if order.level is not None:
                    book.side(order.sell).remove(order)
            else:
                take(order)
                if kind == "add" and order.filled < order.size:
                    book.side(order.sell).add(order, order.size - order.filled)

    return measure(run, len(made))


def bench_peer(made: list[Operation], python: str) -> float:
    """PyPI's matching-engine under its own interpreter."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(made, file)
        file.flush()
        done = subprocess.run([python, "-c", PEER, file.name], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Prints operations per second, best of three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--peer", help="an interpreter with PyPI's matching-engine installed (it needs Python 3.12)")
    options = parser.parse_args()
    made = operations(options.operations)
    core = max(bench_core(made) for _ in range(3))
    book = max(bench_book(made) for _ in range(3))
    rows = [("core, everything on", core), ("book alone", book)]
    if options.peer and Path(options.peer).exists():
        rows.append(("PyPI matching-engine", max(bench_peer(made, options.peer) for _ in range(3))))
    width = max(len(name) for name, _ in rows)
    for name, speed in rows:
        ratio = f"  {speed / rows[-1][1]:6.2f}" if len(rows) > 2 else ""
        sys.stdout.write(f"{name:{width}}  {speed:12,.0f} operations/s{ratio}\n")
    if len(rows) == 2:
        sys.stdout.write("the peer was not measured: give --peer an interpreter that has it\n")


if __name__ == "__main__":
    main()
