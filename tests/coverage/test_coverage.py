# SPDX-License-Identifier: AGPL-3.0-only
"""Coverage of small contracts, of which it is plain to see what runs."""

from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from tests.coverage.instrument import FIRST_PROBE, SPAN, Instrumented, instrument
from tests.coverage.plugin import PARTS, Recorder
from tests.coverage.report import File, Outcome, files, percent, places, ranges, table
from tests.coverage.unreachable import UNREACHABLE, Unreachable
from tests.support import evm as evms
from tests.support.abi import RevertError
from tests.support.build import ROOT, artifact
from tests.support.compiler import compiled, deployables
from tests.support.evm import Evm

DEPLOYER = "0x" + "11" * 20

MODULE = """\
# pragma version 0.4.3

@internal
@pure
def _halved(x: uint256) -> uint256:
    if x % 2 == 1:
        return 0
    return x // 2
"""

FRONT = """\
# pragma version 0.4.3
from contracts.modules import halves

TARGET: immutable(address)
LIMIT: immutable(uint256)
last: public(uint256)
kept: uint256

@deploy
def __init__(target: address, limit: uint256):
    TARGET = target
    LIMIT = limit
    if limit > 1000:
        self.last = 1

@external
def put(x: uint256):
    assert x <= LIMIT, "too much"
    y: uint256 = 0
    z: uint256 = 0
    for i: uint256 in range(2):
        y = halves._halved(x)
    self.last = y + z

@external
@view
def peek(x: uint256) -> uint256:
    if x == 7:
        raise "seven"
    return self.last

@external
@payable
def __default__():
    raw_call(TARGET, msg.data, is_delegate_call=True)
"""

BACK = """\
# pragma version 0.4.3

last: public(uint256)
kept: uint256

@external
def keep(x: uint256):
    self.kept = x
    if x > 5:
        self.kept = 5
        return
    self.last = x
"""


def line_of(source: str, text: str) -> int:
    """Where a text stands that occurs once."""
    [line] = [number for number, line in enumerate(source.splitlines(), 1) if text in line]
    return line


def word(value: int | str) -> bytes:
    return (int(value, 16) if isinstance(value, str) else value).to_bytes(32, "big")


def call(name: str, value: int) -> bytes:
    return keccak(text=f"{name}(uint256)")[:4] + word(value)


