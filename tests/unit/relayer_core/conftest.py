# SPDX-License-Identifier: AGPL-3.0-only
"""Venues to test on."""

import os

import pytest

from relayer.core import book
from tests.unit.relayer_core.exchange_model import Venue


def pytest_configure() -> None:
    """`OURO_CORE` names the folder of a compiled core: then it must be what is tested."""
    wanted = os.environ.get("OURO_CORE", "")
    if not str(book.__file__).startswith(wanted):
        raise pytest.UsageError(f"the core is {book.__file__}, not the compiled one in {wanted}")


@pytest.fixture
def venue() -> Venue:
    """Prices are fresh; maker, taker and other have 10,000 USDC each."""
    made = Venue()
    for role in ("maker", "taker", "other"):
        made.deposit(role)
    return made
