# SPDX-License-Identifier: AGPL-3.0-only
"""Run many mutants: each in a fork of one process that has imported and collected everything already.

The process is pytest itself: the plugin takes the place of its loop over the tests. A fork compiles the mutant, runs
the tests that execute the changed statement, the fast ones first, and ends at the first that fails.
"""

import gc
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.coverage.mapping import CoverageMap
from tests.mutation.mutants import Base, Changed, Store, Verdict, Workshop
from tests.mutation.operators import Mutant
from tests.support import evm as evms

POLL = 0.005


@dataclass(frozen=True)
class Result:
    """`killer` is the test that noticed. Times in milliseconds."""

    id: str
    verdict: Verdict
    killer: str | None = None
    compile_ms: int = 0
    test_ms: int = 0
    tests: int = 0

    def line(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str) -> "Result":
        entry = json.loads(line)
        return cls(**(entry | {"verdict": Verdict(entry["verdict"])}))


@dataclass
class Campaign:
    """What to try: `mutants` in their order, until `wanted` of them counted. `known` are results of before.

    `hints` are tests, by the id of a mutant, that killed it in another state of the tests: they only go first.
    """

    base: Base
    covered: CoverageMap
    mutants: list[Mutant]
    wanted: int
    known: dict[str, Result]
    workers: int
    timeout: float
    report: Callable[[Mutant, Result], None]
    hints: dict[str, str] = field(default_factory=dict)
    store: Store | None = None

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Those that execute the changed statement: the one that killed it before, then the fast ones."""
        tests, hint = self.covered.covering(set(mutant.places)), self.hints.get(mutant.id)
        return sorted(tests, key=lambda name: name != hint)

    def results(self) -> list[tuple[Mutant, Result]]:
        """The first ones that count, with the discarded ones between them: not dependent on who was faster."""
        found: list[tuple[Mutant, Result]] = []
        counted = 0
        for mutant in self.mutants:
            if counted == self.wanted or mutant.id not in self.known:
                break
            found.append((mutant, self.known[mutant.id]))
            counted += self.known[mutant.id].verdict.counts
        return found

    def _next(self, running: set[str]) -> Mutant | None:
        """The first one without a result, unless those before it may be enough."""
        counted = 0
        for mutant in self.mutants:
            if counted == self.wanted:
                return None
            if mutant.id in running:
                counted += 1
            elif mutant.id in self.known:
                counted += self.known[mutant.id].verdict.counts
            else:
                return mutant
        return None

    def run(self, runner: "Runner") -> None:
        """Fork a process for each mutant, `workers` at a time."""
        running: dict[int, _Fork] = {}
        with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
            free = [Workshop(self.base, Path(folder) / str(number), self.store) for number in range(self.workers)]
            try:
                while True:
                    while free and (mutant := self._next({fork.mutant.id for fork in running.values()})):
                        fork = _Fork(mutant, free.pop(), runner, self.tests_for(mutant))
                        running[fork.pid] = fork
                    if not running:
                        return
                    time.sleep(POLL)
                    for fork in list(running.values()):
                        result = fork.result(self.timeout)
                        if result is not None:
                            del running[fork.pid]
                            free.append(fork.workshop)
                            self.known[result.id] = result
                            self.report(fork.mutant, result)
            finally:
                for fork in running.values():
                    fork.end()


class _Fork:
    """One mutant in a process of its own."""

    def __init__(self, mutant: Mutant, workshop: Workshop, runner: "Runner", tests: list[str]):
        self.mutant, self.workshop = mutant, workshop
        self.answer = workshop.folder / "answer"
        self.answer.unlink(missing_ok=True)
        workshop.put(mutant)
        self.started = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            runner.live(self.answer, lambda: runner.judge(mutant, workshop, tests))

    def result(self, timeout: float) -> Result | None:
        """None as long as it runs."""
        done, _ = os.waitpid(self.pid, os.WNOHANG)
        if not done:
            if time.monotonic() - self.started < timeout:
                return None
            self.end()
        self.workshop.restore(self.mutant)
        elapsed = round((time.monotonic() - self.started) * 1000)
        if done and self.answer.exists():
            return Result.of(self.answer.read_text())
        # it went on for ever, or took the whole process with it
        return Result(self.mutant.id, Verdict.TIMED_OUT, test_ms=elapsed)

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class _Failed(Exception):  # noqa: N818 - not an error: a mutant was noticed
    pass


class Runner:
    """Runs collected tests of a pytest session, in a fork."""

    def __init__(self, session: pytest.Session):
        self._items = {item.nodeid: item for item in session.items}
        self._failed: str | None = None
        session.config.pluginmanager.register(self, "mutation-runner")

    @property
    def names(self) -> list[str]:
        return list(self._items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self._failed is None:
            self._failed = report.nodeid

    def live(self, answer: Path, work: Callable[[], Result]) -> None:
        """Do the work and leave its answer; never returns."""
        status = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            partial = answer.with_suffix(".part")
            partial.write_text(work().line())
            partial.replace(answer)
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is must not get into the loop of the parent
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def first_failure(self, tests: list[str]) -> tuple[str | None, int]:
        """The first test that fails, and how many ran."""
        self._failed = None
        items = [self._items[name] for name in tests if name in self._items]
        for number, item in enumerate(items, 1):
            following = items[number] if number < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed is not None:
                return self._failed, number
        return None, len(items)

    def judge(self, mutant: Mutant, workshop: Workshop, tests: list[str]) -> Result:
        started = time.perf_counter()
        gc.disable()  # the compiler makes much and drops little
        changed = workshop.build(mutant)
        gc.enable()
        compile_ms = round((time.perf_counter() - started) * 1000)
        if isinstance(changed, Verdict):
            return Result(mutant.id, changed, compile_ms=compile_ms)
        if not tests:
            return Result(mutant.id, Verdict.UNCOVERED, compile_ms=compile_ms)
        evms.deployer = changed
        started = time.perf_counter()
        killer, ran = self.first_failure(tests)
        test_ms = round((time.perf_counter() - started) * 1000)
        verdict = Verdict.KILLED if killer else Verdict.SURVIVED if changed.deployed else Verdict.NOT_DEPLOYED
        return Result(mutant.id, verdict, killer, compile_ms, test_ms, ran)

    def unable(self, base: Base, tests: list[str], folder: Path) -> list[str]:
        """Tests that fail without any mutant as soon as the code comes from here: they would kill everything."""
        answer = folder / "unable"
        pid = os.fork()
        if pid == 0:
            self.live(answer, lambda: self._sound(base, tests))
        os.waitpid(pid, 0)
        names = Result.of(answer.read_text()).killer
        return json.loads(names) if names else []

    def _sound(self, base: Base, tests: list[str]) -> Result:
        evms.deployer = Changed({contract.code: contract.bare for contract in base.contracts})
        failing: list[str] = []
        remaining = list(tests)
        while remaining:
            failure, ran = self.first_failure(remaining)
            if failure is None:
                break
            failing.append(failure)
            remaining = remaining[ran:]
        return Result("", Verdict.SURVIVED, json.dumps(failing))


class Plugin:
    """Gives a session's tests to `work` in the place of running them."""

    def __init__(self, work: Callable[[Runner], None]):
        self._work = work

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings  # not earlier than pytest, which would warn

        # the same examples for every mutant, and no time spent on making a failure small
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutation", derandomize=True, database=None, phases=phases)
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        with _frozen():
            self._work(Runner(session))
        return True


@contextmanager
def _frozen() -> Iterator[None]:
    """What is there already need not be looked at in every fork, which would copy its memory."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def with_tests(tests: list[str], work: Callable[[Runner], None]) -> int:
    """Collect the tests and give them to `work`, all in this process."""
    plain = ["-q", "-s", "-p", "no:xdist", "-p", "no:cacheprovider"]
    options: list[Any] = [*plain, *tests]
    return int(pytest.main(options, plugins=[Plugin(work)]))
