# SPDX-License-Identifier: AGPL-3.0-only
"""From the probes that tests reached to the lines that they executed."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.coverage.instrument import Instrumented
from tests.coverage.unreachable import UNREACHABLE, Unreachable
from tests.support.build import ROOT
from tests.support.compiler import Place, statements_of


@dataclass(frozen=True)
class Outcome:
    """What one test did. `failed` says why it fails with probes; `is_broken` that it fails without them, too."""

    name: str
    milliseconds: int
    failed: str | None
    probes: frozenset[int]
    is_broken: bool = False


@dataclass(frozen=True)
class File:
    """The lines on which statements begin: those that count, those of them executed, and those that no deployable
    contract contains. `wrongly` are the executed ones among those that are said to be unreachable.
    """

    name: str
    lines: frozenset[int]
    executed: frozenset[int]
    unused: frozenset[int]
    wrongly: frozenset[int] = frozenset()

    @property
    def missed(self) -> list[int]:
        return sorted(self.lines - self.executed)


def read(folder: Path) -> list[Outcome]:
    """The tests of every process that left a file in the folder."""
    tests: dict[str, Outcome] = {}
    for path in sorted(folder.glob("*.json")):
        for name, entry in json.loads(path.read_text()).items():
            tests[name] = Outcome(
                name, entry["milliseconds"], entry["failed"], frozenset(entry["probes"]), entry["is_broken"]
            )
    return [tests[name] for name in sorted(tests)]


def places(contracts: list[Instrumented], probes: frozenset[int]) -> set[Place]:
    """The statements in the blocks of the probes."""
    found: set[Place] = set()
    for contract in contracts:
        last = contract.first + len(contract.blocks)
        for number in probes:
            if contract.first <= number < last:
                found.update(contract.blocks[number - contract.first])
    return found


def files(
    contracts: list[Instrumented],
    tests: list[Outcome],
    root: Path = ROOT,
    unreachable: tuple[Unreachable, ...] = UNREACHABLE,
) -> list[File]:
    """Every source file with statements, in the order of names."""
    excused = {one.place(root) for one in unreachable}
    executed = places(contracts, frozenset().union(*(test.probes for test in tests)))
    compiled = {place for contract in contracts for block in contract.blocks for place in block}
    out = []
    for path in sorted((root / "contracts").rglob("*.vy")):
        name = str(path.relative_to(root))
        dead = frozenset(place.line for place in excused if place.file == name)
        lines = frozenset(node.lineno for node in statements_of(path)) - dead
        used, ran = ({place.line for place in places if place.file == name} for places in (compiled, executed))
        if lines:
            out.append(File(name, lines, lines & ran, lines - used, dead & ran))
    return out


def ranges(lines: list[int], known: frozenset[int]) -> str:
    """`12, 15-19`: neighbours among the statements are drawn together."""
    order = {line: index for index, line in enumerate(sorted(known))}
    groups: list[list[int]] = []
    for line in lines:
        if groups and order[line] == order[groups[-1][-1]] + 1:
            groups[-1].append(line)
        else:
            groups.append([line])
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]}-{g[-1]}" for g in groups)


def table(found: list[File]) -> str:
    width = max(len(file.name) for file in found)
    rows = [f"{'file':<{width}}  lines  executed        uncovered"]
    for file in found:
        share = 100 * len(file.executed) / len(file.lines)
        missed = ranges(file.missed, file.lines)
        rows.append(f"{file.name:<{width}}  {len(file.lines):5}  {len(file.executed):5}  {share:6.2f}%  {missed}")
        if file.unused:
            rows.append(f"{'':<{width}}  in no deployed contract: {ranges(sorted(file.unused), file.lines)}")
    rows.append(f"{'all':<{width}}  {total(found)[0]:5}  {total(found)[1]:5}  {percent(found):6.2f}%")
    return "\n".join(rows)


def total(found: list[File]) -> tuple[int, int]:
    """Lines, and lines executed."""
    return sum(len(file.lines) for file in found), sum(len(file.executed) for file in found)


def percent(found: list[File]) -> float:
    """Rounded down, so that 100 means all."""
    lines, executed = total(found)
    return executed * 10_000 // lines / 100


def result(
    found: list[File],
    tests: list[Outcome],
    contracts: list[Instrumented],
    unreachable: tuple[Unreachable, ...] = UNREACHABLE,
) -> dict[str, Any]:
    """What is committed."""
    reached = frozenset[int]().union(*(test.probes for test in tests))
    blocks: dict[str, dict[str, int]] = defaultdict(dict)
    for contract in contracts:
        span = range(contract.first, contract.first + len(contract.blocks))
        blocks[contract.name] = {"blocks": len(span), "executed": len(reached.intersection(span))}
    lines, executed = total(found)
    return {
        "tests": len(tests),
        "lines": lines,
        "executed": executed,
        "percent": percent(found),
        "unreachable": {str(one.place()): one.reason for one in unreachable},
        "files": {
            file.name: {
                "lines": len(file.lines),
                "executed": len(file.executed),
                "uncovered": file.missed,
                "in_no_deployed_contract": sorted(file.unused),
            }
            for file in found
        },
        "basic_blocks_of_the_bytecode": blocks,
    }
