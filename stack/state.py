# SPDX-License-Identifier: AGPL-3.0-only
"""What the local stack keeps between runs, in `.ouro/`, and whether it still fits together.

The chain's own file is written only when anvil ends. So a small record beside it says which block was seen last: after
a power cut, or when somebody deletes half of the folder, the next start notices and says so instead of going on with
services that remember a future the chain does not have.
"""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import IO, Any

from stack.supervisor import StackError

FORMAT = 2
START_OVER = "`make clean` forgets the local chain and everything on it, and the next start begins anew."


class StateFolder:
    """The files of one local stack."""

    def __init__(self, path: Path, project: Path) -> None:
        self.path = path
        self._project = project
        self.logs = path / "logs"
        self.chain = path / "anvil.json"
        self.deployment = path / "deployment.json"
        self.feed = path / "feed.json"
        self._record = path / "stack.json"
        self._lock: IO[str] | None = None
        path.mkdir(parents=True, exist_ok=True)

    def lock(self) -> None:
        """Claim the folder until the process ends. Raises `StackError` if another stack runs on it."""
        file = (self.path / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise StackError(f"Ouro already runs on {self.path} (process {holder}). Stop that first.") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._lock = file

    def unlock(self) -> None:
        """Let others use the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def deployed(self) -> bool:
        """Whether a finished deployment is on record."""
        return self._record.exists()

    def check_files(self) -> None:
        """Raises `StackError` if what is kept cannot be continued with the present contracts."""
        if not self.deployed:
            # An earlier first start did not get as far as a deployment: nothing on that chain is of use.
            self.chain.unlink(missing_ok=True)
            self.deployment.unlink(missing_ok=True)
            return
        record = self._read()
        if record.get("format") != FORMAT:
            raise StackError(f"The state in {self.path} was written by another version of the stack. {START_OVER}")
        if record["contracts"] != self._contracts():
            raise StackError(f"The contracts have changed since the chain in {self.path} was deployed. {START_OVER}")
        for path in (self.chain, self.deployment):
            if not path.exists():
                raise StackError(f"{path} is missing, the rest of the state is there. {START_OVER}")

    def seen(self) -> tuple[int, str]:
        """Number and hash of the newest block that the last run saw."""
        seen: dict[str, Any] = self._read()["seen"]
        return seen["number"], seen["hash"]

    def remember(self, block: tuple[int, str]) -> None:
        """Record the newest block, and with the first one that the deployment is complete."""
        number, block_hash = block
        record = {"format": FORMAT, "contracts": self._contracts(), "seen": {"number": number, "hash": block_hash}}
        temporary = self._record.with_suffix(".new")
        temporary.write_text(json.dumps(record, indent=2) + "\n")
        temporary.replace(self._record)

    def check_chain(self, block: tuple[int, str] | None) -> None:
        """Raises `StackError` unless `block` (the chain's block at the number seen last) is the one seen."""
        if block is None or block != self.seen():
            raise StackError(
                f"The chain in {self.path} is not the one that the services know: the last run did not end cleanly, "
                f"or a file was replaced. {START_OVER}"
            )

    def _read(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self._record.read_text())
        return record

    def _contracts(self) -> str:
        """Digest of everything that a deployment depends on."""
        digest = hashlib.sha256()
        sources = [*(self._project / "contracts").rglob("*.vy*"), *(self._project / "scripts").glob("*.py")]
        sources += (self._project / "deployments" / "parameters").glob("local.toml")
        for path in sorted(sources):
            digest.update(str(path.relative_to(self._project)).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()
