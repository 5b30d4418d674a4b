# SPDX-License-Identifier: AGPL-3.0-only
"""One chain and one relayer for the tests of a file; tests that stop or disturb either start their own."""

from collections.abc import Iterator

import pytest

from tests.integration.relayer.harness import RelayerProcess, World, world


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A chain that mines whatever comes at once."""
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def relayer(shared: World) -> Iterator[RelayerProcess]:
    """A relayer of that chain, ready."""
    with shared.relayer() as process:
        yield process
