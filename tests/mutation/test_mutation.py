# SPDX-License-Identifier: AGPL-3.0-only
"""The mutation tools on a small contract with a small suite: what is killed, survives and is discarded is known."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from tests.coverage.instrument import FIRST_PROBE, Instrumented, instrument
from tests.coverage.mapping import CoverageMap
from tests.mutation.__main__ import drawn, hints_for
from tests.mutation.campaign import Campaign, Result
from tests.mutation.mutants import Base, Changed, Store, Verdict, Workshop
from tests.mutation.operators import Mutant, mutants_of
from tests.mutation.report import UNJUDGED, difference, identity, page, score
from tests.support import evm as evms
from tests.support.build import ROOT
from tests.support.compiler import compiled
from tests.support.evm import Evm

DEPLOYER = "0x" + "11" * 20
SOURCE = """\
# pragma version 0.4.3

event Put:
    x: uint256

MOST: constant(uint256) = 10

owner: address
last: uint256
takers: uint256
makers: uint256

@deploy
def __init__():
    self.owner = msg.sender

@external
def put(x: uint256, taker: uint256, maker: uint256) -> uint256:
    self._only_owner()
    assert x <= MOST, "too much"
    if x == 3:
        return 0
    self.last = max(x, 2) + 1
    self.takers += taker
    log Put(x=x)
    return unsafe_add(taker, 1)

@external
@view
def above(x: uint256) -> bool:
    return x > 5 and self.last >= MOST

@internal
@view
def _only_owner():
    assert msg.sender == self.owner
