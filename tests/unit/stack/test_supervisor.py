# SPDX-License-Identifier: AGPL-3.0-only
"""The supervisor with real processes: order, restarts, readable failures, nothing left behind."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import supervisor as module
from stack.supervisor import Program, StackError, Supervisor

SLEEPER = "import time; print('serving', flush=True); time.sleep(60)"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs", tmp_path, said.append)
    yield supervisor
    supervisor.stop()


def script(name: str, code: str, ready: Callable[[], bool] | None = None, *, vital: bool = False) -> Program:
    return Program(name, [sys.executable, "-c", code], ready=ready, ready_within_s=10, vital=vital)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def watch_until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        supervisor.watch()
        time.sleep(0.02)


def test_start_waits_until_the_program_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "service.log"
    supervisor.start(script("service", SLEEPER, lambda: "serving" in log.read_text()))
    assert log.read_text() == "serving\n"


def test_a_program_that_ends_while_starting_shows_its_log(supervisor: Supervisor) -> None:
    with pytest.raises(StackError, match=r"(?s)service ended while starting \(exit 3\).*no database") as failure:
        supervisor.start(script("service", "print('no database', flush=True); raise SystemExit(3)", lambda: False))
    assert "service.log" in str(failure.value)


def test_a_program_that_never_gets_ready_is_reported(supervisor: Supervisor) -> None:
    program = Program("service", [sys.executable, "-c", SLEEPER], ready=lambda: False, ready_within_s=0.3)
    with pytest.raises(StackError, match="was not ready within 0 s"):
        supervisor.start(program)


def test_a_fallen_program_is_started_again_after_a_pause(
    supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.05)
    supervisor.start(script("bot", SLEEPER))
    first = supervisor.pid("bot")
    os.kill(first, 9)
    watch_until(supervisor, lambda: supervisor.pid("bot") != first)
    assert alive(supervisor.pid("bot"))
    assert [line.split(";")[0] for line in said] == [
        "bot fell (exit -9), starting again in 0 s",
        "bot started again (restart 1)",
    ]


def test_the_pause_doubles_with_every_fall(
    supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.6)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 1.2)
    supervisor.start(script("bot", "raise SystemExit(1)"))
    watch_until(supervisor, lambda: sum("fell" in line for line in said) == 3)
    pauses = [line.split(" in ")[1].split(" s;")[0] for line in said if "fell" in line]
    assert pauses == ["1", "1", "1"]  # 0.6, then 1.2 at most


def test_the_fall_of_a_vital_program_ends_the_stack(supervisor: Supervisor) -> None:
    supervisor.start(script("chain", "raise SystemExit(7)", vital=True))
    with pytest.raises(StackError, match=r"chain ended \(exit 7\)"):
        watch_until(supervisor, lambda: False)


def test_stop_ends_programs_in_reverse_order_and_waits(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.1); open({note!r}, 'a').write({name!r} + ' '); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    for name in ("chain", "relayer", "bot"):
        log = tmp_path / "logs" / f"{name}.log"
        ready = lambda log=log: "up" in log.read_text()  # noqa: E731
        supervisor.start(script(name, code.format(note=str(note), name=name), ready))
    pids = [supervisor.pid(name) for name in ("chain", "relayer", "bot")]
    supervisor.stop(keep=["chain"])
    assert note.read_text() == "bot relayer "
    assert alive(pids[0])
    supervisor.stop()
    assert note.read_text() == "bot relayer chain "
    assert not any(alive(pid) for pid in pids)


def test_a_program_that_ignores_the_signal_is_killed(supervisor: Supervisor, tmp_path: Path, said: list[str]) -> None:
    log = tmp_path / "logs" / "stubborn.log"
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    program = Program("stubborn", [sys.executable, "-c", code], ready=lambda: "up" in log.read_text(), stop_grace_s=0.2)
    supervisor.start(program)
    pid = supervisor.pid("stubborn")
    supervisor.stop()
    assert not alive(pid)
    assert said == ["stubborn did not end within 0 s, killing it"]
