# SPDX-License-Identifier: AGPL-3.0-only
"""How tests are shared out among processes: by file, but some folders whole to one, since they share one exchange."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/browser/", "tests/clients/")


class ByFile(LoadFileScheduling):
    """As `--dist loadfile`, with each of those folders counted as one file."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
        return folder or str(super()._split_scope(nodeid))
