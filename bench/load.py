# SPDX-License-Identifier: AGPL-3.0-only
"""How long an order takes under load: from POST to its answer, and to its record in the event stream.

    python -m bench.load [--seconds N] [--json FILE]

Signed orders over HTTP on a real chain; each is verified, matched, written and synced before it is answered, one in ten
fills and is settled. First the capacity is measured with as many requests under way as connections (closed loop). Then
orders are sent at 80% of it at times fixed beforehand (open loop), and a delay counts from the time at which an order
was due, so that an answer that is late makes those behind it late, too. The client shares the machine with relayer and
chain. Beside it, in the same run and at the same rate: a stock FastAPI application that checks the same signatures and
does nothing else, and `fdatasync` of 4 KiB on the same disk. Of several rounds the best counts, since others use the
machine: the ratios are what to look at.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from eth_account.signers.local import LocalAccount
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

from bench.intake import UNLIMITED, listens, over_http
from ouro import eip712
from ouro.orders import Order
from stack.ports import free_port
from tests.integration.relayer.harness import BTC_PRICE, Json, World, world
from tests.support.build import ROOT
from tests.support.waiting import eventually

RESULTS = Path(__file__).with_name("results") / "load.json"
TRADERS = 40
CONNECTIONS = 32
LOAD = 0.8
ROUNDS = 4
CROSSING = 10
"""One order in so many trades at once."""


class _Named(msgspec.Struct):
    id: str


class _Record(msgspec.Struct):
    type: str
    order: _Named | None = None


def orders(exchange: World, keys: Sequence[LocalAccount]) -> Iterator[Json]:
    """Orders without end: most rest on either side, some take what rests."""
    domain = eip712.Domain(31_337, exchange.system.exchange.address)
    number = 0
    while True:
        number += 1
        key = keys[number % len(keys)]
        crossing = number % CROSSING == 0
        sell = number % 2 == 0 and not crossing
        away = 100 * (1 + number * 7 % 50)
        base = exchange.order(key, "SELL" if sell else "BUY", 10, BTC_PRICE + (away if sell else -away))
        # Each has a slot of its own, so that many may be of one millisecond; none may be of the future.
        base = base.but(generation=time.time_ns() // 1_000_000)
        if crossing:
            base = base.but(limit_price=BTC_PRICE + 6_000)
        order = Order.from_message(base.message())
        digest = eip712.order_digest(domain, order)
        yield {
            "order": order.message(),
            "signature": "0x" + eip712.sign(digest, bytes(key.key)).hex(),
            "clientId": str(number),
        }


def request(path: str, body: Json) -> bytes:
    """The bytes of a POST."""
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def open_loop(port: int, path: str, bodies: Sequence[Json], rate: float) -> list[tuple[float, float, bytes]]:
    """When each request was due, when it was answered, and with what."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(4 * CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    requests = [request(path, body) for body in bodies]
    done: list[tuple[float, float, bytes]] = []

    async def send(data: bytes, due: float) -> None:
        reader, writer = await free.get()
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        done.append((due, time.perf_counter(), answer))
        free.put_nowait((reader, writer))
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError(f"refused: {head!r} {answer!r}")

    started = time.perf_counter() + 0.05
    async with asyncio.TaskGroup() as group:
        for number, data in enumerate(requests):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(data, due))
    while not free.empty():
        free.get_nowait()[1].close()
    return done


async def relayed(port: int, bodies: Sequence[Json], rate: float) -> dict[str, list[float]]:
    """Seconds to the answer, and to the order's first record in the stream."""
    heard: dict[str, float] = {}
    decoder = msgspec.json.Decoder(_Record)

    async with connect(f"ws://127.0.0.1:{port}/events/stream?from=1", max_queue=None, compression=None) as stream:

        async def listen() -> None:
            async for line in stream:
                record = decoder.decode(line)
                if record.order is not None:
                    heard.setdefault(record.order.id, time.perf_counter())

        listener = asyncio.create_task(listen())
        await asyncio.sleep(1)  # what went before is read
        done = await open_loop(port, "/v4/orders", bodies, rate)
        named = [(due, json.loads(answer)["id"]) for due, _, answer in done]
        async with asyncio.timeout(30):
            while any(name not in heard for _, name in named):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        listener.cancel()
    return {
        "answer": sorted(at - due for due, at, _ in done),
        "stream": sorted(heard[name] - due for due, name in named),
    }