class Chain:
    """Both contracts, the front twice, on an EVM that runs them with probes."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self.root = root
        sources = {"Front.vy": FRONT, "Back.vy": BACK, "modules/halves.vy": MODULE}
        for name, text in sources.items():
            path = root / "contracts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.contracts: list[Instrumented] = [
            instrument(compiled(path, root), FIRST_PROBE + SPAN * number, root)
            for number, path in enumerate(deployables(root))
        ]
        self.recorder = Recorder(self.contracts)
        monkeypatch.setattr(evms, "deployer", self.recorder)
        self.evm = Evm()
        code = {contract.name: contract.code for contract in self.contracts}
        self.back = self.evm.create(DEPLOYER, code["Back"])
        self.small, self.large = (
            self.evm.create(DEPLOYER, code["Front"] + word(self.back) + word(limit)) for limit in (10, 500)
        )

    def lines(self, name: str) -> set[int]:
        """Executed since the last time."""
        found = places(self.contracts, frozenset(self.recorder.reached()))
        return {place.line for place in found if place.file == f"contracts/{name}"}


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    return Chain(tmp_path, monkeypatch)


def test_the_constructor_counts(chain: Chain) -> None:
    first = line_of(FRONT, "TARGET = target")
    assert chain.lines("Front.vy") == {first, first + 1, first + 2}


def test_lines_of_contract_and_module_that_ran_and_no_others(chain: Chain) -> None:
    chain.evm.transact(DEPLOYER, chain.large, call("put", 4))
    first = line_of(FRONT, "assert x <= LIMIT")
    ran = chain.lines("Front.vy")
    assert set(range(first, first + 6)) <= ran, "also the assignment that the optimiser merges into its neighbour"
    assert line_of(FRONT, 'raise "seven"') not in ran
    first = line_of(MODULE, "if x % 2")
    assert chain.lines("modules/halves.vy") == {first, first + 2}


def test_what_ran_before_a_revert_counts(chain: Chain) -> None:
    with pytest.raises(RevertError, match="too much"):
        chain.evm.transact(DEPLOYER, chain.small, call("put", 11))
    ran = chain.lines("Front.vy")
    assert line_of(FRONT, "assert x <= LIMIT") in ran
    assert line_of(FRONT, "y: uint256 = 0") not in ran


def test_a_view_counts_although_it_leaves_nothing(chain: Chain) -> None:
    with pytest.raises(RevertError, match="seven"):
        chain.evm.call(chain.small, call("peek", 7))
    assert line_of(FRONT, 'raise "seven"') in chain.lines("Front.vy")


def test_delegated_code_counts_for_the_file_it_is_in(chain: Chain) -> None:
    chain.evm.transact(DEPLOYER, chain.small, call("keep", 3))
    assert chain.evm.storage(chain.small, 0) == 3, "the storage is the caller's"
    first, cut = line_of(BACK, "self.kept = x"), line_of(BACK, "self.kept = 5")
    assert chain.lines("Back.vy") == {first, first + 1, first + 4}
    chain.evm.transact(DEPLOYER, chain.large, call("keep", 6))
    assert chain.lines("Back.vy") >= {cut, cut + 1}
    assert line_of(FRONT, "raw_call") in chain.lines("Front.vy")


def test_a_muted_probe_says_nothing_and_costs_little(chain: Chain) -> None:
    data = call("keep", 3)
    dear = chain.evm.transact(DEPLOYER, chain.back, data).gas_used
    everything = chain.lines("Back.vy")
    evm, found = Evm(), set()
    chain.evm = evm
    for part in range(PARTS):
        chain.recorder.part = part
        back = evm.create(DEPLOYER, next(c.code for c in chain.contracts if c.name == "Back"))
        chain.recorder.reached()
        assert evm.transact(DEPLOYER, back, data).gas_used < dear
        found |= chain.lines("Back.vy")
    assert found == everything


def test_the_report_says_what_is_missing(chain: Chain) -> None:
    chain.evm.transact(DEPLOYER, chain.small, call("keep", 3))
    chain.evm.transact(DEPLOYER, chain.small, call("put", 4))
    test = Outcome("t", 1, None, frozenset(chain.recorder.reached()))
    found = {file.name: file for file in files(chain.contracts, [test], chain.root, ())}
    assert found["contracts/Back.vy"].missed == [line_of(BACK, "self.kept = 5"), line_of(BACK, "        return")]
    assert found["contracts/modules/halves.vy"].missed == [line_of(MODULE, "return 0")]
    assert not any(file.unused for file in found.values())
    assert percent(list(found.values())) < 100
    assert f"{line_of(BACK, 'self.kept = 5')}-{line_of(BACK, '        return')}" in table(list(found.values()))


def test_what_is_named_as_unreachable_does_not_count_unless_it_runs(chain: Chain) -> None:
    cut = Unreachable("contracts/Back.vy", "self.kept = 5", "return", "for the sake of the test")
    line = line_of(BACK, "        return")

    def back(value: int) -> File:
        chain.evm.transact(DEPLOYER, chain.small, call("keep", value))
        test = Outcome("t", 1, None, frozenset(chain.recorder.reached()))
        return next(file for file in files(chain.contracts, [test], chain.root, (cut,)) if file.name == cut.file)

    assert back(3).missed == [line - 1]
    assert not back(3).wrongly
    assert back(6).wrongly == {line}
    (chain.root / cut.file).write_text(BACK.replace("self.kept = 5", "self.kept = 4"))
    with pytest.raises(ValueError, match="0 times 'return'"):
        cut.place(chain.root)


def test_the_unreachable_ones_stand_where_they_are_said_to() -> None:
    assert {place.file for place in (one.place() for one in UNREACHABLE)} == {one.file for one in UNREACHABLE}


def test_neighbours_are_drawn_together() -> None:
    assert ranges([2, 5, 9], frozenset({1, 2, 5, 7, 9})) == "2-5, 9"


def test_what_is_measured_is_the_code_that_is_deployed() -> None:
    smallest = min(deployables(), key=lambda path: path.stat().st_size)
    contract = compiled(smallest)
    assert contract.code_with_metadata == artifact(smallest.stem).bytecode
    assert contract.runtime_size == len(artifact(smallest.stem).runtime)
    assert smallest.is_relative_to(ROOT)
