# SPDX-License-Identifier: AGPL-3.0-only
"""Runs programs side by side: starts them in order, waits until each answers, restarts what falls, stops in reverse.

Every program is a process of its own with its output in a log file. The supervisor is single-threaded: whoever uses it
calls `watch` in a loop.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0
POLL_S = 0.1
LAST_LINES = 15


class StackError(Exception):
    """The stack cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Program:
    """What to run: `ready` says whether it serves (None: as soon as it runs)."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    ready_within_s: float = 60.0
    stop_grace_s: float = 15.0
    #: A program that cannot be restarted alone: its end is the end of the whole stack.
    vital: bool = False


def tail(log: Path) -> str:
    """The last lines of a log, indented."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8_000))
        lines = file.read().decode(errors="replace").splitlines()[-LAST_LINES:]
    return "\n".join("    " + line for line in lines)


class _Running:
    """One program with its process, its log and its history of restarts."""

    def __init__(self, program: Program, log: Path, cwd: Path) -> None:
        self.program = program
        self.log = log
        self._cwd = cwd
        self.restarts = 0
        self.pause_s = FIRST_PAUSE_S
        self.resume_at = 0.0
        self.process = self._spawn()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self.started_at = time.monotonic()
        with self.log.open("ab") as log:
            return subprocess.Popen(
                list(self.program.command),
                cwd=self._cwd,
                env={**os.environ, **self.program.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Out of reach of the terminal's Ctrl-C: the supervisor decides the order of the end.
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )

    @property
    def fallen(self) -> bool:
        return self.process.poll() is not None

    def plan_restart(self) -> None:
        """After a fall: wait longer each time, starting over after a steady run."""
        if time.monotonic() - self.started_at > STEADY_AFTER_S:
            self.pause_s = FIRST_PAUSE_S
        self.resume_at = time.monotonic() + self.pause_s
        self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)

    def restart(self) -> None:
        self.resume_at = 0.0
        self.restarts += 1
        self.process = self._spawn()

    def story(self, what: str) -> str:
        """What happened to the program, with the end of its log."""
        return f"{self.program.name} {what}:\n{tail(self.log)}\nIts log is {self.log}."


_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """In the child: ask the kernel for a SIGTERM when the supervisor dies without stopping it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Programs in the order of their start."""

    def __init__(self, logs: Path, cwd: Path, report: Callable[[str], None]) -> None:
        """`report` gets one line for whatever a person should know: falls and restarts."""
        self._logs = logs
        self._cwd = cwd
        self._report = report
        self._running: list[_Running] = []
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, program: Program) -> None:
        """Start a program and wait until it is ready. Raises `StackError` with the end of its log otherwise."""
        running = _Running(program, self._logs / f"{program.name}.log", self._cwd)
        self._running.append(running)
        if program.ready is None:
            return
        deadline = time.monotonic() + program.ready_within_s
        while not program.ready():
            if running.fallen:
                raise StackError(running.story(f"ended while starting (exit {running.process.returncode})"))
            if time.monotonic() > deadline:
                raise StackError(running.story(f"was not ready within {program.ready_within_s:.0f} s"))
            time.sleep(POLL_S)

    def watch(self) -> None:
        """Look after every program once. Raises `StackError` when a vital one has fallen."""
        for running in self._running:
            if not running.fallen:
                continue
            name, code = running.program.name, running.process.returncode
            if running.program.vital:
                raise StackError(running.story(f"ended (exit {code})"))
            if not running.resume_at:
                running.plan_restart()
                wait = running.resume_at - time.monotonic()
                self._report(f"{name} fell (exit {code}), starting again in {wait:.0f} s; see {running.log}")
            elif time.monotonic() >= running.resume_at:
                running.restart()
                self._report(f"{name} started again (restart {running.restarts})")

    def pid(self, name: str) -> int:
        """Process id of the program called `name`. Raises `KeyError` if there is none."""
        for running in self._running:
            if running.program.name == name:
                return running.process.pid
        raise KeyError(name)

    def stop(self, *, keep: Sequence[str] = ()) -> None:
        """End all programs but those named in `keep`, last started first, each with time to finish its work."""
        for running in reversed(self._running):
            if running.program.name in keep or running.fallen:
                continue
            running.process.send_signal(signal.SIGTERM)
            grace_s = running.program.stop_grace_s
            try:
                running.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._report(f"{running.program.name} did not end within {grace_s:.0f} s, killing it")
                running.process.kill()
                running.process.wait()
        self._running = [running for running in self._running if running.program.name in keep]