"""


def call_put(evm: Evm, small: str, x: int) -> int:
    data = keccak(text="put(uint256,uint256,uint256)")[:4] + b"".join(n.to_bytes(32, "big") for n in (x, 8, 0))
    return int.from_bytes(evm.call(small, data, DEPLOYER), "big")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "Small.vy").write_text(SOURCE)
    return tmp_path


def small(root: Path) -> list[Mutant]:
    return mutants_of(root / "contracts" / "Small.vy", root)


def lines(mutants: list[Mutant], operator: str) -> set[tuple[str, str]]:
    """The changed lines, before and after, without their indentation."""
    found = set()
    for mutant in mutants:
        if mutant.operator == operator:
            change = difference(mutant, SOURCE.encode()).splitlines()
            found.add((change[0][1:].strip(), change[1][1:].strip()))
    return found


def the(mutants: list[Mutant], after: str) -> Mutant:
    """The one that leads to a line."""
    [found] = [m for m in mutants if difference(m, SOURCE.encode()).splitlines()[1][1:].strip() == after]
    return found


def test_every_kind_of_error_is_made(root: Path) -> None:
    found = small(root)
    assert lines(found, "boundary") == {
        ('assert x <= MOST, "too much"', 'assert x < MOST, "too much"'),
        ("return x > 5 and self.last >= MOST", "return x >= 5 and self.last >= MOST"),
        ("return x > 5 and self.last >= MOST", "return x > 5 and self.last > MOST"),
    }
    assert ("if x == 3:", "if x != 3:") in lines(found, "comparison")
    assert ("return x > 5 and self.last >= MOST", "return x > 5 or self.last >= MOST") in lines(found, "and-or")
    assert ("self.last = max(x, 2) + 1", "self.last = max(x, 2) - 1") in lines(found, "arithmetic")
    assert ("self.takers += taker", "self.takers -= taker") in lines(found, "arithmetic")
    assert ("return unsafe_add(taker, 1)", "return unsafe_sub(taker, 1)") in lines(found, "arithmetic")
    assert ("self.last = max(x, 2) + 1", "self.last = min(x, 2) + 1") in lines(found, "min-max")
    assert ("self.takers += taker", "self.takers += maker") in lines(found, "operand")
    assert ("self.takers += taker", "pass") in lines(found, "write")
    assert ("self._only_owner()", "pass") in lines(found, "role")
    assert ("log Put(x=x)", "pass") in lines(found, "event")
    assert ('assert x <= MOST, "too much"', "pass") in lines(found, "assert")
    assert ("return unsafe_add(taker, 1)", "return empty(uint256)") in lines(found, "return")
    assert {after for _, after in lines(found, "constant")} >= {
        "MOST: constant(uint256) = 9",
        "MOST: constant(uint256) = 11",
        "if x == 2:",
        "if x == 4:",
    }
    assert len({mutant.id for mutant in found}) == len(found)


def test_a_constant_is_noticed_where_it_is_used(root: Path) -> None:
    mutant = the(small(root), "MOST: constant(uint256) = 9")
    used = {number for number, line in enumerate(SOURCE.splitlines(), 1) if "MOST" in line and "constant" not in line}
    assert {place.line for place in mutant.places} == used


def contract(root: Path) -> Instrumented:
    return instrument(compiled(root / "contracts" / "Small.vy", root), FIRST_PROBE, root)


def test_what_changes_no_code_or_does_not_compile_is_discarded(root: Path, tmp_path: Path) -> None:
    base = Base([contract(root)], root)
    workshop = Workshop(base, tmp_path / "workshop")

    def built(start: str, old: str, new: str) -> Changed | Verdict:
        at = SOURCE.index(old, SOURCE.index(start))
        mutant = Mutant("contracts/Small.vy", 1, "by hand", "put", at, at + len(old), old, new, frozenset())
        workshop.put(mutant)
        try:
            return workshop.build(mutant)
        finally:
            workshop.restore(mutant)

    assert built("MOST: constant", "10", "5 * 2") is Verdict.SAME_CODE
    assert built("self.takers +=", "taker", "nobody") is Verdict.DOES_NOT_COMPILE
    assert isinstance(built("MOST: constant", "10", "11"), Changed)
    assert (workshop.folder / "contracts" / "Small.vy").read_text() == SOURCE


def test_a_mutant_is_compiled_once(root: Path, tmp_path: Path) -> None:
    base, store = Base([contract(root)], root), Store(tmp_path / "store")
    bad = the(small(root), "self._only_guardian()")
    good = the(small(root), "return unsafe_sub(taker, 1)")
    first = Workshop(base, tmp_path / "first", store)
    second = Workshop(base, tmp_path / "second", store)
    for mutant in (good, bad):
        first.put(mutant)
        built = first.build(mutant)
        first.restore(mutant)
        assert second.build(mutant) == built, "without the mutant in its sources"
        assert (built is Verdict.DOES_NOT_COMPILE) == (mutant is bad)


def test_a_mutant_is_deployed_in_the_place_of_the_original(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = contract(root)
    workshop = Workshop(Base([original], root), tmp_path / "workshop")
    mutant = the(small(root), "return unsafe_sub(taker, 1)")
    workshop.put(mutant)
    changed = workshop.build(mutant)
    assert isinstance(changed, Changed)

    def answer() -> int:
        evm = Evm()
        return call_put(evm, evm.create(DEPLOYER, original.code), 1)

    assert answer() == 9
    monkeypatch.setattr(evms, "deployer", changed)
    assert answer() == 7
    assert changed.deployed == 1


SUITE = '''
import pytest
from tests.support import evm as evms
from tests.support.evm import Evm
from tests.mutation.test_mutation import DEPLOYER, call_put
from tests.support.abi import RevertError

CODE = bytes.fromhex("{code}")

def test_ten_is_allowed_and_eleven_is_not():
    evm = Evm()
    small = evm.create(DEPLOYER, CODE)
    assert call_put(evm, small, 10) == 9
    with pytest.raises(RevertError, match="too much"):
        call_put(evm, small, 11)

def test_that_can_tell():
    """Would kill everything, so it has to be left out."""
    assert evms.deployer is None
'''

DRIVER = """
import json, sys
from pathlib import Path
from tests.coverage.instrument import FIRST_PROBE, instrument
from tests.coverage.mapping import CoverageMap
from tests.mutation.campaign import Campaign, with_tests
from tests.mutation.mutants import Base
from tests.mutation.operators import mutants_of
from tests.support.compiler import compiled

root = Path(sys.argv[1])
path = root / "contracts" / "Small.vy"
base = Base([instrument(compiled(path, root), FIRST_PROBE, root)], root)
suite = str(root / "test_suite.py")
out = {}

def work(runner):
    names = runner.names
    unable = runner.unable(base, names, root)
    out["unable"] = unable
    names = {name: 1 for name in names if name not in unable}
    mutants = [m for m in mutants_of(path, root) if m.id in sys.argv[2:]]
    covered = CoverageMap(names, {place: set(names) for m in mutants for place in m.places if m.function == "put"})
    campaign = Campaign(base, covered, mutants, len(mutants), {}, 2, 60, lambda mutant, result: None)
    campaign.run(runner)
    out["verdicts"] = {m.id: r.verdict for m, r in campaign.results()}

