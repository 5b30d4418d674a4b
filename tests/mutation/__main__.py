# SPDX-License-Identifier: AGPL-3.0-only
"""A mutation campaign over the contracts.

    python -m tests.mutation --sample 300 --seed 1          some mutants, drawn by the seed; written to the results
    python -m tests.mutation --only slots.vy:92             every mutant of a line or file; only shown
    python -m tests.mutation --only slots.vy --sample 80    some of them, drawn by the seed

Results are kept as they come, so the same command goes on where it was stopped. They count as long as no contract and
no test has changed. When only tests have, they say which test to try first, and nothing is compiled twice.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

from tests.coverage import TESTS, mapping
from tests.coverage.__main__ import measure
from tests.coverage.instrument import digest, instrumented
from tests.mutation.campaign import Campaign, Result, Runner, with_tests
from tests.mutation.mutants import Base, Store, Verdict
from tests.mutation.operators import Mutant, all_mutants
from tests.mutation.report import costs, difference, result, survivors, table, write_page
from tests.support.build import HELPERS, ROOT, artifact

CACHE = ROOT / ".cache" / "mutation"
RESULT = ROOT / "bench" / "results" / "mutation.json"
PAGE = ROOT / "docs" / "mutation-survivors.md"


def drawn(mutants: list[Mutant], seed: int | None, only: str | None) -> list[Mutant]:
    """In the order in which they are tried: that of the text without a seed."""
    order = list(mutants)
    if only is not None:
        place = f"{only}:" if only.rpartition(":")[2].isdigit() else only
        order = [mutant for mutant in mutants if place in f"{mutant.file}:{mutant.line}:" or only == mutant.id]
    if seed is not None:
        random.Random(seed).shuffle(order)
    return order


def coverage(workers: int) -> mapping.CoverageMap:
    """From the cache, or measured now."""
    found = mapping.read()
    if found is None:
        print("no coverage of this state of contracts and tests yet: measuring it", flush=True)
        mapping.write(measure(list(TESTS), workers), instrumented())
        found = mapping.read()
    assert found is not None, "the tree changed while its coverage was measured"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="how many mutants that count; all without it")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--only", metavar="FILE[:LINE]", help="those of a file or line, or one by its id")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one mutant")
    parser.add_argument("--fresh", action="store_true", help="forget results of before")
    parser.add_argument("--no-write", action="store_true", help="leave the committed results and the page alone")
    options = parser.parse_args()

    started = time.monotonic()
    covered = coverage(options.workers)
    base = Base(instrumented())
    for contract in base.contracts:
        assert artifact(contract.name).bytecode == contract.code, f"{contract.name} changed meanwhile"
    for path in HELPERS.rglob("*.vy"):
        artifact(path.stem)  # so that no fork reads a tree that has changed
    everything = all_mutants()
    order = drawn(everything, None if options.only and options.sample is None else options.seed, options.only)

    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    log = CACHE / f"{mapping.state_of_the_contracts()}-{mapping.state_of_the_tree()}.jsonl"
    if options.fresh:
        log.unlink(missing_ok=True)
    known = _known(log)
    hints = {} if options.fresh else hints_for(log)
    before = len(known)
    wanted = len(order) if options.sample is None else options.sample

    def show(mutant: Mutant, one: Result) -> None:
        with log.open("a") as handle:
            handle.write(one.line() + "\n")
        until = order[: order.index(mutant) + 1]  # results of before may lie beyond
        counted = sum(known[other.id].verdict.counts for other in until if other.id in known)
        seconds = f"{one.compile_ms / 1000:.1f} + {one.test_ms / 1000:.1f} s"
        by = f" by {one.killer.split('::')[-1]}" if one.killer else ""
        place = f"{mutant.file}:{mutant.line}"
        print(f"[{counted:4}/{wanted}] {one.verdict:<16} {mutant.operator:<10} {place}  {seconds}{by}", flush=True)

    campaign = Campaign(
        base,
        covered,
        order,
        wanted,
        known,
        options.workers,
        options.timeout,
        show,
        hints,
        Store(CACHE / f"code-{digest()}"),
    )

    def work(runner: Runner) -> None:
        for name in runner.unable(base, list(covered.tests), CACHE):
            print(f"left out, since it fails without a mutant: {name}")
            del covered.tests[name]
        counts = f"{len(covered.tests)} tests, {len(order)} mutants possible, {before} results of before"
        print(f"{counts}, {len(hints)} hints from other states of the tests", flush=True)
        campaign.run(runner)

    status = with_tests(list(TESTS), work)
    pairs = campaign.results()
    if status or not pairs:
        print(f"no results: pytest ended with {status}")
        return 1
    for mutant in survivors(pairs):
        print(f"\n{mutant.file}:{mutant.line} ({mutant.operator}, in {mutant.function}, {mutant.id})")
        print(difference(mutant, base.sources[mutant.file]))
    print(f"\n{table(pairs)}\n{len(pairs)} mutants, {costs(pairs)}; {time.monotonic() - started:.0f} s in all")
    unsure = sum(one.verdict is Verdict.NOT_DEPLOYED for _, one in pairs)
    if unsure:
        print(f"{unsure} mutants were in no contract that their tests deploy")
    if options.only is None and not options.no_write:
        content = result(pairs, base.sources, options.seed, options.sample, len(everything))
        RESULT.write_text(json.dumps(content, indent=2) + "\n")
        unjudged = write_page(PAGE, pairs, base.sources)
        print(f"{unjudged} survivors in {PAGE.relative_to(ROOT)} are without an explanation")
    return 0


def hints_for(log: Path) -> dict[str, str]:
    """Who killed which mutant of the same contracts in other states of the tests, the newest last word.

    Nothing of that is a result: the tests may have changed.
    """
    contracts = log.name.partition("-")[0]
    others = sorted(log.parent.glob(f"{contracts}-*.jsonl"), key=lambda path: path.stat().st_mtime)
    found = [one for path in others if path != log for one in _known(path).values()]
    return {one.id: one.killer for one in found if one.killer is not None}


def _known(log: Path) -> dict[str, Result]:
    if not log.exists():
        return {}
    results = (Result.of(line) for line in log.read_text().splitlines() if line.endswith("}"))
    return {one.id: one for one in results}


if __name__ == "__main__":
    sys.exit(main())
