# SPDX-License-Identifier: AGPL-3.0-only
"""Pure: how many blocks to ask for at once while backfilling."""

from dataclasses import dataclass


@dataclass
class AdaptiveRange:
    """A span of blocks that grows while answers are small and halves when the node refuses."""

    span: int = 1_000
    least: int = 1
    most: int = 50_000
    wanted_logs: int = 5_000

    def answered(self, logs: int) -> None:
        """The node answered with so many logs."""
        if logs > 2 * self.wanted_logs:
            self.span = max(self.least, self.span // 2)
        elif logs < self.wanted_logs // 2:
            self.span = min(self.most, self.span * 2)

    def refused(self) -> bool:
        """The node refused. Returns whether a smaller span is left to try."""
        if self.span == self.least:
            return False
        self.span = max(self.least, self.span // 2)
        return True
