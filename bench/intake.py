# SPDX-License-Identifier: AGPL-3.0-only
"""Verified intake: from the bytes of a request to an order that the core takes, and to the answer.

    python -m bench.intake [--orders N] [--json FILE]

First one core alone: JSON, digest, recovery, packing, against bare coincurve recovery. Then over HTTP, on a real chain:
checking an order (no storage on either side) against stock FastAPI with pydantic, and placing orders one by one and in
batches of 50, each answered when it is matched and synced to disk. Rounds alternate, since a shared machine's speed
wanders, and the best of each counts: the ratios are what to look at.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import httpx
import msgspec
from coincurve import PublicKey

from ouro.deployment import Deployment
from relayer.api.bodies import PlaceBatchBody, PlaceBody
from relayer.api.verifying import Verifier
from stack.ports import free_port
from tests.integration.relayer.harness import BTC_PRICE, Json, World, world
from tests.support.build import ROOT
from tests.support.waiting import eventually

RESULTS = Path(__file__).with_name("results") / "intake.json"
TRADERS = 20
BATCH = 50
Row: TypeAlias = tuple[str, float, float | None]
"""What, orders per second, and the ratio to its reference."""
UNLIMITED = {f"OURO_RELAYER_{name}": "0" for name in ("IP_WEIGHT", "ACCOUNT_WEIGHT", "ACCOUNT_BYTES", "REFUSED_BYTES")}


def per_second(run: Callable[[], None], count: int) -> float:
    """By the time of the processor: what others do meanwhile does not count."""
    started = time.process_time()
    run()
    return count / (time.process_time() - started)


def one_core(exchange: World, bodies: Sequence[Json]) -> Iterator[Row]:
    """Recovery alone, and all that stands between a request's bytes and the core."""
    decoder = msgspec.json.Decoder(PlaceBody)
    verifier = Verifier(Deployment.load(exchange.deployment))
    raw = [msgspec.json.encode(body) for body in bodies]
    placed = [verifier.place(body) for body in map(decoder.decode, raw)]
    pairs = [
        (bytes.fromhex(body["signature"][2:])[:64] + bytes((int(body["signature"][-2:], 16) - 27,)), item.order_id)
        for body, item in zip(bodies, placed, strict=True)
    ]

    def bare() -> None:
        for signature, digest in pairs:
            PublicKey.from_signature_and_message(signature, digest, hasher=None)

    def ours() -> None:
        for data in raw:
            verifier.place(decoder.decode(data))

    batch = msgspec.json.Decoder(PlaceBatchBody)
    batches = [msgspec.json.encode({"orders": list(bodies[at : at + BATCH])}) for at in range(0, len(bodies), BATCH)]

    def in_batches() -> None:
        for data in batches:
            for item in batch.decode(data).orders:
                verifier.place(decoder.decode(bytes(item)))

    rates = [tuple(per_second(run, len(raw)) for run in (bare, ours, in_batches)) for _ in range(10)]
    recovery, single, many = (max(column) for column in zip(*rates, strict=True))
    yield "one core, bare coincurve recovery", recovery, None
    yield "one core, bytes to verified order", single, single / recovery
    yield f"one core, bytes to verified orders, batches of {BATCH}", many, many / recovery


async def _client(port: int, requests: Sequence[bytes], latencies: list[float]) -> None:
    """Sends requests one after the other over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        latencies.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError(f"refused: {head!r} {body!r}")
    writer.close()
    await writer.wait_closed()


def over_http(port: int, path: str, bodies: Sequence[Json], connections: int) -> tuple[float, list[float]]:
    """Requests per second, and the sorted latencies in seconds."""
    requests = []
    for body in bodies:
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
        requests.append(head.encode() + b"\r\n\r\n" + data)
    latencies: list[float] = []

    async def all_clients() -> None:
        await asyncio.gather(*(_client(port, requests[at::connections], latencies) for at in range(connections)))

    started = time.perf_counter()
    asyncio.run(all_clients())
    return len(bodies) / (time.perf_counter() - started), sorted(latencies)


def against_stock(exchange: World, port: int, bodies: Sequence[Json]) -> Iterator[Row]:
    """Checking an order here and there."""
    stock_port = free_port()
    command = [sys.executable, "-m", "bench.stock_api", exchange.system.exchange.address, str(stock_port)]
    stock = subprocess.Popen(command, cwd=ROOT)
    try:
        eventually(lambda: listens(stock_port), "the stock application", within_s=30)
        for connections in (1, 16):
            rates = [
                tuple(over_http(where, "/v4/orders/verify", bodies, connections)[0] for where in (stock_port, port))
                for _ in range(8)
            ]
            there, here = (max(column) for column in zip(*rates, strict=True))
            yield f"check, stock FastAPI and pydantic, {connections} connections", there, None
            yield f"check, ours, {connections} connections", here, here / there
    finally:
        stock.terminate()
        stock.wait()


def listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/docs").status_code == 200
    except httpx.TransportError:
        return False


def placing(port: int, connections: int, bodies: Sequence[Json]) -> Iterator[Row]:
    """Orders on disk and answered, one by one and in batches."""
    half = len(bodies) // 2
    batches = [{"orders": list(bodies[at : at + BATCH])} for at in range(half, len(bodies), BATCH)]
    single, _ = over_http(port, "/v4/orders", bodies[:half], connections)
    many = over_http(port, "/v4/orders/batch", batches, connections)[0] * BATCH
    yield f"place, {connections} connections", single, None
    yield f"place, {connections} connections, batches of {BATCH}", many, many / single


def main() -> None:
    """Prints orders per second, and ratios to the references."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1_000)
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where the figures go (default {RESULTS.name})")
    options = parser.parse_args()
    rows: dict[str, dict[str, float]] = {}

    def note(found: Iterator[Row]) -> None:
        for what, rate, ratio in found:
            rows[what] = {"per_second": round(rate)} | ({} if ratio is None else {"ratio": round(ratio, 2)})
            sys.stdout.write(f"{what:<64} {rate:10,.0f} /s" + ("\n" if ratio is None else f"   {ratio:5.2f}\n"))
            sys.stdout.flush()

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, world(Path(folder)) as exchange:
        keys = [exchange.trader("trader") for _ in range(TRADERS)]

        def signed(count: int) -> list[Json]:
            """Resting orders of all traders in turn, at prices that do not match."""
            return [
                exchange.signed(keys[at % TRADERS], "BUY", 1 + at % 9, BTC_PRICE - 100 * (10 + at % 500))
                for at in range(count)
            ]

        note(one_core(exchange, signed(options.orders)))
        with exchange.relayer(**UNLIMITED) as relayer:
            relayer.catch_up()
            note(against_stock(exchange, relayer.port, signed(options.orders // 3)))
            for connections in (1, 16):
                exchange.push()  # on a slow machine the last price has grown stale
                relayer.catch_up()
                note(placing(relayer.port, connections, signed(2 * options.orders)))
    loaded = {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 1)}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({**loaded, "orders": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
