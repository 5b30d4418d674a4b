# SPDX-License-Identifier: AGPL-3.0-only
"""Put a probe at the start of every basic block of a deployable contract.

The EVM of the tests prints its steps at a thousandth of its speed, so the code itself has to say where it has been. A
probe asks for the balance of an account that nobody has, whose address is the number of the block. That changes no
state, is allowed in a static call, and the EVM's database remembers the account even when the call reverts. The code
around the probes is the assembly that is deployed, optimised as ever; only jumps, code size and gas differ.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.support import compiler
from tests.support.build import EVM_VERSION, ROOT
from tests.support.compiler import TERMINALS, Compiled, Place, assembled, compiled, deployables, place_of, suites_of

CACHE = ROOT / ".cache" / "coverage"
FIRST_PROBE = 0x0C000000  # above every precompile, and four bytes
SPAN = 0x10000  # probes that a contract may have


@dataclass(frozen=True)
class Instrumented:
    """`code` is what tests deploy, `probed` what runs in its place, `blocks` the statements of each probe's block.

    `bare` is `code` without the metadata, to see whether a change of the source changes the code.
    """

    name: str
    code: bytes
    bare: bytes
    runtime_size: int
    probed: bytes
    first: int
    blocks: list[list[Place]]
    sources: frozenset[str]


def instrument(contract: Compiled, first: int, root: Path = ROOT) -> Instrumented:
    """With probes numbered from `first`."""
    blocks: list[set[Place]] = []
    assembly = _probed(contract.assembly, first, blocks, root)
    assert len(blocks) <= SPAN
    _adopt(blocks, contract.sources, root)
    return Instrumented(
        name=contract.name,
        code=contract.code_with_metadata,
        bare=contract.code,
        runtime_size=contract.runtime_size,
        probed=assembled(assembly),
        first=first,
        blocks=[sorted(block) for block in blocks],
        sources=contract.sources,
    )


def _probed(assembly: list[Any], first: int, blocks: list[set[Place]], root: Path) -> list[Any]:
    from vyper.ir.compile_ir import DataHeader, RuntimeHeader  # type: ignore[import-untyped]

    out: list[Any] = []

    def probe() -> None:
        number = (first + len(blocks)).to_bytes(4, "big")
        out.extend(["PUSH4", *number, "BALANCE", "POP"])
        blocks.append(set())

    reachable = True
    is_start = True
    for index, item in enumerate(assembly):
        if isinstance(item, list):
            out.append(item if isinstance(item[0], DataHeader) else _probed(item, first, blocks, root))
            reachable = False  # nothing runs on into data
            continue
        if isinstance(item, RuntimeHeader | DataHeader):
            out.append(item)
            continue
        is_label = isinstance(item, str) and index + 1 < len(assembly) and assembly[index + 1] == "JUMPDEST"
        if is_label:
            is_start = False  # the JUMPDEST gets the probe
        elif is_start and reachable:
            probe()
            is_start = False
        out.append(item)
        if item == "JUMPDEST":
            reachable = True
            probe()
        if reachable and (place := place_of(item, root)) is not None:
            blocks[-1].add(place)
        if item == "JUMPI":
            is_start = True
        elif item in TERMINALS:
            reachable = False
    return out


def _adopt(blocks: list[set[Place]], sources: frozenset[str], root: Path) -> None:
    """Statements that have lost their code to a neighbour's go with it.

    The optimiser merges assignments that follow one another into one copy, which belongs to the first of them.
    """
    holders: dict[Place, list[set[Place]]] = {}
    for block in blocks:
        for place in block:
            holders.setdefault(place, []).append(block)
    for source in sorted(name for name in sources if name.endswith(".vy")):
        for suite in suites_of(root / source):
            assigned: Place | None = None
            for index, node in enumerate(suite):
                place = Place(source, node.lineno)
                if place in holders:
                    assigned = place if type(node).__name__ in ("AnnAssign", "Assign", "AugAssign") else None
                    continue
                later = (Place(source, other.lineno) for other in suite[index + 1 :])
                host = assigned or next((other for other in later if other in holders), None)
                for block in holders.get(host, []) if host else []:
                    block.add(place)


def digest(root: Path = ROOT) -> str:
    """Of all that decides what the contracts compile to."""
    state = hashlib.sha256(f"{version('vyper')} {version('snekmate')} {EVM_VERSION}".encode())
    for path in [*sorted((root / "contracts").rglob("*.vy*")), Path(__file__), Path(compiler.__file__)]:
        state.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:32]


def instrumented(root: Path = ROOT) -> list[Instrumented]:
    """Every deployable contract, from the cache when no source has changed."""
    stored = CACHE / f"{digest(root)}.json"
    if not stored.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / ".gitignore").write_text("*\n")
        contracts = [
            instrument(compiled(path, root), FIRST_PROBE + SPAN * number, root)
            for number, path in enumerate(deployables(root))
        ]
        partial = stored.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps([_plain(contract) for contract in contracts]))
        partial.replace(stored)
    return [_restored(entry) for entry in json.loads(stored.read_text())]


def _plain(contract: Instrumented) -> dict[str, Any]:
    return {
        "name": contract.name,
        "code": contract.code.hex(),
        "bare": contract.bare.hex(),
        "runtime_size": contract.runtime_size,
        "probed": contract.probed.hex(),
        "first": contract.first,
        "blocks": contract.blocks,
        "sources": sorted(contract.sources),
    }


def _restored(entry: dict[str, Any]) -> Instrumented:
    return Instrumented(
        name=entry["name"],
        code=bytes.fromhex(entry["code"]),
        bare=bytes.fromhex(entry["bare"]),
        runtime_size=entry["runtime_size"],
        probed=bytes.fromhex(entry["probed"]),
        first=entry["first"],
        blocks=[[Place(*place) for place in block] for block in entry["blocks"]],
        sources=frozenset(entry["sources"]),
    )
