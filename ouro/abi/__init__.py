# SPDX-License-Identifier: Apache-2.0
"""ABIs of the contracts, exported from their sources by `scripts/export_abi.py`."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load(name: str) -> list[dict[str, Any]]:
    """The ABI of `Exchange` (its desk included), `Vault`, `Backstop`, `PushedOracle` or `TestUSDC`."""
    entries: list[dict[str, Any]] = json.loads(files(__package__).joinpath(f"{name}.json").read_text())
    return entries
