# SPDX-License-Identifier: AGPL-3.0-only
"""`python -m tests.chaos --fills 10000 --seed 1`: the long campaign; its report goes to bench/results/chaos.json."""

import argparse
import json
import tempfile
from pathlib import Path

from tests.chaos.campaign import run
from tests.support.build import ROOT

RESULTS = ROOT / "bench" / "results" / "chaos.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Settlement under chaos.")
    parser.add_argument("--fills", type=int, default=10_000, help="how many fills must settle")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the report goes")
    parser.add_argument("--keep", type=Path, help="a folder for the relayer's files, to look at afterwards")
    asked = parser.parse_args()
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="ouro-chaos-"))
    report = run(folder, fills=asked.fills, seed=asked.seed)
    text = json.dumps(report.asdict(), indent=2)
    print(text)
    if report.undone > report.settled // 4:
        raise SystemExit(f"{report.undone} fills were undone: that says little of settlement")
    asked.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
