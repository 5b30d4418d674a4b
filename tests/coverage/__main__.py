# SPDX-License-Identifier: AGPL-3.0-only
"""Run the contract tests on instrumented contracts and say which lines they execute.

python -m tests.coverage [--no-write] [--workers N] [TESTS ...]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.coverage import TESTS, THRESHOLD, mapping
from tests.coverage.instrument import instrumented
from tests.coverage.report import Outcome, files, percent, read, result, table
from tests.support.build import ROOT

RESULT = ROOT / "bench" / "results" / "coverage.json"


def measure(tests: list[str], workers: int) -> list[Outcome]:
    """Run the tests, silently but for progress. Tests that fail are in the answer like the others."""
    instrumented()  # once, before the workers want it
    folder = Path(tempfile.mkdtemp(prefix="coverage-"))
    try:
        spread = ["-n", str(workers), "--dist", "loadfile"] if workers > 1 else ["-p", "no:xdist"]
        plugin = ["-p", "tests.coverage.plugin", "--contract-coverage", str(folder)]
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "--no-summary", *spread, *plugin, *tests]
        subprocess.run(command, cwd=ROOT, check=False)
        return read(folder)
    finally:
        shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("tests", nargs="*", default=list(TESTS), help=f"what to run: {' '.join(TESTS)}")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--no-write", action="store_true", help=f"leave {RESULT.relative_to(ROOT)} alone")
    options = parser.parse_args()

    started, state = time.monotonic(), mapping.state_of_the_tree()
    tests = measure(options.tests, options.workers)
    if not tests:
        print("no test ran")
        return 1
    contracts = instrumented()
    found = files(contracts, tests)
    print("\n" + table(found))
    print(f"{len(tests)} tests in {time.monotonic() - started:.0f} s")
    if mapping.state_of_the_tree() != state:
        print("contracts or tests changed meanwhile: nothing is written, measure again")
        return 1
    if options.tests == list(TESTS):
        mapping.write(tests, contracts)
    if not options.no_write:
        RESULT.write_text(json.dumps(result(found, tests, contracts), indent=2) + "\n")
    unable = [test for test in tests if test.failed and not test.is_broken]
    broken = [test for test in tests if test.is_broken]
    for title, some in (("pass, but not with probes", unable), ("fail", broken)):
        if some:
            print(f"\n{len(some)} tests {title}:")
            print("\n".join(f"  {test.name}: {test.failed}" for test in some))
    wrongly = [f"{file.name}:{line}" for file in found for line in sorted(file.wrongly)]
    if wrongly:
        print(f"executed, but named as unreachable in tests/coverage/unreachable.py: {', '.join(wrongly)}")
    if broken or wrongly:
        return 1
    if percent(found) < THRESHOLD:
        print(
            f"{percent(found)} % of the lines are executed, fewer than the {THRESHOLD} % of tests/coverage/__init__.py"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
