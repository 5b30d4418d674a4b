# SPDX-License-Identifier: AGPL-3.0-only
"""The JSON vectors, and the domain that orders of tests are signed for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ouro.eip712 import Domain

FOLDER = Path(__file__).parents[2] / "vectors"


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """A file of vectors by its name."""
    return lambda name: json.loads((FOLDER / f"{name}.json").read_text())


@pytest.fixture
def domain() -> Domain:
    return Domain(31_337, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")