def syncs(folder: Path, count: int = 200) -> list[float]:
    """Seconds of writing and syncing 4 KiB, sorted."""
    found = []
    descriptor = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(count):
            started = time.perf_counter()
            os.write(descriptor, bytes(4_096))
            os.fdatasync(descriptor)
            found.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
    return sorted(found)


def stock(exchange: World, rounds: Sequence[Sequence[Json]], rate: float) -> list[float]:
    """Seconds to the answer of an application that checks the signature and forgets the order."""
    port = free_port()
    command = [sys.executable, "-m", "bench.stock_api", exchange.system.exchange.address, str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        eventually(lambda: listens(port), "the stock application", within_s=30)
        found = [uvloop.run(open_loop(port, "/v4/orders/verify", bodies, rate)) for bodies in rounds]
        return min((sorted(at - due for due, at, _ in done) for done in found), key=lambda each: each[len(each) // 2])
    finally:
        process.terminate()
        process.wait()


def measure(seconds: float) -> dict[str, Any]:
    """All figures, times in milliseconds."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, world(Path(name)) as exchange:
        folder = Path(name)
        keys = [exchange.trader("trader", usdc=1_000_000) for _ in range(TRADERS)]
        stream = orders(exchange, keys)
        with exchange.relayer(**UNLIMITED) as relayer:
            relayer.catch_up()
            over_http(relayer.port, "/v4/orders", [next(stream) for _ in range(400)], CONNECTIONS)  # warm
            capacity = max(
                over_http(relayer.port, "/v4/orders", [next(stream) for _ in range(1_500)], CONNECTIONS)[0]
                for _ in range(3)
            )
            rate = LOAD * capacity
            count = int(rate * seconds / ROUNDS)
            exchange.push()
            rounds = [
                uvloop.run(relayed(relayer.port, [next(stream) for _ in range(count)], rate)) for _ in range(ROUNDS)
            ]
        found = min(rounds, key=lambda each: each["answer"][count // 2])
        reference = stock(exchange, [[next(stream) for _ in range(count)] for _ in range(ROUNDS)], rate)
        disk = syncs(folder)
    figures = {
        "to the answer": found["answer"],
        "to the stream": found["stream"],
        "stock application": reference,
        "fdatasync": disk,
    }
    times = {what: {"p50": _ms(sorted_, 50), "p99": _ms(sorted_, 99)} for what, sorted_ in figures.items()}
    answer, plain, disk_ms = times["to the answer"], times["stock application"], times["fdatasync"]
    return {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "capacity_per_second": round(capacity),
        "rate_per_second": round(rate),
        "orders": len(found["answer"]),
        "milliseconds": times,
        "ratios": {
            "p50, answer to stock application": round(answer["p50"] / plain["p50"], 2),
            "p99, answer to stock application": round(answer["p99"] / plain["p99"], 2),
            "p50, answer to fdatasync": round(answer["p50"] / disk_ms["p50"], 2),
            "p99, answer to fdatasync": round(answer["p99"] / disk_ms["p99"], 2),
        },
    }


def _ms(values: Sequence[float], percent: int) -> float:
    return round(values[min(len(values) - 1, len(values) * percent // 100)] * 1e3, 2)


def show(result: dict[str, Any], console: Console) -> None:
    """One table, and what it was measured under."""
    table = Table(
        title=f"{result['rate_per_second']:,} signed orders a second, {LOAD:.0%} of {result['capacity_per_second']:,}"
    )
    for name in ("", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right" if name else "left")
    for what, figures in result["milliseconds"].items():
        table.add_row(what, f"{figures['p50']:.2f}", f"{figures['p99']:.2f}")
    console.print(table)
    for what, ratio in result["ratios"].items():
        console.print(f"{what}: {ratio}")
    console.print(f"{result['cores']} cores, {result['load_average']} processes running on average")


def main() -> None:
    """Measures, prints, and writes the result down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where the figures go (default {RESULTS.name})")
    options = parser.parse_args()
    result = measure(options.seconds)
    show(result, Console(width=110))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
