# SPDX-License-Identifier: AGPL-3.0-only
"""`make` is the way to work here, so its help must be true."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    return set(phony.split())


def test_plain_make_prints_every_target_with_a_line_of_help() -> None:
    listed = set(re.findall(r"^  make (\w+) +\S", make(), re.MULTILINE))
    assert listed == targets()
    assert {"up", "demo", "test", "check", "bench", "fuzz", "clean", "lock", "setup"} <= listed


def test_the_ports_reach_the_stack() -> None:
    assert "ouro up --port 9000 --anvil-port 9545" in make("--dry-run", "up", "PORT=9000", "ANVIL_PORT=9545")
    assert "ouro up --port 8000 --anvil-port 8545" in make("--dry-run", "up")


def test_every_target_sets_up_what_it_needs() -> None:
    for target in sorted(targets() - {"help", "clean", "distclean"}):
        assert "stack/bootstrap.py" in make("--dry-run", target), target
