# SPDX-License-Identifier: AGPL-3.0-only
"""One measurement of ours in a process of its own: `python -m bench.matching_worker core|book|memory STREAM`.

Prints JSON. Interpreted or compiled, as PYTHONPATH says.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from bench import workload
from bench.lone_book import LoneBook
from bench.workload import ACCOUNTS, PRICE, TICK, Operation
from ouro import codec
from ouro.eip712 import keccak
from ouro.markets import Market
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger
from relayer.core import Core, CoreConfig, book
from relayer.core.accounts import AccountEntry
from relayer.core.inputs import Cancel, ChainBlock, Input, Log, Place, Tick
from relayer.core.orders import LiveOrder
from relayer.core.outputs import Ack, FillOutput
from relayer.core.venue import Venue

SLICE = 1_000
START_MS = 1_700_000_000_000
BTC = Market(1, "BTC-USD", 4, 2, TICK, 50_000, 30_000, 100_000, 10**12, 10**6, 5_000)


def address(number: int) -> str:
    return to_checksum_address(number.to_bytes(20, "big"))


EXCHANGE, VAULT, ORACLE, OPERATOR = (address(number) for number in range(1, 5))
OWNERS = [address(100 + number) for number in range(ACCOUNTS)]


def funded_core() -> Core:
    """A core whose accounts have money; limits are out of the way, as nothing settles here."""
    core = Core(
        CoreConfig(
            chain_id=31337,
            exchange=EXCHANGE,
            vault=VAULT,
            oracle=ORACLE,
            operator=OPERATOR,
            markets=(BTC,),
            max_unsettled_fills=10**9,
            max_open_orders=10**6,
            min_notional=0,
            backlog_age_ms=10**12,
            max_order_age_ms=0,
        )
    )
    credited = keccak(b"Credited(address,uint256,uint256,int256)")
    pushed = keccak(b"PricePushed(uint256,uint256,uint256)")
    amount = encode(["uint256", "uint256", "int256"], [0, 10**15, 10**15])
    logs = [
        Log(EXCHANGE, (credited, encode(["address"], [owner])), amount, bytes(32), number)
        for number, owner in enumerate(OWNERS)
    ]
    price = encode(["uint256", "uint256"], [PRICE, START_MS // 1000])
    logs.append(Log(ORACLE, (pushed, encode(["uint256"], [1])), price, bytes(32), ACCOUNTS))
    core.apply(Tick(START_MS))
    core.apply(ChainBlock(1, b"\1" * 32, bytes(32), START_MS // 1000, tuple(logs)))
    return core


def order_of(operation: Operation, at: int, slot: int) -> Order:
    """The order that a trader would sign as operation `at`; its slot is one that he never used."""
    kind, _, account, sell, price, size = operation
    one_shot = kind == "take"
    return Order(
        market="BTC-USD",
        side=Side.SELL if sell else Side.BUY,
        size=size,
        limit_price=price,
        time_in_force=TimeInForce.IOC if one_shot else TimeInForce.GTT,
        post_only=False,
        reduce_only=False,
        trigger=Trigger.NONE,
        trigger_price=0,
        max_fee_ppm=1_000,
        expiry=START_MS // 1000 + (3_600 if one_shot else 86_400),
        account=OWNERS[account],
        subaccount=0,
        self_trade=SelfTrade.CANCEL_TAKER,
        slot=0 if one_shot else slot,
        generation=START_MS - 10_000_000 + at,
        revision=0,
        referrer=0,
    )


def place_of(operation: Operation, order: Order) -> Place:
    """As the API hands it on, the signature checked."""
    terms, amounts = codec.pack_terms(order, 1)
    number = operation[1]
    order_id = number.to_bytes(32, "big")
    return Place(
        terms.to_bytes(32, "big"),
        amounts.to_bytes(32, "big"),
        bytes(32),
        bytes(32),
        order_id,
        order.account,
        str(number),
    )


def inputs_of(made: list[Operation]) -> list[Input]:
    """The operations as signed orders and cancels."""
    items: list[Input] = []
    slots = [0] * ACCOUNTS
    for at, operation in enumerate(made, 1):
        if operation[0] == "cancel":
            who = OWNERS[operation[2]]
            items.append(Cancel(who, 0, operation[1].to_bytes(32, "big"), who, at))
        else:
            slots[operation[2]] += 1
            items.append(place_of(operation, order_of(operation, at, slots[operation[2]])))
    return items


def live_order(operation: Operation, entry: AccountEntry, venue: Venue) -> LiveOrder:
    """An accepted order, for the book alone."""
    order = order_of(operation, 0, 1)
    return LiveOrder(place_of(operation, order), order, entry, venue)


def measure(run: Callable[[], None], count: int) -> float:
    """Operations per second of processor time, without the garbage collector, as peers are measured."""
    gc.collect()
    gc.disable()
    started = time.process_time()
    run()
    taken = time.process_time() - started
    gc.enable()
    return count / taken


def bench_core(made: list[Operation]) -> dict[str, float]:
    """`Core.apply`. Raises ValueError when it refuses anything: then it was not measured."""
    core, items = funded_core(), inputs_of(made)
    fills = 0
    refused: list[Ack] = []

    def run() -> None:
        nonlocal fills
        apply = core.apply
        for item in items:
            outputs = apply(item)
            ack = outputs[-1]
            if len(outputs) > 3:
                fills += sum(isinstance(output, FillOutput) for output in outputs)
            if type(ack) is Ack and not ack.ok:
                refused.append(ack)

    per_second = measure(run, len(items))
    if refused:
        raise ValueError(f"{len(refused)} were refused, such as {refused[0]}")
    return {"per_second": per_second, "fills": fills}


def bench_book(made: list[Operation]) -> dict[str, float]:
    """The book and the barest matching. Orders are made a slice at a time, as they would come in; that is not timed."""
    venue = Venue(BTC)
    lone, entries = LoneBook(venue), [AccountEntry(owner, 0) for owner in OWNERS]
    orders: dict[int, LiveOrder] = {}
    seconds = 0.0
    gc.collect()
    gc.disable()
    for at in range(0, len(made), SLICE):
        slice_ = made[at : at + SLICE]
        for operation in slice_:
            if operation[0] != "cancel":
                orders[operation[1]] = live_order(operation, entries[operation[2]], venue)
        calls = [(kind == "cancel", orders[number]) for kind, number, *_ in slice_]
        started = time.process_time()
        lone.run(calls)
        seconds += time.process_time() - started
    gc.enable()
    return {"per_second": len(made) / seconds, "fills": len(lone.fills)}


def bench_memory(made: list[Operation]) -> dict[str, float]:
    """Bytes that a resting order keeps in a core: its objects, its place in every table, its timers."""
    core = funded_core()
    items = [item for item in inputs_of(made) if isinstance(item, Place)]
    gc.collect()
    before, resting = resident(), 0
    for item in items:
        # As from the wire: what the input holds is the order's own.
        ack = core.apply(Place(*(getattr(item, name)[:] for name in Place.__struct_fields__[:5]), item.signer, ""))[-1]
        resting += isinstance(ack, Ack) and ack.order_status == "OPEN"
    gc.collect()
    return {"bytes_per_order": (resident() - before) / resting, "orders": resting}


def resident() -> int:
    """Bytes of this process in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    """Measures once."""
    what, path = sys.argv[1:3]
    made = workload.read(Path(path))
    benches = {"core": bench_core, "book": bench_book, "memory": bench_memory}
    json.dump(benches[what](made) | {"file": str(book.__file__)}, sys.stdout)


if __name__ == "__main__":
    main()
