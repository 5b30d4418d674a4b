# SPDX-License-Identifier: AGPL-3.0-only
"""The pytest side: deploys instrumented contracts and notes which probes each test reached.

    pytest -p tests.coverage.plugin --contract-coverage FOLDER tests/contracts

Each process (of xdist too) leaves a file in the folder: for every test its outcome, its milliseconds and the probes.

A probe costs gas, most when it is the first at its address. Where the contracts set a limit to the gas of a call, a
test may therefore fail that is fine. It is run again without probes, which decides whether it fails, and then once for
each part of the probes, with the others muted.
"""

import json
import os
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.coverage.instrument import FIRST_PROBE, SPAN, Instrumented, instrumented
from tests.support import evm as evms
from tests.support.evm import Evm

MANY = 32
PARTS = 8


def mute(code: bytes, numbers: list[int]) -> bytes:
    """The same code with these probes asking for nothing."""
    for number in numbers:
        push = b"\x63" + number.to_bytes(4, "big")
        probe, silence = push + b"\x31\x50", push + b"\x50\x5b"  # BALANCE POP, POP JUMPDEST
        assert code.count(probe) == 1
        code = code.replace(probe, silence)
    return code


def why(reports: list[pytest.TestReport]) -> str | None:
    """The first failure in a line, if any."""
    for report in reports:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            return str(getattr(crash, "message", report.longrepr)).splitlines()[0]
    return None


class Recorder:
    """Gives the tests instrumented code. `reached` returns and forgets the probes of all EVMs since the last time."""

    code_size_limit: int | None = 2**16
    part: int | None = None  # of `PARTS`, or all probes

    def __init__(self, contracts: list[Instrumented]):
        # a longer code first: one may begin with another
        self._contracts = sorted(contracts, key=lambda contract: -len(contract.code))
        self._end = FIRST_PROBE + SPAN * len(contracts)
        self._evms: weakref.WeakSet[Evm] = weakref.WeakSet()
        self._fresh: list[Evm] = []
        self._probes: set[int] = set()
        self._cache: dict[tuple[str, int | None], bytes] = {}

    def code_for(self, evm: Evm, code: bytes) -> bytes:
        if evm not in self._evms:
            self._evms.add(evm)
            self._fresh.append(evm)
            if len(self._fresh) > MANY:  # a test that makes thousands must not keep them all
                self._read(self._fresh)
                self._fresh = [evm]
        for contract in self._contracts:
            if code.startswith(contract.code):
                return self._probed(contract) + code[len(contract.code) :]
        return code

    def _probed(self, contract: Instrumented) -> bytes:
        key = contract.name, self.part
        if key not in self._cache:
            numbers = range(contract.first, contract.first + len(contract.blocks))
            muted = [] if self.part is None else [number for number in numbers if number % PARTS != self.part]
            self._cache[key] = mute(contract.probed, muted)
        return self._cache[key]

    def _read(self, evms: list[Evm]) -> None:
        for evm in evms:
            numbers = (int(address, 16) for address in evm.accounts())
            self._probes.update(number for number in numbers if FIRST_PROBE <= number < self._end)

    def reached(self) -> list[int]:
        self._read(list(self._evms))
        found, self._probes, self._fresh = sorted(self._probes), set(), []
        return found


class Plugin:
    def __init__(self, folder: Path):
        self.folder = folder
        self.recorder = Recorder(instrumented())
        self.tests: dict[str, dict[str, Any]] = {}
        evms.deployer = self.recorder

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        started = time.perf_counter()
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        milliseconds = round((time.perf_counter() - started) * 1000)
        failure = why(reports)
        if failure is not None:
            evms.deployer = None
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            evms.deployer = self.recorder
            if why(reports) is None:
                failure = self._in_parts(item, nextitem)
        self.tests[item.nodeid] = {
            "failed": failure,
            "is_broken": why(reports) is not None,
            "milliseconds": milliseconds,
            "probes": self.recorder.reached(),
        }
        for report in reports:
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _in_parts(self, item: pytest.Item, nextitem: pytest.Item | None) -> str | None:
        failures = []
        for part in range(PARTS):
            self.recorder.part = part
            failures.append(why(runtestprotocol(item, log=False, nextitem=nextitem)))
        self.recorder.part = None
        return next((failure for failure in failures if failure is not None), None)

    def pytest_sessionfinish(self) -> None:
        if self.tests:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{os.getpid()}.json").write_text(json.dumps(self.tests))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contract-coverage", metavar="FOLDER", type=Path, help="note which lines of contracts tests run")


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--contract-coverage")
    leads_workers = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if folder is not None and not leads_workers:
        config.pluginmanager.register(Plugin(folder), "contract-coverage-recorder")
