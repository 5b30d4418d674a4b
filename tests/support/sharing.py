# SPDX-License-Identifier: AGPL-3.0-only
"""How tests are shared out among processes: by file, but all browser tests to one, since they share one exchange."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

BROWSER = "tests/browser/"


class ByFile(LoadFileScheduling):
    """As `--dist loadfile`, with one folder counted as one file."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else str(super()._split_scope(nodeid))
