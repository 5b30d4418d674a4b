# SPDX-License-Identifier: AGPL-3.0-only
"""Venues to test on."""

import pytest

from tests.unit.relayer_core.exchange_model import Venue


@pytest.fixture
def venue() -> Venue:
    """Prices are fresh; maker, taker and other have 10,000 USDC each."""
    made = Venue()
    for role in ("maker", "taker", "other"):
        made.deposit(role)
    return made
