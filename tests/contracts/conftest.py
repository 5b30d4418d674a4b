# SPDX-License-Identifier: AGPL-3.0-only
"""A fresh exchange for each test: deploying one takes some milliseconds."""

import pytest

from tests.support.world import World


@pytest.fixture
def world() -> World:
    return World()
