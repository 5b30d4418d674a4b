# SPDX-License-Identifier: AGPL-3.0-only
"""Compile the Vyper sources once, and again only when a source changes.

The key is the digest of every file under `contracts/`, of the compiler's and snekmate's versions and of the settings,
so several test processes may share one cache folder, which ignores itself in git.
"""

import fcntl
import hashlib
import json
import os
import site
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
HELPERS = ROOT / "tests" / "support" / "contracts"
CACHE = ROOT / ".cache" / "vyper"
EVM_VERSION = "cancun"
OUTPUTS = ["abi", "bytecode", "bytecode_runtime", "layout"]


@dataclass(frozen=True)
class Artifact:
    """What the compiler made of one deployable contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    runtime: bytes
    layout: dict[str, Any]


def _digest() -> str:
    state = hashlib.sha256(f"{version('vyper')} {version('snekmate')} {EVM_VERSION}".encode())
    for folder in (CONTRACTS, HELPERS):
        for path in sorted(folder.rglob("*.vy*")):
            state.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:32]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _compile(path: Path) -> dict[str, Any]:
    from vyper.compiler import compile_from_file_input  # type: ignore[import-untyped]
    from vyper.compiler.input_bundle import FilesystemInputBundle  # type: ignore[import-untyped]
    from vyper.compiler.settings import Settings  # type: ignore[import-untyped]

    bundle = FilesystemInputBundle([Path(p) for p in site.getsitepackages()] + [ROOT, path.parent])
    settings = Settings(evm_version=EVM_VERSION)
    output = compile_from_file_input(
        bundle.load_file(path), input_bundle=bundle, settings=settings, output_formats=OUTPUTS
    )
    return json.loads(json.dumps({key: output[key] for key in OUTPUTS}))  # type: ignore[no-any-return]


def _source(name: str) -> Path:
    for folder in (CONTRACTS, HELPERS):
        found = [path for path in folder.rglob(f"{name}.vy") if path.is_file()]
        if found:
            return found[0]
    raise FileNotFoundError(f"no contract named {name} under contracts/")


@cache
def artifact(name: str) -> Artifact:
    """The compiled contract `name`, from `contracts/` or from the tests' own helper contracts.

    Raises `FileNotFoundError` for an unknown name and the compiler's own errors for a bad source.
    """
    folder = CACHE / _digest()
    stored = folder / f"{name}.json"
    if not stored.exists():
        with _locked(CACHE):
            if not stored.exists():
                folder.mkdir(exist_ok=True)
                partial = folder / f"{name}.{os.getpid()}"
                partial.write_text(json.dumps(_compile(_source(name))))
                partial.replace(stored)
    output = json.loads(stored.read_text())
    return Artifact(
        name=name,
        abi=output["abi"],
        bytecode=bytes.fromhex(output["bytecode"][2:]),
        runtime=bytes.fromhex(output["bytecode_runtime"][2:]),
        layout=output["layout"],
    )


def storage_slot(name: str, *path: str) -> int:
    """Where a contract keeps a variable: `path` leads through its modules."""
    entry = artifact(name).layout["storage_layout"]
    for part in path:
        entry = entry[part]
    return int(entry["slot"])
