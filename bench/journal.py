# SPDX-License-Identifier: AGPL-3.0-only
"""Journal speed against bare append + fdatasync, by size of the group that shares a sync.

    python -m bench.journal [--folder DIR] [--json FILE]

Both write the same records of 250 bytes (about what a signed order takes) and go on once they are on disk. The journal
also chains, checks and frames them, and hands them to its writer thread and back. Rounds alternate, since a shared
disk's sync time wanders.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from relayer.journal import Identity, Journal, OsFiles

RESULTS = Path(__file__).with_name("results") / "journal.json"
RECORD = 250
IDENTITY = Identity(core_version=1, chain_id=31337, contract="0x" + "00" * 20, config=b"{}")
STATE_HASH = bytes(32)


def bare(folder: Path, groups: list[list[bytes]]) -> float:
    """Seconds for append + fdatasync per group."""
    fd = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    started = time.perf_counter()
    for group in groups:
        os.write(fd, b"".join(group))
        os.fdatasync(fd)
    taken = time.perf_counter() - started
    os.close(fd)
    return taken


def ours(journal: Journal, groups: list[list[bytes]]) -> float:
    """Seconds for a journal's append per group, each waited for."""
    started = time.perf_counter()
    for group in groups:
        journal.append(group, STATE_HASH).result()
    return time.perf_counter() - started


def main() -> None:
    """Prints records per second and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="a folder on the disk to measure")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"where the figures go (default {RESULTS.name})")
    options = parser.parse_args()
    rng = Random(1)
    rows: dict[str, dict[str, float]] = {}
    sys.stdout.write(f"{'group':>6} {'bare /s':>12} {'journal /s':>12} {'ratio':>6}\n")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        journal = Journal.open(OsFiles(folder / "journal"), IDENTITY)
        for size in (1, 16, 64, 256, 1024):
            groups = [[rng.randbytes(RECORD) for _ in range(size)] for _ in range(40)]
            plain = chained = 0.0
            for _ in range(options.rounds):
                plain += bare(folder, groups)
                chained += ours(journal, groups)
            count = options.rounds * len(groups) * size
            sys.stdout.write(f"{size:6} {count / plain:12,.0f} {count / chained:12,.0f} {plain / chained:6.2f}\n")
            rows[f"group of {size}"] = {
                "bare_per_second": round(count / plain),
                "journal_per_second": round(count / chained),
                "ratio": round(plain / chained, 2),
            }
        journal.close()
    options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
