# SPDX-License-Identifier: AGPL-3.0-only
"""Every bench in turn, or the named ones: each prints its figures and writes them to `bench/results`.

    python -m bench [cascade] [gas] [indexing] [journal] [intake] [load] [matching] [reads] [recovery] [web]

Ratios to the reference of the same run are what counts. All of them take about half an hour on an idle machine.
"""

import argparse
import subprocess
import sys

BENCHES = ("cascade", "gas", "indexing", "journal", "intake", "load", "matching", "reads", "recovery", "web")


def main() -> int:
    """The number of benches that failed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all of them without one")
    names = parser.parse_args().names or BENCHES
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench {unknown[0]}: there are {', '.join(BENCHES)}")
    failed = 0
    for name in names:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        # A process of its own: one bench's memory and event loop do not slow the next one.
        failed += subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
