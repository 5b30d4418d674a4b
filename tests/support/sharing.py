# SPDX-License-Identifier: AGPL-3.0-only
"""How tests are shared out among processes: by file, but what shares one exchange together; the longest first.

A long file that begins last keeps one process busy while the others have nothing left.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "tests/browser/": "tests/browser/",
    "tests/clients/": "tests/clients/",
    "tests/e2e/test_sdk.py": "tests/e2e/test_cli_walk.py",
}
"""Folders and files, and what each is counted with as one file."""

LONGEST = (
    "tests/browser/",
    "tests/e2e/test_cli_walk.py",
    "tests/e2e/test_sdk.py",
    "tests/clients/",
    "tests/unit/relayer_core/test_compiled.py",
    "tests/integration/deploying/",
    "tests/mutation/",
    "tests/e2e/",
    "tests/setup/",
    "tests/integration/",
    "tests/crash/",
    "tests/chaos/",
    "tests/reorgs/",
    "tests/invariant/",
    "tests/coverage/",
    "tests/gas/",
)
"""What takes minutes, in the order in which it begins."""


def rank(nodeid: str) -> int:
    """When a test begins, as against others: those of lower ranks first."""
    return next((number for number, place in enumerate(LONGEST) if nodeid.startswith(place)), len(LONGEST))


class ByFile(LoadFileScheduling):
    """As `--dist loadfile`, with what stays together counted as one file, and in the order of the collection."""

    def schedule(self) -> None:
        # Else files are ordered by how many tests they have, which says little about how long they take.
        self.config.option.loadscopereorder = False
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        scope = next((together for place, together in TOGETHER.items() if nodeid.startswith(place)), None)
        return scope or str(super()._split_scope(nodeid))
