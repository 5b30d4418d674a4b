# SPDX-License-Identifier: AGPL-3.0-only
"""The crash campaign: a thousand deaths on the forgetful disk, then kills of real processes on a real chain.

    python -m tests.crash [--deaths 1000] [--kills 20] [--seed 1] [--write]

Fails with the broken promise. `--write` puts what was done into bench/results/crash.json.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import structlog

from tests.crash.life import Campaign
from tests.crash.processes import kill_processes

RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results" / "crash.json"


def main() -> None:
    """Runs both parts and says what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deaths", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with Path(os.devnull).open("w") as nowhere:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(nowhere))
        started = time.monotonic()
        campaign = Campaign(options.seed)
        campaign.run(options.deaths)
        result: dict[str, object] = {
            "seed": options.seed,
            "model": {**sorted_counts(campaign), "seconds": round(time.monotonic() - started)},
        }
        sys.stdout.write(f"{json.dumps(result)}\n")
        if options.kills:
            with tempfile.TemporaryDirectory() as folder:
                result["processes"] = kill_processes(Path(folder), options.kills, options.seed)
    text = json.dumps(result, indent=2) + "\n"
    sys.stdout.write(text)
    if options.write:
        RESULTS.write_text(text)


def sorted_counts(campaign: Campaign) -> dict[str, int]:
    """What happened in the lives."""
    return dict(sorted(campaign.counts.items()))


if __name__ == "__main__":
    main()
