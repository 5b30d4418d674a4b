# SPDX-License-Identifier: AGPL-3.0-only
"""Ponder on the bench's chain: a pinned installation of its own under `.cache/ponder`, from npm."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from ouro import abi
from tests.support.build import ROOT

SOURCE = Path(__file__).parent / "peers" / "ponder"
HOME = ROOT / ".cache" / "ponder"
_ABIS = {"Exchange": "Exchange", "Vault": "Vault", "Oracle": "PushedOracle"}
_MOST_S = 1_200


class NotToBeHadError(Exception):
    """Ponder cannot be installed here."""


def install() -> None:
    """Bring ponder once. Raises `NotToBeHadError`."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotToBeHadError("npm is not installed: no comparison with ponder")
    HOME.mkdir(parents=True, exist_ok=True)
    wanted = (SOURCE / "package.json").read_text()
    mark = HOME / "installed.json"
    if not mark.exists() or mark.read_text() != wanted:
        (HOME / "package.json").write_text(wanted)
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotToBeHadError(f"npm could not install ponder: {done.stderr[-500:]}")
        mark.write_text(wanted)
    for path in SOURCE.rglob("*.ts"):
        copy = HOME / path.relative_to(SOURCE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def run(folder: Path, rpc_url: str, record: dict[str, Any], end: int, database_url: str) -> dict[str, Any]:
    """Index up to block `end`. Seconds from its first look at the chain to the end, and its processor time after the
    start. Raises `NotToBeHadError`, or `RuntimeError` when it fails.
    """
    install()
    user_and_name, _, socket = database_url.removeprefix("postgresql://").partition("?host=")
    user, _, name = user_and_name.partition("@/")
    bench = {
        "abis": {ours: abi.load(theirs) for ours, theirs in _ABIS.items()},
        "addresses": {ours: record["contracts"][ours.lower()] for ours in _ABIS},
        "startBlock": record["startBlock"],
        "endBlock": end,
        "rpc": rpc_url,
        "database": f"postgresql://{user}@/{name}?host={socket}",
    }
    (folder / "ponder.json").write_text(json.dumps(bench))
    environment = {**os.environ, "BENCH_FILE": str(folder / "ponder.json"), "PONDER_TELEMETRY_DISABLED": "true"}
    command = ["node_modules/.bin/ponder", "start", "--schema", "bench", "--log-format", "json", "--port", "0"]

    started: float | None = None
    ended: float | None = None
    said: list[str] = []
    with subprocess.Popen(
        command,
        cwd=HOME,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        clock = _Clock(process.pid)
        try:
            deadline = time.monotonic() + _MOST_S
            for line in process.stdout:
                said.append(line)
                if time.monotonic() > deadline:
                    break
                message, at = _read(line)
                if started is None and "Started backfill indexing" in message:
                    started = at
                if "Completed backfill indexing across all chains" in message:
                    ended = at
                    break
        finally:
            clock.stop()
            os.killpg(process.pid, signal.SIGKILL)

    if started is None or ended is None:
        raise RuntimeError("ponder did not finish:\n" + "".join(said[-30:]))
    return {"wall_s": ended - started, "cpu_s": clock.between(started, ended)}


class _Clock:
    """Notes the processor time of a process all along: its log may come later than what it tells of."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: list[tuple[float, float]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self._seen.append((time.time(), _cpu(self._pid)))

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def between(self, start: float, end: float) -> float:
        """Processor seconds between two times."""
        spent = [max((cpu for at, cpu in self._seen if at <= moment), default=0.0) for moment in (start, end)]
        return spent[1] - spent[0]


def _read(line: str) -> tuple[str, float]:
    """What a line of the log says, and when (s)."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line, time.time()
    at = entry.get("time")
    if isinstance(at, str):
        return str(entry.get("msg", "")), datetime.fromisoformat(at).timestamp()
    return str(entry.get("msg", "")), at / 1000 if at else time.time()


def _cpu(session: int) -> float:
    """Processor seconds so far of the processes that run in a session."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
