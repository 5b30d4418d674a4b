# SPDX-License-Identifier: AGPL-3.0-only
"""Statements that no call can reach: they are named one by one, with the reason, and do not count.

Each is found by its text and the line before it, so that it cannot slip to another statement. One that is executed
after all makes `make coverage` fail.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.support.build import ROOT
from tests.support.compiler import Place


@dataclass(frozen=True)
class Unreachable:
    """`statement` stands on the line after `before` in `file`."""

    file: str
    before: str
    statement: str
    reason: str

    def place(self, root: Path = ROOT) -> Place:
        """Where it stands now. `ValueError` when it is not there exactly once."""
        lines = [line.strip() for line in (root / self.file).read_text().splitlines()]
        pairs = pairwise(lines)
        found = [number for number, pair in enumerate(pairs, 2) if pair == (self.before, self.statement)]
        if len(found) != 1:
            raise ValueError(f"{self.file}: {len(found)} times {self.statement!r} after {self.before!r}")
        return Place(self.file, found[0])


UNREACHABLE = (
    Unreachable(
        "contracts/modules/accounts.vy",
        "if newest == 0:",
        "return False",
        "The one caller asks only when `word & slots.FLOORED` is not zero, and those are the bits of `newest`.",
    ),
    Unreachable(
        "contracts/modules/signatures.vy",
        "if len(signature) != 65:",
        "return empty(address)",
        "Both callers have checked the length and pass a slice of 65 bytes.",
    ),
)
