# SPDX-License-Identifier: AGPL-3.0-only
"""How long the ten most used reads take over a database of a million fills, on SQLite and on PostgreSQL.

    python -m bench.reads [--fills 1000000] [--requests 300] [--no-write]

The tables are written directly (`bench.reads_data`). A process that only serves (`ouro indexer serve`) answers over
HTTP, one request at a time, to accounts and markets drawn at random, at most a hundred rows an answer. Where the
machine does other work, the clock says more of that than of the reads: the load is written down, and so is the
server's processor time a request.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import reads_data
from bench.reads_data import ACCOUNTS, BEGIN_S, MARKETS, address
from indexer.store.engine import open_engine
from tests.integration.indexer.process import IndexerProcess
from tests.support.databases import PostgresDatabases, SqliteFiles
from tests.support.postgres import NoServerError, postgres

RESULTS = Path(__file__).parent / "results" / "reads.json"
NOBODY = "http://127.0.0.1:9"
LIMIT = 100


def deployment() -> dict[str, Any]:
    """A record of contracts that are nowhere."""
    names = ("exchange", "vault", "oracle", "usdc")
    market = {"sizeDecimals": 4, "priceDecimals": 2, "tick": 100, "imfPpm": 50_000, "mmfPpm": 30_000}
    market |= {
        "bandPpm": 50_000,
        "maxOpenInterest": 10**9,
        "maxPriceAge": 120,
        "liquidationFloorPpm": 10_000,
        "state": 1,
    }
    return {
        "format": 1,
        "chainId": 31337,
        "startBlock": 0,
        "settleWindow": 120,
        "withdrawalDelay": 3600,
        "operator": address(1),
        "priceSigner": address(2),
        "contracts": {name: address(number) for number, name in enumerate(names, start=10)},
        "markets": [{"id": number, "ticker": ticker, **market} for number, ticker in enumerate(MARKETS, start=1)],
    }


def reads(draw: random.Random) -> dict[str, tuple[str, dict[str, Any]]]:
    """The ten reads, each for a drawn account and market. Half of the accounts are makers, who have most fills."""
    owner = address(draw.randrange(reads_data.MAKERS if draw.random() < 0.5 else ACCOUNTS))
    whose = {"address": owner, "subaccountNumber": 0, "limit": LIMIT}
    ticker = draw.choice(MARKETS)
    return {
        "perpetualMarkets": ("/v4/perpetualMarkets", {}),
        "orderbook": (f"/v4/orderbooks/perpetualMarket/{ticker}", {}),
        "trades": (f"/v4/trades/perpetualMarket/{ticker}", {"limit": LIMIT}),
        "candles": (f"/v4/candles/perpetualMarkets/{ticker}", {"resolution": "1MIN", "limit": LIMIT}),
        "subaccount": (f"/v4/addresses/{owner}/subaccountNumber/0", {}),
        "perpetualPositions": ("/v4/perpetualPositions", whose | {"status": "OPEN"}),
        "orders": ("/v4/orders", whose | {"status": "OPEN"}),
        "fills": ("/v4/fills", whose | {"market": ticker}),
        "historicalFunding": (f"/v4/historicalFunding/{ticker}", {"limit": LIMIT}),
        "historical-pnl": (
            "/v4/historical-pnl",
            whose | {"createdOnOrAfter": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BEGIN_S))},
        ),
    }


def measure(url: str, folder: Path, requests: int) -> dict[str, Any]:
    """Milliseconds of each read, the ten in turn."""
    folder.mkdir()
    record = folder / "deployment.json"
    record.write_text(json.dumps(deployment()))
    settings = {"OURO_DATABASE_URL": url, "OURO_INDEXER_IP_WEIGHT": "0"}
    door = IndexerProcess(NOBODY, NOBODY, record, folder, command="serve", **settings)
    draw = random.Random(1)
    taken: dict[str, list[float]] = {}
    rows: dict[str, int] = {}
    try:
        door.start("/health")
        for number in range(requests + 5):
            if number == 5:  # the first ones fill caches
                taken.clear()
                begun_cpu = _cpu_s(door.pid)
            for name, (path, query) in reads(draw).items():
                begun = time.perf_counter()
                answer = door.http.get(path, params=query)
                taken.setdefault(name, []).append((time.perf_counter() - begun) * 1_000)
                if answer.status_code != 200:
                    raise RuntimeError(f"{name}: {answer.status_code} {answer.text[:500]}")
                rows[name] = max(rows.get(name, 0), answer.text.count("{"))
        cpu_ms = (_cpu_s(door.pid) - begun_cpu) * 1_000 / (requests * len(taken))
    finally:
        door.close()
    empty = [name for name, count in rows.items() if count < 2]
    if empty:
        raise RuntimeError(f"these reads found nothing: {empty}")
    found = {name: _quantiles(values) for name, values in taken.items()}
    return {"server_cpu_ms_per_request": round(cpu_ms, 2), "reads": found}


def _cpu_s(pid: int) -> float:
    """Processor time that a process took so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _quantiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fills", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=300, help="of each read")
    parser.add_argument("--no-write", action="store_true", help="leave the committed result alone")
    asked = parser.parse_args()
    before = os.getloadavg()
    found: dict[str, Any] = {"fills": asked.fills, "accounts": ACCOUNTS, "rows_per_answer": LIMIT}
    with tempfile.TemporaryDirectory(prefix="ouro-reads-") as name, ExitStack() as held:
        folder = Path(name)
        kinds: dict[str, SqliteFiles | PostgresDatabases] = {"sqlite": SqliteFiles(folder)}
        try:
            kinds["postgresql"] = PostgresDatabases(held.enter_context(postgres()))
        except NoServerError as error:
            print(error)
        for kind, databases in kinds.items():
            url = databases.new()
            engine = open_engine(url, writes=True)
            begun = time.monotonic()
            reads_data.fill(engine, asked.fills)
            engine.dispose()
            print(f"{kind}: written in {time.monotonic() - begun:.0f} s", flush=True)
            found[kind] = measure(url, folder / kind, asked.requests)
            for read, times in found[kind]["reads"].items():
                print(f"  {read:20} p50 {times['p50_ms']:8.2f} ms   p99 {times['p99_ms']:8.2f} ms", flush=True)
    loads = [[round(value, 2) for value in load] for load in (before, os.getloadavg())]
    found["machine"] = {"cores": os.cpu_count(), "load_before_and_after": loads}
    if not asked.no_write:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
