# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro demo`, as `make demo` runs it: the whole exchange played through, audited, and put away again."""

import os
import re
import subprocess
import sys
from pathlib import Path

PARTS = (
    "Deposits",
    "Trading",
    "Refused at the door",
    "A bad fill",
    "Relayer killed",
    "Instant withdrawal",
    "Crash",
    "Funding",
    "Closing",
    "Delayed withdrawal",
    "A batch again",
)


def test_the_demo_plays_and_everybody_agrees(tmp_path: Path) -> None:
    state = tmp_path / "state"
    command = [str(Path(sys.executable).with_name("ouro")), "demo", "--state", str(state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=560, env=_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    for part in PARTS:
        assert part in done.stdout
    assert "agree to the unit" in done.stdout
    assert re.search(r"Rejected on chain: 1 of \d+ fills", done.stdout), done.stdout
    assert " NO " not in done.stdout
    assert (state / "journal").is_dir()


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    command = [str(Path(sys.executable).with_name("ouro")), "demo", "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=_environment())
    assert done.returncode == 2
    assert "is not empty" in done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
