# SPDX-License-Identifier: AGPL-3.0-only
"""`ape` that has started already: each command runs in a process of its own, forked from one that has imported all.

Importing ape, its plugins and their libraries is most of what a short script costs. `test_deploying_page.py` starts the
program itself for every command, as a person does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

WARMING = ["run", "operation", "list", "--help"]


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed to standard output and then to standard error."""

    code: int
    printed: str


class Ape:
    """Runs commands in one checkout."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, *arguments: str) -> Done:
        """`ape` with these arguments, to its end."""
        asked, answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        asked.write(json.dumps(arguments) + "\n")
        asked.flush()
        answer = answers.readline()
        assert answer, f"what runs ape has ended with {self._process.wait()}"
        return Done(**json.loads(answer))


@contextmanager
def started_ape(folder: Path, environment: dict[str, str]) -> Iterator[Ape]:
    """Ape in a checkout, until the end of the block."""
    # -P: not the folder of this file, but what ape itself puts there
    command = [sys.executable, "-P", str(Path(__file__).resolve())]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as process:
        try:
            yield Ape(process)
        except BaseException:
            process.kill()
            raise


def _serve() -> None:
    """Run the commands that standard input names, one a line, and answer each with a line."""
    # what the way to a node needs and `--help` does not
    import ape.managers.chain  # noqa: F401
    import ape_foundry  # noqa: F401
    import ape_test.provider  # noqa: F401
    from ape._cli import cli

    answers = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    sys.argv = ["ape", *WARMING]
    with suppress(SystemExit):
        cli()
    for line in sys.stdin:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                for file, descriptor in ((output, 1), (errors, 2)):
                    os.dup2(file.fileno(), descriptor)
                os.dup2(nothing, 0)
                sys.argv = ["ape", *json.loads(line)]
                sys.exit(cli())
            _, status = os.waitpid(child, 0)
            printed = []
            for file in (output, errors):
                file.seek(0)
                printed.append(file.read().decode())
        answers.write(json.dumps({"code": os.waitstatus_to_exitcode(status), "printed": "".join(printed)}) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
