# SPDX-License-Identifier: Apache-2.0
"""What `ouro doctor` looks at on this machine: Python, programs, ports, disk."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ouro.cli.report import Finding, State

PYTHON_FROM, PYTHON_BELOW = (3, 11), (3, 13)
PORTS = {"exchange": 8000, "relayer": 8001, "faucet": 8002, "chain": 8545}
"""Where `ouro up` listens unless told otherwise."""

LOW_DISK_BYTES = 5 * 2**30
NO_DISK_BYTES = 2**29
_SERVICE_MODULES = ("fastapi", "sqlalchemy", "pydantic_settings", "uvicorn", "structlog")


def python() -> Iterator[Finding]:
    """The interpreter's version."""
    version = platform.python_version()
    if PYTHON_FROM <= sys.version_info[:2] < PYTHON_BELOW:
        yield Finding("python", State.OK, version)
    else:
        wanted = " to ".join(".".join(map(str, each)) for each in (PYTHON_FROM, (3, PYTHON_BELOW[1] - 1)))
        yield Finding("python", State.FAIL, version, f"Install Python {wanted} and make the environment anew.")


def programs() -> Iterator[Finding]:
    """What services and the local stack need beside Python."""
    missing = [name for name in _SERVICE_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        mend = "To run services here: pip install 'ouro[services]'."
        yield Finding("services", State.WARN, f"packages missing: {', '.join(missing)}", mend)
    else:
        yield Finding("services", State.OK, "packages installed")
    own = Path(".tools") / "bin" / "anvil"
    found = str(own) if own.exists() else shutil.which("anvil")
    if found:
        yield Finding("anvil", State.OK, found)
    else:
        mend = "To run a local stack: make setup in the repository installs it, or put anvil on PATH."
        yield Finding("anvil", State.WARN, "not found", mend)


def ports(wanted: Mapping[str, int], reachable: Callable[[], bool]) -> Iterator[Finding]:
    """Whether the local stack could start, or has started."""
    taken = {what: port for what, port in wanted.items() if _listens(port)}
    if not taken:
        yield Finding("ports", State.OK, f"{', '.join(map(str, wanted.values()))} are free")
        return
    listed = ", ".join(f"{port} ({what})" for what, port in taken.items())
    if reachable():
        yield Finding("ports", State.OK, f"in use: {listed}")
        return
    yield Finding(
        "ports",
        State.WARN,
        f"in use, and no exchange answers: {listed}",
        "Stop what listens there (ss -ltnp shows it), or start on others: make up PORT=9000 ANVIL_PORT=9545.",
    )


def disk(folder: Path) -> Iterator[Finding]:
    """Room where the services write: a relayer that cannot write its journal stops."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free // 2**20:,} MiB free at {place}"
    if free < NO_DISK_BYTES:
        yield Finding("disk", State.FAIL, found, "Make room now: a journal that cannot be written stops the relayer.")
    elif free < LOW_DISK_BYTES:
        yield Finding("disk", State.WARN, found, "Make room, or move the state with OURO_STATE_DIR, before it is full.")
    else:
        yield Finding("disk", State.OK, found)


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(0.5)
        return attempt.connect_ex(("127.0.0.1", port)) == 0
