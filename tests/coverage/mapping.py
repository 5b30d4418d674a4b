# SPDX-License-Identifier: AGPL-3.0-only
"""Which tests execute which statement: measured once for a state of contracts and tests, and kept in the cache."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from tests.coverage import TESTS
from tests.coverage.instrument import CACHE, Instrumented
from tests.coverage.report import Outcome, places
from tests.support.build import ROOT
from tests.support.compiler import Place

READ = ("contracts", "ouro", "tests/support", "tests/reference", "tests/vectors", "tests/coverage", *TESTS)


@dataclass(frozen=True)
class CoverageMap:
    """`tests` by name with their milliseconds, the fast ones first; `at` the tests that execute a statement."""

    tests: dict[str, int]
    at: dict[Place, set[str]]

    def covering(self, wanted: set[Place]) -> list[str]:
        """The tests that execute any of the statements, the fast ones first."""
        found = set().union(*(self.at.get(place, set()) for place in wanted))
        return [name for name in self.tests if name in found]


def state_of_the_tree() -> str:
    """A digest of all that decides what the contract tests do."""
    return _state_of(READ)


def state_of_the_contracts() -> str:
    return _state_of(("contracts",))


def _state_of(folders: tuple[str, ...]) -> str:
    state = hashlib.sha256()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".vy", ".vyi", ".json") and "__pycache__" not in path.parts:
                state.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:32]


def _stored() -> Path:
    return CACHE / f"map-{state_of_the_tree()}.json"


def write(tests: list[Outcome], contracts: list[Instrumented]) -> None:
    """Leave out what failed: such a test can tell changed code from the code that is deployed."""
    good = sorted((test for test in tests if test.failed is None), key=lambda test: (test.milliseconds, test.name))
    at: dict[str, list[int]] = {}
    for number, test in enumerate(good):
        for place in places(contracts, test.probes):
            at.setdefault(str(place), []).append(number)
    partial = _stored().with_suffix(".part")
    partial.write_text(json.dumps({"tests": [[test.name, test.milliseconds] for test in good], "at": at}))
    partial.replace(_stored())


def read() -> CoverageMap | None:
    """None if nothing was measured for this state of the tree."""
    if not _stored().exists():
        return None
    entry = json.loads(_stored().read_text())
    names = [name for name, _ in entry["tests"]]
    at = {}
    for text, numbers in entry["at"].items():
        file, line = text.rsplit(":", 1)
        at[Place(file, int(line))] = {names[number] for number in numbers}
    return CoverageMap(dict(entry["tests"]), at)
