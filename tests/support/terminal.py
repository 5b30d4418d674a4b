# SPDX-License-Identifier: AGPL-3.0-only
"""A shell as a person uses one: blocks of a page are typed into it, one after the other."""

import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE_S = 240
"""For one block on a machine that does other things."""


@dataclass
class Terminal:
    """A shell that remembers what was exported in it."""

    folder: Path
    environment: dict[str, str]
    exports: list[str] = field(default_factory=list)
    running: "subprocess.Popen[bytes] | None" = None

    def type(self, block: str) -> str:
        """Run a block to its end; what it said. It must succeed."""
        script = "\n".join(["set -euo pipefail", *self.exports, block])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        self.exports += [line for line in block.splitlines() if line.startswith("export ")]
        return done.stdout

    def start(self, block: str, log: Path) -> None:
        """Run a block that does not end by itself."""
        *before, last = block.strip().splitlines()
        script = "\n".join(["set -euo pipefail", *self.exports, *before, f"exec {last}"])
        with log.open("wb") as output:
            self.running = subprocess.Popen(
                ["bash", "-c", script], cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )

    def stop(self) -> int:
        """Ctrl-C."""
        assert self.running is not None
        self.running.send_signal(signal.SIGINT)
        return self.running.wait(180)
