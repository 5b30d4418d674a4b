# SPDX-License-Identifier: AGPL-3.0-only
"""The code of our contracts, by the very compiler that the lock file holds.

Not by ape's own cache, which does not notice every change of a module. What was compiled is kept by the digest of all
sources, so that a second deployment compiles nothing; `fresh` compiles whatever is kept.
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from eth_utils.crypto import keccak

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "deploy"
EVM_VERSION = "cancun"
# behind one address, each delegating to the next what it does not know
EXCHANGE = ("Exchange", "ExchangeDesk", "ExchangeOffice", "ExchangeExit")
_PRAGMA = re.compile(r"^# ?pragma optimize (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Immutable:
    """Where the code on chain holds an immutable: bytes after the compiled code."""

    name: str
    offset: int
    length: int


@dataclass(frozen=True)
class Code:
    """One compiled contract. `runtime` is without the immutables, which follow it on chain."""

    name: str
    abi: list[dict[str, Any]]
    creation: bytes
    runtime: bytes
    immutables: tuple[Immutable, ...]
    storage: dict[str, Any]

    @property
    def creation_hash(self) -> str:
        return "0x" + keccak(self.creation).hex()

    @property
    def runtime_hash(self) -> str:
        return "0x" + keccak(self.runtime).hex()

    @property
    def constructor(self) -> list[dict[str, Any]]:
        """The inputs of the constructor."""
        return next((entry["inputs"] for entry in self.abi if entry["type"] == "constructor"), [])

    def slot_of(self, variable: str) -> int:
        """Where storage holds a variable of whichever module. Raises `KeyError` if there is none."""
        return _slot(self.storage, variable)


def _slot(layout: dict[str, Any], variable: str) -> int:
    for name, entry in layout.items():
        if "slot" not in entry:
            try:
                return _slot(entry, variable)
            except KeyError:
                continue
        elif name == variable:
            return int(entry["slot"])
    raise KeyError(variable)


def source(name: str) -> Path:
    return ROOT / "contracts" / f"{name}.vy"


def optimisation(name: str) -> str:
    """What the file itself asks of the compiler; its default is gas."""
    found = _PRAGMA.search(source(name).read_text())
    return found.group(1) if found else "gas"


def sources_digest() -> str:
    """Of every source that a contract can consist of, and of the compiler."""
    state = hashlib.sha256(f"{version('vyper')} {version('snekmate')} {EVM_VERSION}".encode())
    for path in sorted((ROOT / "contracts").rglob("*.vy*")):
        state.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def settings() -> dict[str, str]:
    """What anyone needs to compile the same."""
    return {
        "compiler": f"vyper {version('vyper')}",
        "evmVersion": EVM_VERSION,
        "snekmate": version("snekmate"),
        "sources": sources_digest(),
    }


def compiled(names: Iterable[str], *, fresh: bool = False) -> dict[str, Code]:
    """The contracts of these names, several at a time. Raises `click.ClickException` with what the compiler says."""
    names = list(dict.fromkeys(names))
    for name in names:
        if not source(name).exists():
            raise click.ClickException(f"there is no contract {name} in contracts/")
    folder = CACHE / sources_digest()[:32]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = list(pool.map(lambda name: _output(folder, name, fresh), names))
    return {name: _code(name, output) for name, output in zip(names, outputs, strict=True)}


def _output(folder: Path, name: str, fresh: bool) -> dict[str, Any]:
    stored = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    if fresh or not stored.exists():
        # Who needs the same while another compiles it waits for that one.
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if fresh or not stored.exists():
                partial = folder / f"{name}.{os.getpid()}"
                partial.write_text(json.dumps(_compile(name)))
                partial.replace(stored)
    kept: dict[str, Any] = json.loads(stored.read_text())
    return kept


def _compile(name: str) -> dict[str, Any]:
    vyper = Path(sys.executable).with_name("vyper")
    command = [str(vyper), "--evm-version", EVM_VERSION, "-f", "abi,bytecode,bytecode_runtime,layout"]
    done = subprocess.run(
        [*command, str(source(name).relative_to(ROOT))], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode:
        raise click.ClickException(f"{name} does not compile:\n{done.stderr.strip()}")
    abi, bytecode, runtime, layout = done.stdout.strip().splitlines()
    return {"abi": json.loads(abi), "bytecode": bytecode, "runtime": runtime, "layout": json.loads(layout)}


def _code(name: str, output: dict[str, Any]) -> Code:
    return Code(
        name=name,
        abi=output["abi"],
        creation=bytes.fromhex(output["bytecode"][2:]),
        runtime=bytes.fromhex(output["runtime"][2:]),
        immutables=tuple(_immutables(output["layout"].get("code_layout", {}))),
        storage=output["layout"].get("storage_layout", {}),
    )


def _immutables(layout: dict[str, Any], prefix: str = "") -> Iterable[Immutable]:
    for name, entry in layout.items():
        if "offset" in entry:
            yield Immutable(prefix + name, entry["offset"], entry["length"])
        else:
            yield from _immutables(entry, f"{prefix}{name}.")
