# SPDX-License-Identifier: AGPL-3.0-only
"""How tests are shared out among processes: by file, but all browser tests to one, since they share one exchange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

BROWSER = "tests/browser"


class ByFile(LoadFileScheduling):
    """As `--dist loadfile`, with one folder counted as one file."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """For `--dist loadfile` only; others stay what they are."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    first: Sequence[pytest.Item] = [item for item in items if item.nodeid.startswith(BROWSER)]
    items[:] = [*first, *(item for item in items if item not in set(first))]
