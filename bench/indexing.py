# SPDX-License-Identifier: AGPL-3.0-only
"""How many events a second the indexer takes in, beside web3's `process_log` and ponder, on one chain in one run.

    python -m bench.indexing [--batches 400] [--fills 16] [--no-ponder] [--no-write]

A chain is played on anvil (batches of fills between 40 accounts, prices, hours). Then, each in a process of its own:

- web3's `process_log` decodes the chain's logs, told which event each one is, and keeps nothing;
- `ouro.events` decodes the same logs;
- the indexer reads the chain from the node into an empty SQLite file and an empty PostgreSQL database: the whole
  views, undo included for the newest 64 blocks;
- ponder reads it into the same PostgreSQL server, with handlers that write fills, tape, positions, cash, candles,
  prices and batches (`bench/peers/ponder`): less than the indexer's views.

Times are those of the work, without starting up. Rates by processor time of the reading process say more than those by
the clock when the machine does other work; the load is written down. PostgreSQL syncs to disk as it does by default.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import indexing_chain, indexing_ponder
from tests.integration.indexer.venue import venue
from tests.support.build import ROOT
from tests.support.databases import PostgresDatabases, SqliteFiles
from tests.support.postgres import postgres

RESULTS = Path(__file__).parent / "results" / "indexing.json"
_FINAL = 70
"""Empty blocks after the last batch: what is timed is reading the past, as a new indexer does."""


def worker(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.indexing_worker", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rates(measured: dict[str, Any], events: int) -> dict[str, Any]:
    """With events a second by clock and by processor time."""
    by = {"events_per_s": events / measured["wall_s"], "events_per_cpu_s": events / measured["cpu_s"]}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in (measured | by).items()}


def measure(batches: int, fills: int, rounds: int, *, with_ponder: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ouro-indexing-") as name, venue() as chain, postgres("fsync=on") as server:
        folder = Path(name)
        print(f"playing {batches} batches of {fills} fills", flush=True)
        indexing_chain.play(chain, batches=batches, fills=fills)
        end = chain.block
        chain.rpc.request("anvil_mine", hex(_FINAL))
        record = chain.record()
        deployment = folder / "deployment.json"
        deployment.write_text(json.dumps(record))
        addresses = [record["contracts"][which] for which in ("exchange", "vault", "oracle")]
        logs = chain.rpc.request("eth_getLogs", {"address": addresses, "fromBlock": "0x1", "toBlock": hex(end)})
        (folder / "logs.json").write_text(json.dumps(logs))
        kinds = {"sqlite": SqliteFiles(folder), "postgresql": PostgresDatabases(server)}
        played = {"blocks": end, "batches": batches, "fills": batches * fills, "events": len(logs)}
        found: dict[str, Any] = {"chain": played}

        def note(what: str, measured: dict[str, Any], events: int) -> None:
            """The best of what a reader was seen to do."""
            seen = rates(measured, events)
            if what in found and found[what]["events_per_cpu_s"] >= seen["events_per_cpu_s"]:
                return
            found[what] = seen
            rate = f"{found[what]['events_per_s']:,.0f} events/s"
            print(f"{what:22} {rate:>20}, {found[what]['events_per_cpu_s']:,.0f} per cpu second", flush=True)

        for _ in range(rounds):
            for what, command in (("web3_process_log", "web3"), ("decode", "decode")):
                measured = worker(command, str(folder / "logs.json"))
                note(what, measured, measured["logs"])
            for kind, databases in kinds.items():
                measured = worker("index", chain.rpc.url, str(deployment), databases.new())
                note(f"indexer_{kind}", measured, len(logs))
            if with_ponder:
                try:
                    measured = indexing_ponder.run(folder, chain.rpc.url, record, end, server.create(migrated=False))
                    note("ponder_postgresql", measured, len(logs))
                except indexing_ponder.NotToBeHadError as error:
                    found["ponder_postgresql"] = str(error)
                    print(error)
                    with_ponder = False
    return found


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """By processor time against web3, by clock and by processor time against ponder."""
    web3 = found["web3_process_log"]["events_per_cpu_s"]
    given = {
        f"{what}_to_process_log": found[what]["events_per_cpu_s"] / web3
        for what in ("decode", "indexer_sqlite", "indexer_postgresql")
    }
    ponder = found.get("ponder_postgresql")
    if isinstance(ponder, dict):
        given["indexer_to_ponder_by_clock"] = found["indexer_postgresql"]["events_per_s"] / ponder["events_per_s"]
        given["indexer_to_ponder_by_cpu"] = found["indexer_postgresql"]["events_per_cpu_s"] / ponder["events_per_cpu_s"]
    return {name: round(value, 2) for name, value in given.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--fills", type=int, default=16, help="in a batch")
    parser.add_argument("--rounds", type=int, default=3, help="of all readers in turn; of each the best counts")
    parser.add_argument("--no-ponder", action="store_true")
    parser.add_argument("--no-write", action="store_true", help="leave the committed result alone")
    asked = parser.parse_args()
    before = os.getloadavg()
    found = measure(asked.batches, asked.fills, asked.rounds, with_ponder=not asked.no_ponder)
    found["rounds"] = asked.rounds
    found["ratios"] = ratios(found)
    loads = [[round(value, 2) for value in load] for load in (before, os.getloadavg())]
    found["machine"] = {"cores": os.cpu_count(), "load_before_and_after": loads}
    print(json.dumps(found["ratios"], indent=2))
    if not asked.no_write:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
