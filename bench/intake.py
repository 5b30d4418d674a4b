# SPDX-License-Identifier: AGPL-3.0-only
"""Verified intake: from the bytes of a request to an order that the core takes, and to the answer.

    python -m bench.intake [--orders N]

First one core alone: JSON, digest, recovery, packing, against bare coincurve recovery. Then over HTTP, on a real chain:
checking an order (no storage on either side) against stock FastAPI with pydantic, and placing orders, each of which is
answered when it is matched and synced to disk. Rounds alternate, since a shared machine's speed wanders.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import msgspec
from coincurve import PublicKey

from ouro.deployment import Deployment
from relayer.api.bodies import PlaceBody
from relayer.api.verifying import Verifier
from tests.integration.relayer.harness import BTC_PRICE, Json, World, eventually, free_port, world
from tests.support.build import ROOT

TRADERS = 20
UNLIMITED = {f"OURO_RELAYER_{name}": "0" for name in ("IP_WEIGHT", "ACCOUNT_WEIGHT", "ACCOUNT_BYTES", "REFUSED_BYTES")}


def per_second(run: Callable[[], None], count: int) -> float:
    started = time.perf_counter()
    run()
    return count / (time.perf_counter() - started)


def one_core(exchange: World, bodies: Sequence[Json]) -> None:
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
            body = decoder.decode(data)
            verifier.place(body)

    rates = [(per_second(bare, len(raw)), per_second(ours, len(raw))) for _ in range(10)]
    best = max(rate for rate, _ in rates), max(rate for _, rate in rates)
    _row("one core: bare recovery", best[0])
    _row("one core: bytes to verified order", best[1], best[1] / best[0])


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


def against_stock(exchange: World, port: int, bodies: Sequence[Json]) -> None:
    """Checking an order here and there."""
    stock_port = free_port()
    command = [sys.executable, "-m", "bench.stock_api", exchange.system.exchange.address, str(stock_port)]
    stock = subprocess.Popen(command, cwd=ROOT)
    try:
        eventually(lambda: _listens(stock_port), 30, "the stock application")
        for connections in (1, 16):
            rates = [
                tuple(over_http(where, "/v4/orders/verify", bodies, connections)[0] for where in (stock_port, port))
                for _ in range(8)
            ]
            there, here = (max(column) for column in zip(*rates, strict=True))
            _row(f"check, stock, {connections} connections", there)
            _row(f"check, ours, {connections} connections", here, here / there)
    finally:
        stock.terminate()
        stock.wait()


def _listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/docs").status_code == 200
    except httpx.TransportError:
        return False


def placing(port: int, batches: Sequence[tuple[int, Sequence[Json]]]) -> None:
    """Orders on disk and answered."""
    for connections, bodies in batches:
        rate, latencies = over_http(port, "/v4/orders", bodies, connections)
        p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
        _row(f"place, {connections} connections, p50 {p50 * 1e3:.1f} ms p99 {p99 * 1e3:.1f} ms", rate)


def _row(what: str, rate: float, ratio: float | None = None) -> None:
    sys.stdout.write(f"{what:<58} {rate:10,.0f} /s" + (f"   {ratio:5.2f}\n" if ratio is not None else "\n"))
    sys.stdout.flush()


def main() -> None:
    """Prints orders per second, and ratios to the references."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, world(Path(folder)) as exchange:
        keys = [exchange.trader("trader") for _ in range(TRADERS)]

        def signed(count: int) -> list[Json]:
            """Resting orders of all traders in turn, at prices that do not match."""
            return [
                exchange.signed(keys[at % TRADERS], "BUY", 1 + at % 9, BTC_PRICE - 100 * (10 + at % 500))
                for at in range(count)
            ]

        one_core(exchange, signed(options.orders))
        with exchange.relayer(**UNLIMITED) as relayer:
            relayer.catch_up()
            against_stock(exchange, relayer.port, signed(options.orders // 3))
            placing(relayer.port, [(count, signed(options.orders)) for count in (1, 16, 64)])


if __name__ == "__main__":
    main()
