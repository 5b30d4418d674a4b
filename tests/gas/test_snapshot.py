# SPDX-License-Identifier: AGPL-3.0-only
"""Gas on a real node equals `snapshot.json`.

When a change of the contracts is meant to move it, write it anew and commit it with the change:

    OURO_UPDATE_GAS=1 pytest tests/gas
"""

import json
import os
from pathlib import Path

from bench.gas import measure

SNAPSHOT = Path(__file__).with_name("snapshot.json")


def test_gas_is_what_the_snapshot_says() -> None:
    measured = measure()
    if os.environ.get("OURO_UPDATE_GAS"):
        SNAPSHOT.write_text(json.dumps(measured, indent=2) + "\n")
    committed = json.loads(SNAPSHOT.read_text())
    assert measured == committed, "gas moved: if that is meant, run OURO_UPDATE_GAS=1 pytest tests/gas and commit"
