# SPDX-License-Identifier: AGPL-3.0-only
"""How long a restart takes: from a snapshot with a million open orders, and the journal behind it.

    python -m bench.recovery [--orders 1000000] [--behind 20000] [--no-write]

Timed is what a relayer does before it takes orders: open and check the journal, read and hash the snapshot, restore the
core, apply what the journal holds behind it, make the event log continue. The reference, in the same run on the same
machine, is msgspec decoding the same snapshot into plain Python values, which nothing that reads it could do without.
Times are CPU seconds of this process beside wall seconds: other work on the machine disturbs only the latter.
"""

import argparse
import gc
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from bench.matching_worker import START_MS, address, funded_core
from bench.workload import ACCOUNTS, PRICE, TICK
from ouro import codec
from ouro.orders import Order, SelfTrade, Side, TimeInForce, Trigger
from relayer.core import CORE_VERSION, Core, inputs
from relayer.core.inputs import Cancel, Input, Place
from relayer.engine import Engine
from relayer.event_files import EventFiles
from relayer.event_log import EventLog
from relayer.journal import Identity, Journal, OsFiles, Snapshots
from relayer.metrics import Metrics
from relayer.replica import snapshot_of, without_collector

RESULTS = Path(__file__).parent / "results" / "recovery.json"


def place(number: int) -> Place:
    """A resting order: all of them within 1,800 levels, each in a slot of its own, with a client id."""
    who, sell = address(100 + number % ACCOUNTS), number % 2 == 1
    steps = 1 + number * 7_919 % 900
    order = Order(
        market="BTC-USD",
        side=Side.SELL if sell else Side.BUY,
        size=1 + number % 50,
        limit_price=PRICE + TICK * (steps if sell else -steps),
        time_in_force=TimeInForce.GTT,
        post_only=False,
        reduce_only=False,
        trigger=Trigger.NONE,
        trigger_price=0,
        max_fee_ppm=1_000,
        expiry=START_MS // 1000 + 86_400 + number % 1_000,
        account=who,
        subaccount=0,
        self_trade=SelfTrade.CANCEL_TAKER,
        slot=1 + number // ACCOUNTS,
        generation=START_MS - 10_000_000 + number,
        revision=0,
        referrer=0,
    )
    terms, amounts = codec.pack_terms(order, 1)
    seed = sha256(number.to_bytes(8)).digest()
    return Place(terms.to_bytes(32), amounts.to_bytes(32), seed, sha256(seed).digest(), seed, who, f"client {number}")


def behind(count: int, orders: int) -> list[Input]:
    """What came after the snapshot: orders go, others come."""
    items: list[Input] = []
    for number in range(count // 2):
        old = place(number)
        items += [Cancel(old.signer, 0, old.order_id, old.signer, START_MS + number), place(orders + number)]
    return items


def prepare(folder: Path, orders: int, items: list[Input]) -> tuple[Identity, bytes]:
    """Writes the folders of such a relayer. The journal before the snapshot is what retention has removed."""
    core = funded_core()
    with without_collector():
        for number in range(orders):
            core.apply(place(number))
            if number % 100_000 == 0:
                sys.stderr.write(f"\r{number:,} orders")
        state = core.dump()
    config = core.config
    identity = Identity(
        core_version=CORE_VERSION, chain_id=config.chain_id, contract=config.exchange, config=config.encode()
    )
    filler = Journal.open(OsFiles(folder / "journal"), identity)
    for at in range(0, core.input_seq, 4_000):
        filler.append([b""] * min(4_000, core.input_seq - at), core.trail_hash()).result()
    snapshot = snapshot_of(core, identity, filler.head, state)
    for at in range(0, len(items), 50):
        for item in items[at : at + 50]:
            core.apply(item)
        filler.append([inputs.encode(item) for item in items[at : at + 50]], core.trail_hash()).result()
    filler.close()
    Snapshots(OsFiles(folder / "snapshots")).write(snapshot, state)
    return identity, core.trail_hash()


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU seconds, wall seconds, and what came of it."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    made = work()
    return time.process_time() - cpu, time.perf_counter() - wall, made


def restart(folder: Path, identity: Identity) -> Engine:
    """As `relayer.service` does it."""
    snapshots = Snapshots(OsFiles(folder / "snapshots"))
    journal = Journal.open(
        OsFiles(folder / "journal"), identity, marks=[each.mark for each in snapshots.all()], upgrade=True
    )
    engine = Engine(Core(funded_core().config), journal, EventLog(EventFiles(OsFiles(folder / "events"))), Metrics())
    engine.replay(snapshots)
    return engine


def reference(folder: Path) -> list[Any]:
    """msgspec alone: the snapshot's sections as plain values."""
    snapshots = Snapshots(OsFiles(folder / "snapshots"))
    [snapshot] = snapshots.all()
    size = OsFiles(folder / "snapshots").size(snapshot.name)
    data = OsFiles(folder / "snapshots").read(snapshot.name, size - snapshot.state_bytes)
    with without_collector():
        return [msgspec.msgpack.decode(part) for part in msgspec.msgpack.decode(data, type=list[msgspec.Raw])]


def main() -> None:
    """Prints and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--behind", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="a folder on the disk to measure")
    parser.add_argument("--no-write", action="store_true", help=f"leave {RESULTS.name} as it is")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        identity, trail = prepare(folder, options.orders, behind(options.behind, options.orders))
        [snapshot] = Snapshots(OsFiles(folder / "snapshots")).all()
        plain_cpu, plain_wall, decoded = timed(lambda: reference(folder))
        del decoded
        ours_cpu, ours_wall, engine = timed(lambda: restart(folder, identity))
        if engine.core.trail_hash() != trail:
            raise SystemExit("the restarted core is not the one that was written")
        engine.journal.close()
        result = {
            "orders": options.orders,
            "records_behind": options.behind,
            "snapshot_mb": round(snapshot.state_bytes / 1e6),
            "core": "compiled" if hasattr(engine.core, "__mypyc_attrs__") else "interpreted",
            "restart_cpu_s": round(ours_cpu, 2),
            "restart_wall_s": round(ours_wall, 2),
            "msgspec_cpu_s": round(plain_cpu, 2),
            "msgspec_wall_s": round(plain_wall, 2),
            "ratio_cpu": round(ours_cpu / plain_cpu, 1),
        }
    finally:
        shutil.rmtree(folder)
    text = json.dumps(result, indent=2) + "\n"
    sys.stdout.write(text)
    if not options.no_write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
