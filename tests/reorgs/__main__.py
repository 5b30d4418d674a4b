# SPDX-License-Identifier: AGPL-3.0-only
"""`python -m tests.reorgs --reorgs 500 --seed 1`: the long campaign; its report goes to bench/results/reorgs.json."""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from indexer import logs
from tests.reorgs.campaign import run
from tests.support.build import ROOT
from tests.support.databases import PostgresDatabases, SqliteFiles
from tests.support.postgres import postgres

RESULTS = ROOT / "bench" / "results" / "reorgs.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Indexes under reorganisations, on SQLite and PostgreSQL.")
    parser.add_argument("--reorgs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the report goes")
    asked = parser.parse_args()
    logs.configure("error")
    # Node and server are children: they must not outlive a campaign that is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="ouro-reorgs-") as folder, postgres() as server:
        kinds = [SqliteFiles(Path(folder)), PostgresDatabases(server)]
        report = run(kinds, reorgs=asked.reorgs, seed=asked.seed, say=lambda line: print(line, flush=True))
    text = json.dumps(report.asdict(), indent=2)
    print(text)
    asked.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
