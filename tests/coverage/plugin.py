# SPDX-License-Identifier: AGPL-3.0-only
"""The pytest side: deploys instrumented contracts and notes which probes each test reached.

    pytest -p tests.coverage.plugin --contract-coverage FOLDER tests/contracts

Each process (of xdist too) leaves a file in the folder: for every test its outcome, its seconds and the blocks.
"""

import json
import os
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.coverage.instrument import FIRST_PROBE, SPAN, Instrumented, instrumented
from tests.support import evm as evms
from tests.support.evm import Evm

MANY = 32


class Recorder:
    """Gives the tests instrumented code. `reached` returns and forgets the probes of all EVMs since the last time."""

    code_size_limit = 2**16

    def __init__(self, contracts: list[Instrumented]):
        # a longer code first: one may begin with another
        self._contracts = sorted(contracts, key=lambda contract: -len(contract.code))
        self._end = FIRST_PROBE + SPAN * len(contracts)
        self._evms: weakref.WeakSet[Evm] = weakref.WeakSet()
        self._fresh: list[Evm] = []
        self._probes: set[int] = set()

    def code_for(self, evm: Evm, code: bytes) -> bytes:
        if evm not in self._evms:
            self._evms.add(evm)
            self._fresh.append(evm)
            if len(self._fresh) > MANY:  # a test that makes thousands must not keep them all
                self._read(self._fresh)
                self._fresh = [evm]
        for contract in self._contracts:
            if code.startswith(contract.code):
                return contract.probed + code[len(contract.code) :]
        return code

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

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        started = time.perf_counter()
        yield
        entry = self.tests.setdefault(item.nodeid, {"failed": None})
        entry["milliseconds"] = round((time.perf_counter() - started) * 1000)
        entry["probes"] = self.recorder.reached()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            reason = getattr(getattr(report.longrepr, "reprcrash", None), "message", str(report.longrepr))
            self.tests.setdefault(report.nodeid, {})["failed"] = reason.splitlines()[0]

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