out["status"] = with_tests([suite, "--rootdir", str(root), "-c", str(root / "pytest.ini")], work)
(root / "out.json").write_text(json.dumps(out))
"""


def test_a_campaign(root: Path) -> None:
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "test_suite.py").write_text(SUITE.format(code=contract(root).code.hex()))
    (root / "driver.py").write_text(DRIVER)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    found = small(root)
    expected = {
        'assert x < MOST, "too much"': Verdict.KILLED,
        "MOST: constant(uint256) = 9": Verdict.KILLED,
        "MOST: constant(uint256) = 11": Verdict.KILLED,
        "return unsafe_sub(taker, 1)": Verdict.KILLED,
        "self.takers -= taker": Verdict.KILLED,  # checked arithmetic reverts
        "self.takers += maker": Verdict.SURVIVED,
        "self._only_guardian()": Verdict.DOES_NOT_COMPILE,
        "return x >= 5 and self.last >= MOST": Verdict.UNCOVERED,
    }
    chosen = {the(found, after).id: verdict for after, verdict in expected.items()}
    command = [sys.executable, str(root / "driver.py"), str(root), *chosen]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    out = json.loads((root / "out.json").read_text())
    assert [name.split("::")[1] for name in out["unable"]] == ["test_that_can_tell"]
    assert out["verdicts"] == chosen


def test_mutants_are_drawn_by_the_seed_or_chosen_by_their_place(root: Path) -> None:
    found = small(root)
    assert drawn(found, 7, None) == drawn(found, 7, None) != drawn(found, 8, None)
    assert set(drawn(found, 7, None)) == set(found)
    assert {mutant.line for mutant in drawn(found, 7, "Small.vy:2")} <= {2}
    assert {mutant.line for mutant in drawn(found, 7, "Small.vy:21")} == {21}
    assert drawn(found, None, "contracts/Small.vy") == found
    assert drawn(found, 7, "Small.vy") == drawn(found, 7, None)


def test_who_killed_a_mutant_before_goes_first_and_decides_nothing(root: Path, tmp_path: Path) -> None:
    mutant = the(small(root), "self.takers -= taker")
    [place] = mutant.places
    log = tmp_path / "same-now.jsonl"
    for name, killer in (("same-before", "slow"), ("other-before", "fast"), ("same-now", "middle")):
        (tmp_path / f"{name}.jsonl").write_text(Result(mutant.id, Verdict.KILLED, killer).line() + "\n")
    assert hints_for(log) == {mutant.id: "slow"}, "of the same contracts and other tests"

    covered = CoverageMap({"fast": 1, "middle": 2, "slow": 3, "elsewhere": 4}, {place: {"fast", "middle", "slow"}})

    def order(hints: dict[str, str]) -> list[str]:
        campaign = Campaign(Base([], root), covered, [mutant], 1, {}, 1, 1, lambda *_: None, hints)
        assert campaign.results() == []
        return campaign.tests_for(mutant)

    assert order({}) == ["fast", "middle", "slow"]
    assert order(hints_for(log)) == ["slow", "fast", "middle"]
    assert order({mutant.id: "elsewhere"}) == order({mutant.id: "gone"}) == ["fast", "middle", "slow"]


def test_the_score_counts_what_is_noticed(root: Path) -> None:
    kinds = [Verdict.KILLED, Verdict.TIMED_OUT, Verdict.SURVIVED, Verdict.SAME_CODE, Verdict.DOES_NOT_COMPILE]
    pairs = [(m, Result(m.id, kind)) for m, kind in zip(small(root), kinds, strict=False)]
    assert score(pairs)["mutants"] == 3
    assert score(pairs)["score_percent"] == 66.66


def test_the_page_keeps_what_is_written_and_forgets_what_is_killed(root: Path) -> None:
    found = small(root)
    sources = {"contracts/Small.vy": SOURCE.encode()}
    one, two = the(found, "self.takers += maker"), the(found, "return x >= 5 and self.last >= MOST")
    text, unjudged = page([one, two], sources, "", set())
    assert unjudged == 2
    assert text.count(UNJUDGED) == 2
    text = text.replace(UNJUDGED, "Both are the same here.", 1)
    again, unjudged = page([one, two], sources, text, set())
    assert (again, unjudged) == (text, 1)
    assert "+    self.takers += maker" in text

    tried = {identity(mutant, sources) for mutant in (one, two)}
    assert page([], sources, text, tried)[0].count("## `") == 0
    assert page([], sources, text, set())[0] == text, "a smaller campaign leaves the others alone"
