# SPDX-License-Identifier: AGPL-3.0-only
"""From a changed source to changed code, in a copy of `contracts/`."""

import gzip
import json
import os
import shutil
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.coverage.instrument import Instrumented
from tests.mutation.operators import Mutant
from tests.support.build import ROOT
from tests.support.compiler import Place, compiled
from tests.support.evm import Evm

CODE_SIZE_LIMIT = 24_576


class Verdict(StrEnum):
    """What became of a mutant. Only `KILLED`, `TIMED_OUT`, `SURVIVED` and `UNCOVERED` count."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    UNCOVERED = "uncovered"
    DOES_NOT_COMPILE = "does not compile"
    SAME_CODE = "same code"
    TOO_LARGE = "too large"
    NOT_DEPLOYED = "not deployed"

    @property
    def counts(self) -> bool:
        return self in (Verdict.KILLED, Verdict.TIMED_OUT, Verdict.SURVIVED, Verdict.UNCOVERED)

    @property
    def is_noticed(self) -> bool:
        return self in (Verdict.KILLED, Verdict.TIMED_OUT)


class Base:
    """The contracts as they are: the sources at the start, and the code of every deployable contract."""

    def __init__(self, contracts: list[Instrumented], root: Path = ROOT):
        self.contracts = contracts
        self.sources = {
            str(path.relative_to(root)): path.read_bytes() for path in sorted((root / "contracts").rglob("*.vy*"))
        }
        self._holders: dict[Place, list[Instrumented]] = {}
        for contract in contracts:
            for place in {place for block in contract.blocks for place in block}:
                self._holders.setdefault(place, []).append(contract)

    def touched(self, mutant: Mutant) -> list[Instrumented]:
        """The deployable contracts whose code a mutant may change."""
        if len(mutant.places) == 1 and (found := self._holders.get(next(iter(mutant.places)))):
            return [contract for contract in found if mutant.file in contract.sources]
        return [contract for contract in self.contracts if mutant.file in contract.sources]


class Store:
    """What became of mutants in the compiler. It does not depend on tests, so it is kept until a contract changes."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, mutant: Mutant) -> "Changed | Verdict | None":
        path = self._path(mutant)
        if not path.exists():
            return None
        entry = json.loads(gzip.decompress(path.read_bytes()))
        if isinstance(entry, str):
            return Verdict(entry)
        return Changed({bytes.fromhex(old): bytes.fromhex(new) for old, new in entry.items()})

    def put(self, mutant: Mutant, built: "Changed | Verdict") -> None:
        entry = built if isinstance(built, Verdict) else {old.hex(): new.hex() for old, new in built.codes.items()}
        partial = self._path(mutant).with_suffix(f".{os.getpid()}")
        partial.write_bytes(gzip.compress(json.dumps(entry).encode(), compresslevel=1))
        partial.replace(self._path(mutant))

    def _path(self, mutant: Mutant) -> Path:
        return self.folder / f"{mutant.id}.gz"


class Workshop:
    """A folder with a copy of the sources, for one mutant at a time."""

    def __init__(self, base: Base, folder: Path, store: Store | None = None):
        self.base, self.folder, self.store = base, folder, store
        for name, source in base.sources.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(source)

    def put(self, mutant: Mutant) -> None:
        (self.folder / mutant.file).write_bytes(mutant.applied(self.base.sources[mutant.file]))

    def restore(self, mutant: Mutant) -> None:
        (self.folder / mutant.file).write_bytes(self.base.sources[mutant.file])

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def build(self, mutant: Mutant) -> "Changed | Verdict":
        """The code of the contracts that the mutant has changed, or why there is none."""
        built = self.store.get(mutant) if self.store else None
        if built is None:
            built = self._compiled(mutant)
            if self.store:
                self.store.put(mutant, built)
        return built

    def _compiled(self, mutant: Mutant) -> "Changed | Verdict":
        changed = {}
        for contract in self.base.touched(mutant):
            path = self.folder / "contracts" / f"{contract.name}.vy"
            try:
                new = compiled(path, self.folder)
                has_changed = new.code != contract.bare
            except Exception:  # noqa: BLE001 - the compiler has many ways to say no, its own failures among them
                return Verdict.DOES_NOT_COMPILE
            if not has_changed:
                continue
            if contract.runtime_size <= CODE_SIZE_LIMIT < new.runtime_size:
                return Verdict.TOO_LARGE
            changed[contract.code] = new.code
        return Changed(changed) if changed else Verdict.SAME_CODE


@dataclass
class Changed:
    """Deploys mutated code where a test deploys the original, and counts how often."""

    codes: dict[bytes, bytes]
    code_size_limit: int | None = None
    deployed: int = field(default=0)

    def code_for(self, evm: Evm, code: bytes) -> bytes:  # noqa: ARG002
        for original, new in self.codes.items():
            if code.startswith(original):
                self.deployed += 1
                return new + code[len(original) :]
        return code
