# SPDX-License-Identifier: AGPL-3.0-only
"""One local stack for all tests of this folder that ask for it."""

from collections.abc import Iterator

import pytest

from tests.support.stack import running_stack


@pytest.fixture(scope="package")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The front door of the stack, which has no bots."""
    with running_stack(tmp_path_factory.mktemp("stack")) as base_url:
        yield base_url
