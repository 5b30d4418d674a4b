# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro demo`, as `make demo` runs it: the whole exchange played through, audited, and put away again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select

from indexer.store.engine import open_engine
from indexer.store.schema import chain_cursor
from tests.e2e.replay import Replay, compare
from tests.support.anvil import anvil
from tests.unit.indexer.front import Front

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
    _agrees_with_the_reference_model(state)


def _agrees_with_the_reference_model(state: Path) -> None:
    """Its chain once more through the model, beside what its indexer left: profit, funding and equity of everybody."""
    record = json.loads((state / "deployment.json").read_text())
    with anvil("--load-state", str(state / "anvil.json")) as node:
        replay = Replay(node.rpc, record)
    assert (replay.rejected, replay.takeovers > 0) == (1, True)
    engine = open_engine(f"sqlite:///{state / 'indexer.sqlite'}", writes=False)
    try:
        with engine.begin() as connection:
            at = connection.execute(select(chain_cursor.c.time_s)).scalar_one()
        compared = compare(replay, Front(engine).get, at)
    finally:
        engine.dispose()
    assert compared.accounts >= 8
    assert compared.ticks > 8
    assert compared.positions >= 9
    assert compared.payments >= 9
    assert compared.paid > 10**6


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    command = [str(Path(sys.executable).with_name("ouro")), "demo", "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=_environment())
    assert done.returncode == 2
    assert "is not empty" in done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
